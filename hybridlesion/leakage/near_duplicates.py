"""Near-duplicate photographs: perceptual hashes and a multi-index search over them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hybridlesion._optional_imports import cv2

HASH_BYTES = 32

# Largest Hamming distance between copies, out of 256 bits; benchmarks/near_duplicates.py measures
# which copies it finds and how many pairs of different photographs are as close.
MAX_HAMMING = 12

# A float32 holds integers of 24 bits exactly, and a feature table holds only numbers.
_BYTES_PER_NUMBER = 3
_PLACE_VALUES = np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
HASH_COLUMNS = tuple(f"qa__look_{k:02d}" for k in range(-(-HASH_BYTES // _BYTES_PER_NUMBER)))

# Shares of width and height that are cropped for additional comparisons. A crop of 2 % alters about
# as many bits as may differ between copies.
_CROPS = (0.025, 0.05, 0.075, 0.1)

# Number of set bits in each byte; NumPy 1 has no bitwise_count.
_BIT_COUNT = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1)
# Neighbouring gradients agree too often; scattered bits make the bands more selective.
_BANDS = np.array_split(np.random.default_rng(0).permutation(8 * HASH_BYTES), MAX_HAMMING + 1)


def perceptual_hash(image: np.ndarray) -> np.ndarray:
    """Compute the signs of horizontal grey gradients of an image resampled to 16 x 17 pixels.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.

    Returns
    -------
    ndarray of shape (32,), uint8
        256 bits, few of which change with rescaling, squashing, recompression or brightness.

    Examples
    --------
    >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    >>> bool((perceptual_hash(image) == perceptual_hash(image // 2)).mean() > 0.9)
    True
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (17, 16), interpolation=cv2.INTER_AREA)
    return np.packbits(small[:, 1:] > small[:, :-1])


def crop_hashes(image: np.ndarray) -> np.ndarray:
    """Compute perceptual hashes of centre crops of an image.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.

    Returns
    -------
    ndarray of shape (4, 32), uint8
        Hashes of the image without 2.5, 5, 7.5 and 10 % of its width and height.
    """
    height, width = image.shape[:2]
    margins = [(round(share / 2 * height), round(share / 2 * width)) for share in _CROPS]
    crops = [image[dy : height - dy, dx : width - dx] for dy, dx in margins]
    return np.stack([perceptual_hash(crop) for crop in crops])


def encode_hash(image_hash: np.ndarray) -> np.ndarray:
    """Encode a hash as numbers for the columns `HASH_COLUMNS` of a feature table.

    Parameters
    ----------
    image_hash : ndarray of shape (32,), uint8
        Result of `perceptual_hash`.

    Returns
    -------
    ndarray of shape (11,), float32
        Integers from 0 to 2**24 - 1.

    Examples
    --------
    >>> image_hash = np.arange(32, dtype=np.uint8)
    >>> bool((decode_hashes(encode_hash(image_hash)[None]) == image_hash).all())
    True
    """
    padded = np.pad(image_hash, (0, len(HASH_COLUMNS) * _BYTES_PER_NUMBER - HASH_BYTES))
    return (padded.reshape(-1, _BYTES_PER_NUMBER) @ _PLACE_VALUES).astype(np.float32)


def decode_hashes(numbers: np.ndarray) -> np.ndarray:
    """Decode hashes encoded by `encode_hash`.

    Parameters
    ----------
    numbers : ndarray of shape (n, 11), float
        Encoded hashes.

    Returns
    -------
    ndarray of shape (n, 32), uint8
        Hashes.
    """
    parts = np.asarray(numbers).astype(np.uint32)[..., None] // _PLACE_VALUES % 256
    return parts.reshape(len(parts), -1)[:, :HASH_BYTES].astype(np.uint8)


def read_hashes(table: pd.DataFrame) -> np.ndarray | None:
    """Read the perceptual hashes of a feature table.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table.

    Returns
    -------
    ndarray of shape (n, 32), uint8, or None
        Hashes, zero for rows without a hash; None if no row has one.
    """
    names = list(HASH_COLUMNS)
    if not set(names) <= set(table.columns):
        return None
    numbers = table[names].apply(pd.to_numeric, errors="coerce").fillna(0).to_numpy()
    return decode_hashes(numbers) if numbers.any() else None


class HashIndex:
    """Multi-index over perceptual hashes.

    Parameters
    ----------
    hashes : ndarray of shape (n, 32), uint8
        Hashes. A hash of zeros, as for an image of a single colour, is never a near-duplicate.

    Notes
    -----
    Photographs are near-duplicates if their hashes differ in at most `MAX_HAMMING` = 12 bits. The
    256 bits are split into 13 bands. Two hashes that differ in at most 12 bits agree in at least
    one whole band, so only hashes with an equal band are compared, and no pair is missed [1]_.

    Copies that were rotated, mirrored or cropped by more than about 2 % are not found; see
    `crop_hashes` for crops.

    References
    ----------
    .. [1] M. Norouzi, A. Punjani, D. J. Fleet, "Fast search in Hamming space with multi-index
       hashing", CVPR 2012.

    Examples
    --------
    >>> hashes = np.random.default_rng(0).integers(0, 256, (3, 32), dtype=np.uint8)
    >>> HashIndex(hashes).nearest(np.array([hashes[1], ~hashes[1]])).tolist()
    [1, -1]
    """

    def __init__(self, hashes: np.ndarray):
        self._hashes = hashes
        self._rows = np.flatnonzero(hashes.any(axis=1))
        self._bands = []
        for keys in _band_keys(hashes[self._rows]):
            order = np.argsort(keys, kind="stable")
            self._bands.append((keys[order], self._rows[order]))

    def nearest(self, queries: np.ndarray) -> np.ndarray:
        """Find the nearest near-duplicate of each query.

        Parameters
        ----------
        queries : ndarray of shape (m, 32), uint8
            Hashes.

        Returns
        -------
        ndarray of shape (m,), int
            Position of the nearest hash, the first of equally near ones; -1 if there is no
            near-duplicate.
        """
        found = np.full(len(queries), -1)
        rows = np.flatnonzero(queries.any(axis=1))
        distance = np.full(len(queries), MAX_HAMMING + 1)
        for (keys, order), own in zip(self._bands, _band_keys(queries[rows]), strict=True):
            start, stop = np.searchsorted(keys, own), np.searchsorted(keys, own, "right")
            for at, place in _expand(start, stop):
                row, hit = rows[at], order[place]
                bits = _BIT_COUNT[queries[row] ^ self._hashes[hit]].sum(axis=1)
                nearer = (bits < distance[row]) | ((bits == distance[row]) & (hit < found[row]))
                found[row[nearer]], distance[row[nearer]] = hit[nearer], bits[nearer]
        return found

    def pairs(self) -> np.ndarray:
        """Find all pairs of near-duplicates.

        Returns
        -------
        ndarray of shape (p, 2), int
            Positions; a pair may occur several times.
        """
        pairs = [np.empty((0, 2), dtype=np.intp)]
        for keys, order in self._bands:
            after = np.arange(1, len(keys) + 1)
            for at, place in _expand(after, np.searchsorted(keys, keys, "right")):
                one, other = order[at], order[place]
                bits = _BIT_COUNT[self._hashes[one] ^ self._hashes[other]].sum(axis=1)
                pairs.append(np.column_stack([one, other])[bits <= MAX_HAMMING])
        return np.concatenate(pairs)


def _band_keys(hashes: np.ndarray) -> Iterator[np.ndarray]:
    bits = np.unpackbits(hashes, axis=1)
    for band in _BANDS:
        yield bits[:, band] @ (1 << np.arange(len(band), dtype=np.int64))


def _expand(start: np.ndarray, stop: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield rows with a position in their range, until all positions have been visited."""
    rows = np.flatnonzero(start < stop)
    while len(rows):
        yield rows, start[rows]
        start = start + 1
        rows = rows[start[rows] < stop[rows]]


def cluster_near_duplicates(hashes: np.ndarray, cropped: np.ndarray | None = None) -> pd.Series:
    """Number the clusters of near-duplicate photographs.

    Parameters
    ----------
    hashes : ndarray of shape (n, 32), uint8
        Perceptual hashes.
    cropped : ndarray of shape (n, 4, 32), uint8, default=None
        Results of `crop_hashes`, if the images are available, to find cropped copies as well.

    Returns
    -------
    Series of shape (n,), float
        Cluster of each photograph that has a near-duplicate, NaN for all others. Clusters are the
        connected components of the pairs found by `HashIndex`.

    Examples
    --------
    >>> hashes = np.random.default_rng(0).integers(0, 256, (3, 32), dtype=np.uint8)
    >>> hashes[2] = hashes[0] ^ np.eye(1, 32, dtype=np.uint8)[0]
    >>> cluster_near_duplicates(hashes).isna().tolist()
    [False, True, False]
    """
    n = len(hashes)
    stacked = hashes if cropped is None else np.vstack([hashes, *np.swapaxes(cropped, 0, 1)])
    # Equal hashes, of which there may be many, count as one in the search for pairs.
    unique, member = np.unique(stacked, axis=0, return_inverse=True)
    member, blank = member.ravel(), ~stacked.any(axis=1)
    whole = np.zeros(len(unique), dtype=bool)
    whole[member[:n]] = True
    pairs = HashIndex(unique).pairs()
    pairs = n + pairs[whole[pairs].any(axis=1)]
    # The nodes of the graph are images and hashes.
    owned = np.column_stack([np.arange(len(stacked)) % max(n, 1), n + member])[~blank]
    one, other = np.vstack([pairs, owned]).T.astype(np.int32)  # SciPy 1.11 takes no int64
    graph = coo_array((np.ones(len(one), np.int8), (one, other)), shape=2 * (n + len(unique),))
    cluster = connected_components(graph, directed=False)[1][:n]
    return pd.Series(np.where(np.bincount(cluster)[cluster] < 2, np.nan, cluster.astype(float)))
