"""Pictures of one lesion under two names, found by their looks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hybridlesion.embedding.finetuning import small_grey

__all__ = ["cluster_lookalikes"]

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
