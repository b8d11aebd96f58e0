"""Where one could act on a score, and what would come of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hybridlesion._validation import check_number
from hybridlesion.evaluation._bounds import interval_of
from hybridlesion.evaluation._cutoffs import Cutoffs
from hybridlesion.evaluation._decisions import Decisions
from hybridlesion.evaluation._resamples import Prefixed, resample
from hybridlesion.evaluation._scores import check_cost_ratio, check_groups, check_scores
from hybridlesion.evaluation.thresholds import cost_threshold

__all__ = ["operating_points"]

_MEASURES = {"sensitivity": "recall", "specificity": "specificity", "precision": "precision"}
_Rule = tuple[str, float, str | None, float]


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
    """Thresholds by several rules, each with what it does to these rows.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.
    sensitivities : sequence of float, default=(0.8, 0.9, 0.95)
        Sensitivities to reach, 0 to 1.
    cost_ratio : float, default=None
        Cost of one missed malignant lesion in needless calls, above 0; None leaves these out.
    threshold : float, default=None
        A threshold that was settled beforehand; None leaves it out.
    groups : array-like of shape (n,), default=None
        Patient of each row; None takes each row for a patient.
    n_bootstrap : int, default=2000
        Number of draws; 0 leaves the intervals empty.
    confidence : float, default=0.95
        Coverage of the intervals.
    random_state : int or None, default=0
        Seed.

    Returns
    -------
    DataFrame of shape (rules, 15)
        ``rule`` (``given``, ``sensitivity``, ``cost_formula``, ``cost_best``), ``at`` (the
        sensitivity or cost ratio), ``threshold, sensitivity, specificity, precision`` with ``_low``
        and ``_high`` each, and ``called``, the share of rows called. A given threshold and that of
        the formula have no interval. ``cost_formula`` is left out where scores are no
        probabilities.

    Raises
    ------
    ValueError
        If `y` or `score` cannot be used, or an option is out of range.

    Notes
    -----
    The interval of a threshold says how far the rule would place it elsewhere on other patients;
    those beside it say what the threshold of these rows does to other patients; see
    `threshold_interval` and `evaluate`. That of ``cost_best`` takes percentiles of the draws and
    is too narrow: no method gives it from few malignant rows. Figures of ``sensitivity`` and
    ``cost_best`` are optimistic: the rows that are measured chose them.

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
    rules = _list_rules(score, cutoffs.values(), sensitivities, ratio, threshold)
    measures = [
        Prefixed(f"{number} ", Decisions(y, score, codes, value))
        for number, (*_, value) in enumerate(rules)
    ]
    values = resample([cutoffs, *measures], int(codes.max()) + 1, n_bootstrap, random_state)
    rows = []
    for number, (rule, at, name, value) in enumerate(rules):
        low, high = interval_of(values[name], confidence) if name else (np.nan, np.nan)
        row = {"rule": rule, "at": at, "threshold": value}
        row |= {"threshold_low": low, "threshold_high": high}
        for column, measure in _MEASURES.items():
            drawn = values[f"{number} {measure}"]
            row[column] = drawn.value
            row[f"{column}_low"], row[f"{column}_high"] = interval_of(drawn, confidence)
        rows.append(row | {"called": float((score >= value).mean())})
    return pd.DataFrame(rows)


def _list_rules(
    score: np.ndarray,
    found: dict[str, float],
    sensitivities: Sequence[float],
    ratio: float | None,
    threshold: float | None,
) -> list[_Rule]:
    """List rule, its number, the name of its drawn threshold, and the threshold."""
    rules: list[_Rule] = []
    if threshold is not None:
        rules.append(("given", np.nan, None, float(check_number("threshold", threshold))))
    for sensitivity in sensitivities:
        name = f"sensitivity_{sensitivity:g}"
        rules.append(("sensitivity", float(sensitivity), name, found[name]))
    if ratio is not None:
        if score.min() >= 0 and score.max() <= 1:
            rules.append(("cost_formula", ratio, None, cost_threshold(ratio)))
        rules.append(("cost_best", ratio, "cost", found["cost"]))
    return rules
