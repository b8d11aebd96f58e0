"""Percentiles, medians and deviations with few and quick steps."""

from __future__ import annotations

import math

import numpy as np

from hybridlesion._optional_imports import cv2

__all__ = ["deviation", "group_medians", "median", "percentiles"]

_FEW = 4096  # values from which selecting is quick


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
    places = [last * share / 100.0 for share in percent]
    below = [int(place) for place in places]
    chosen = _smallest(values, [*below, *(min(rank + 1, last) for rank in below)])
    return [
        first + place % 1.0 * (second - first)
        for place, first, second in zip(places, chosen, chosen[len(below) :], strict=False)
    ]


def _smallest(values: np.ndarray, ranks: list[int]) -> list[float]:
    """The k-th smallest value for each of `ranks`, counted from 0."""
    if len(values) <= _FEW:
        return np.partition(values, ranks)[ranks].tolist()
    low, high = float(values.min()), float(values.max())
    if low == high:
        return [low] * len(ranks)
    # a histogram of bytes tells in which 256th of the range each rank lies: sorting that alone is
    # several times quicker than selecting from all
    step = ((values - low) * (255.0 / (high - low))).astype(np.uint8)
    count = cv2.calcHist([step], [0], None, [256], [0, 256]).ravel().cumsum(dtype=float)
    steps = np.searchsorted(count, ranks, side="right").tolist()
    start = [0.0, *count.tolist()]
    parts = {k: np.sort(values[step == k]) for k in set(steps)}
    return [float(parts[k][rank - int(start[k])]) for k, rank in zip(steps, ranks, strict=True)]


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
    # one sort of all: groups are moved apart by more than their values differ
    apart = group * (2.0 * float(np.abs(values).max()) + 1.0)
    order = np.argsort(values + apart)
    ordered = values[order].astype(float)
    start = np.cumsum(size) - size
    return (ordered[start + (size - 1) // 2] + ordered[start + size // 2]) / 2.0
