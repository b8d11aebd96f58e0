"""Metrics for a score, in subgroups and against another score, with intervals over patients."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from hybridlesion._formatting import join_words
from hybridlesion._validation import as_pandas, check_choice, check_number
from hybridlesion.exceptions import TableError
from hybridlesion.metrics._resampling import (
    Decisions,
    Interval,
    Measure,
    check_groups,
    check_scores,
    compare_draws,
    interval_columns,
    metric_table,
    resample,
)
from hybridlesion.metrics.calibration import Reliability
from hybridlesion.metrics.discrimination import Ranking
from hybridlesion.metrics.thresholds import choose_threshold


def evaluate(
    y: np.ndarray,
    score: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    threshold: float | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | None = 0,
) -> pd.DataFrame:
    """Evaluate the ranking, decisions and calibration of a score.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; they must be probabilities for the Brier score and calibration.
    groups : array-like of shape (n,), default=None
        Patient of each row. If None, each row is treated as its own patient.
    threshold : float, default=None
        Rows with at least this score are classified as malignant. If None, the threshold with the
        highest F1 on these rows is used, which makes the metrics at the threshold optimistic.
    n_bootstrap : int, default=1000
        Number of draws; if 0, the intervals are NaN.
    confidence : float, default=0.95
        Coverage of the intervals.
    random_state : int or None, default=0
        Random seed.

    Returns
    -------
    DataFrame of shape (metrics, 4)
        ``metric, value, low, high`` with rows ``auc, average_precision, pauc, brier, accuracy,
        precision, recall, specificity, f1, net_benefit, specificity_at_80_sensitivity,
        specificity_at_90_sensitivity, specificity_at_95_sensitivity, calibration_slope,
        calibration_in_the_large, calibration_error, prevalence, threshold, n, n_positive,
        n_groups``. The last four have no interval. Undefined values are NaN: Brier score, net
        benefit and calibration of scores outside 0 to 1, and precision without positive calls.

    Raises
    ------
    ValueError
        If `y` does not contain both 0 and 1, lengths differ, or values are missing.

    Notes
    -----
    The intervals are based on random weights of whole groups, the Bayesian bootstrap [1]_:

    - AUC, partial AUC and specificity at a sensitivity: percentiles of draws of the ROC curve.
      These allow for malignant lesions below the lowest one observed [2]_; see
      `threshold_interval`.
    - Average precision, Brier score and proportions: Wilson's interval with the effective number of
      rows [3]_, estimated from the variance of the draws; it is smaller than the number of rows if
      the lesions of a patient are similar. If each group is one row, the interval of the
      sensitivity is Wilson's.
    - Calibration slope, net benefit and observed over expected: Student's interval, on a log scale
      for the last of these.
    - Calibration error: this sums absolute values, so noise always biases it upward [4]_. Its
      interval is the value plus or minus the 95 % quantile, over the draws, of the summed distance
      of all gaps from those of the data; it covers the value and the truth, given the bins, and is
      conservative.

    For simulated patients with several lesions each, 13 to 100 of which are malignant, 95 %
    intervals cover the truth in 93 to 98 % of the data sets (``benchmarks/coverage.py``). With 13
    malignant lesions, percentiles of resampled patients cover the true AUC in 87 %, the partial AUC
    in 70 % and the specificity at 95 % sensitivity in 60 % of them. The threshold with the highest
    F1 is treated as given, and the number of malignant rows as random. If this number was fixed in
    advance, the intervals of Brier score, precision and F1, which depend on the prevalence, are too
    wide. See `interval_caveats` for limitations.

    References
    ----------
    .. [1] D. B. Rubin, "The Bayesian bootstrap", Annals of Statistics 9, 130-134, 1981.
    .. [2] J. Gu, S. Ghosal, A. Roy, "Bayesian bootstrap estimation of ROC curve", Statistics in
       Medicine 27, 5407-5420, 2008.
    .. [3] N. Dean, M. Pagano, "Evaluating confidence interval methods for binomial proportions in
       clustered surveys", Journal of Survey Statistics and Methodology 3, 484-503, 2015.
    .. [4] R. Roelofs, N. Cain, J. Shlens, M. C. Mozer, "Mitigating bias in calibration error
       estimation", AISTATS 2022.

    Examples
    --------
    >>> table = evaluate([0, 0, 1, 1] * 20, [0.1, 0.4, 0.35, 0.8] * 20, threshold=0.5)
    >>> table.set_index("metric").loc[["auc", "recall", "specificity"], "value"].tolist()
    [0.75, 0.5, 1.0]
    """
    y, score = check_scores(y, score)
    codes = check_groups(groups, len(y))
    threshold = choose_threshold(y, score) if threshold is None else threshold
    check_number("threshold", threshold)
    drawn = resample({"": _measures(y, score, codes, threshold)}, n_bootstrap, random_state)
    found = {name: drawn[name].interval(confidence) for name in (*_COMPARED, "prevalence")}
    counts = {"n": len(y), "n_positive": y.sum(), "n_groups": codes.max() + 1}
    return metric_table(found, {"threshold": threshold} | counts)


METRICS = (
    "auc",
    "average_precision",
    "pauc",
    "brier",
    "specificity_at_80_sensitivity",
    "specificity_at_90_sensitivity",
    "specificity_at_95_sensitivity",
    "calibration_slope",
    "calibration_in_the_large",
    "calibration_error",
)
_AT_THRESHOLD = ("accuracy", "precision", "recall", "specificity", "f1", "net_benefit")
# Rows of the tables.
_COMPARED = (*METRICS[:4], *_AT_THRESHOLD, *METRICS[4:])

_FEWEST_GROUPS = 20
_FEWEST_POSITIVES = 10
_CHANCE = 0.5
# Fewest positives for which at most one in 60 samples has none below the threshold for a
# sensitivity.
_FEWEST_BELOW = {80: 19, 90: 39, 95: 80}


def interval_caveats(metrics: pd.DataFrame) -> tuple[str, ...]:
    """Describe the limits of the intervals of `evaluate` on small data sets.

    Parameters
    ----------
    metrics : DataFrame
        Result of `evaluate`.

    Returns
    -------
    tuple of str
        One note if malignant lesions score lower than benign ones, one if there are fewer than 20
        groups or fewer than 10 positives, and another if there are fewer than 80 positives.

    Notes
    -----
    With "few" groups (5 to 30), variances over groups are underestimated and coverage is too low
    [1]_; the intervals were tested with at least 13 positives. Both limits are rules of thumb.

    The second note is exact: in ``s**m`` of all samples, none of m positives lies below the
    threshold for sensitivity s. If this share exceeds 1.7 %, the error allowed below the interval,
    no method can determine the lower end of the threshold, or of the specificity there, without an
    assumption; `threshold_interval` describes the one used.

    References
    ----------
    .. [1] A. C. Cameron, J. B. Gelbach, D. L. Miller, "Bootstrap-based improvements for inference
       with clustered errors", Review of Economics and Statistics 90, 414-427, 2008.

    Examples
    --------
    >>> counts = {"metric": ["n", "n_positive", "n_groups"], "value": [90.0, 20.0, 30.0]}
    >>> interval_caveats(pd.DataFrame(counts))[0][:53]
    'with 20 positives, no method gives a lower limit of t'
    """
    value = metrics.set_index("metric")["value"]
    n_positive, n_groups = int(value["n_positive"]), int(value["n_groups"])
    notes = []
    highest = metrics.set_index("metric").get("high", pd.Series(dtype=float)).get("auc", np.nan)
    if highest < _CHANCE:
        notes.append(
            f"malignant lesions score lower than benign ones (AUC {value['auc']:.3f}): are the "
            "scores or the labels reversed?"
        )
    if n_positive < _FEWEST_POSITIVES or n_groups < _FEWEST_GROUPS:
        notes.append(
            f"{n_positive} positives in {n_groups} groups: too few for reliable intervals "
            f"({_FEWEST_POSITIVES} and {_FEWEST_GROUPS} are needed)."
        )
    unknown = [str(at) for at, fewest in _FEWEST_BELOW.items() if n_positive < fewest]
    if unknown:
        notes.append(
            f"with {n_positive} positives, no method gives a lower limit of the threshold for "
            f"{join_words(unknown)} % sensitivity, or of the specificity there: those shown assume "
            f"a concave ROC curve ({_FEWEST_BELOW[int(unknown[-1])]} positives are needed)."
        )
    return tuple(notes)


# For all other metrics, higher is better, except for the calibration slope and the calibration in
# the large, which are best at 1.
LOWER_IS_BETTER = ("brier", "calibration_error")


def compare_scores(
    y: np.ndarray,
    score: np.ndarray,
    against: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    threshold: float | None = None,
    threshold_against: float | None = None,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    random_state: int | None = 0,
) -> pd.DataFrame:
    """Compare two scores of the same patients by every metric.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.
    against : array-like of shape (n,)
        Scores of the same rows to compare with.
    groups : array-like of shape (n,), default=None
        Patient of each row. If None, each row is treated as its own patient.
    threshold : float, default=None
        Rows with at least this `score` are classified as malignant. If None, the threshold with the
        highest F1 is used.
    threshold_against : float, default=None
        The same for `against`.
    n_bootstrap : int, default=2000
        Number of draws; if 0, the intervals and p are NaN.
    confidence : float, default=0.95
        Coverage of the intervals.
    random_state : int or None, default=0
        Random seed.

    Returns
    -------
    DataFrame of shape (metrics, 7)
        ``metric, value, against, difference, low, high, p``; the difference is `score` minus
        `against`. The calibration error has the interval described in `evaluate`, and its p is NaN.

    Raises
    ------
    ValueError
        If `y`, `score` or `against` is invalid.

    Notes
    -----
    Each draw gives whole groups random weights [1]_ and evaluates both scores with them, so that
    the difficulty of a patient for both scores cancels in the difference. The interval and the
    two-sided p-value are those of Student's t, the difference over the standard deviation of its
    draws; for metrics of the ROC curve, the mean of the draws replaces the difference (see
    `evaluate`). Of simulated data sets with two scores of equal quality, up to 6 % have p < 0.05,
    and up to 8 % for the partial AUC with 13 positives (``benchmarks/coverage.py``). The p-values
    are not corrected for multiple metrics.

    References
    ----------
    .. [1] D. B. Rubin, "The Bayesian bootstrap", Annals of Statistics 9, 130-134, 1981.

    Examples
    --------
    >>> y = [0, 0, 1, 1] * 20
    >>> table = compare_scores(y, [0.1, 0.2, 0.7, 0.8] * 20, [0.1, 0.4, 0.35, 0.8] * 20)
    >>> table[["metric", "value", "against", "difference"]].iloc[:1].values.tolist()
    [['auc', 1.0, 0.75, 0.25]]
    """
    y, score = check_scores(y, score)
    _, against = check_scores(y, against)
    codes = check_groups(groups, len(y))
    measures = {
        "": _measures(y, score, codes, threshold),
        "against ": _measures(y, against, codes, threshold_against),
    }
    drawn = resample(measures, n_bootstrap, random_state)
    rows = []
    for metric in _COMPARED:
        one, other = drawn[metric], drawn[f"against {metric}"]
        rows.append((metric, one.value, other.value, *compare_draws(one, other, confidence)))
    columns = ["metric", "value", "against", "difference", "low", "high", "p"]
    return pd.DataFrame(rows, columns=columns)


def _measures(
    y: np.ndarray, score: np.ndarray, codes: np.ndarray, threshold: float | None
) -> tuple[Ranking, Decisions, Reliability]:
    cut = choose_threshold(y, score) if threshold is None else float(threshold)
    decisions = Decisions(y, score, codes, cut)
    return Ranking(y, score, codes), decisions, Reliability(y, score, codes)


@dataclass(frozen=True)
class PairedDifference:
    """Comparison of two scores of the same rows.

    Parameters
    ----------
    value_a, value_b : float
        The metric of each score on the data.
    difference : float
        ``value_b - value_a``.
    low, high : float
        Ends of the interval of the difference.
    p_value : float
        Two-sided p-value, see `compare_scores`; NaN for ``calibration_error``.
    """

    value_a: float
    value_b: float
    difference: float
    low: float
    high: float
    p_value: float


def bootstrap_interval(
    y: np.ndarray,
    score: np.ndarray,
    metric: str = "auc",
    *,
    groups: np.ndarray | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | None = 0,
) -> Interval:
    """Compute one metric of a score, with an interval over patients.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; probabilities for ``brier`` and the calibration metrics.
    metric : str, default="auc"
        One of `METRICS`.
    groups : array-like of shape (n,), default=None
        Patient of each row. If None, each row is treated as its own patient.
    n_bootstrap : int, default=1000
        Number of draws.
    confidence : float, default=0.95
        Coverage of the interval.
    random_state : int or None, default=0
        Random seed.

    Returns
    -------
    Interval
        Value, low and high.

    Raises
    ------
    ValueError
        If the metric is unknown, or `y` or `score` is invalid.

    Notes
    -----
    The result is one row of `evaluate`, which describes the types of interval.

    Examples
    --------
    >>> interval = bootstrap_interval([0, 0, 1, 1] * 20, [0.1, 0.4, 0.35, 0.8] * 20)
    >>> interval.value, interval.low < 0.75 < interval.high
    (0.75, True)
    """
    check_choice("metric", metric, METRICS)
    options = {"n_bootstrap": n_bootstrap, "confidence": confidence, "random_state": random_state}
    table = evaluate(y, score, groups=groups, **options).set_index("metric")
    return Interval(*table.loc[metric].tolist())


def paired_bootstrap(
    y: np.ndarray,
    score_a: np.ndarray,
    score_b: np.ndarray,
    metric: str = "auc",
    *,
    groups: np.ndarray | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | None = 0,
) -> PairedDifference:
    """Compare one metric of two scores of the same rows.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score_a, score_b : array-like of shape (n,)
        The two scores.
    metric : str, default="auc"
        One of `METRICS`.
    groups : array-like of shape (n,), default=None
        Patient of each row. If None, each row is treated as its own patient.
    n_bootstrap : int, default=1000
        Number of draws.
    confidence : float, default=0.95
        Coverage of the interval.
    random_state : int or None, default=0
        Random seed.

    Returns
    -------
    PairedDifference
        Both values, the difference b minus a, its interval and its p-value.

    Raises
    ------
    ValueError
        If the metric is unknown, or `y` or a score is invalid.

    Examples
    --------
    >>> y = [0, 0, 1, 1] * 20
    >>> result = paired_bootstrap(y, [0.1, 0.4, 0.35, 0.8] * 20, [0.1, 0.2, 0.7, 0.8] * 20)
    >>> result.difference, result.low > 0
    (0.25, True)
    """
    check_choice("metric", metric, METRICS)
    options = {"n_bootstrap": n_bootstrap, "confidence": confidence, "random_state": random_state}
    table = compare_scores(y, score_b, score_a, groups=groups, **options).set_index("metric")
    value_b, value_a, *compared = table.loc[metric].tolist()
    return PairedDifference(value_a, value_b, *compared)


_UNDEFINED = Interval(np.nan, np.nan, np.nan)
# Column of `evaluate_subgroups` -> metric, and the kinds of rows that it needs.
_SUBGROUP_METRICS = {
    "auc": ("auc", ("malignant", "benign")),
    "sensitivity": ("recall", ("malignant",)),
    "specificity": ("specificity", ("benign",)),
    "calibration_in_the_large": ("calibration_in_the_large", ("malignant",)),
    "calibration_slope": ("calibration_slope", ("malignant", "benign")),
    "calibration_error": ("calibration_error", ("malignant", "benign")),
}


def evaluate_subgroups(
    y: np.ndarray,
    score: np.ndarray,
    attributes: pd.DataFrame,
    *,
    threshold: float | np.ndarray,
    groups: np.ndarray | None = None,
    fewest: int = 5,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    random_state: int | None = 0,
) -> pd.DataFrame:
    """Evaluate a score in each subgroup at a common threshold.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.
    attributes : DataFrame of shape (n, attributes)
        One column per attribute (``sex``, ``site``, an age band ...), whose values are the groups.
        Rows without a value form the group ``unknown``.
    threshold : float or array-like of shape (n,)
        Rows with at least this score are classified as malignant; an array gives each row its own.
    groups : array-like of shape (n,), default=None
        Patient of each row. If None, each row is treated as its own patient.
    fewest : int, default=5
        Minimum number of rows from which a value is computed.
    n_bootstrap : int, default=2000
        Number of draws; if 0, the intervals are NaN.
    confidence : float, default=0.95
        Coverage of the intervals.
    random_state : int or None, default=0
        Random seed.

    Returns
    -------
    DataFrame of shape (subgroups, 24)
        ``attribute, group, n, n_malignant, n_groups``, then ``auc, sensitivity, specificity,
        calibration_in_the_large, calibration_slope, calibration_error`` with ``_low`` and ``_high``
        each, and ``note``. The first row, with attribute ``all``, covers every row. Sensitivity and
        calibration in the large need `fewest` malignant rows, specificity needs the benign rows,
        and all others need both; otherwise the value is NaN, and the note gives the reason.

    Raises
    ------
    TableError
        If `attributes` and `y` differ in length.
    ValueError
        If `y` or `score` is invalid, or an option is out of range.

    Notes
    -----
    Intervals are those of `evaluate` on the rows of the subgroup only. A patient with lesions at
    two sites belongs to both subgroups. Intervals are not corrected for the number of subgroups: of
    twenty subgroups without a difference, one may appear to differ.

    Examples
    --------
    >>> y, score = [0, 0, 1, 1] * 20, [0.1, 0.4, 0.35, 0.8] * 20
    >>> sex = pd.DataFrame({"sex": ["female"] * 78 + ["male"] * 2})
    >>> table = evaluate_subgroups(y, score, sex, threshold=0.5, n_bootstrap=100)
    >>> table[["group", "n", "n_malignant", "sensitivity", "note"]].values.tolist()[1:]
    [['female', 78, 38, 0.5, ''], ['male', 2, 2, nan, '2 malignant, 0 benign: too few']]
    """
    y, score = check_scores(y, score)
    attributes = as_pandas(attributes)
    check_number("fewest", fewest, low=1, integer=True)
    if len(attributes) != len(y):
        raise TableError(
            f"attributes must have one row for each score, got {len(attributes)} for {len(y)}."
        )
    codes = check_groups(groups, len(y))
    thresholds = np.broadcast_to(np.asarray(threshold, dtype=float), len(y))
    rows = []
    for attribute, group, inside in _list_groups(attributes):
        truth, scores = y[inside], score[inside]
        numbers = check_groups(codes[inside], len(truth))
        counts = {"malignant": int(truth.sum()), "benign": int((~truth).sum())}
        few = {kind for kind, count in counts.items() if count < fewest}
        measures: list[Measure] = [Decisions(truth, scores, numbers, thresholds[inside])]
        if not few:
            measures += [Ranking(truth, scores, numbers), Reliability(truth, scores, numbers)]
        drawn = resample({"": measures}, n_bootstrap, random_state)
        row = {"attribute": attribute, "group": group, "n": len(truth)}
        row |= {"n_malignant": counts["malignant"], "n_groups": numbers.max() + 1}
        for column, (metric, needed) in _SUBGROUP_METRICS.items():
            known = few.isdisjoint(needed)
            cell = drawn[metric].interval(confidence) if known else _UNDEFINED
            row |= interval_columns(column, cell)
        note = f"{counts['malignant']:,} malignant, {counts['benign']:,} benign: too few"
        rows.append(row | {"note": note if few else ""})
    return pd.DataFrame(rows)


def _list_groups(attributes: pd.DataFrame) -> Iterator[tuple[Hashable, str, np.ndarray]]:
    """Yield attribute, group and rows; categories keep their order, and unknown comes last."""
    yield "all", "all", np.ones(len(attributes), dtype=bool)
    for attribute, values in attributes.items():
        known = values.dropna()
        ordered = isinstance(values.dtype, pd.CategoricalDtype)
        names = list(values.cat.categories) if ordered else sorted(known.unique(), key=str)
        for name in names:
            inside = (values == name).to_numpy(dtype=bool, na_value=False)
            if inside.any():
                yield attribute, str(name), inside
        if len(known) < len(values):
            yield attribute, "unknown", values.isna().to_numpy()


# Upper ends of the bands, the last of which is open, and their names. Each end belongs to the band
# above. Skin tones: Chardon 1991, Del Bino 2013; the others are specific to this package.
BANDS = MappingProxyType(
    {
        "age": ((30, 45, 60, 75), ("under 30", "30 to 44", "45 to 59", "60 to 74", "75 and over")),
        "skin_tone": (
            (-30, 10, 28, 41, 55),
            ("dark", "brown", "tan", "intermediate", "light", "very light"),
        ),
        "hair": ((0.01, 0.05), ("under 1 %", "1 to 5 %", "5 % and over")),
        "dark_corner": ((0.01,), ("none", "present")),
    }
)


def band(values: np.ndarray, kind: str) -> pd.Series:
    """Group numbers into named bands.

    Parameters
    ----------
    values : array-like of shape (n,)
        ``age`` in years, ``skin_tone`` as individual typology angle in degrees, ``hair`` and
        ``dark_corner`` as a share of the image, 0 to 1.
    kind : {"age", "skin_tone", "hair", "dark_corner"}
        Quantity that the numbers measure.

    Returns
    -------
    Series of shape (n,), ordered categorical
        Name of the band of each value, with bands in increasing order; missing values stay missing.

    Raises
    ------
    OptionError
        If `kind` is unknown.

    Notes
    -----
    Skin tone is very light from 55 degrees, light from 41, intermediate from 28, tan from 10, brown
    from -30, and dark below [1]_ [2]_. The angle measured on a photograph is only an estimate: it
    depends on lighting and camera, and published estimates for the same images disagree.

    References
    ----------
    .. [1] A. Chardon, I. Cretois, C. Hourseau, "Skin colour typology and suntanning pathways",
       International Journal of Cosmetic Science 13, 191-208, 1991.
    .. [2] S. Del Bino, F. Bernerd, "Variations in skin colour and the biological consequences of
       ultraviolet radiation exposure", British Journal of Dermatology 169 s3, 33-40, 2013.

    Examples
    --------
    >>> band([25.0, 30.0, None, 80.0], "age").tolist()
    ['under 30', '30 to 44', nan, '75 and over']
    >>> band([60.0, 35.0, -40.0], "skin_tone").tolist()
    ['very light', 'intermediate', 'dark']
    """
    ends, names = BANDS[check_choice("kind", kind, BANDS)]
    numbers = pd.to_numeric(pd.Series(values), errors="coerce").astype(float)
    edges = [-np.inf, *ends, np.inf]
    return pd.cut(numbers, edges, labels=list(names), right=False)
