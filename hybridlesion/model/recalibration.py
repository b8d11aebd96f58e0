"""Recalibration of a fitted classifier on labelled lesions of another site."""

from __future__ import annotations

import copy
import warnings
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtri
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from hybridlesion import metrics
from hybridlesion._formatting import count_words
from hybridlesion._validation import check_number
from hybridlesion.exceptions import OptionError, TableError
from hybridlesion.metrics import Interval
from hybridlesion.model.calibration import ConformalSets, ScoreCalibrator
from hybridlesion.model.classifier import SENSITIVITIES, HybridLesionClassifier
from hybridlesion.model_selection import repeated_grouped_folds

METHODS = ("none", "intercept", "slope", "beta", "isotonic")
"""Maps of `fit_map`, from the simplest to the most flexible."""

# Recalibration is refused below the first of each pair, and warns below the second.
_ROWS, _ROWS_OF_CLASS = (20, 50), (5, 10)

_FOLDS, _REPEATS = 5, 10

# Distance of a probability from 0 and 1 that keeps its logit finite.
_TINY = 1e-12

# Width for which 40,000 lesions suffice.
_SMALLEST_WIDTH = 0.01

# Standard errors by which a map must be better than the intercept.
_ERRORS = 2.0

# Slope below which scores would hardly differ.
_FLATTEST = 0.05


@dataclass(frozen=True)
class Recalibration:
    """Map from the original scores of a classifier to those for another site, and its origin.

    Parameters
    ----------
    method : str
        Chosen map, one of `hybridlesion.model.recalibration.METHODS`.
    calibrator : ScoreCalibrator
        The map, from logits of original scores.
    log_loss : dict of str to float
        Cross-validated log loss of each map, in nats per lesion.
    n_rows, n_positive, n_groups : int
        Number of lesions used, of malignant ones among them, and of groups (patients).
    prevalence : float
        Mean recalibrated score of these lesions, above 0 and below 1.
    threshold : float
        Threshold of the classifier before, for original scores.
    thresholds : dict of float to Interval
        Thresholds by sensitivity before.
    before : DataFrame
        `hybridlesion.metrics.evaluate` of the original scores of these lesions, which the
        classifier was not fitted to, at the threshold before.
    """

    method: str
    calibrator: ScoreCalibrator
    log_loss: dict[str, float]
    n_rows: int
    n_positive: int
    n_groups: int
    prevalence: float
    threshold: float
    thresholds: dict[float, Interval]
    before: pd.DataFrame

    def predict(self, score: np.ndarray) -> np.ndarray:
        """Recalibrate scores.

        Parameters
        ----------
        score : array-like of shape (n,), 0 to 1
            Original scores, also beyond those of the lesions used; NaN stays NaN.

        Returns
        -------
        ndarray of shape (n,), float64
            Recalibrated scores, 0 to 1, non-decreasing in `score`.
        """
        score = np.asarray(score, dtype=np.float64)
        found, known = np.full(score.shape, np.nan), ~np.isnan(score)
        if known.any():
            found[known] = self.calibrator.predict(_logits(score[known]))
        return found

    def spread(self, base: np.ndarray, parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Recalibrate the contributions to scores.

        Parameters
        ----------
        base : ndarray of shape (n,), 0 to 1
            Original scores before any contribution.
        parts : ndarray of shape (n, columns)
            Contributions, which sum to the original score minus `base`.

        Returns
        -------
        base, parts : ndarray of shape (n,) and (n, columns)
            The same for recalibrated scores. Parts change in proportion, as along the straight path
            in `spread_probability`.
        """
        start, gap = self.predict(base), parts.sum(axis=1)
        change = self.predict(base + gap) - start
        slope = np.divide(change, gap, out=np.zeros_like(gap), where=np.abs(gap) > _TINY)
        return start, parts * slope[:, None]

    def facts(self) -> dict[str, object]:
        """Describe the recalibration.

        Returns
        -------
        dict
            Attributes as plain values, but for the calibrator; ``before`` and ``thresholds`` as
            lists of rows.
        """
        facts = {name: value for name, value in vars(self).items() if name != "calibrator"}
        points = [{"sensitivity": at} | asdict(one) for at, one in self.thresholds.items()]
        return facts | {"thresholds": points, "before": self.before.to_dict("records")}


def recalibrate(
    classifier: HybridLesionClassifier,
    score: np.ndarray,
    y: np.ndarray,
    *,
    groups: np.ndarray | None = None,
    random_state: int = 0,
) -> HybridLesionClassifier:
    """Recalibrate a classifier, and move its thresholds, on labelled lesions of another site.

    Parameters
    ----------
    classifier : HybridLesionClassifier
        Fitted classifier. It is not changed; an earlier recalibration is replaced.
    score : array-like of shape (n,), 0 to 1
        Original scores of the lesions: `HybridLesionClassifier.original_score`, which equals
        ``predict_proba(X)[:, 1]`` unless the classifier was recalibrated before.
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    groups : array-like of shape (n,), default=None
        Patient of each lesion. If None, each lesion is treated as its own patient.
    random_state : int, default=0
        Seed of the folds and of the intervals.

    Returns
    -------
    HybridLesionClassifier
        Copy with the attribute ``recalibration_``, a `Recalibration`. Its ``threshold_`` follows
        the rule of the classifier: for a sensitivity by `sensitivity_threshold`, for ``f1`` and
        ``youden`` on these lesions; a cost ratio and a number give the same threshold as before,
        now on recalibrated scores. ``threshold_intervals_`` have the ends of
        `hybridlesion.metrics.threshold_interval`, moved to contain the threshold. ``conformal_`` is
        fitted on these lesions. Out-of-fold scores and their metrics stay.

    Raises
    ------
    TableError
        If there are fewer than 20 lesions, or fewer than 5 groups with lesions of a class, or if
        malignant lesions score lower than benign ones.
    OptionError
        If `classifier` is of another class, or a score lies outside 0 to 1.
    ValueError
        If `y` or `score` is invalid.

    Warns
    -----
    UserWarning
        If there are fewer than 50 lesions, or fewer than 10 groups with lesions of a class.

    Notes
    -----
    `choose_map` chooses the map. The choice, the map and the thresholds use the same lesions:
    evaluate the result on others.

    References
    ----------
    .. [1] Y. Vergouwe et al., "A closed testing procedure to select an appropriate method for
       updating prediction models", Statistics in Medicine 36, 4529-4539, 2017.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 4 == 0
    >>> table = pd.DataFrame({"meta__age": 50 + 20.0 * y + rng.normal(0, 10, 200)})
    >>> model = HybridLesionClassifier(n_splits=3).fit(table, y)
    >>> too_low = metrics.shift_prevalence(model.oof_score_, trained=0.25, wanted=0.05)
    >>> moved = recalibrate(model, too_low, y)
    >>> moved.recalibration_.method, round(moved.recalibration_.prevalence, 2)
    ('intercept', 0.25)
    """
    if not isinstance(classifier, HybridLesionClassifier):
        kind = type(classifier).__name__
        raise OptionError(f"recalibration needs a HybridLesionClassifier, got a {kind}.")
    check_is_fitted(classifier, "ensemble_")
    y, score, groups = _check_lesions(y, score, groups)
    former = classifier.recalibration_
    threshold = classifier.threshold_ if former is None else former.threshold
    thresholds = classifier.threshold_intervals_ if former is None else former.thresholds
    measured = metrics.evaluate(
        *(y, score), groups=groups, threshold=threshold, random_state=random_state
    )
    auc = measured.set_index("metric").loc["auc"]
    if auc["high"] < 0.5:
        raise TableError(
            f"malignant lesions score lower than benign ones (AUC {auc['value']:.3f}), so that a "
            "recalibration would reverse the model. Check the labels, and that the scores are "
            "those of this model."
        )
    z = _logits(score)
    # With several threads, BLAS waits longer than it works on so few rows.
    with threadpool_limits(1, user_api="blas"):
        method, log_loss = choose_map(z, y, groups, random_state=random_state)
    calibrator = fit_map(method, z, y)
    new = calibrator.predict(z)
    model = copy.copy(classifier)
    model.recalibration_ = Recalibration(
        *(method, calibrator, log_loss, len(y), int(y.sum()), len(np.unique(groups))),
        *(float(new.mean()), threshold, thresholds),
        measured,
    )

    def at_sensitivity(share: float) -> float:
        return float(calibrator.predict(np.array([sensitivity_threshold(z, y, share)]))[0])

    intervals = {}
    for at in SENSITIVITIES:
        value = at_sensitivity(at)
        found = metrics.threshold_interval(y, new, at, groups=groups, random_state=random_state)
        intervals[at] = Interval(value, min(found.low, value), max(found.high, value))
    model.threshold_intervals_ = intervals
    model.thresholds_ = {at: one.value for at, one in intervals.items()}
    if model.cost_ratio is None and model.threshold is None:
        model.threshold_ = at_sensitivity(model.sensitivity)
    elif isinstance(model.threshold, str):
        model.threshold_ = metrics.choose_threshold(y, new, model.threshold)
    else:  # a cost ratio or a number, which refers to calibrated probabilities
        model.threshold_ = threshold
    model.conformal_ = ConformalSets().fit(y, new)
    return model


def choose_map(
    z: np.ndarray, y: np.ndarray, groups: np.ndarray, *, random_state: int = 0
) -> tuple[str, dict[str, float]]:
    """Choose the map of `fit_map` for some lesions.

    Parameters
    ----------
    z : ndarray of shape (n,)
        Logits of the original scores.
    y : ndarray of shape (n,), bool
        True for malignant lesions.
    groups : ndarray of shape (n,)
        Patient of each lesion; at least five patients with malignant and five with benign lesions.
    random_state : int, default=0
        Seed of the folds.

    Returns
    -------
    method : str
        Name of the map.
    log_loss : dict of str to float
        Log loss of each map in nats per lesion, from ten repetitions of five folds of whole groups.

    Notes
    -----
    The intercept is used unless another map has a lower log loss by more than two standard errors
    (over patients) of the difference; of several, that with the lowest. If the scores do not rank
    these lesions, maps that would flatten them are left out.

    Rules were compared on 100 lesions, on average 12 to 22 of them malignant, in 40 draws from
    each of eight pairs of sites, six of them with scores of a simpler model. Mean calibration error
    on the other lesions: 0.036 for this rule and for the intercept alone; 0.040 for intercept and
    slope; 0.043 for beta calibration and for the map of lowest log loss; 0.047 for no map and for
    the simplest map within one standard error of the best; 0.050 for isotonic regression.
    """
    folds = repeated_grouped_folds(
        y, groups, n_splits=_FOLDS, n_repeats=_REPEATS, random_state=random_state
    )
    loss = pd.DataFrame(0.0, index=np.arange(len(y)), columns=METHODS)
    for draw, fold, method in product(folds.T, range(_FOLDS), METHODS):
        rest, held_out = draw != fold, draw == fold
        p = fit_map(method, z[rest], y[rest]).predict(z[held_out])
        right = np.where(y[held_out], p, 1 - p)
        loss.loc[held_out, method] -= np.log(np.maximum(right, _TINY)) / _REPEATS
    means, by_group = loss.mean(), loss.groupby(groups).sum()
    chosen = "intercept"
    # Maps with a slope would flatten scores that do not rank these lesions, and lose the ranking.
    ranks = fit_map("slope", z, y).coef_[1] > _FLATTEST
    for method in METHODS if ranks else METHODS[:2]:
        gain = by_group["intercept"] - by_group[method]
        clear = gain.sum() > _ERRORS * np.sqrt(len(gain)) * gain.std()
        if clear and means[method] < means[chosen]:
            chosen = method
    return chosen, means.to_dict()


def fit_map(method: str, z: np.ndarray, y: np.ndarray) -> ScoreCalibrator:
    """Fit a map from logits to probabilities.

    Parameters
    ----------
    method : str
        ``none`` is ``expit(z)`` for logits z, ``intercept`` is ``expit(a + z)``, ``slope``,
        ``beta`` and ``isotonic`` are the maps ``platt``, ``beta`` and ``isotonic`` of
        `ScoreCalibrator`.
    z : ndarray of shape (n,)
        Logits of the original scores.
    y : ndarray of shape (n,), bool
        True for malignant lesions; both classes occur.

    Returns
    -------
    ScoreCalibrator
        Fitted map.

    Examples
    --------
    >>> z = np.array([-1.0, 0.0, 1.0])
    >>> fit_map("intercept", z, np.array([False, False, True])).predict(z).sum().round(6)
    np.float64(1.0)
    """
    if method not in ("none", "intercept"):
        return ScoreCalibrator("platt" if method == "slope" else method).fit(z, y)

    def excess(shift: float) -> float:
        return expit(z + shift).mean() - y.mean()

    reach = np.abs(z).max() - logit(_TINY)
    calibrator = ScoreCalibrator("platt")
    calibrator.method_ = "platt"
    shift = brentq(excess, -reach, reach) if method == "intercept" else 0.0
    calibrator.coef_ = np.array([shift, 1.0])
    return calibrator


def sensitivity_threshold(z: np.ndarray, y: np.ndarray, sensitivity: float) -> float:
    """Estimate the threshold that reaches a sensitivity on new lesions, from few lesions.

    Parameters
    ----------
    z : ndarray of shape (n,)
        Logits of the original scores.
    y : ndarray of shape (n,), bool
        True for malignant lesions.
    sensitivity : float
        Sensitivity to reach, above 0 and up to 1.

    Returns
    -------
    float
        Threshold on `z`.

    Notes
    -----
    The mean of two estimates, on the logit scale: the quantile of the m malignant lesions at
    ``(m + 1) (1 - sensitivity)`` [1]_, which is unbiased but noisy; and the score at which the
    expected sensitivity, from probabilities of a logistic regression on `z`, reaches the target,
    which uses the benign lesions as well but is biased if the logistic shape is wrong.

    Compared on 100 lesions, on average 12 to 22 of them malignant, in 100 draws from each of eleven
    pairs of sites, eight of them with scores of a simpler model. Mean sensitivity by pair at the
    threshold for 90 %, and root mean square deviation from 90 %: 0.88 to 0.93 and 0.083 for this
    mean, 0.82 to 0.94 and 0.084 for the expected sensitivity, 0.89 to 0.91 and 0.089 for the
    quantile, 0.87 to 0.91 and 0.093 for a normal distribution of malignant logits, 0.79 to 0.93 and
    0.098 for the malignant training lesions moved to the local mean, 0.84 to 0.87 and 0.117 for
    `hybridlesion.metrics.threshold_at_sensitivity`. On 17 further pairs, 0.88 to 0.93 for this
    mean; 0.90 to 0.94 for the ``floor((m + 1) (1 - sensitivity))``-th smallest malignant score, as
    in conformal prediction, whose specificity is lower by 0.06 on average.

    References
    ----------
    .. [1] R. J. Hyndman, Y. Fan, "Sample quantiles in statistical packages", The American
       Statistician 50, 361-365, 1996, definition 6.

    Examples
    --------
    >>> z = np.linspace(-3, 3, 61)
    >>> round(sensitivity_threshold(z, z > 0.95, 0.8), 2)
    1.27
    """
    observed = np.quantile(z[y], 1 - sensitivity, method="weibull")
    order = np.argsort(-z)
    expected = np.cumsum(fit_map("slope", z, y).predict(z)[order])
    # Rounding must not require one lesion more than a sensitivity that is met exactly.
    place = np.searchsorted(expected, sensitivity * expected[-1] - 1e-9)
    return float((observed + z[order[place]]) / 2)


def malignant_for_width(width: float, *, sensitivity: float = 0.9, confidence: float = 0.95) -> int:
    """Number of malignant lesions for which the interval of a sensitivity is narrow enough.

    Parameters
    ----------
    width : float
        Largest width of the interval, above 0 and up to 1.
    sensitivity : float, default=0.9
        Expected sensitivity, 0 to 1.
    confidence : float, default=0.95
        Coverage of the interval, between 0 and 1.

    Returns
    -------
    int
        Smallest number for which Wilson's interval [1]_ is at most `width` wide. Several lesions of
        one patient count less than as many patients.

    Raises
    ------
    OptionError
        If a value is out of range.

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
       Journal of the American Statistical Association 22, 209-212, 1927.

    Examples
    --------
    >>> malignant_for_width(0.2), malignant_for_width(0.1)
    (37, 141)
    """
    check_number("width", width, low=_SMALLEST_WIDTH, high=1)
    check_number("sensitivity", sensitivity, low=0, high=1)
    check_number("confidence", confidence, low=1e-6, high=1 - 1e-6)
    quantile = ndtri((1 + confidence) / 2)
    numbers = np.arange(1, 1 + np.ceil((quantile / width) ** 2))
    low, high = metrics.wilson(sensitivity, numbers, quantile)
    return int(numbers[np.argmax(high - low <= width)])


def _check_lesions(
    y: np.ndarray, score: np.ndarray, groups: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, score = metrics.check_scores(y, score)
    if score.min() < 0 or score.max() > 1:
        raise OptionError(
            f"scores must lie between 0 and 1, got {score.min():g} to {score.max():g}. Pass scores "
            "of the model, not logits."
        )
    groups = np.arange(len(y)) if groups is None else np.asarray(groups)
    if groups.shape != y.shape:
        raise ValueError(f"groups must have one value per lesion, got shape {groups.shape}.")
    found = [len(np.unique(groups[rows])) for rows in (y, ~y)]
    got = (
        f"got {count_words(len(y), 'lesion')}, {y.sum():,} of them malignant; {found[0]:,} "
        f"patients have malignant lesions and {found[1]:,} benign ones"
    )
    (least, enough), (least_of_class, enough_of_class) = _ROWS, _ROWS_OF_CLASS
    if len(y) < least or min(found) < least_of_class:
        raise TableError(
            f"recalibration needs at least {least} lesions, malignant ones of {least_of_class} "
            f"patients and benign ones of {least_of_class}; {got}. Add lesions of known diagnosis. "
            "Malignant ones may be over-represented, if new lesions are then scored for the "
            "prevalence of the site."
        )
    if len(y) < enough or min(found) < enough_of_class:
        warnings.warn(
            f"with fewer than {enough} lesions, or {enough_of_class} patients with malignant or "
            f"benign ones, recalibration is unreliable: {got}. Add lesions of known diagnosis.",
            UserWarning,
            stacklevel=3,
        )
    return y, score, groups


def _logits(score: np.ndarray) -> np.ndarray:
    return logit(np.clip(score, _TINY, 1 - _TINY))
