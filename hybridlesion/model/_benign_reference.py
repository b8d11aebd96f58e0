"""How the benign training rows are spread, so that a value can be told to be high or low."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["benign_quantiles", "rank_among_benign", "shares_among_benign"]

_LEVELS = np.linspace(0, 1, 101)
# A percentile needs no more rows than this; more would only cost time.
_ENOUGH_ROWS = 20_000


def benign_quantiles(
    X: np.ndarray, target: np.ndarray, names: Sequence[str]
) -> dict[str, np.ndarray]:
    """Take percentiles of each column over the benign rows.

    Parameters
    ----------
    X : ndarray of shape (n, columns), float32
        Features, NaN where missing; at most 20,000 benign rows, evenly spread, are looked at.
    target : ndarray of shape (n,), bool
        True where malignant.
    names : sequence of str
        One name a column; those of one name are the categories of a text and are left out, and so
        are the columns of an embedding.

    Returns
    -------
    dict of str to ndarray of shape (101,), float32
        Percentiles 0 to 100 of the known values; a column without any is left out.

    Examples
    --------
    >>> X = np.arange(101, dtype=np.float32)[:, None]
    >>> float(benign_quantiles(X, np.zeros(101, dtype=bool), ["age"])["age"][25])
    25.0
    """
    rows = np.flatnonzero(~target)
    if len(rows) > _ENOUGH_ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, _ENOUGH_ROWS).astype(int)]
    quantiles = {}
    for column, name in enumerate(names):
        if name.startswith("emb__"):
            continue
        values = X[rows, column]
        values = values[~np.isnan(values)]
        if len(values) and list(names).count(name) == 1:
            # Values that occur, so that ties stay ties and 0/1 columns hold 0 and 1 alone.
            found = np.quantile(values, _LEVELS, method="inverted_cdf")
            quantiles[name] = found.astype(np.float32)
    return quantiles


def rank_among_benign(value: float, quantiles: np.ndarray) -> float:
    """Tell which share of the benign rows lies below a value; equal ones count half.

    Parameters
    ----------
    value : float
        A number.
    quantiles : ndarray of shape (101,)
        Percentiles of `benign_quantiles`.

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    >>> rank_among_benign(25.0, np.linspace(0, 100, 101)), rank_among_benign(0.0, np.zeros(101))
    (0.25, 0.5)
    """
    below, upto = _positions(value, quantiles)
    # A value between two percentiles lies halfway; one outside them at the end.
    return float(np.clip((below + upto - 1) / 2 / (len(quantiles) - 1), 0, 1))


def shares_among_benign(value: float, quantiles: np.ndarray) -> tuple[float, float, float]:
    """Tell which shares of the benign rows lie below a value, are equal to it, and lie above.

    Parameters
    ----------
    value : float
        A number.
    quantiles : ndarray of shape (101,)
        Percentiles of `benign_quantiles`.

    Returns
    -------
    tuple of float
        Below, equal, above; each 0 to 1. Below and above are at least that much, by the percentiles
        that lie strictly on that side.

    Examples
    --------
    >>> shares_among_benign(0.0, np.repeat([0.0, 1.0], [81, 20]))
    (0.0, 0.8, 0.19)
    >>> shares_among_benign(25.5, np.linspace(0, 100, 101))
    (0.25, 0.0, 0.74)
    """
    below, upto = _positions(value, quantiles)
    last = len(quantiles) - 1
    # Percentiles 0 to 100 are one more than the gaps between them.
    low, equal, high = max(below - 1, 0), max(upto - max(below, 1), 0), max(last - upto, 0)
    return low / last, equal / last, high / last


def _positions(value: float, quantiles: np.ndarray) -> tuple[int, int]:
    # The value went through float32 on its way into the model, and so did the percentiles.
    value = np.float32(value)
    below, upto = np.searchsorted(quantiles, value), np.searchsorted(quantiles, value, "right")
    return int(below), int(upto)
