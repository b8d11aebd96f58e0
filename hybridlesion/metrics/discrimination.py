"""Discrimination metrics, and thresholds on the ROC curve."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from hybridlesion._validation import check_number
from hybridlesion.metrics._resampling import Measure, Support, check_scores

# Share of the error probability below intervals that depend on the lowest positives. Their lower
# end is already conservative, so most of the error is allowed above.
LOWER_TAIL = 1 / 3


class Ranking(Measure):
    """Ranking metrics of many draws from a single sort of the scores.

    Ranking metrics change only at the scores of positives. With positives at K distinct scores,
    negatives matter only through the numbers above, on and between those scores: ``2 K + 1``
    counts. A sparse matrix of these counts by group, times the weights of the groups, gives the
    sums of every draw.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        True for malignant rows.
    score : ndarray of shape (n,), float64
        Scores.
    codes : ndarray of shape (n,), int
        Group of each row, from 0.
    min_sensitivity : float, default=0.8
        Lower end of the partial area.
    sensitivities : tuple of float, default=(0.8, 0.9, 0.95)
        Sensitivities at which specificity is read.

    Attributes
    ----------
    n_groups : int
        Number of groups.
    levels : ndarray of shape (K,)
        Distinct scores of the positives in decreasing order.
    support : dict of str to Support
        Type of interval of each metric.

    Notes
    -----
    ROC curves are drawn by the Bayesian bootstrap [1]_ with one more weight than positives: m
    ordered scores divide the population of positives into m + 1 parts, whose shares are distributed
    as normalised exponential weights. Hence a quantile of the positives lies below the lowest
    positive as often in the draws as in samples (for 95 % sensitivity, in half of all samples of
    13), and percentiles of its draws are those of fractional order statistics [2]_. The curve is
    linear between positives, and from the lowest positive to specificity 0; a concave curve lies
    above that line, so the lower end is conservative. Of an error of 5 %, a third is allowed below
    and two thirds above.

    References
    ----------
    .. [1] J. Gu, S. Ghosal, A. Roy, "Bayesian bootstrap estimation of ROC curve", Statistics in
       Medicine 27, 5407-5420, 2008.
    .. [2] A. D. Hutson, "Calculating nonparametric confidence intervals for quantiles using
       fractional order statistics", Journal of Applied Statistics 26, 343-353, 1999.
    """

    def __init__(
        self,
        y: np.ndarray,
        score: np.ndarray,
        codes: np.ndarray,
        *,
        min_sensitivity: float = 0.8,
        sensitivities: tuple[float, ...] = (0.8, 0.9, 0.95),
    ):
        self.min_sensitivity = min_sensitivity
        self._targets = {
            f"specificity_at_{round(100 * at)}_sensitivity": at for at in sensitivities
        }
        levels, level = np.unique(-score[y], return_inverse=True)
        self.levels = -levels
        # Slots of the negatives in decreasing order: above level 0, on it, below it ...
        on_or_below = np.searchsorted(levels, -score[~y], side="left")
        tied = self.levels[np.minimum(on_or_below, len(levels) - 1)] == score[~y]
        self.n_groups = n_groups = int(codes.max()) + 1
        self._negatives = _sums(2 * on_or_below + tied, codes[~y], (2 * len(levels) + 1, n_groups))
        self._positives = _sums(level, codes[y], (len(levels), n_groups))
        # With c positives at one score, c - 1 of the gaps between neighbours have no width.
        self._between = (1 / np.bincount(level))[:, None]
        fewest = min(len(np.unique(codes[y])), len(np.unique(codes[~y])))
        # These metrics depend only on the lowest positives, whose draws vary too little.
        names = ("pauc", *self._targets)
        self.support = dict.fromkeys(names, Support("drawn", freedom=fewest - 1, tail=LOWER_TAIL))
        self.support["pauc"] = Support("drawn", fewest, fewest - 1, tail=LOWER_TAIL)
        self.support["auc"] = Support("drawn", freedom=n_groups - 1 if fewest > 1 else 0)
        self.support["average_precision"] = Support("share", fewest, fewest - 1)

    def tally(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Sum the weights of rows by level, in every draw.

        Parameters
        ----------
        weights : ndarray of shape (groups, B), float64
            Weights of the groups.

        Returns
        -------
        at_level : ndarray of shape (K, B)
            Positives on each level.
        positives : ndarray of shape (K, B)
            Positives on or above each level.
        negatives : ndarray of shape (2 K + 1, B)
            Negatives above the first level, on or above it, above the second level and so on;
            finally all negatives.
        """
        at_level = self._positives @ weights
        return at_level, np.cumsum(at_level, axis=0), np.cumsum(self._negatives @ weights, axis=0)

    def values(self) -> dict[str, float]:
        """Evaluate the metrics on the data.

        Returns
        -------
        dict of str to float
            ``auc``, ``average_precision``, ``pauc``, ``specificity_at_80_sensitivity`` and so on.
        """
        ones = np.ones((self.n_groups, 1))
        return {name: float(value[0]) for name, value in self.measure(ones).items()}

    def measure(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluate the metrics on weighted rows.

        Parameters
        ----------
        weights : ndarray of shape (groups, B), float64
            Weights of the groups.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            Values by name, as in `values`.
        """
        at_level, cumulated, negatives = self.tally(weights)
        before, through = negatives[0:-1:2], negatives[1::2]
        recall, gained = cumulated / cumulated[-1], at_level / cumulated[-1]
        false_before, false_through = before / negatives[-1], through / negatives[-1]
        segments = (recall - gained, recall, false_before, false_through)
        values = {
            "auc": _area_above(segments, 0.0),
            "average_precision": (gained * cumulated / (cumulated + through)).sum(axis=0),
            "pauc": _area_above(segments, self.min_sensitivity),
        }
        for name, target in self._targets.items():
            level = first_level(recall, target)
            values[name] = 1 - false_through[level, np.arange(weights.shape[1])]
        return values

    def draws(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluate the metrics on draws.

        Parameters
        ----------
        weights : ndarray of shape (groups + 1, B), float64
            Weights of the groups; the last row is the weight of the part above the highest
            positive.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            Values by name, as in `values`.
        """
        at_level, cumulated, negatives = self.tally(weights[:-1])
        recall = self.place(at_level, cumulated, weights[-1])
        false = np.vstack([np.zeros(negatives.shape[1]), negatives / negatives[-1]])
        precision = cumulated / (cumulated + negatives[1::2])
        segments = (recall[:-1], recall[1:], false[:-1], false[1:])
        values = {
            "auc": _area_above(segments, 0.0),
            "average_precision": (at_level * precision).sum(axis=0) / cumulated[-1],
            "pauc": _area_above(segments, self.min_sensitivity),
        }
        for name, target in self._targets.items():
            values[name] = 1 - interpolate(recall, false, target)
        return values

    def place(self, at_level: np.ndarray, cumulated: np.ndarray, beyond: np.ndarray) -> np.ndarray:
        """Return sensitivities along the curve of each draw.

        Parameters
        ----------
        at_level, cumulated : ndarray of shape (K, B)
            From `tally`.
        beyond : ndarray of shape (B,)
            Weight of the part above the highest positive.

        Returns
        -------
        ndarray of shape (2 K + 2, B)
            Sensitivities at the corner 0, at both ends of each level, and at the corner 1.
        """
        total = cumulated[-1] + beyond
        recall = np.empty((2 * len(at_level) + 2, len(total)))
        recall[0], recall[-1] = 0, 1
        recall[1:-1:2] = (cumulated - at_level + beyond) / total
        recall[2:-1:2] = (cumulated - at_level * self._between + beyond) / total
        return recall


def first_level(recall: np.ndarray, sensitivity: float) -> np.ndarray:
    """Find the highest level that reaches a sensitivity.

    Parameters
    ----------
    recall : ndarray of shape (K, B)
        Sensitivity at decreasing levels, in each draw.
    sensitivity : float
        Sensitivity to reach.

    Returns
    -------
    ndarray of shape (B,), int
        Index of the level; 0 if undefined.
    """
    # Rounding must not miss a sensitivity that is met exactly.
    return np.argmax(recall >= sensitivity - 1e-12, axis=0)


def interpolate(recall: np.ndarray, along: np.ndarray, sensitivity: float) -> np.ndarray:
    """Interpolate along the curve of each draw at a sensitivity.

    Parameters
    ----------
    recall : ndarray of shape (points, B)
        From `Ranking.place`.
    along : ndarray of shape (points, B) or (points, 1)
        Values at the same points.
    sensitivity : float
        Sensitivity to reach.

    Returns
    -------
    ndarray of shape (B,)
        Values interpolated linearly between points.
    """
    stop = np.maximum(first_level(recall, sensitivity), 1)
    draw = np.arange(recall.shape[1])
    column = draw if along.shape[1] > 1 else 0
    start_recall, stop_recall = recall[stop - 1, draw], recall[stop, draw]
    share = (sensitivity - start_recall) / np.maximum(stop_recall - start_recall, 1e-300)
    start_along, stop_along = along[stop - 1, column], along[stop, column]
    return start_along + np.clip(share, 0, 1) * (stop_along - start_along)


def _sums(slots: np.ndarray, codes: np.ndarray, shape: tuple[int, int]) -> csr_matrix:
    """Count the rows of each group in each slot, as a sparse matrix."""
    return csr_matrix((np.ones(len(slots)), (slots, codes)), shape=shape)


def _area_above(segments: tuple[np.ndarray, ...], low: float) -> np.ndarray:
    """Return the area under the ROC curve and above a sensitivity.

    The segments between the points of the curve are given by the sensitivity at their start and at
    their stop, then the false positive rates there. The area is the integral over sensitivity of
    the specificity, which falls linearly from ``1 - false_start`` to ``1 - false_stop``.
    """
    start, stop, false_start, false_stop = segments
    if low <= 0:
        return ((stop - start) * (1 - (false_start + false_stop) / 2)).sum(axis=0)
    # Points before the first that reaches `low` in any draw do not contribute.
    first = int(np.argmax((stop > low).any(axis=1)))
    start, stop, false_start, false_stop = (ends[first:] for ends in segments)
    inside = np.clip(stop - np.maximum(start, low), 0, None)
    share = inside / np.maximum(stop - start, 1e-300)
    # Only the upper part of a segment that straddles `low` contributes; its mean specificity is
    # that at its middle.
    false_mean = false_stop - (false_stop - false_start) * share / 2
    return (inside * (1 - false_mean)).sum(axis=0)


# A threshold is a quantile of the positives if at least this many groups with a positive are
# expected below it. Otherwise the threshold depends on the assumption about the curve beyond the
# lowest positive, and the interval is wide enough without expansion.
_LEAST_BELOW = 2


class Cutoffs(Measure):
    """Thresholds at given sensitivities and at the lowest cost.

    Both kinds lie at the score of a positive, because a lower threshold between two positives only
    adds false positives. Each draw therefore needs only the sums of `Ranking`.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        True for malignant rows.
    score : ndarray of shape (n,), float64
        Scores.
    codes : ndarray of shape (n,), int
        Group of each row, from 0.
    sensitivities : tuple of float, default=()
        Sensitivities to reach.
    cost_ratio : float, default=None
        Cost of one missed malignant row, in false positives. If None, this threshold is omitted.

    Attributes
    ----------
    support : dict of str to Support
        Type of interval of each threshold.

    Notes
    -----
    A draw's threshold at a sensitivity lies on the curve of `Ranking`: between two malignant scores
    or, beyond the lowest, at the score of the negatives whose specificity is that of the straight
    line to the corner.
    """

    def __init__(
        self,
        y: np.ndarray,
        score: np.ndarray,
        codes: np.ndarray,
        *,
        sensitivities: tuple[float, ...] = (),
        cost_ratio: float | None = None,
    ):
        self._ranking = Ranking(y, score, codes)
        self.n_groups = self._ranking.n_groups
        self._targets = {f"sensitivity_{at:g}": at for at in sensitivities}
        self._cost_ratio = cost_ratio
        self._highest, self._negatives = score.max(), np.sort(score[~y])
        carriers = len(np.unique(codes[y]))
        self.support = {}
        for name, target in self._targets.items():
            # Tolerance for rounding: (1 - 0.8) * 10 is below 2.
            few_below = (1 - target) * carriers <= _LEAST_BELOW - 1e-9
            self.support[name] = Support(
                "drawn" if few_below else "quantile", carriers, tail=LOWER_TAIL
            )
        if cost_ratio is not None:
            self.support["cost"] = Support("drawn")

    def values(self) -> dict[str, float]:
        """Find the thresholds on the data.

        Returns
        -------
        dict of str to float
            Thresholds ``sensitivity_0.8`` and so on, and ``cost``.
        """
        ranking = self._ranking
        _, positives, negatives = ranking.tally(np.ones((ranking.n_groups, 1)))
        values = {
            name: float(ranking.levels[first_level(positives / positives[-1], target)][0])
            for name, target in self._targets.items()
        }
        if self._cost_ratio is not None:
            values["cost"] = float(self._of_least_cost(positives, negatives[1::2])[0])
        return values

    def draws(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Find the thresholds on draws.

        Parameters
        ----------
        weights : ndarray of shape (groups + 1, B), float64
            Weights of the groups; the last row is the weight of the part above the highest
            positive.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            Values by name, as in `values`.
        """
        at_level, positives, negatives = self._ranking.tally(weights[:-1])
        recall = self._ranking.place(at_level, positives, weights[-1])
        values = {
            name: self._of_sensitivity(recall, target) for name, target in self._targets.items()
        }
        if self._cost_ratio is not None:
            values["cost"] = self._of_least_cost(positives, negatives[1::2])
        return values

    def _of_sensitivity(self, recall: np.ndarray, target: float) -> np.ndarray:
        levels = self._ranking.levels
        scores = np.concatenate([[self._highest], np.repeat(levels, 2), levels[-1:]])
        threshold = interpolate(recall, scores[:, None], target)
        lowest = recall[-2]
        share = np.clip((1 - target) / np.maximum(1 - lowest, 1e-300), 0, 1)
        below = np.mean(self._negatives < levels[-1])
        beyond = np.minimum(np.quantile(self._negatives, share * below), levels[-1])
        return np.where(target > lowest, beyond, threshold)

    def _of_least_cost(self, positives: np.ndarray, false: np.ndarray) -> np.ndarray:
        # The next number above every score stands for no positive calls.
        thresholds = np.append(np.nextafter(self._highest, np.inf), self._ranking.levels)
        missed = np.vstack([positives[-1], positives[-1] - positives])
        cost = self._cost_ratio * missed + np.vstack([np.zeros_like(positives[-1]), false])
        # Equal costs may differ in the last bits; the first belongs to the highest threshold.
        best = np.argmax(cost <= cost.min(axis=0) * (1 + 1e-12), axis=0)
        return thresholds[best]


def roc_auc(y: np.ndarray, score: np.ndarray) -> float:
    """Area under the receiver operating characteristic.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; the higher, the more likely malignant.

    Returns
    -------
    float
        Area from 0 to 1; ties count one half.

    Examples
    --------
    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    return _measure(y, score, "auc")


def average_precision(y: np.ndarray, score: np.ndarray) -> float:
    """Area under the stepwise precision-recall curve.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; the higher, the more likely malignant.

    Returns
    -------
    float
        Area from 0 to 1; random scores give the prevalence.

    Notes
    -----
    This is the sum over thresholds of ``(R_k - R_(k-1)) P_k`` with recall R and precision P.

    Examples
    --------
    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 4)
    0.8333
    """
    return _measure(y, score, "average_precision")


def partial_auc(y: np.ndarray, score: np.ndarray, *, min_sensitivity: float = 0.8) -> float:
    """Area under the ROC curve and above a sensitivity: the metric of ISIC 2024.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; the higher, the more likely malignant.
    min_sensitivity : float, default=0.8
        Lower end of the area, 0 to 1.

    Returns
    -------
    float
        0 to ``1 - min_sensitivity``; random scores give ``(1 - min_sensitivity)**2 / 2``.

    References
    ----------
    .. [1] N. R. Kurtansky et al., "The SLICE-3D dataset: 400,000 skin lesion image crops
       extracted from 3D TBP for skin cancer detection", Scientific Data 11, 884, 2024.

    Examples
    --------
    >>> round(partial_auc([0, 0, 1, 1], [0.1, 0.2, 0.7, 0.8]), 3)
    0.2
    """
    check_number("min_sensitivity", min_sensitivity, low=0, high=1)
    return _measure(y, score, "pauc", min_sensitivity=min_sensitivity)


def specificity_at_sensitivity(y: np.ndarray, score: np.ndarray, sensitivity: float = 0.9) -> float:
    """Highest specificity among the thresholds that reach a sensitivity.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; the higher, the more likely malignant.
    sensitivity : float, default=0.9
        Sensitivity to reach, 0 to 1.

    Returns
    -------
    float
        Specificity from 0 to 1, without interpolation between thresholds.

    Examples
    --------
    >>> specificity_at_sensitivity([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], 0.9)
    0.5
    """
    check_number("sensitivity", sensitivity, low=0, high=1)
    name = f"specificity_at_{round(100 * sensitivity)}_sensitivity"
    return _measure(y, score, name, sensitivities=(sensitivity,))


def _measure(y: np.ndarray, score: np.ndarray, name: str, **options) -> float:
    y, score = check_scores(y, score)
    ranking = Ranking(y, score, np.zeros(len(y), dtype=int), **options)
    return ranking.values()[name]
