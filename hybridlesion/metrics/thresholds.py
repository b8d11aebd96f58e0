"""Thresholds at which a lesion is classified as malignant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hybridlesion._validation import check_choice, check_number
from hybridlesion.metrics._resampling import (
    Decisions,
    Drawn,
    Interval,
    Measure,
    Support,
    check_cost_ratio,
    check_groups,
    check_scores,
    interval_columns,
    resample,
)
from hybridlesion.metrics.discrimination import Cutoffs

RULES = ("f1", "youden")


def threshold_at_sensitivity(y: np.ndarray, score: np.ndarray, sensitivity: float = 0.9) -> float:
    """Highest threshold that reaches a sensitivity.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.
    sensitivity : float, default=0.9
        Share of malignant rows to detect, above 0 and up to 1.

    Returns
    -------
    float
        One of the scores; rows are classified as malignant if ``score >= threshold``.

    Examples
    --------
    >>> threshold_at_sensitivity([0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.6, 0.9], 0.6)
    0.6
    """
    check_number("sensitivity", sensitivity, low=0, high=1)
    y, score = check_scores(y, score)
    positives = np.sort(score[y])[::-1]
    # Rounding must not require one positive more than a sensitivity that is met exactly.
    needed = int(np.ceil(sensitivity * len(positives) - 1e-9))
    return float(positives[max(needed, 1) - 1])


def threshold_interval(
    y: np.ndarray,
    score: np.ndarray,
    sensitivity: float = 0.9,
    *,
    groups: np.ndarray | None = None,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    random_state: int | None = 0,
) -> Interval:
    """Threshold that reaches a sensitivity, with an interval over patients.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.
    sensitivity : float, default=0.9
        Share of malignant rows to detect, above 0 and up to 1.
    groups : array-like of shape (n,), default=None
        Patient of each row. If None, each row is treated as its own patient.
    n_bootstrap : int, default=2000
        Number of draws.
    confidence : float, default=0.95
        Coverage of the interval.
    random_state : int or None, default=0
        Random seed.

    Returns
    -------
    Interval
        The threshold of `threshold_at_sensitivity`, with an interval for the threshold that reaches
        the sensitivity in the population of these patients.

    Raises
    ------
    ValueError
        If `y` or `score` is invalid, or an option is out of range.

    Notes
    -----
    The ends are percentiles of draws in which whole groups have random weights. If each group is
    one row, they are the fractional order statistics of the malignant scores [1]_; if the lesions
    of a patient are similar, they lie further apart. Of an error of 5 %, 1.7 % is allowed below and
    3.3 % above: of three intervals that miss, two lie too low, which is the safe side.

    To reach the sensitivity on new patients rather than only on these, use ``low``. With fewer than
    19 malignant rows for 80 % sensitivity, 39 for 90 % and 80 for 95 %, ``low`` lies below all
    malignant scores, where no method can estimate how many malignant lesions there are. It is then
    taken from the benign scores, on the line from the lowest malignant score to the corner of the
    ROC curve; this is conservative if that curve is concave, i.e. lower scores do not imply more
    malignancy.

    References
    ----------
    .. [1] A. D. Hutson, "Calculating nonparametric confidence intervals for quantiles using
       fractional order statistics", Journal of Applied Statistics 26, 343-353, 1999.

    Examples
    --------
    >>> y, score = [0, 1, 0, 1, 1] * 20, [0.1, 0.2, 0.3, 0.6, 0.9] * 20
    >>> threshold_interval(y, score, 0.6, n_bootstrap=200)
    Interval(value=0.6, low=0.2, high=0.6)
    """
    check_number("sensitivity", sensitivity, low=0, high=1)
    y, score = check_scores(y, score)
    cutoffs = Cutoffs(y, score, check_groups(groups, len(y)), sensitivities=(sensitivity,))
    (drawn,) = resample({"": [cutoffs]}, n_bootstrap, random_state).values()
    return drawn.interval(confidence)


def cost_threshold(cost_ratio: float) -> float:
    """Probability above which a positive call has the lower expected cost.

    Parameters
    ----------
    cost_ratio : float
        Cost of one missed malignant lesion in false positives (for example excisions), above 0.

    Returns
    -------
    float
        ``1 / (1 + cost_ratio)``, between 0 and 1; valid for calibrated probabilities only.

    Raises
    ------
    OptionError
        If `cost_ratio` is not a number above 0.

    Notes
    -----
    Classifying a lesion of probability p as malignant costs ``(1 - p) c_FP`` on average, and
    classifying it as benign costs ``p c_FN``. The former is smaller if p exceeds
    ``c_FP / (c_FP + c_FN)`` [1]_.

    References
    ----------
    .. [1] C. Elkan, "The foundations of cost-sensitive learning", IJCAI, 973-978, 2001, eq. 2.

    Examples
    --------
    >>> cost_threshold(19)
    0.05
    """
    return 1 / (1 + check_cost_ratio(cost_ratio))


def best_cost_threshold(y: np.ndarray, score: np.ndarray, cost_ratio: float) -> float:
    """Threshold with the lowest cost of misses and false positives on these rows.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; they need not be probabilities.
    cost_ratio : float
        Cost of one missed malignant lesion in false positives, above 0.

    Returns
    -------
    float
        Score of a malignant row or, if making no positive calls costs least, the next number above
        the highest score. Rows are classified as malignant if ``score >= threshold``. Of equally
        good thresholds, the highest is returned.

    Raises
    ------
    ValueError
        If `y` or `score` is invalid, or `cost_ratio` is not above 0.

    Notes
    -----
    The threshold minimises ``cost_ratio FN + FP``. With few malignant rows, it is far less certain
    than `cost_threshold`, and optimistic on the rows used to choose it; `operating_points` gives
    intervals.

    Examples
    --------
    >>> y, score = [0, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.9]
    >>> best_cost_threshold(y, score, 0.5), best_cost_threshold(y, score, 2)
    (0.9, 0.3)
    """
    y, score = check_scores(y, score)
    ratio = check_cost_ratio(cost_ratio)
    cutoffs = Cutoffs(y, score, np.zeros(len(y), dtype=int), cost_ratio=ratio)
    return cutoffs.values()["cost"]


def choose_threshold(y: np.ndarray, score: np.ndarray, rule: str = "f1") -> float:
    """Choose the best threshold on these rows by a rule.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.
    rule : {"f1", "youden"}, default="f1"
        ``f1`` balances precision and recall; ``youden`` maximises sensitivity + specificity - 1.

    Returns
    -------
    float
        One of the scores; rows are classified as malignant if ``score >= threshold``. Of equally
        good thresholds, the highest is returned.

    Notes
    -----
    Metrics at a threshold are optimistic on the rows used to choose it.

    References
    ----------
    .. [1] W. J. Youden, "Index for rating diagnostic tests", Cancer 3, 32-35, 1950.

    Examples
    --------
    >>> choose_threshold([0, 0, 1, 0, 1], [0.1, 0.2, 0.3, 0.4, 0.9], "youden")
    0.3
    """
    check_choice("rule", rule, RULES)
    y, score = check_scores(y, score)
    levels, level = np.unique(-score, return_inverse=True)
    true = np.cumsum(np.bincount(level, weights=y))
    called = np.cumsum(np.bincount(level))
    if rule == "f1":
        merit = 2 * true / (called + y.sum())
    else:
        merit = true / y.sum() - (called - true) / (~y).sum()
    # Equal merits may differ in the last bits; the first belongs to the highest threshold.
    return float(-levels[np.argmax(merit >= merit.max() - 1e-12)])


_MEASURES = {"sensitivity": "recall", "specificity": "specificity", "precision": "precision"}


def operating_points(
    y: np.ndarray,
    score: np.ndarray,
    *,
    sensitivities: Sequence[float] = (0.8, 0.9, 0.95),
    cost_ratio: float | None = None,
    threshold: float | None = None,
    groups: np.ndarray | None = None,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    random_state: int | None = 0,
) -> pd.DataFrame:
    """Thresholds by several rules, with their metrics on these rows.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.
    sensitivities : sequence of float, default=(0.8, 0.9, 0.95)
        Sensitivities to reach, 0 to 1.
    cost_ratio : float, default=None
        Cost of one missed malignant lesion in false positives, above 0. If None, the rules based on
        costs are omitted.
    threshold : float, default=None
        A threshold that was fixed in advance, if any.
    groups : array-like of shape (n,), default=None
        Patient of each row. If None, each row is treated as its own patient.
    n_bootstrap : int, default=2000
        Number of draws; if 0, the intervals are NaN.
    confidence : float, default=0.95
        Coverage of the intervals.
    random_state : int or None, default=0
        Random seed.

    Returns
    -------
    DataFrame of shape (rules, 15)
        ``rule`` (``given``, ``sensitivity``, ``cost_formula``, ``cost_best``), ``at`` (the
        sensitivity or cost ratio), ``threshold, sensitivity, specificity, precision`` with ``_low``
        and ``_high`` each, and ``called``, the share of positive calls. A given threshold and the
        threshold of the formula have no interval. ``cost_formula`` is omitted if scores are not
        probabilities.

    Raises
    ------
    ValueError
        If `y` or `score` is invalid, or an option is out of range.

    Notes
    -----
    The interval of a threshold covers the thresholds that the rule would choose on other patients,
    and the intervals of the metrics hold for the threshold of these rows on other patients; see
    `threshold_interval` and `evaluate`. The interval of ``cost_best`` uses percentiles of the draws
    and is too narrow: no method can estimate it from few malignant rows. Metrics of ``sensitivity``
    and ``cost_best`` are optimistic, since these thresholds were chosen on the same rows.

    Examples
    --------
    >>> y, score = [0, 0, 1, 0, 1] * 9, [0.1, 0.2, 0.3, 0.4, 0.9] * 9
    >>> points = operating_points(y, score, sensitivities=[0.9], cost_ratio=9, n_bootstrap=0)
    >>> points[["rule", "threshold", "sensitivity", "called"]].values.tolist()
    [['sensitivity', 0.3, 1.0, 0.6], ['cost_formula', 0.1, 1.0, 1.0], ['cost_best', 0.3, 1.0, 0.6]]
    """
    y, score = check_scores(y, score)
    for sensitivity in sensitivities:
        check_number("sensitivities", sensitivity, low=0, high=1)
    codes = check_groups(groups, len(y))
    ratio = None if cost_ratio is None else check_cost_ratio(cost_ratio)
    cutoffs = Cutoffs(y, score, codes, sensitivities=tuple(sensitivities), cost_ratio=ratio)
    found = cutoffs.values()
    # For each rule: its name, its number, the name of its drawn threshold, and the threshold.
    rules: list[tuple[str, float, str | None, float]] = []
    if threshold is not None:
        rules.append(("given", np.nan, None, float(check_number("threshold", threshold))))
    for at in sensitivities:
        name = f"sensitivity_{at:g}"
        rules.append(("sensitivity", float(at), name, found[name]))
    if ratio is not None:
        if score.min() >= 0 and score.max() <= 1:
            rules.append(("cost_formula", ratio, None, cost_threshold(ratio)))
        rules.append(("cost_best", ratio, "cost", found["cost"]))
    measures: dict[str, list[Measure]] = {"": [cutoffs]}
    for number, (*_, value) in enumerate(rules):
        measures[f"{number} "] = [Decisions(y, score, codes, value)]
    drawn = resample(measures, n_bootstrap, random_state)
    rows = []
    for number, (rule, at, name, value) in enumerate(rules):
        cut = drawn[name].interval(confidence) if name else Interval(value, np.nan, np.nan)
        row: dict[str, object] = {"rule": rule, "at": at} | interval_columns("threshold", cut)
        for column, measure in _MEASURES.items():
            row |= interval_columns(column, drawn[f"{number} {measure}"].interval(confidence))
        rows.append(row | {"called": float((score >= value).mean())})
    return pd.DataFrame(rows)


def decision_intervals(
    y: np.ndarray,
    score: np.ndarray,
    thresholds: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Compute sensitivity, specificity and predictive values at many thresholds.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.
    thresholds : array-like of shape (k,)
        Rows with at least this score are classified as malignant.
    groups : array-like of shape (n,), default=None
        Patient of each row. If None, each row is treated as its own patient.
    confidence : float, default=0.95
        Coverage of the intervals, of each threshold by itself.

    Returns
    -------
    DataFrame of shape (k, 15)
        ``threshold``; ``sensitivity, specificity, precision, npv``, each with ``_low`` and
        ``_high``; and ``positive_sd, negative_sd``, the standard deviations of the logarithms of
        the likelihood ratios of a positive and a negative, sensitivity / (1 - specificity) and
        (1 - sensitivity) / specificity. NaN where a divisor is 0.

    Raises
    ------
    ValueError
        If `y` or `score` is invalid.

    Notes
    -----
    The intervals are those of `operating_points`, Wilson's with the effective number of rows, but
    the variance over patients is linearised [1]_ instead of drawn: that of a share a / b is the sum
    over patients of ``(a_i - b_i a / b) ** 2``, divided by ``b ** 2``.

    References
    ----------
    .. [1] K. M. Wolter, "Introduction to variance estimation", 2nd edition, Springer, 2007.

    Examples
    --------
    >>> y, score = [0, 0, 1, 0, 1] * 9, [0.1, 0.2, 0.3, 0.4, 0.9] * 9
    >>> found = decision_intervals(y, score, [0.3])
    >>> found[["sensitivity", "specificity_low", "specificity_high"]].round(3).values.tolist()
    [[1.0, 0.478, 0.814]]
    """
    y, score = check_scores(y, score)
    codes = check_groups(groups, len(y))
    n = np.bincount(codes)
    positive = np.bincount(codes, weights=y)
    freedom = len(n) - 1 if n.max() > 1 else np.inf
    rows = []
    for threshold in np.asarray(thresholds, dtype=float):
        called = score >= threshold
        true, false = (np.bincount(codes, weights=called & side) for side in (y, ~y))
        negative, missed = n - positive, positive - true
        spared = negative - false
        row: dict[str, float] = {"threshold": threshold}
        pairs = {
            "sensitivity": (true, positive),
            "specificity": (spared, negative),
            "precision": (true, true + false),
            "npv": (spared, spared + missed),
        }
        for name, (part, of) in pairs.items():
            share = part.sum() / of.sum() if of.any() else np.nan
            n_known = np.count_nonzero(of)
            variance = np.sum((part - share * of) ** 2) / max(of.sum(), 1) ** 2
            # Two draws with the standard deviation of draws of the Bayesian bootstrap.
            deviation = np.sqrt(variance * n_known / (n_known + 1))
            support = Support("share", n_known, freedom, of.sum())
            drawn = Drawn(share, share + deviation * np.array([-1.0, 1.0]), support)
            row |= interval_columns(name, drawn.interval(confidence))
        row["positive_sd"] = _ratio_deviation((true, positive), (false, negative))
        row["negative_sd"] = _ratio_deviation((missed, positive), (spared, negative))
        rows.append(row)
    return pd.DataFrame(rows)


def _ratio_deviation(*shares: tuple[np.ndarray, np.ndarray]) -> float:
    """Standard deviation of the logarithm of the ratio of two shares, linearised."""
    if not all(part.any() for part, _ in shares):
        return np.nan
    one, other = (part / part.sum() - of / of.sum() for part, of in shares)
    return float(np.sqrt(np.sum((one - other) ** 2)))
