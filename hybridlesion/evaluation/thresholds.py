"""From which score on a lesion is called malignant."""

from __future__ import annotations

import numpy as np

from hybridlesion._validation import check_choice, check_number
from hybridlesion.evaluation._bounds import interval_of
from hybridlesion.evaluation._cutoffs import Cutoffs
from hybridlesion.evaluation._resamples import resample
from hybridlesion.evaluation._scores import check_cost_ratio, check_groups, check_scores
from hybridlesion.evaluation.intervals import Interval

__all__ = [
    "best_cost_threshold",
    "choose_threshold",
    "cost_threshold",
    "threshold_at_sensitivity",
    "threshold_interval",
]

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
        Share of malignant rows to be called, above 0 and up to 1.

    Returns
    -------
    float
        One of the scores; rows are called malignant where ``score >= threshold``.

    Examples
    --------
    >>> threshold_at_sensitivity([0, 1, 0, 1, 1], [0.1, 0.2, 0.3, 0.6, 0.9], 0.6)
    0.6
    """
    check_number("sensitivity", sensitivity, low=0, high=1)
    y, score = check_scores(y, score)
    positives = np.sort(score[y])[::-1]
    # Rounding must not ask for one positive more than a sensitivity met exactly needs.
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
        Share of malignant rows to be called, above 0 and up to 1.
    groups : array-like of shape (n,), default=None
        Patient of each row; None takes each row for a patient.
    n_bootstrap : int, default=2000
        Number of draws.
    confidence : float, default=0.95
        Coverage of the interval.
    random_state : int or None, default=0
        Seed.

    Returns
    -------
    Interval
        The threshold of `threshold_at_sensitivity`, and the interval of the threshold that reaches
        the sensitivity among all patients like these.

    Raises
    ------
    ValueError
        If `y` or `score` cannot be used, or an option is out of range.

    Notes
    -----
    The ends are percentiles of draws in which whole groups have random weights. For single rows
    they are the fractional order statistics of the malignant scores [1]_; where lesions of a
    patient are alike they lie further apart. Of 5 % error 1.7 % are allowed below and 3.3 % above:
    of three intervals that miss, two lie too low, which is the safe side.

    To be sure of the sensitivity on new patients rather than to meet it on these, use ``low``.
    With fewer than 19 malignant rows for 80 % sensitivity, 39 for 90 % and 80 for 95 %, ``low``
    lies below all malignant scores, where no method can say how many malignant lesions there are.
    It is then found among the benign scores, on the line from the lowest malignant score to the
    corner of the ROC curve; this is on the safe side as long as that curve is concave, i.e. lower
    scores do not mean more malignancy.

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
    codes = check_groups(groups, len(y))
    cutoffs = Cutoffs(y, score, codes, sensitivities=(sensitivity,))
    (drawn,) = resample([cutoffs], int(codes.max()) + 1, n_bootstrap, random_state).values()
    return Interval(drawn.value, *interval_of(drawn, confidence))


def cost_threshold(cost_ratio: float) -> float:
    """Probability from which a call costs less than none.

    Parameters
    ----------
    cost_ratio : float
        Cost of one missed malignant lesion in needless calls (for example excisions), above 0.

    Returns
    -------
    float
        ``1 / (1 + cost_ratio)``, between 0 and 1; for calibrated probabilities alone.

    Raises
    ------
    OptionError
        If `cost_ratio` is not a number above 0.

    Notes
    -----
    Calling a lesion of probability p costs ``(1 - p) c_FP`` on average, leaving it ``p c_FN``; the
    first is the smaller from ``p = c_FP / (c_FP + c_FN)`` on [1]_.

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
    """Threshold at which misses and needless calls on these very rows cost least.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; they need not be probabilities.
    cost_ratio : float
        Cost of one missed malignant lesion in needless calls, above 0.

    Returns
    -------
    float
        Score of a malignant row; rows are called where ``score >= threshold``. Where calling
        nothing costs least, the next number above the highest score. Among equally good
        thresholds the highest.

    Raises
    ------
    ValueError
        If `y` or `score` cannot be used, or `cost_ratio` is not above 0.

    Notes
    -----
    The least of ``cost_ratio FN + FP``. On few malignant rows it is far less certain than
    `cost_threshold`, and optimistic on the rows that chose it; `operating_points` gives intervals.

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
    """Threshold that is best by a rule on these very rows.

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
        One of the scores; rows are called malignant where ``score >= threshold``. Among equally
        good thresholds the highest.

    Notes
    -----
    Figures at a threshold are optimistic on the rows that chose it.

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
    # Equal merits may differ in the last bits; the first of them is the highest threshold.
    return float(-levels[np.argmax(merit >= merit.max() - 1e-12)])
