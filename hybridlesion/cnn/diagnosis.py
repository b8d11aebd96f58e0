"""Diagnoses that the networks distinguish, and scores derived from their probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hybridlesion.metadata import read_diagnosis

# Diagnoses in the order of the network outputs, with their abbreviations in column names.
CLASSES = {
    "melanoma": "mel",
    "nevus": "nv",
    "basal cell carcinoma": "bcc",
    "actinic keratosis": "ak",
    "squamous cell carcinoma": "scc",
    "benign keratosis": "bkl",
    "dermatofibroma": "df",
    "vascular lesion": "vasc",
}

# Actinic keratosis is a precursor that counts as neither malignant nor benign.
_MALIGNANT = np.isin(list(CLASSES), ["melanoma", "basal cell carcinoma", "squamous cell carcinoma"])

_PRECURSOR = list(CLASSES).index("actinic keratosis")

# Diagnoses in records that are subtypes of a class.
_KINDS = {
    "seborrheic keratosis": "benign keratosis",
    "solar lentigo": "benign keratosis",
    "lichenoid keratosis": "benign keratosis",
    "angiokeratoma": "vascular lesion",
    "angioma": "vascular lesion",
    "hemangioma": "vascular lesion",
    "hemorrhage": "vascular lesion",
    "pyogenic granuloma": "vascular lesion",
}

SCORE_COLUMNS = ("cnn__score", "cnn__melanoma", *(f"cnn__p_{code}" for code in CLASSES.values()))


def name_classes(diagnosis: pd.Series) -> pd.Series:
    """Return the name of the class of each diagnosis.

    Parameters
    ----------
    diagnosis : Series of shape (n,)
        Diagnoses in any wording that `read_diagnosis` understands, with missing values for unknown
        diagnoses.

    Returns
    -------
    Series of shape (n,)
        One of `CLASSES`, or None for any other diagnosis.

    Examples
    --------
    >>> name_classes(pd.Series(["angioma", "Melanoma (in situ)", "wart", None])).tolist()
    ['vascular lesion', 'melanoma', None, None]
    """
    return pd.Series(
        [None if pd.isna(words) else _name_class(str(words)) for words in diagnosis],
        index=diagnosis.index,
        dtype=object,
    )


def _name_class(words: str) -> str | None:
    name = read_diagnosis(words).name
    name = _KINDS.get(name, name)
    return name if name in CLASSES else None


def allowed_classes(diagnosis: pd.Series | None, target: np.ndarray) -> np.ndarray:
    """Return the classes that are compatible with each label.

    Parameters
    ----------
    diagnosis : Series of shape (n,) or None
        Diagnoses of the records, with missing values for unknown diagnoses.
    target : ndarray of shape (n,), int
        1 for malignant, 0 for benign.

    Returns
    -------
    ndarray of shape (n, 8), bool
        A single class if the diagnosis is known; otherwise, all malignant or all other classes,
        depending on the target.

    Examples
    --------
    >>> import pandas as pd
    >>> allowed = allowed_classes(pd.Series(["angioma", None]), np.array([0, 1]))
    >>> [[name for name, is_allowed in zip(CLASSES, row) if is_allowed] for row in allowed]
    [['vascular lesion'], ['melanoma', 'basal cell carcinoma', 'squamous cell carcinoma']]
    """
    allowed = np.where(np.asarray(target, dtype=bool)[:, None], _MALIGNANT, ~_MALIGNANT)
    if diagnosis is not None:
        place = pd.Index(list(CLASSES)).get_indexer(name_classes(diagnosis))
        known = place >= 0
        allowed[known] = np.eye(len(CLASSES), dtype=bool)[place[known]]
    return allowed


def malignancy_of(allowed: np.ndarray) -> np.ndarray:
    """Determine whether the classes that are compatible with each label are malignant.

    Parameters
    ----------
    allowed : ndarray of shape (n, 8), bool
        Classes that are compatible with each label.

    Returns
    -------
    ndarray of shape (n,), float
        1 if all classes are malignant, 0 if none are, and NaN for mixed labels and for actinic
        keratosis alone.

    Examples
    --------
    >>> malignancy_of(np.array([_MALIGNANT, ~_MALIGNANT]))
    array([1., 0.])
    """
    malignant = np.where(allowed[:, _MALIGNANT].any(axis=1), 1.0, 0.0)
    precursor = allowed[:, _PRECURSOR] & (allowed.sum(axis=1) == 1)
    mixed = (malignant == 1) & allowed[:, ~_MALIGNANT].any(axis=1)
    return np.where(precursor | mixed, np.nan, malignant)


def classes_of(column: str) -> np.ndarray:
    """Return the classes whose probabilities sum to a score.

    Parameters
    ----------
    column : str
        One of `SCORE_COLUMNS`.

    Returns
    -------
    ndarray of shape (8,), bool
        True for the classes of the score.

    Examples
    --------
    >>> classes_of("cnn__melanoma").astype(int)
    array([1, 0, 0, 0, 0, 0, 0, 0])
    """
    if column == SCORE_COLUMNS[0]:
        return _MALIGNANT
    return np.arange(len(CLASSES)) == max(SCORE_COLUMNS.index(column) - 2, 0)


def outcome_of(column: str) -> str:
    """Name what a score is the probability of.

    Parameters
    ----------
    column : str
        One of `SCORE_COLUMNS`.

    Returns
    -------
    str
        "malignancy", or a class.

    Examples
    --------
    >>> [outcome_of(name) for name in ("cnn__score", "cnn__melanoma", "cnn__p_bcc")]
    ['malignancy', 'melanoma', 'basal cell carcinoma']
    """
    if column == SCORE_COLUMNS[0]:
        return "malignancy"
    return list(CLASSES)[int(np.argmax(classes_of(column)))]


def class_scores(logits: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Convert logits for balanced classes into the columns of a feature table.

    Parameters
    ----------
    logits : ndarray of shape (n, 8), float
        Outputs of the network, which was trained as if all classes were equally frequent.
    shares : sequence of float
        Class frequencies in the target population, which sum to 1.

    Returns
    -------
    ndarray of shape (n, 10), float32
        `SCORE_COLUMNS`: the probability of any malignancy (melanoma, basal cell or squamous cell
        carcinoma), of melanoma, and of each class. Rows with NaN logits are NaN.

    References
    ----------
    Menon et al. 2021, "Long-tail learning via logit adjustment", ICLR.

    Examples
    --------
    >>> class_scores(np.zeros((1, 8)), [0.2, 0.3, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])[0, :2].round(3)
    array([0.4, 0.2], dtype=float32)
    """
    shifted = np.asarray(logits, dtype=float) + np.log(shares)
    # Avoid scipy's softmax, whose last bits depend on the number of rows.
    exponentials = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    shares_of = exponentials / exponentials.sum(axis=1, keepdims=True)
    malignant = shares_of[:, _MALIGNANT].sum(axis=1)
    return np.column_stack([malignant, shares_of[:, 0], shares_of]).astype(np.float32)
