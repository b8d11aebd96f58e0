"""Bayesian bootstrap over patients: draws of metrics and their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtr, stdtrit

from hybridlesion._validation import check_number
from hybridlesion.exceptions import OptionError

# Weights drawn at once; a million float64 fit the cache and are twice as fast as eight million.
_CHUNK = 1_000_000


@dataclass(frozen=True)
class Support:
    """Type of a metric's interval, and how much of the data the metric depends on.

    Parameters
    ----------
    kind : {"drawn", "quantile", "share", "ratio", "number", "gaps"}
        ``drawn`` uses percentiles of the draws, and ``quantile`` expanded percentiles; ``share``
        uses Wilson's interval, for a metric from 0 to 1; ``ratio`` and ``number`` use Student's
        interval for the logarithm and for the metric itself; ``gaps`` is for a sum of absolute
        values.
    groups : float, default=inf
        Number of groups that the metric depends on. With few groups, draws vary too little; this is
        corrected.
    freedom : float, default=inf
        Degrees of freedom of Student's t.
    rows : float, default=inf
        Number of rows that a plain proportion is based on.
    tail : float, default=0.5
        Share of the error probability of ``drawn`` and ``quantile`` that lies below the interval.
    """

    kind: str
    groups: float = np.inf
    freedom: float = np.inf
    rows: float = np.inf
    tail: float = 0.5


@dataclass(frozen=True)
class Drawn:
    """A metric evaluated on the data and on draws.

    Parameters
    ----------
    value : float
        Value on the data.
    draws : ndarray of shape (B,)
        Value for each draw; for ``gaps``, the sum of the distances between its gaps and those
        of the data.
    support : Support
        Type of interval.
    """

    value: float
    draws: np.ndarray
    support: Support

    def interval(self, confidence: float) -> Interval:
        """Return the value with its interval.

        Parameters
        ----------
        confidence : float
            Coverage, between 0 and 1.

        Returns
        -------
        Interval
            Value, and ends of the interval by `interval_of`.
        """
        return Interval(self.value, *interval_of(self, confidence))


@dataclass(frozen=True)
class Interval:
    """A value and its interval.

    Parameters
    ----------
    value : float
        The metric on the data.
    low, high : float
        Ends of the interval.
    """

    value: float
    low: float
    high: float


class Measure:
    """Metrics by name, evaluated on the data and on draws.

    Attributes
    ----------
    support : dict of str to Support
        Type of interval of each metric.
    n_groups : int
        Number of groups.
    """

    support: dict[str, Support]
    n_groups: int

    def values(self) -> dict[str, float]:
        """Evaluate the metrics on the data.

        Returns
        -------
        dict of str to float
            Values by metric, as in `draws`.
        """
        ones = np.ones((self.n_groups + 1, 1))
        return {name: float(value[0]) for name, value in self.draws(ones).items()}

    def draws(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluate the metrics on draws.

        Parameters
        ----------
        weights : ndarray of shape (groups + 1, B), float64
            Weights of the groups; the last row is the weight of the part above the highest
            positive, which only rankings use.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            Values by metric.
        """
        raise NotImplementedError


def draw_weights(n_groups: int, n_bootstrap: int, random_state: int | None) -> Iterator[np.ndarray]:
    """Draw weights for the groups in chunks.

    Parameters
    ----------
    n_groups : int
        Number of groups.
    n_bootstrap : int
        Total number of draws.
    random_state : int or None
        Random seed.

    Yields
    ------
    ndarray of shape (n_groups + 1, draws of this chunk), float64
        Standard exponential weights. The last row is the weight of the part beyond the highest
        malignant score; see `Ranking`.

    Notes
    -----
    This is the Bayesian bootstrap [1]_. Its weights are positive, so every draw contains both
    classes.

    References
    ----------
    .. [1] D. B. Rubin, "The Bayesian bootstrap", Annals of Statistics 9, 130-134, 1981.

    Examples
    --------
    >>> chunk = next(draw_weights(5, 3, 0))
    >>> chunk.shape, bool((chunk > 0).all())
    ((6, 3), True)
    """
    rng = np.random.default_rng(random_state)
    step = max(1, _CHUNK // n_groups)
    for start in range(0, n_bootstrap, step):
        yield rng.standard_exponential((n_groups + 1, min(step, n_bootstrap - start)))


def resample(
    measures: Mapping[str, Sequence[Measure]], n_bootstrap: int, random_state: int | None
) -> dict[str, Drawn]:
    """Evaluate metrics on the data, then on every draw.

    Parameters
    ----------
    measures : mapping of str to sequence of Measure
        Metrics of the same groups, evaluated with the same weights. The keys are prefixes of their
        names.
    n_bootstrap : int
        Number of draws; if 0, only the data are evaluated.
    random_state : int or None
        Random seed.

    Returns
    -------
    dict of str to Drawn
        The metrics by name.

    Raises
    ------
    ValueError
        If `n_bootstrap` is not a non-negative integer.
    """
    check_number("n_bootstrap", n_bootstrap, low=0, integer=True)
    named = [(prefix, one) for prefix, several in measures.items() for one in several]
    chunks_of_weights = draw_weights(named[0][1].n_groups, n_bootstrap, random_state)
    chunks = [[measure.draws(weights) for _, measure in named] for weights in chunks_of_weights]
    found = {}
    for number, (prefix, measure) in enumerate(named):
        for name, value in measure.values().items():
            draws = np.concatenate([np.empty(0), *(chunk[number][name] for chunk in chunks)])
            found[prefix + name] = Drawn(float(value), draws, measure.support[name])
    return found


_NOTHING = (float("nan"), float("nan"))
# Degrees of freedom above which Student's t is taken as normal; also the largest quantile.
_MANY = 1e9
# Logarithm of a ratio beyond which its interval is uninformative.
_ANY_RATIO = np.log(1000)


def interval_of(drawn: Drawn, confidence: float) -> tuple[float, float]:
    """Compute the interval of a metric.

    Parameters
    ----------
    drawn : Drawn
        The metric on the data and on the draws.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    low, high : float
        Ends of the interval, which contains the value; NaN without draws, or if the value is
        undefined.

    Notes
    -----
    The method depends on the kind of `Support`:

    - ``drawn``: percentiles of the draws.
    - ``quantile``: expanded percentiles [3]_. With n groups, the normal quantile of the requested
      confidence is replaced by ``sqrt(n / (n - 1))`` times Student's with n - 1 degrees of
      freedom, and the percentiles at the confidence of that quantile are taken.
    - ``share``: Wilson's interval [1]_ with a quantile of Student's t and the effective number of
      rows [2]_, i.e. that of a proportion with the variance of the draws. It equals the number of
      rows if each group is one row, and is smaller if a patient's lesions are similar. If all rows
      agree, each group counts as one row.
    - ``ratio`` and ``number``: value and standard deviation of the draws, with Student's t.
    - ``gaps``: the value plus or minus the quantile of the summed distance of all gaps from those
      of the data. By the triangle inequality, this covers the value and the truth, given the bins,
      and is conservative. In a resample, noise always biases the sum of absolute values upward.

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
       Journal of the American Statistical Association 22, 209-212, 1927.
    .. [2] N. Dean, M. Pagano, "Evaluating confidence interval methods for binomial proportions in
       clustered surveys", Journal of Survey Statistics and Methodology 3, 484-503, 2015.
    .. [3] T. C. Hesterberg, "What teachers should know about the bootstrap: resampling in the
       undergraduate statistics curriculum", The American Statistician 69, 371-386, 2015.

    Examples
    --------
    >>> interval_of(Drawn(50.0, np.arange(101.0), Support("drawn")), 0.5)
    (25.0, 75.0)
    """
    check_number("confidence", confidence, low=0, high=1)
    value, draws, support = drawn.value, drawn.draws, drawn.support
    if not len(draws) or not np.isfinite(value):
        return _NOTHING
    if support.kind in ("drawn", "quantile"):
        if support.kind == "quantile":
            confidence = _expand(support.groups, confidence)
        below = (1 - confidence) * support.tail
        low, high = np.quantile(draws, [below, confidence + below])
    elif support.kind == "gaps":
        reach = np.quantile(draws, confidence) * _few(support)
        low, high = max(value - reach, 0), value + reach
    elif support.freedom < 1:
        return (0.0, 1.0) if support.kind == "share" else _NOTHING
    else:
        t = _quantile(support.freedom, confidence)
        if support.kind == "share":
            low, high = wilson(value, _effective_rows(drawn), t)
        elif support.kind == "ratio" and value > 0:
            reach = t * _deviation(draws, support) / value
            # With two or three groups, any ratio is possible.
            if reach > _ANY_RATIO:
                return _NOTHING
            low, high = value * np.exp(-reach), value * np.exp(reach)
        else:
            reach = t * _deviation(draws, support)
            low, high = value - reach, value + reach
    return float(min(low, value)), float(max(high, value))


def compare_draws(one: Drawn, other: Drawn, confidence: float) -> tuple[float, float, float, float]:
    """Compare a metric of two scores on the same draws.

    Parameters
    ----------
    one, other : Drawn
        The metric of each score.
    confidence : float
        Coverage of the interval.

    Returns
    -------
    difference, low, high, p_value : float
        ``one - other`` on the data, its interval, and its two-sided p-value from Student's t of the
        difference over the standard deviation of its draws. For ``drawn`` metrics, both refer to
        the mean of the draws, which varies less than the value on the data. NaN if undefined;
        ``gaps`` have the interval of `interval_of` and no p-value.

    Examples
    --------
    >>> one = Drawn(0.9, np.array([0.8, 1.0]), Support("drawn", freedom=9))
    >>> other = Drawn(0.7, np.array([0.7, 0.7]), Support("drawn", freedom=9))
    >>> [round(value, 2) for value in compare_draws(one, other, 0.95)]
    [0.2, -0.03, 0.43, 0.08]
    """
    check_number("confidence", confidence, low=0, high=1)
    difference = one.value - other.value
    if not len(one.draws) or not np.isfinite(difference):
        return difference, *_NOTHING, float("nan")
    if one.support.kind == "gaps":
        reach = float(np.quantile(one.draws + other.draws, confidence)) * _few(one.support)
        return difference, difference - reach, difference + reach, float("nan")
    support = min(one.support, other.support, key=lambda support: support.freedom)
    draws = one.draws - other.draws
    deviation = _deviation(draws, support)
    if deviation == 0 and difference == 0:
        return 0.0, 0.0, 0.0, 1.0
    # Without spread, all groups have the same difference, which reveals nothing about others.
    if support.freedom < 1 or deviation == 0:
        return difference, *_NOTHING, float("nan")
    centre = float(draws.mean()) if support.kind == "drawn" else difference
    reach = _quantile(support.freedom, confidence) * deviation
    p_value = 2 * stdtr(min(support.freedom, _MANY), -abs(centre) / deviation)
    low, high = min(centre - reach, difference), max(centre + reach, difference)
    if support.kind in ("drawn", "share"):
        low, high = max(low, -1.0), min(high, 1.0)
    return difference, low, high, float(p_value)


def wilson(share: np.ndarray, rows: np.ndarray, quantile: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute Wilson's interval for a proportion.

    Parameters
    ----------
    share : float or ndarray
        Proportion observed.
    rows : float or ndarray
        Number of rows, not necessarily an integer.
    quantile : float
        Upper quantile of the normal distribution or of Student's t.

    Returns
    -------
    low, high : float or ndarray
        Ends of the interval, between 0 and 1.

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
       Journal of the American Statistical Association 22, 209-212, 1927.

    Examples
    --------
    >>> [round(float(end), 3) for end in wilson(0.9, 10, 1.96)]
    [0.596, 0.982]
    """
    z = quantile**2 / rows
    centre = (share + z / 2) / (1 + z)
    half = np.sqrt(share * (1 - share) * z + z**2 / 4) / (1 + z)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def _effective_rows(drawn: Drawn) -> float:
    share, support = drawn.value, drawn.support
    spread = share * (1 - share)
    # If all groups agree, the correlation within groups is unknown.
    variance = _deviation(drawn.draws, support) ** 2
    if np.isfinite(support.rows):
        variance *= 1 - 1 / support.rows if support.rows > 1 else 1
    return min(spread / variance if variance > 0 else support.groups, support.rows)


def _deviation(draws: np.ndarray, support: Support) -> float:
    """Estimate the standard deviation of the metric from its draws."""
    # Equal draws may differ in their last bits.
    deviation = float(np.std(draws))
    return deviation * _few(support) if deviation > 1e-12 else 0.0


def _few(support: Support) -> float:
    """Factor by which draws from few groups vary too little."""
    if not 1 < support.groups < np.inf:
        return 1.0
    return float(np.sqrt((support.groups + 1) / (support.groups - 1)))


def _expand(groups: float, confidence: float) -> float:
    if groups < 2:
        return 1.0
    wider = np.sqrt(groups / (groups - 1)) * _quantile(groups - 1, confidence)
    return float(2 * ndtr(wider) - 1)


def _quantile(freedom: float, confidence: float) -> float:
    return min(float(stdtrit(min(freedom, _MANY), (1 + confidence) / 2)), _MANY)


def metric_table(found: Mapping[str, Interval], counts: Mapping[str, float]) -> pd.DataFrame:
    """Tabulate metrics and counts.

    Parameters
    ----------
    found : mapping of str to Interval
        The metrics.
    counts : mapping of str to float
        Numbers without an interval.

    Returns
    -------
    DataFrame of shape (metrics + counts, 4)
        ``metric, value, low, high``.
    """
    rows = [(name, *astuple(interval)) for name, interval in found.items()]
    rows += [(name, float(count), np.nan, np.nan) for name, count in counts.items()]
    return pd.DataFrame(rows, columns=["metric", "value", "low", "high"])


def interval_columns(name: str, interval: Interval) -> dict[str, float]:
    """Spread an interval over three columns of a table.

    Parameters
    ----------
    name : str
        Column of the value.
    interval : Interval
        The value and its interval.

    Returns
    -------
    dict of str to float
        The value as `name`, the ends as ``NAME_low`` and ``NAME_high``.

    Examples
    --------
    >>> interval_columns("auc", Interval(0.9, 0.8, 0.95))
    {'auc': 0.9, 'auc_low': 0.8, 'auc_high': 0.95}
    """
    return {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}


class Decisions(Measure):
    """Metrics that are sums over rows: Brier score and the confusion matrix at a threshold.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        True for malignant rows.
    score : ndarray of shape (n,), float64
        Scores.
    codes : ndarray of shape (n,), int
        Group of each row, from 0.
    threshold : float or ndarray of shape (n,)
        Rows with at least this score are classified as malignant. The net benefit needs one number.

    Attributes
    ----------
    support : dict of str to Support
        Type of interval of each metric.
    """

    def __init__(
        self, y: np.ndarray, score: np.ndarray, codes: np.ndarray, threshold: float | np.ndarray
    ):
        called = score >= threshold
        rows = (y & called, ~y & called, y, np.ones_like(y), score, (score - y) ** 2)
        self._sums = np.array([np.bincount(codes, weights=row) for row in rows])
        self._probabilities = bool(((score >= 0) & (score <= 1)).all())
        # Net benefit is undefined at the thresholds 0 and 1.
        inside = self._probabilities and np.ndim(threshold) == 0 and 0 < threshold < 1
        self._odds = threshold / (1 - threshold) if inside else np.nan
        true, false, positive, n, *_ = self._sums
        shares = {
            "accuracy": n,
            "precision": true + false,
            "recall": positive,
            "specificity": n - positive,
            "f1": false + positive,
            "prevalence": n,
        }
        self.n_groups = groups = len(n)
        malignant = np.count_nonzero(positive)
        # If groups are single rows, the variance of a proportion is known and needs no Student's t.
        freedom = groups - 1 if n.max() > 1 else np.inf
        self.support = {
            name: Support("share", np.count_nonzero(of), freedom, of.sum())
            for name, of in shares.items()
        }
        # The malignant rows have the large errors.
        self.support["brier"] = Support("share", malignant, groups - 1)
        self.support["calibration_in_the_large"] = Support("ratio", groups, groups - 1)
        self.support["net_benefit"] = Support("number", malignant, malignant - 1)

    def draws(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Evaluate the metrics on draws.

        Parameters
        ----------
        weights : ndarray of shape (groups + 1, B), float64
            Weights of the groups; the last row is not used.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            ``brier, calibration_in_the_large, accuracy, precision, recall, specificity, f1,
            net_benefit, prevalence``; NaN if the divisor is 0. For scores outside 0 to 1,
            ``brier``, ``calibration_in_the_large`` and ``net_benefit`` are also NaN.
        """
        true, false, positive, n, expected, squares = self._sums @ weights[:-1]
        if not self._probabilities:
            expected, squares = np.full((2, len(n)), np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "brier": squares / n,
                "calibration_in_the_large": positive / expected,
                "accuracy": (true + n - positive - false) / n,
                "precision": true / (true + false),
                "recall": true / positive,
                "specificity": 1 - false / (n - positive),
                "f1": 2 * true / (true + false + positive),
                "net_benefit": (true - false * self._odds) / n,
                "prevalence": positive / n,
            }


def check_scores(y: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Validate truth and scores.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; the higher, the more likely malignant.

    Returns
    -------
    y : ndarray of shape (n,), bool
        True for malignant rows.
    score : ndarray of shape (n,), float64
        Scores.

    Raises
    ------
    ValueError
        If lengths differ, values are missing, or `y` contains only one class or values other than 0
        and 1.

    Examples
    --------
    >>> check_scores([0, 1], [0.2, 0.7])
    (array([False,  True]), array([0.2, 0.7]))
    """
    y, score = np.asarray(y), np.asarray(score, dtype=np.float64)
    if y.ndim != 1 or score.shape != y.shape:
        shapes = f"{y.shape} and {score.shape}"
        raise ValueError(f"y and score must be vectors of the same length, got shapes {shapes}.")
    missing = int(pd.isna(y).sum()), int((~np.isfinite(score)).sum())
    if any(missing):
        raise ValueError(
            f"y has {missing[0]} missing values and score {missing[1]} that are missing or "
            "infinite. Drop those rows before evaluating."
        )
    values = set(np.unique(y).tolist())
    if not values <= {0, 1}:
        raise ValueError(f"y must hold 0 and 1 only, got {sorted(values)[:5]}.")
    if len(values) < 2:
        raise ValueError(f"y must hold both classes, got {len(y)} rows of {values or 'none'}.")
    return y.astype(bool), score


def check_probabilities(y: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Validate truth and probabilities.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,), 0 to 1
        Probabilities.

    Returns
    -------
    y : ndarray of shape (n,), bool
        True for malignant rows.
    score : ndarray of shape (n,), float64
        Probabilities.

    Raises
    ------
    ValueError
        If `check_scores` raises it, or a score lies outside 0 to 1.

    Examples
    --------
    >>> check_probabilities([0, 1], [0.2, 0.7])[1]
    array([0.2, 0.7])
    """
    y, score = check_scores(y, score)
    if score.min() < 0 or score.max() > 1:
        found = f"{score.min():.4g} to {score.max():.4g}"
        raise ValueError(f"score must hold probabilities from 0 to 1, got {found}.")
    return y, score


def check_cost_ratio(cost_ratio: float) -> float:
    """Validate a cost ratio.

    Parameters
    ----------
    cost_ratio : float
        Cost of one missed malignant lesion, in false positives.

    Returns
    -------
    float
        `cost_ratio`.

    Raises
    ------
    OptionError
        If `cost_ratio` is not a finite number above 0.
    """
    ratio = float(check_number("cost_ratio", cost_ratio))
    if not 0 < ratio < np.inf:
        raise OptionError(
            f"cost_ratio must be a number above 0, got {cost_ratio!r}. It is the cost of one "
            "missed malignant lesion in false positives, for example 20."
        )
    return ratio


def check_groups(groups: np.ndarray | None, n: int) -> np.ndarray:
    """Number the groups from 0.

    Parameters
    ----------
    groups : array-like of shape (n,) or None
        Patient of each row. If None, each row is treated as its own group.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n,), int
        Numbers in order of first appearance; each row without a group forms a separate group.

    Raises
    ------
    ValueError
        If `groups` does not have `n` values.

    Examples
    --------
    >>> check_groups(["b", "a", "b", None], 4)
    array([0, 1, 0, 2])
    """
    if groups is None:
        return np.arange(n)
    if len(groups) != n:
        raise ValueError(f"groups must have one value per row, got {len(groups)} for {n} rows.")
    codes, unique = pd.factorize(pd.Series(groups).reset_index(drop=True))
    alone = codes < 0
    codes[alone] = len(unique) + np.arange(alone.sum())
    return codes
