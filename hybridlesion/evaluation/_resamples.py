"""Patients drawn with replacement, as multiplicities: rows are never copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from hybridlesion._validation import check_number

__all__ = ["draw_multiplicities", "interval_of", "percentiles", "prefixed", "resample"]

# Measures that resampling moves away from the truth; see `interval_of`.
_WITHOUT_INTERVAL = ("calibration_error",)

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


def interval_of(metric: str, resampled: np.ndarray, confidence: float) -> tuple[float, float]:
    """Return the percentile interval of a measure, if it has an honest one.

    Parameters
    ----------
    metric : str
        Name of the measure.
    resampled : ndarray of shape (B,)
        Values on the resamples.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    low, high : float
        Ends of the interval; NaN for ``calibration_error``.

    Notes
    -----
    A binned calibration error sums absolute values, so that noise only ever adds to it: the value
    on the data lies above the truth, and a resample, noisy once more, above that value [1]_. Its
    percentile interval may even miss the value. Intervals that undo the shift of the resamples
    hold either the value or the truth, not both, so none is given.

    References
    ----------
    .. [1] R. Roelofs, N. Cain, J. Shlens, M. C. Mozer, "Mitigating bias in calibration error
       estimation", AISTATS 2022.

    Examples
    --------
    >>> interval_of("auc", np.arange(101.0), 0.5)
    (25.0, 75.0)
    >>> interval_of("calibration_error", np.arange(101.0), 0.5)
    (nan, nan)
    """
    low, high = percentiles(resampled, confidence)
    return (float("nan"), float("nan")) if metric in _WITHOUT_INTERVAL else (low, high)


def _measure_all(measures: list[Measure], counts: np.ndarray) -> dict[str, np.ndarray]:
    values: dict[str, np.ndarray] = {}
    for measure in measures:
        values |= measure(counts)
    return values
