"""Every figure of a score in one table, with patient-bootstrap intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybridlesion.evaluation._decisions import Decisions
from hybridlesion.evaluation._ranking import Ranking
from hybridlesion.evaluation._reliability import Reliability
from hybridlesion.evaluation._resamples import interval_of, resample
from hybridlesion.evaluation._scores import check_groups, check_scores
from hybridlesion.evaluation.thresholds import choose_threshold

__all__ = ["evaluate"]


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
    """Measure ranking, decisions and calibration of a score.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; probabilities if Brier score and calibration are wanted.
    groups : array-like of shape (n,), default=None
        Patient of each row; None resamples rows.
    threshold : float, default=None
        Rows are called malignant from this score on. None takes the threshold of the best F1 on
        these rows, which makes the figures at the threshold optimistic.
    n_bootstrap : int, default=1000
        Number of resamples; 0 leaves the intervals empty.
    confidence : float, default=0.95
        Coverage of the intervals.
    random_state : int or None, default=0
        Seed.

    Returns
    -------
    DataFrame of shape (metrics, 4)
        ``metric, value, low, high`` with rows ``auc, average_precision, pauc, brier, accuracy,
        precision, recall, specificity, f1, net_benefit, specificity_at_80_sensitivity,
        specificity_at_90_sensitivity, specificity_at_95_sensitivity, calibration_slope,
        calibration_in_the_large, calibration_error, prevalence, threshold, n, n_positive,
        n_groups``. The last four have no interval. NaN where a value is undefined: Brier score,
        net benefit and calibration of scores outside 0 to 1, precision when nothing is called.

    Raises
    ------
    ValueError
        If `y` does not hold both 0 and 1, or lengths differ, or values are missing.

    Notes
    -----
    The intervals are percentile intervals over whole groups drawn with replacement. The
    calibration error sums absolute values, so that resampling only ever raises it [1]_; its
    interval is the value more or less how far, in 95 % of the resamples, all gaps together lie
    from those of the data. It holds value and truth and is on the wide side. `interval_caveats`
    says when the data are too few for any.

    References
    ----------
    .. [1] R. Roelofs, N. Cain, J. Shlens, M. C. Mozer, "Mitigating bias in calibration error
       estimation", AISTATS 2022.

    Examples
    --------
    >>> table = evaluate([0, 0, 1, 1] * 20, [0.1, 0.4, 0.35, 0.8] * 20, threshold=0.5)
    >>> table.set_index("metric").loc[["auc", "recall", "specificity"], "value"].tolist()
    [0.75, 0.5, 1.0]
    """
    y, score = check_scores(y, score)
    codes = check_groups(groups, len(y))
    threshold = choose_threshold(y, score) if threshold is None else float(threshold)
    ranking, decisions = Ranking(y, score, codes), Decisions(y, score, codes, threshold)
    values = resample(
        [ranking, decisions, Reliability(y, score, codes)],
        int(codes.max()) + 1,
        n_bootstrap,
        random_state,
    )
    rows = [
        (metric, float(values[metric][0]), *interval_of(metric, values, confidence))
        for metric in MEASURES
    ]
    fixed = {
        "threshold": threshold,
        "n": len(y),
        "n_positive": int(y.sum()),
        "n_groups": int(codes.max()) + 1,
    }
    rows += [(metric, float(value), np.nan, np.nan) for metric, value in fixed.items()]
    return pd.DataFrame(rows, columns=["metric", "value", "low", "high"])


MEASURES = (
    "auc",
    "average_precision",
    "pauc",
    "brier",
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "f1",
    "net_benefit",
    "specificity_at_80_sensitivity",
    "specificity_at_90_sensitivity",
    "specificity_at_95_sensitivity",
    "calibration_slope",
    "calibration_in_the_large",
    "calibration_error",
    "prevalence",
)
