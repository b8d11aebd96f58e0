"""Two scores of the same rows, measure by measure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybridlesion.evaluation._decisions import Decisions
from hybridlesion.evaluation._ranking import Ranking
from hybridlesion.evaluation._reliability import Reliability
from hybridlesion.evaluation._resamples import prefixed, resample
from hybridlesion.evaluation._scores import check_groups, check_scores
from hybridlesion.evaluation.intervals import difference_of
from hybridlesion.evaluation.summary import MEASURES
from hybridlesion.evaluation.thresholds import choose_threshold

__all__ = ["LOWER_IS_BETTER", "compare_scores"]

# Of all other measures more is better, but for the calibration slope and the calibration in the
# large, which are best at 1.
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
    """Compare two scores by every measure, on the same resampled patients.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores in question.
    against : array-like of shape (n,)
        Scores of the same rows to hold against.
    groups : array-like of shape (n,), default=None
        Patient of each row; None resamples rows.
    threshold : float, default=None
        Rows are called malignant from this `score` on; None takes that of the best F1.
    threshold_against : float, default=None
        The same for `against`.
    n_bootstrap : int, default=2000
        Number of resamples; 0 leaves intervals and p empty.
    confidence : float, default=0.95
        Coverage of the intervals.
    random_state : int or None, default=0
        Seed.

    Returns
    -------
    DataFrame of shape (metrics, 7)
        ``metric, value, against, difference, low, high, p``; the difference is `score` minus
        `against`. The interval of the calibration error is another one, see `evaluate`; its p is
        NaN.

    Raises
    ------
    ValueError
        If `y`, `score` or `against` cannot be used.

    Notes
    -----
    Each resample draws whole groups once and measures both scores on them, so that what makes a
    patient easy or hard for both drops out of the difference. The p-value is two-sided: twice the
    smaller share of resamples on one side of zero, at least ``2 / (n_bootstrap + 1)`` [1]_. It is
    not corrected for the number of measures that are looked at.

    References
    ----------
    .. [1] A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application", Cambridge
       University Press, 1997, section 4.2.

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
    measures = _measures("", y, score, codes, threshold)
    measures += _measures("against ", y, against, codes, threshold_against)
    values = resample(measures, int(codes.max()) + 1, n_bootstrap, random_state)
    against_values = {
        name.removeprefix("against "): value
        for name, value in values.items()
        if name.startswith("against ")
    }
    rows = []
    for metric in MEASURES:
        if metric == "prevalence":
            continue
        rows.append(
            (
                metric,
                float(values[metric][0]),
                float(values[f"against {metric}"][0]),
                *difference_of(metric, values, against_values, confidence),
            )
        )
    columns = ["metric", "value", "against", "difference", "low", "high", "p"]
    return pd.DataFrame(rows, columns=columns)


def _measures(
    prefix: str, y: np.ndarray, score: np.ndarray, codes: np.ndarray, threshold: float | None
) -> list:
    cut = choose_threshold(y, score) if threshold is None else float(threshold)
    measures = (
        Ranking(y, score, codes),
        Decisions(y, score, codes, cut),
        Reliability(y, score, codes),
    )
    return [prefixed(prefix, measure) for measure in measures]
