"""Ridges of grey values: pixels that stand out from both sides of a straight line through them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hybridlesion._opencv import cv2

__all__ = ["FLANK", "N_ANGLES", "RidgeMap", "find_ridges", "perpendicular"]

N_ANGLES = 16

# The line is 2 ** 4 pixels long; what it is compared with runs this far beside it.
DOUBLINGS = 4
FLANK = 2

# Room for a line and its flanks beyond the frame.
_PAD = 2**DOUBLINGS + FLANK + 2


@dataclass(frozen=True)
class RidgeMap:
    """How strongly, and in which direction, each pixel lies on a line.

    Parameters
    ----------
    contrast : ndarray of shape (H, W), float32
        Grey levels between the line and the nearer of its flanks, in the best direction.
    angle : ndarray of shape (H, W), uint8
        That direction, in steps of pi / N_ANGLES from the rows towards the columns.
    """

    contrast: np.ndarray
    angle: np.ndarray


def find_ridges(gray: np.ndarray) -> tuple[RidgeMap, RidgeMap]:
    """Find dark and light lines.

    Parameters
    ----------
    gray : ndarray of shape (H, W), uint8
        One channel.

    Returns
    -------
    dark, light : RidgeMap
        Lines darker and lighter than both flanks.

    Notes
    -----
    The mean along a line of 16 pixels takes four additions for the whole image: two pixels, two
    such pairs, two such fours, two such eights.
    """
    height, width = gray.shape
    framed = cv2.copyMakeBorder(gray, *[_PAD] * 4, cv2.BORDER_REFLECT_101).astype(np.int16)
    best = [np.full((height, width), -1, np.int16) for _ in range(2)]
    angles = [np.zeros((height, width), np.uint8) for _ in range(2)]
    for step, (middle, one, other) in enumerate(_line_sums(framed)):
        contrasts = (
            cv2.subtract(cv2.min(one, other), middle),
            cv2.subtract(middle, cv2.max(one, other)),
        )
        for kind, contrast in enumerate(contrasts):
            better = cv2.compare(contrast, best[kind], cv2.CMP_GT)
            cv2.max(best[kind], contrast, dst=best[kind])
            # 255 where better: the smaller of that and the step, which only ever grows.
            cv2.max(angles[kind], cv2.min(better, float(step)), dst=angles[kind])
    dark, light = (
        RidgeMap(top.astype(np.float32) / 2**DOUBLINGS, angle)
        for top, angle in zip(best, angles, strict=True)
    )
    return dark, light


def perpendicular(angle: np.ndarray, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns from a line to its flank.

    Parameters
    ----------
    angle : ndarray of int
        As in `RidgeMap`.
    reach : int
        Distance in pixels.

    Returns
    -------
    rows, columns : ndarray of int
        The other flank has the opposite signs.
    """
    turn = np.pi * np.asarray(angle) / N_ANGLES
    return np.rint(reach * np.cos(turn)).astype(int), np.rint(-reach * np.sin(turn)).astype(int)


def _line_sums(framed: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each direction the sums along the line through each pixel, and along both flanks."""
    height, width = (side - 2 * _PAD for side in framed.shape)
    for angle in range(N_ANGLES):
        turn = np.pi * angle / N_ANGLES
        down, along = np.sin(turn), np.cos(turn)
        total = framed
        for doubling in range(DOUBLINGS):
            total = cv2.add(total, _moved(total, 2**doubling * down, 2**doubling * along))
        rows, columns = perpendicular(angle, FLANK)
        # The sums begin at their pixel; half a line back, they lie around it.
        half = (2**DOUBLINGS - 1) / 2
        top, left = _PAD - round(half * down), _PAD - round(half * along)
        yield tuple(
            total[top + y : top + y + height, left + x : left + x + width]
            for y, x in ((0, 0), (rows, columns), (-rows, -columns))
        )


def _moved(array: np.ndarray, down: float, along: float) -> np.ndarray:
    """Array whose pixels are those so far down and along; what comes from beyond is never used."""
    shift = round(down) * array.shape[1] + round(along)
    moved = np.empty_like(array)
    source, target = array.ravel(), moved.ravel()
    if shift >= 0:
        target[: len(source) - shift], target[len(source) - shift :] = source[shift:], 0
    else:
        target[-shift:], target[:-shift] = source[:shift], 0
    return moved
