"""Rings along the contours of many masks, eight masks in every operation."""

from __future__ import annotations

from functools import cache

import numpy as np

from hybridlesion._opencv import cv2

__all__ = ["Rings", "disc"]

# Radii, in pixels, between which the outer and the inner ring lie.
OUTER_RADII = (1, 5)
INNER_RADII = (1, 4)


class Rings:
    """Rings outside and inside of masks.

    Parameters
    ----------
    masks : list of ndarray of shape (h, w), uint8
        Zeros and ones.
    usable : ndarray of shape (h, w), bool
        Where the rings may lie.

    Notes
    -----
    A byte holds a pixel of eight masks, so that a dilation is an OR of shifted planes for all of
    them. An erosion is the complement's dilation; what is beyond the frame counts for neither.
    """

    def __init__(self, masks: list[np.ndarray], usable: np.ndarray):
        allowed = np.where(usable, np.uint8(255), np.uint8(0))
        self._outer, self._inner = [], []
        for first in range(0, len(masks), 8):
            packed = np.zeros_like(masks[0])
            for bit, mask in enumerate(masks[first : first + 8]):
                packed |= mask << bit
            self._outer.append(_between(packed, OUTER_RADII) & allowed)
            self._inner.append(_between(~packed, INNER_RADII) & allowed)

    def of(self, index: int, area: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
        """Outer and inner ring of one mask, in a part of the frame.

        Parameters
        ----------
        index : int
            Which mask.
        area : tuple of slice
            Rows and columns.

        Returns
        -------
        outer, inner : ndarray, uint8
            Above 0 on the ring.
        """
        group, bit = divmod(index, 8)
        bit = np.uint8(1 << bit)
        return self._outer[group][area] & bit, self._inner[group][area] & bit


@cache
def disc(radius: int) -> np.ndarray:
    """Make a round structuring element.

    Parameters
    ----------
    radius : int
        In pixels, at least 0.

    Returns
    -------
    ndarray of shape (2 * radius + 1, 2 * radius + 1), uint8
        Ones on the disc. It is shared; not to be written to.
    """
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _between(planes: np.ndarray, radii: tuple[int, int]) -> np.ndarray:
    """What a dilation by the larger disc adds to that by the smaller, for each bit of a plane.

    A disc is a union of horizontal lines.
    """
    height, width = planes.shape
    largest = max(radii)
    framed = cv2.copyMakeBorder(planes, *4 * (largest,), cv2.BORDER_CONSTANT, value=0)
    stride = framed.shape[1]
    # In one run of memory, what goes over the end of a row goes into the frame.
    run = framed.ravel()
    length = len(run) - 2 * largest
    lines = [run[largest : largest + length]]
    for reach in range(1, largest + 1):
        line = lines[-1] | run[largest - reach : largest - reach + length]
        line |= run[largest + reach : largest + reach + length]
        lines.append(line)
    found = np.zeros(height * stride, np.uint8)
    inner = found[: len(found) - 2 * largest]
    for radius in radii:
        dilated = np.zeros_like(inner)
        for row, extent in enumerate(disc(radius).sum(axis=1).tolist(), largest - radius):
            dilated |= lines[extent // 2][row * stride : row * stride + len(inner)]
        inner ^= dilated
    return found.reshape(height, stride)[:, :width]
