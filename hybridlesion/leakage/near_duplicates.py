"""Photographs that look the same, found by their fingerprints among hundreds of thousands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hybridlesion.leakage.perceptual_hash import (
    LOOK_COLUMNS,
    SAME_LOOK,
    fingerprints_of,
    small_grey,
)

__all__ = ["cluster_lookalikes", "cluster_looks", "looks_of"]

# How many bits are set in each byte.
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)


def looks_of(table: pd.DataFrame) -> np.ndarray | None:
    """Read the fingerprints of a feature table.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table.

    Returns
    -------
    ndarray of shape (n, 32), uint8, or None
        Zeros where a row has none; None if the table has none at all.
    """
    names = list(LOOK_COLUMNS)
    if not set(names) <= set(table.columns):
        return None
    numbers = table[names].apply(pd.to_numeric, errors="coerce").fillna(0).to_numpy()
    return fingerprints_of(numbers) if numbers.any() else None


def cluster_looks(looks: np.ndarray) -> pd.Series:
    """Number the clusters of photographs that look the same.

    Parameters
    ----------
    looks : ndarray of shape (n, 32), uint8
        Fingerprints; all zeros, as of an image of one colour, is like nothing.

    Returns
    -------
    Series of shape (n,), float
        Cluster of each photograph that is like another one; NaN for the others.

    Notes
    -----
    Two photographs look the same if at most `SAME_LOOK` (12) of their 256 bits differ. The bits
    are dealt to 13 bands: fingerprints that differ in no more than 12 bits agree in one band at
    least, so that only those are compared [1]_. No pair is missed.

    References
    ----------
    .. [1] M. Norouzi, A. Punjani, D. J. Fleet, "Fast search in Hamming space with multi-index
       hashing", CVPR 2012.

    Examples
    --------
    >>> looks = np.random.default_rng(0).integers(0, 256, (3, 32), dtype=np.uint8)
    >>> looks[2] = looks[0] ^ np.eye(1, 32, dtype=np.uint8)[0]
    >>> cluster_looks(looks).isna().tolist()
    [False, True, False]
    """
    different, member = np.unique(looks, axis=0, return_inverse=True)
    member = member.ravel()
    links = [np.empty((0, 2), dtype=np.intp)]
    for one, other in _candidates(different):
        near = _BITS[different[one] ^ different[other]].sum(axis=1) <= SAME_LOOK
        links.append(np.column_stack([one[near], other[near]]))
    one, other = np.concatenate(links).T
    n = len(different)
    graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=(n, n))
    cluster = connected_components(graph, directed=False)[1][member]
    lone = (np.bincount(cluster)[cluster] < 2) | ~looks.any(axis=1)
    return pd.Series(np.where(lone, np.nan, cluster.astype(float)))


def _candidates(looks: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs of rows that agree in a whole band; a pair may come several times."""
    bits = np.unpackbits(looks, axis=1)
    # Neighbouring gradients go together; bands of far bits agree less often by chance.
    dealt = np.random.default_rng(0).permutation(bits.shape[1])
    for band in np.array_split(dealt, SAME_LOOK + 1):
        keys = bits[:, band] @ (1 << np.arange(len(band), dtype=np.int64))
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        step, active = 1, np.arange(len(keys))
        while len(active := active[active + step < len(keys)]):
            active = active[keys[active] == keys[active + step]]
            yield order[active], order[active + step]
            step += 1


# Of the 256 signs of a gradient hash, at most so many differ between copies ...
_LARGEST_DISTANCE = 30
# ... and their small grey versions correlate at least so much.
_LEAST_CORRELATION = 0.97

_ROWS_AT_ONCE = 1024


def cluster_lookalikes(images: Sequence[np.ndarray]) -> np.ndarray:
    """Number the clusters of images that look the same at 16 pixels.

    Parameters
    ----------
    images : sequence of ndarray of shape (H, W, 3), uint8
        RGB images, all squashed or all not.

    Returns
    -------
    ndarray of shape (n,), int
        Cluster of each image; lone images have one of their own.

    Notes
    -----
    Two images are copies if the signs of their horizontal grey gradients (16x16) differ in at most
    30 places and their grey values correlate with at least 0.97. Copies that were turned or
    mirrored are not found.

    Examples
    --------
    >>> import numpy as np
    >>> one, other = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    >>> cluster_lookalikes([one, other, one]).tolist()
    [0, 1, 0]
    """
    grey = np.stack([small_grey(image) for image in images])
    signs = (grey[:, :, 1:] > grey[:, :, :-1]).reshape(len(grey), -1).astype(np.float32)
    flat = grey.reshape(len(grey), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    first, second = [], []
    for start in range(0, len(grey), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        distance = signs[rows] @ (1 - signs).T + (1 - signs[rows]) @ signs.T
        alike = (distance <= _LARGEST_DISTANCE) & (flat[rows] @ flat.T >= _LEAST_CORRELATION)
        one, other = np.nonzero(alike)
        first.append(one + start)
        second.append(other)
    links = (np.concatenate(first), np.concatenate(second))
    graph = coo_array((np.ones(len(links[0]), np.int8), links), shape=(len(grey), len(grey)))
    return connected_components(graph, directed=False)[1]
