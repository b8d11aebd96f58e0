"""Diagnoses that the networks tell apart, and the scores that follow from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hybridlesion.metadata import read_diagnosis

# Diagnoses in the order of the network's outputs, with their letters in column names.
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

# Actinic keratosis is a precursor: it counts as neither malignant nor benign.
_MALIGNANT = np.isin(list(CLASSES), ["melanoma", "basal cell carcinoma", "squamous cell carcinoma"])

_PRECURSOR = list(CLASSES).index("actinic keratosis")

# Diagnoses of records that are kinds of a class.
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
    """Name the class of each diagnosis.

    Parameters
    ----------
    diagnosis : Series of shape (n,)
        Diagnoses in the words of records or any others that `read_diagnosis` understands; missing
        where unknown.

    Returns
    -------
    Series of shape (n,)
        One of `CLASSES`; None where the diagnosis is none of them.

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
    """Return the classes that each label admits.

    Parameters
    ----------
    diagnosis : Series of shape (n,) or None
        Diagnoses of records; missing where unknown.
    target : ndarray of shape (n,), int
        1 is malignant, 0 benign.

    Returns
    -------
    ndarray of shape (n, 8), bool
        The one class of a known diagnosis; else all malignant, or all other, classes.

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
    """Whether the classes that each label admits are malignant.

    Parameters
    ----------
    allowed : ndarray of shape (n, 8), bool
        Admitted classes.

    Returns
    -------
    ndarray of shape (n,), float
        1 if all are malignant, 0 if none is; NaN for mixed labels and for actinic keratosis alone.

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
        True for its classes.

    Examples
    --------
    >>> classes_of("cnn__melanoma").astype(int)
    array([1, 0, 0, 0, 0, 0, 0, 0])
    """
    if column == SCORE_COLUMNS[0]:
        return _MALIGNANT
    return np.arange(len(CLASSES)) == max(SCORE_COLUMNS.index(column) - 2, 0)


def class_scores(logits: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Turn logits of balanced classes into the columns of a feature table.

    Parameters
    ----------
    logits : ndarray of shape (n, 8), float
        Outputs of the network, which was trained as if all classes were equally frequent.
    shares : sequence of float
        Frequencies of the classes where the scores are used; they sum to 1.

    Returns
    -------
    ndarray of shape (n, 10), float32
        `SCORE_COLUMNS`: probability of melanoma, basal cell or squamous cell carcinoma together;
        of melanoma; of each class. NaN where the logits are.

    References
    ----------
    Menon et al. 2021, "Long-tail learning via logit adjustment", ICLR.

    Examples
    --------
    >>> class_scores(np.zeros((1, 8)), [0.2, 0.3, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05])[0, :2].round(3)
    array([0.4, 0.2], dtype=float32)
    """
    shifted = np.asarray(logits, dtype=float) + np.log(shares)
    # Not scipy's softmax, whose last bits depend on the number of rows.
    exponentials = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    shares_of = exponentials / exponentials.sum(axis=1, keepdims=True)
    malignant = shares_of[:, _MALIGNANT].sum(axis=1)
    return np.column_stack([malignant, shares_of[:, 0], shares_of]).astype(np.float32)
