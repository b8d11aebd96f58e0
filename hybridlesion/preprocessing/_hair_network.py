"""The small network that sees hair, run by OpenCV."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from hybridlesion._opencv import cv2

__all__ = ["HAIR_WEIGHTS", "hair_probability"]

# Written by benchmarks/fit_hair.py; HAIR_CARD.md says from what.
HAIR_WEIGHTS = Path(__file__).with_name("hair.onnx")

# Grey levels that the network takes as 0 and as its unit.
MEAN, UNIT = 140.0, 60.0

# Its deepest layer sees one pixel for so many by so many of the image.
STRIDE = 4

# The image is continued by so many pixels, so that its frame, often a thin dark line, is none.
MARGIN = 8

# A network holds the picture it works on, so each thread has its own.
_own = threading.local()


def hair_probability(image: np.ndarray) -> np.ndarray:
    """Say of every two by two pixels how likely they show hair.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image; the network was taught long sides of 300 to 400 pixels.

    Returns
    -------
    ndarray of shape (ceil(H / 2), ceil(W / 2)), float32
        0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((100, 120, 3), 180, np.uint8); image[10:90, 50:52] = 60
    >>> found = hair_probability(image)
    >>> found.shape, bool(found[25, 25] > 0.5), bool(found[25, 5] < 0.1)
    ((50, 60), True, True)
    """
    height, width = image.shape[:2]
    bottom, right = (MARGIN + -side % STRIDE for side in (height, width))
    padded = cv2.copyMakeBorder(image, MARGIN, bottom, MARGIN, right, cv2.BORDER_REPLICATE)
    network = _network()
    network.setInput(cv2.dnn.blobFromImage(padded, 1 / UNIT, mean=(MEAN,) * 3))
    # Four numbers a place, for its four quarters.
    quarters = network.forward()[0]
    _, rows, columns = quarters.shape
    found = quarters.reshape(2, 2, rows, columns).transpose(2, 0, 3, 1)
    found = found.reshape(2 * rows, 2 * columns)
    first = MARGIN // 2
    return np.ascontiguousarray(
        found[first : first + (height + 1) // 2, first : first + (width + 1) // 2]
    )


def _network() -> cv2.dnn.Net:
    network = getattr(_own, "network", None)
    if network is None:
        # From memory, since OpenCV does not open every name of a path on every system.
        weights = np.frombuffer(HAIR_WEIGHTS.read_bytes(), np.uint8)
        network = _own.network = cv2.dnn.readNetFromONNX(weights)
    return network
