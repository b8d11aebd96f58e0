"""Percentiles, medians and deviations with few and quick steps."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["deviation", "group_medians", "median", "percentiles"]


def deviation(values: np.ndarray) -> float:
    """Standard deviation, as `numpy.std` in a third of the time.

    Parameters
    ----------
    values : ndarray of shape (n,), float
        At least one value.

    Returns
    -------
    float
        Root of the mean squared distance from the mean.

    Examples
    --------
    >>> import numpy as np
    >>> deviation(np.array([1.0, 3.0]))
    1.0
    """
    centered = values - np.add.reduce(values) / len(values)
    return math.sqrt(centered @ centered / len(values))


def percentiles(values: np.ndarray, *percent: float) -> list[float]:
    """Percentiles of finite values, as `numpy.percentile` but many times quicker.

    Parameters
    ----------
    values : ndarray of shape (n,), float
        At least one value, none of them NaN.
    *percent : float
        0 to 100.

    Returns
    -------
    list of float
        One for each of `percent`, interpolated linearly.

    Examples
    --------
    >>> import numpy as np
    >>> percentiles(np.array([4.0, 1.0, 2.0, 3.0]), 0, 50)
    [1.0, 2.5]
    """
    last = len(values) - 1
    if len(percent) == 1:
        at = last * percent[0] / 100.0
        chosen = np.partition(values, int(at))[int(at) :]
        # the next one is the least of all above it
        pair = float(chosen[0]), float(chosen[1:].min() if len(chosen) > 1 else chosen[0])
        return [pair[0] + at % 1.0 * (pair[1] - pair[0])]
    # sorting all is quicker than selecting several one by one
    return np.interp(
        np.array(percent) * (last / 100.0), np.arange(last + 1), np.sort(values)
    ).tolist()


def median(values: np.ndarray) -> float:
    """Median of finite values.

    Parameters
    ----------
    values : ndarray of shape (n,), float
        At least one value, none of them NaN.

    Returns
    -------
    float
        The middle value, or the mean of the two in the middle.

    Examples
    --------
    >>> import numpy as np
    >>> median(np.array([3.0, 1.0, 2.0]))
    2.0
    """
    return percentiles(values, 50.0)[0]


def group_medians(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Median of each group of values.

    Parameters
    ----------
    values : ndarray of shape (n,), float
        At least one value, none of them NaN.
    group : ndarray of shape (n,), int
        Group of each value, 0 or more.

    Returns
    -------
    ndarray of shape (k,), float
        One median for each group that occurs, in order of the groups.

    Examples
    --------
    >>> import numpy as np
    >>> group_medians(np.array([5.0, 1.0, 3.0, 8.0]), np.array([0, 2, 0, 2]))
    array([4. , 4.5])
    """
    size = np.bincount(group)
    size = size[size > 0]
    ordered = values[np.lexsort((values, group))].astype(float)
    start = np.cumsum(size) - size
    return (ordered[start + (size - 1) // 2] + ordered[start + size // 2]) / 2.0
