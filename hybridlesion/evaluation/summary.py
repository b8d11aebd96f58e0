"""Every figure of a score in one table, with intervals over patients."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybridlesion._validation import check_number
from hybridlesion.evaluation._bounds import interval_of
from hybridlesion.evaluation._decisions import Decisions
from hybridlesion.evaluation._ranking import Ranking
from hybridlesion.evaluation._reliability import Reliability
from hybridlesion.evaluation._resamples import resample
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
        Patient of each row; None takes each row for a patient.
    threshold : float, default=None
        Rows are called malignant from this score on. None takes the threshold of the best F1 on
        these rows, which makes the figures at the threshold optimistic.
    n_bootstrap : int, default=1000
        Number of draws; 0 leaves the intervals empty.
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
    The intervals come from random weights of whole groups, the Bayesian bootstrap [1]_:

    - AUC, partial AUC and specificity at a sensitivity: percentiles of draws of the ROC curve.
      These count with malignant lesions below the lowest one observed [2]_; see
      `threshold_interval`.
    - Average precision, Brier score and proportions: Wilson's interval with the rows that the
      variance of the draws amounts to [3]_, fewer than there are where the lesions of a patient
      are alike. Of single rows, sensitivity has Wilson's interval itself.
    - Calibration slope, net benefit and observed over expected: Student's interval, the last of
      the logarithm.
    - Calibration error: it sums absolute values, so that noise only ever raises it [4]_. Its
      interval is the value more or less how far, in 95 % of the draws, all gaps together lie from
      those of the data; it holds value and truth, given the bins, and is on the wide side.

    Over simulated patients with several lesions each, 13 to 100 of them malignant, 95 % intervals
    hold the truth in 93 to 98 % of the data sets (``benchmarks/coverage.py``); percentiles of
    resampled patients hold the AUC in 87 %, the partial AUC in 70 % and the specificity at 95 %
    sensitivity in 60 % of those with 13. The threshold of the best F1 is taken as given, the number
    of malignant rows as chance: where it was fixed beforehand, intervals of Brier score, precision
    and F1, which depend on the prevalence, are too wide. See `interval_caveats` for what cannot be
    had.

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
    if threshold is not None:
        check_number("threshold", threshold)
    threshold = choose_threshold(y, score) if threshold is None else float(threshold)
    ranking, decisions = Ranking(y, score, codes), Decisions(y, score, codes, threshold)
    values = resample(
        [ranking, decisions, Reliability(y, score, codes)],
        int(codes.max()) + 1,
        n_bootstrap,
        random_state,
    )
    rows = [
        (metric, values[metric].value, *interval_of(values[metric], confidence))
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
