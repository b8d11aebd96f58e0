"""Patients drawn with replacement, as multiplicities: rows are never copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from hybridlesion._validation import check_number

__all__ = [
    "draw_multiplicities",
    "interval_of",
    "percentiles",
    "prefixed",
    "reach_interval",
    "resample",
]

# Multiplicities held at once: what follows from a million float64 stays near the processor, which
# halves the time against eight million.
_CHUNK = 1_000_000

Measure = Callable[[np.ndarray], dict[str, np.ndarray]]


def draw_multiplicities(
    n_groups: int, n_bootstrap: int, random_state: int | None
) -> Iterator[np.ndarray]:
    """Draw how often each group occurs in each bootstrap resample, chunk by chunk.

    Parameters
    ----------
    n_groups : int
        Number of groups; each resample draws as many, with replacement.
    n_bootstrap : int
        Number of resamples in all.
    random_state : int or None
        Seed.

    Yields
    ------
    ndarray of shape (n_groups, resamples of this chunk), float64
        Multiplicities; each column sums to `n_groups`.

    Examples
    --------
    >>> chunk = next(draw_multiplicities(5, 3, 0))
    >>> chunk.shape, chunk.sum(axis=0).tolist()
    ((5, 3), [5.0, 5.0, 5.0])
    """
    rng = np.random.default_rng(random_state)
    step = max(1, _CHUNK // n_groups)
    for start in range(0, n_bootstrap, step):
        size = min(step, n_bootstrap - start)
        drawn = rng.integers(n_groups, size=(size, n_groups))
        drawn += np.arange(size)[:, None] * n_groups
        counts = np.bincount(drawn.ravel(), minlength=size * n_groups)
        yield np.ascontiguousarray(counts.reshape(size, n_groups).T, dtype=np.float64)


def resample(
    measures: list[Measure], n_groups: int, n_bootstrap: int, random_state: int | None
) -> dict[str, np.ndarray]:
    """Measure the data as they are, then every bootstrap resample.

    Parameters
    ----------
    measures : list of callables
        Each takes multiplicities of shape (n_groups, B) and returns vectors of length B by name.
    n_groups : int
        Number of groups.
    n_bootstrap : int
        Number of resamples; 0 measures the data alone.
    random_state : int or None
        Seed.

    Returns
    -------
    dict of str to ndarray of shape (1 + n_bootstrap,)
        First the value on the data, then one value a resample.

    Raises
    ------
    ValueError
        If `n_bootstrap` is no whole number from 0.
    """
    check_number("n_bootstrap", n_bootstrap, low=0, integer=True)
    parts = [_measure_all(measures, np.ones((n_groups, 1)))]
    parts += [
        _measure_all(measures, chunk)
        for chunk in draw_multiplicities(n_groups, n_bootstrap, random_state)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def prefixed(prefix: str, measure: Measure) -> Measure:
    """Name what a measure returns anew, so that two of a kind can share the resamples.

    Parameters
    ----------
    prefix : str
        Put before each name.
    measure : callable
        Takes multiplicities and returns vectors by name.

    Returns
    -------
    callable
        The same measure under other names.

    Examples
    --------
    >>> prefixed("a ", lambda counts: {"n": counts.sum(axis=0)})(np.ones((3, 1)))
    {'a n': array([3.])}
    """
    return lambda counts: {prefix + name: value for name, value in measure(counts).items()}


def percentiles(resampled: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return the percentile interval of resampled values.

    Parameters
    ----------
    resampled : ndarray of shape (B,)
        Values on the resamples; NaN (a resample without positives) is passed over.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    low, high : float
        Ends of the interval; NaN if no resample has a value.

    Examples
    --------
    >>> percentiles(np.arange(101.0), 0.5)
    (25.0, 75.0)
    """
    check_number("confidence", confidence, low=0, high=1)
    known = resampled[~np.isnan(resampled)]
    if not len(known):
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return float(low), float(high)


def interval_of(
    metric: str, values: dict[str, np.ndarray], confidence: float
) -> tuple[float, float]:
    """Return the interval of a measure.

    Parameters
    ----------
    metric : str
        Name of the measure.
    values : dict of str to ndarray of shape (1 + B,)
        What `resample` returned.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    low, high : float
        Ends of the percentile interval; for ``calibration_error`` those of `reach_interval`.

    Examples
    --------
    >>> interval_of("auc", {"auc": np.r_[50.0, np.arange(101.0)]}, 0.5)
    (25.0, 75.0)
    """
    if metric != "calibration_error":
        return percentiles(values[metric][1:], confidence)
    low, high = reach_interval(values[metric][0], values["calibration_error_reach"][1:], confidence)
    return max(low, 0.0), high


def reach_interval(value: float, reach: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return an interval for a sum of absolute gaps, which resampling only ever raises.

    Parameters
    ----------
    value : float
        Sum of the absolute gaps of the data, or the difference of two such sums.
    reach : ndarray of shape (B,)
        Summed absolute differences of the gaps of each resample to those of the data.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    low, high : float
        `value` less and more the quantile `confidence` of `reach`; NaN without resamples.

    Notes
    -----
    Noise of either sign raises a binned calibration error [1]_: a resample, noisy once more, lies
    above the value and may leave it out of its percentile interval. The gaps themselves are means,
    to which the bootstrap applies: the true ones lie within the quantile of `reach` of those
    observed. By the triangle inequality so does the sum of their absolute values. The interval
    holds value and truth, given the bins, and is on the wide side.

    References
    ----------
    .. [1] R. Roelofs, N. Cain, J. Shlens, M. C. Mozer, "Mitigating bias in calibration error
       estimation", AISTATS 2022.

    Examples
    --------
    >>> reach_interval(0.5, np.linspace(0, 0.25, 101), 1.0)
    (0.25, 0.75)
    """
    known = reach[~np.isnan(reach)]
    if not len(known):
        return float("nan"), float("nan")
    width = float(np.quantile(known, confidence))
    return float(value) - width, float(value) + width


def _measure_all(measures: list[Measure], counts: np.ndarray) -> dict[str, np.ndarray]:
    values: dict[str, np.ndarray] = {}
    for measure in measures:
        values |= measure(counts)
    return values
