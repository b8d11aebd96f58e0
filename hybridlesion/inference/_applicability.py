"""Reasons why a model does not apply to an image, abstention, and conformal sets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from hybridlesion.model import Distribution, HybridLesionClassifier

UNUSUAL = 0.05
"""Applicability below which an image is unusual. By definition, as many training images are."""

# Share of the training rows beyond which a fact is a reason.
_RARE = 0.005

_GROUP_WORDS = {
    "skin": "the skin around the lesion",
    "texture": "texture",
    "diagnoses": "the diagnoses that the CNN considers",
}

# Column, whether large values are the reason, and the words.
_FACTS = (
    ("qa__segmentation_confidence", False, "the mask is uncertain (confidence {:.2f})"),
    (
        "qa__mask_share",
        False,
        "much skin around the lesion, as in a macro photograph (lesion {:.1%} of the image)",
    ),
    ("qa__mask_share", True, "hardly any skin around the lesion (lesion {:.0%} of the image)"),
    ("abcd__skin_ita", False, "skin tone hardly in the training data (ITA {:.0f} degrees)"),
    ("abcd__skin_ita", True, "skin tone hardly in the training data (ITA {:.0f} degrees)"),
    (
        "abcd__texture_energy_fine",
        False,
        "hardly any fine detail: resolution or focus far below the training images",
    ),
    ("qa__hair_share", True, "quality: hair (on {:.0%} of the image)"),
    ("qa__dark_corner_share", True, "quality: dark corners (on {:.0%} of the image)"),
)
_EMPTY = "qa__empty_mask"
NO_LESION = "no lesion found"
UNDECIDED = "both benign and malignant are plausible at this error"

# Applicability of images that are unlike almost all training images.
_FOREIGN = 0.01

# Beginnings of columns that depend on the score.
_JUDGED = ("score", "label", "set", "base", "p_", "diagnosis_predicted", "reason_", "share_")

# Whether a set contains benign, and whether it contains malignant.
_SETS = {(True, False): "benign", (False, True): "malignant", (True, True): "both"}


def applicability_columns(
    classifier: HybridLesionClassifier, table: pd.DataFrame
) -> dict[str, np.ndarray]:
    """Compute the applicability of a model to rows, and the reasons where it is low.

    Parameters
    ----------
    classifier : HybridLesionClassifier
        Fitted classifier.
    table : DataFrame of shape (n, columns)
        Feature table with the columns of training.

    Returns
    -------
    dict of str to ndarray of shape (n,)
        ``applicability``, if the model has a fallback; ``applicability_reason``, None where there
        is none, if the model has a fallback or `table` contains facts that could be a reason.
    """
    applicability = classifier.applicability(table)
    known, summary = np.isfinite(applicability).all(), classifier.training_summary_ or {}
    columns = {"applicability": applicability} if known else {}
    facts = {_EMPTY, *(column for column, *_ in _FACTS if column in summary)}
    if not known and not facts & set(table):
        return columns
    groups = np.full(len(table), "", dtype=object)
    unusual = applicability < UNUSUAL
    if unusual.any():
        groups[unusual] = [_GROUP_WORDS[group] for group in classifier.least_usual(table[unusual])]
    return columns | {"applicability_reason": reasons_in_words(table, groups, summary)}


def reasons_in_words(
    table: pd.DataFrame, groups: np.ndarray, summary: Mapping[str, Distribution]
) -> np.ndarray:
    """Describe what is unusual about images.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table.
    groups : ndarray of shape (n,), str
        What is unlike the training images, in words; empty where nothing is.
    summary : dict of str to Distribution
        Distributions of the training rows.

    Returns
    -------
    ndarray of shape (n,), object
        Reasons, joined by semicolons; None where there is none. A fact is a reason if at most
        0.5 % of the training rows lie as far out.

    Examples
    --------
    >>> table = pd.DataFrame({"qa__empty_mask": [1.0, 0.0, 0.0]})
    >>> reasons_in_words(table, np.array(["", "", "texture"]), {}).tolist()
    ['no lesion found', None, 'unlike the training images in texture']
    """
    said = [[f"unlike the training images in {group}"] if group else [] for group in groups]
    empty = table[_EMPTY].to_numpy() == 1 if _EMPTY in table else np.zeros(len(table), dtype=bool)
    for row in np.flatnonzero(empty):
        said[row] = [NO_LESION]
    for column, high, words in _FACTS:
        if column in table and column in summary:
            values = table[column].to_numpy(dtype=float)
            # Without a lesion, facts about it mean nothing.
            far = summary[column].beyond(values, _RARE, high=high) & ~empty
            for row in np.flatnonzero(far):
                said[row].append(words.format(values[row]))
    return np.array(["; ".join(words) or None for words in said], dtype=object)


def count_reasons(reasons: pd.Series) -> dict[str, int]:
    """Count reasons, without their values.

    Parameters
    ----------
    reasons : Series of shape (n,), str
        Column ``applicability_reason``.

    Returns
    -------
    dict of str to int
        Number of rows by reason, the most frequent first.

    Examples
    --------
    >>> count_reasons(pd.Series(["a (1 %); b", None, "a (2 %)"]))
    {'a': 2, 'b': 1}
    """
    single = reasons.dropna().str.split("; ").explode()
    counts = single.str.replace(r" \(.*", "", regex=True).value_counts()
    return {str(reason): int(n) for reason, n in counts.items()}


def name_sets(sets: np.ndarray) -> list[str]:
    """Name conformal sets.

    Parameters
    ----------
    sets : ndarray of shape (n, 2), bool
        Whether each set contains benign, and whether it contains malignant.

    Returns
    -------
    list of str
        ``benign``, ``malignant``, ``both`` or ``empty``.

    Examples
    --------
    >>> name_sets(np.array([[True, False], [True, True], [False, False]]))
    ['benign', 'both', 'empty']
    """
    return [_SETS.get((bool(benign), bool(malignant)), "empty") for benign, malignant in sets]


def count_unscored(scores: pd.DataFrame) -> tuple[int, dict[str, int]]:
    """Count rows without a score, and the reasons why a model applies to rows less.

    Parameters
    ----------
    scores : DataFrame of shape (n, columns)
        Scores from `score_table`.

    Returns
    -------
    n_unscored : int
        Number of rows without a score.
    reasons : dict of str to int
        Result of `count_reasons`.
    """
    reasons = scores.get("applicability_reason", pd.Series(dtype=object))
    return int(scores["score"].isna().sum()), count_reasons(reasons)


def leave_out(scores: pd.DataFrame, abstain: float) -> pd.DataFrame:
    """Blank everything that depends on the score where it is not reliable enough.

    Parameters
    ----------
    scores : DataFrame of shape (n, columns)
        Scores with ``confidence`` and, if known, ``applicability`` and ``applicability_reason``.
    abstain : float
        Promised error, between 0 and 1.

    Returns
    -------
    DataFrame of shape (n, columns + 1)
        Copy with the column ``abstain``. Rows have a reason, but no score, label, set, diagnosis or
        explanation, if benign and malignant are both plausible at this error, no lesion was found,
        or the image is unlike almost all training images.
    """
    reason = scores.get("applicability_reason", pd.Series(None, scores.index, dtype=object))
    ambiguous = scores["confidence"] < 1 - abstain
    foreign = scores.get("applicability", pd.Series(1.0, scores.index)) < _FOREIGN
    out = ambiguous | foreign | reason.eq(NO_LESION)
    said = [
        "; ".join(words for words in (why, UNDECIDED if both else None) if isinstance(words, str))
        for why, both in zip(reason, ambiguous, strict=True)
    ]
    scores = scores.assign(
        label=scores["label"].astype("Int64"),
        applicability_reason=[words or None for words in said],
        abstain=abstain,
    )
    for name in [name for name in scores if name.startswith(_JUDGED)]:
        scores[name] = scores[name].mask(out)
    return scores
