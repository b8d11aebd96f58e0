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
    stack : ndarray of shape (n, h, w), uint8
        Masks of zeros and ones.
    usable : ndarray of shape (h, w), bool
        Where the rings may lie.

    Notes
    -----
    A byte holds a pixel of eight masks, so that a dilation is an OR of shifted planes for all of
    them. An erosion is the complement's dilation; what is beyond the frame counts for neither.
    """

    def __init__(self, stack: np.ndarray, usable: np.ndarray):
        n_masks, height, width = stack.shape
        padded = np.zeros((-(-n_masks // 8), 8, height, width), np.uint8)
        padded.reshape(-1, height, width)[:n_masks] = stack
        for half in (4, 2, 1):
            padded = padded[:, :half] | padded[:, half:] << half
        masks = padded[:, 0]
        near, far = (_dilate(masks, radius) for radius in OUTER_RADII)
        gone, deep_gone = (_dilate(~masks, radius) for radius in INNER_RADII)
        allowed = np.where(usable, np.uint8(255), np.uint8(0))
        self._outer = (far ^ near) & allowed
        self._inner = (deep_gone ^ gone) & allowed

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
    """Round structuring element, shape (2 * radius + 1, 2 * radius + 1), uint8."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _dilate(planes: np.ndarray, radius: int) -> np.ndarray:
    """Dilate each bit of planes of shape (n, h, w) by a disc, a union of horizontal lines."""
    height, width = planes.shape[1:]
    framed = np.pad(planes, ((0, 0), (radius, radius), (radius, radius)))
    lines = [framed[:, :, radius : radius + width]]
    for reach in range(1, radius + 1):
        line = lines[-1] | framed[:, :, radius - reach : radius - reach + width]
        line |= framed[:, :, radius + reach : radius + reach + width]
        lines.append(line)
    found = np.zeros_like(planes)
    for row, length in enumerate(disc(radius).sum(axis=1)):
        found |= lines[length // 2][:, row : row + height]
    return found
