"""Score the rows of feature tables, with applicability and notes on limitations."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion._formatting import count_words, shorten
from hybridlesion._validation import check_number
from hybridlesion.cnn import CLASSES
from hybridlesion.exceptions import OptionError, TableError
from hybridlesion.explain import reason_columns
from hybridlesion.featurizer import LesionFeaturizer, read_frame
from hybridlesion.metadata import MEASURED
from hybridlesion.metrics import shift_prevalence
from hybridlesion.model import Distribution, HybridLesionClassifier, match_malignancy
from hybridlesion.model_selection import GROUP_COLUMNS
from hybridlesion.pipeline import split_steps, threshold_rule
from hybridlesion.training import known_metadata

_PROBABILITIES = [f"p_{code}" for code in CLASSES.values()]
_SEEN = "qa__cnn_seen"
_OUT_OF_FOLD, _OPTIMISTIC = 1, 2


def find_featurizer(model: BaseEstimator) -> LesionFeaturizer:
    """Find the step of a model that measures images.

    Parameters
    ----------
    model : Pipeline
        Fitted pipeline.

    Returns
    -------
    LesionFeaturizer
        The step.

    Raises
    ------
    TableError
        If the model has none.
    """
    featurizer, _ = split_steps(model)
    if featurizer is None:
        raise TableError(
            "this model was fitted on tables alone and cannot measure images; use score_table."
        )
    return featurizer


def uses_context(classifier: BaseEstimator) -> bool:
    """Check whether a classifier uses patient context.

    Parameters
    ----------
    classifier : estimator
        Fitted classifier.

    Returns
    -------
    bool
        True if it computes or reads ``ctx__`` columns.
    """
    names = getattr(getattr(classifier, "encoder_", None), "names_", ())
    return any(str(name).startswith("ctx__") for name in names)


def note_caveats(
    names: Sequence[str], table: pd.DataFrame, *, context: bool = False
) -> tuple[str, ...]:
    """Note how many scores are optimistic, out-of-fold or without patient context.

    Parameters
    ----------
    names : sequence of str
        Columns that the model uses.
    table : DataFrame of shape (n, columns)
        Measured rows to score.
    context : bool, default=False
        Whether the model compares each lesion with other lesions of the same patient.

    Returns
    -------
    tuple of str
        Notes for the user.

    Examples
    --------
    >>> table = pd.DataFrame({"qa__cnn_seen": [0.0, 1.0, 2.0]})
    >>> note_caveats(["cnn__score"], table)[1]
    'the CNN was trained on 1 image of 3 and has no score without it; its score is optimistic.'
    """
    notes, total = [], f"{len(table):,}"
    if _SEEN in table and any(name.startswith("cnn__") for name in names):
        seen = table[_SEEN].to_numpy(float)
        out_of_fold, optimistic = (np.sum(seen == code) for code in (_OUT_OF_FOLD, _OPTIMISTIC))
        if out_of_fold:
            notes.append(
                f"the CNN was trained on {count_words(out_of_fold, 'image')} of {total}; their CNN "
                "score is from a network that was not."
            )
        if optimistic:
            whose, them = (
                ("its score is", "it") if optimistic == 1 else ("their scores are", "them")
            )
            notes.append(
                f"the CNN was trained on {count_words(optimistic, 'image')} of {total} and has no "
                f"score without {them}; {whose} optimistic."
            )
    if context:
        alone = len(table)
        if "patient_id" in table:
            alone -= int(table["patient_id"].dropna().duplicated(keep=False).sum())
        if alone:
            notes.append(
                f"the model compares a patient's lesions; {alone:,} of {total} images have no "
                "others here, or no patient_id."
            )
    return tuple(notes)


def note_unlike(scores: pd.DataFrame) -> list[str]:
    """Note how many images are unlike the training images, if they are many, and why.

    Parameters
    ----------
    scores : DataFrame of shape (n, columns)
        Scores with the columns of `applicability_columns`.

    Returns
    -------
    list of str
        Notes for the user; empty if fewer than three times as many images as expected are unusual,
        and a lesion was found in each.

    Examples
    --------
    >>> note_unlike(pd.DataFrame({"applicability": np.linspace(0, 1, 101)}))
    []
    >>> note_unlike(pd.DataFrame({"applicability": [0.01, 0.6, 0.02]}))[0].partition(" (")[0]
    '2 of 3 images are unlike the training images'
    """
    notes, total = [], count_words(len(scores), "image")
    unusual = int((scores["applicability"] < UNUSUAL).sum()) if "applicability" in scores else 0
    if unusual > 3 * UNUSUAL * len(scores):
        notes.append(
            f"{unusual:,} of {total} are unlike the training images (applicability below "
            f"{UNUSUAL}, expected of {100 * UNUSUAL:.0f} %); their scores rest on the CNN. Check "
            "the calibration and the threshold on lesions of known diagnosis from this site."
        )
    reasons = count_reasons(scores.get("applicability_reason", pd.Series(dtype=object)))
    if reasons and (notes or NO_LESION in reasons):
        listed = ", ".join(f"{words} ({n:,})" for words, n in [*reasons.items()][:4])
        notes.append(f"applicability_reason states for which images, most often: {listed}.")
    return notes


def score_table(
    model: BaseEstimator,
    table: pd.DataFrame,
    *,
    explain: bool = False,
    diagnoses: bool = False,
    coverage: float | None = None,
    abstain: float | None = None,
) -> pd.DataFrame:
    """Score the rows of a feature table.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model. Only the classifier step of a pipeline is used.
    table : DataFrame of shape (n, columns)
        Pandas or polars feature table, or records if the model uses only metadata. Age, sex and
        site are interpreted as by `hybridlesion.metadata.normalise_records`.
    explain : bool, default=False
        Whether to add the columns of `hybridlesion.explain.reason_columns`.
    diagnoses : bool, default=False
        Whether to add the columns of `HybridLesionClassifier.predict_diagnoses`.
    coverage : float, default=None
        Coverage of the conformal sets in the column ``set``: ``benign``, ``malignant``, ``both`` or
        ``empty``; see `HybridLesionClassifier.predict_set`. If None, there is no such column.
    abstain : float, default=None
        Promised error, between 0 and 1: a row gets no score if its conformal set of coverage
        ``1 - abstain`` contains both labels, no lesion was found, or it is less usual than 99 % of
        the training images. If None, every row gets a score.

    Returns
    -------
    DataFrame of shape (n, columns)
        ``image_id``, ``path``, ``patient_id``, ``lesion_id`` and ``duplicate_cluster``, if present
        in `table`; ``score`` (0 to 1), ``label`` (1 if the score reaches the threshold, else 0),
        ``threshold`` and ``threshold_rule``, such as "for 90 % sensitivity";
        `HybridLesionClassifier.original_score` as ``score_original``, if the model was
        recalibrated; ``set``, ``coverage`` and ``confidence``, if requested;
        `HybridLesionClassifier.applicability` as ``applicability``, if the model has a fallback,
        and ``applicability_reason`` in words, missing where nothing is unusual; then the diagnoses,
        the reasons of the score and ``abstain``, if requested.

    Raises
    ------
    OptionError
        If diagnoses are requested but the model did not learn any, or `coverage` or `abstain` is
        out of range.
    TableError
        If the table lacks measurements that the model needs.

    Warns
    -----
    UserWarning
        If the model uses metadata but no row has any, or a metadata column is missing; if the CNN
        learned from the images being scored; or if the model uses patient context and some patients
        have only one lesion.
    """
    _, classifier = split_steps(model)
    check_extras(model, diagnoses, coverage, abstain)
    names = list(classifier.feature_names_in_)
    table, note = align_table(read_frame(table).reset_index(drop=True), names)
    notes = [note, *note_caveats(names, table, context=uses_context(classifier))]
    scores = score_rows(classifier, table)
    score = scores["score"].to_numpy()
    if coverage is not None:
        sets = classifier.conformal_.predict(score, coverage)
        scores = scores.assign(set=name_sets(sets), coverage=float(coverage))
    if coverage is not None or abstain is not None:
        scores["confidence"] = classifier.conformal_.confidence(score)
    scores = scores.assign(**applicability_columns(classifier, table))
    for note in filter(None, [*notes, *note_unlike(scores)]):
        warnings.warn(note, UserWarning, stacklevel=3)
    if diagnoses:
        scores = scores.join(classifier.predict_diagnoses(table, score))
    if explain:
        scores = scores.join(reason_columns(model, table))
    return scores if abstain is None else leave_out(scores, abstain)


def score_rows(classifier: BaseEstimator, table: pd.DataFrame) -> pd.DataFrame:
    """Score rows that have the columns of training.

    Parameters
    ----------
    classifier : HybridLesionClassifier
        Fitted classifier.
    table : DataFrame of shape (n, columns)
        Rows from `align_table`.

    Returns
    -------
    DataFrame of shape (n, columns)
        Ids, score, label and threshold, as returned by `score_table`.
    """
    original = score = classifier.original_score(table)
    recalibration = classifier.recalibration_
    if recalibration is not None:
        score = recalibration.predict(original)
    known = [name for name in ("image_id", "path", *GROUP_COLUMNS) if name in table]
    threshold = float(classifier.threshold_)
    scores = table[known].assign(
        score=score,
        label=(score >= threshold).astype(int),
        threshold=threshold,
        threshold_rule=threshold_rule(classifier),
    )
    if recalibration is not None:
        scores["score_original"] = original
    return scores


def check_extras(
    model: BaseEstimator, diagnoses: bool, coverage: float | None, abstain: float | None
) -> None:
    """Check that a model can provide what is requested in addition to scores.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model.
    diagnoses : bool
        Whether probabilities of diagnoses are requested.
    coverage : float or None
        Coverage of conformal sets, if requested.
    abstain : float or None
        Promised error of the rows that get a score, if requested.

    Raises
    ------
    OptionError
        If the model did not learn any diagnoses, or a number is out of range.
    """
    if diagnoses and getattr(split_steps(model)[1], "diagnosis_", None) is None:
        raise OptionError(
            "`diagnoses` needs a model that learned diagnoses. Fit it on a table with a column of "
            f"diagnoses, at least three of these with 20 rows each: {', '.join(CLASSES)}."
        )
    for name, share in {"coverage": coverage, "abstain": abstain}.items():
        if share is not None:
            check_number(name, share, low=1e-6, high=1 - 1e-6)


def align_table(table: pd.DataFrame, names: list[str]) -> tuple[pd.DataFrame, str]:
    """Add features that the model was fitted on, with missing values for unknown metadata.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table with normalised records.
    names : list of str
        Columns of training.

    Returns
    -------
    table : DataFrame of shape (n, columns)
        Table with all columns of training.
    note : str
        Note on unknown metadata; empty without any.

    Raises
    ------
    TableError
        If the table lacks measurements that the model needs.
    """
    extra = [name.removeprefix("meta__") for name in names if name.startswith("meta__")]
    unknown = _unknown_metadata(table, names)
    metadata = known_metadata(table, [name for name in extra if name in table])
    table = table.assign(**{name: metadata[name] for name in metadata if name in names})
    absent = [name for name in names if name not in table]
    needed = [name for name in absent if name.startswith(MEASURED)]
    if needed:
        raise TableError(
            f"the table lacks {len(needed)} measurements that the model was fitted on: "
            f"{shorten(needed)}. Make it with `hybridlesion features` and the same options, or "
            "score the images themselves."
        )
    metadata = [name for name in names if name.startswith("meta__")]
    table = table.assign(**{name: np.float32("nan") for name in metadata if name in absent})
    note = ""
    if metadata and table[metadata].isna().all(axis=None):
        note = "the model uses age, sex and site, but no row has any of them; pass `metadata`."
    elif unknown:
        lacking = ", ".join(unknown)
        note = f"the table lacks {lacking}, which the model was fitted on; they count as unknown."
    return table, note


def _unknown_metadata(table: pd.DataFrame, names: list[str]) -> list[str]:
    """List metadata for which a table has neither the raw nor the encoded column."""
    absent = [name for name in names if name.startswith("meta__") and name not in table]
    return [name for name in record_columns(absent) if name not in table]


def record_columns(names: Sequence[str]) -> list[str]:
    """List the columns of the records from which metadata columns are encoded.

    Parameters
    ----------
    names : sequence of str
        Columns of a model.

    Returns
    -------
    list of str
        Columns of the records, each once.

    Examples
    --------
    >>> record_columns(["abcd__tds", "meta__age", "meta__site_torso", "meta__site_head_neck"])
    ['age', 'site']
    """
    metadata = [name.removeprefix("meta__") for name in names if name.startswith("meta__")]
    return list(dict.fromkeys(re.sub("^(sex|site)_.*", r"\1", name) for name in metadata))


def trained_prevalence(model: BaseEstimator | None, training: Mapping[str, object]) -> float:
    """Compute the proportion of malignant lesions that a model is calibrated for.

    Parameters
    ----------
    model : Pipeline, HybridLesionClassifier or None
        Fitted model. If it was recalibrated, the proportion is that of the lesions used.
    training : mapping
        Description from `hybridlesion.training.describe_training`, for example in a manifest.

    Returns
    -------
    float
        Prevalence, above 0 and below 1.

    Raises
    ------
    OptionError
        If the counts are not recorded.

    Examples
    --------
    >>> trained_prevalence(None, {"n_rows": 200, "n_positive": 4})
    0.02
    """
    recalibration = getattr(split_steps(model)[1], "recalibration_", None)
    if recalibration is not None:
        return recalibration.prevalence
    n_rows, n_positive = training.get("n_rows"), training.get("n_positive")
    if not (isinstance(n_rows, int) and isinstance(n_positive, int) and 0 < n_positive < n_rows):
        raise OptionError(
            "the model does not record how many lesions it was trained on, and how many were "
            "malignant. Omit `prevalence`, or fit the model with `hybridlesion fit`."
        )
    return n_positive / n_rows


def adjust_prevalence(
    model: BaseEstimator, scores: pd.DataFrame, *, trained: float, wanted: float
) -> pd.DataFrame:
    """Adjust scores to the prevalence in the population to be scored.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model. Only used if the scores contain probabilities of diagnoses.
    scores : DataFrame of shape (n, columns)
        Scores from `score_table`.
    trained : float
        Proportion of malignant lesions in the training data, above 0 and below 1.
    wanted : float
        Proportion of malignant lesions in the population to be scored, above 0 and below 1.

    Returns
    -------
    DataFrame of shape (n, columns + 1)
        Copy with ``score`` and ``threshold`` adjusted by `hybridlesion.metrics.shift_prevalence`,
        and a new column ``prevalence``. Labels and predicted diagnoses do not change, since the
        threshold is adjusted as well. Diagnosis probabilities are scaled to agree with the score.

    Raises
    ------
    OptionError
        If a prevalence is not between 0 and 1.

    Examples
    --------
    >>> scores = pd.DataFrame({"score": [0.5], "threshold": [0.5], "label": [1]})
    >>> adjust_prevalence(None, scores, trained=0.5, wanted=0.02)["score"].round(4).tolist()
    [0.02]
    """
    score = shift_prevalence(scores["score"], trained, wanted)
    if _PROBABILITIES[0] in scores:
        classifier = split_steps(model)[1]
        malignant = classifier.diagnosis_.classes_[classifier.malignant_diagnoses_]
        is_malignant = np.isin(list(CLASSES), malignant)
        matched = match_malignancy(scores[_PROBABILITIES].to_numpy(), is_malignant, score)
        scores = scores.assign(**dict(zip(_PROBABILITIES, matched.T, strict=True)))
    return scores.assign(
        score=score,
        threshold=shift_prevalence(scores["threshold"], trained, wanted),
        prevalence=float(wanted),
    )


def threshold_in_use(
    model: BaseEstimator, training: Mapping[str, object], prevalence: float | None = None
) -> dict[str, object]:
    """Return the threshold for the label and the rule that determined it.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model.
    training : mapping
        Description of the training data; see `trained_prevalence`.
    prevalence : float or None, default=None
        Proportion of malignant lesions that the scores are adjusted to. If None, they are not
        adjusted.

    Returns
    -------
    dict
        ``threshold`` and ``threshold_rule``, as in every row of the scores.
    """
    threshold = float(split_steps(model)[1].threshold_)
    if prevalence is not None:
        trained = trained_prevalence(model, training)
        threshold = float(shift_prevalence(threshold, trained, prevalence))
    return {"threshold": threshold, "threshold_rule": threshold_rule(model)}


UNUSUAL = 0.05
"""Applicability below which an image is unusual. By definition, as many training images are."""

# Share of the training rows beyond which a fact is a reason.
_RARE = 0.005

_GROUP_WORDS = {
    "skin": "the skin around the lesion",
    "texture": "texture",
    "diagnoses": "the diagnoses that the CNN considers",
}

# Column, whether large values are the reason, and the words with the value or its hundredfold.
_FACTS = (
    ("qa__segmentation_confidence", False, "the mask is uncertain (confidence {:.2f})"),
    (
        "qa__mask_share",
        False,
        "much skin around the lesion, as in a macro photograph (lesion {1:.1f} % of the image)",
    ),
    ("qa__mask_share", True, "hardly any skin around the lesion (lesion {1:.0f} % of the image)"),
    ("abcd__skin_ita", False, "skin tone hardly in the training data (ITA {:.0f} degrees)"),
    ("abcd__skin_ita", True, "skin tone hardly in the training data (ITA {:.0f} degrees)"),
    (
        "abcd__texture_energy_fine",
        False,
        "hardly any fine detail: resolution or focus far below the training images",
    ),
    ("qa__hair_share", True, "quality: hair (on {1:.0f} % of the image)"),
    ("qa__dark_corner_share", True, "quality: dark corners (on {1:.0f} % of the image)"),
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
                said[row].append(words.format(values[row], 100 * values[row]))
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
