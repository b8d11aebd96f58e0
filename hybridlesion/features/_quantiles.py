"""Percentiles and medians by selection instead of sorting."""

from __future__ import annotations

import numpy as np

__all__ = ["group_medians", "median", "percentiles"]


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
    at = [last * p / 100.0 for p in percent]
    low = [int(position) for position in at]
    high = [min(k + 1, last) for k in low]
    ordered = np.partition(values, sorted({*low, *high}))
    return [
        float(ordered[k]) + (position - k) * (float(ordered[j]) - float(ordered[k]))
        for position, k, j in zip(at, low, high, strict=True)
    ]


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
