"""An image as planes of bits, in which sums and thresholds are a few operations on packed bytes."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.segmentation._canvas import Canvas, count_bits

__all__ = ["BitPlanes"]

# Bits to which an image is rounded, unless it needs fewer.
PRECISION = 20


class BitPlanes:
    """An image in fixed point, each bit a packed plane.

    Parameters
    ----------
    canvas : Canvas
        Of the image's shape; packs the planes.
    image : ndarray of shape (H, W)
        Finite values of any real dtype, not all equal.

    Attributes
    ----------
    low, step : float
        Level n of the image stands for the value ``low + n * step``.
    largest : int
        Level of the largest value, or above; all bits are set.
    error : float
        Largest distance of a pixel from the value of its level.

    Notes
    -----
    Levels count in 1/255 for floating point, in 1 for integers, times a power of two: so a
    photograph of eight bits, divided by 255 or not, takes eight planes and no rounding.
    """

    def __init__(self, canvas: Canvas, image: np.ndarray):
        self.canvas = canvas
        values = image.astype(np.float64, copy=False)
        unit = 1 / 255 if image.dtype.kind == "f" else 1.0
        smallest, largest, _, _ = cv2.minMaxLoc(values)
        self.low = float(np.floor(smallest / unit) * unit)
        _, exponent = np.frexp((largest - self.low) / unit)
        self.step = float(np.ldexp(unit, int(exponent) - PRECISION))
        levels = np.rint((values - self.low) / self.step)
        self.error = cv2.norm(levels * self.step + self.low, values, cv2.NORM_INF)
        levels = levels.astype(np.int32)
        self.planes = self._lay_planes(levels)
        self._threshold = None
        self.largest = (1 << len(self.planes)) - 1
        self.total = sum(count_bits(plane) << bit for bit, plane in enumerate(self.planes))

    def _lay_planes(self, levels: np.ndarray) -> list[np.ndarray]:
        """Pack the bits of all levels, except low ones that none has, for which the step grows."""
        used = int(np.bitwise_or.reduce(levels, axis=None))
        spare = (used & -used).bit_length() - 1
        self.step = float(np.ldexp(self.step, spare))
        planes = []
        for shift in range(spare, used.bit_length(), 8):
            planes.extend(self.canvas.pack_bits((levels >> shift).astype(np.uint8)))
        return planes[: used.bit_length() - spare]

    def sum_inside(self) -> int:
        """Sum of the levels of all pixels inside the canvas's level set."""
        level = self.canvas.level
        # Twice the pixels in both sets are those of the one, and of the other, less the
        # differences.
        twice = self.total + count_bits(level) * self.largest
        for bit, plane in enumerate(self.planes):
            twice -= count_bits(level, plane) << bit
        return twice // 2

    def above(self, threshold: int) -> np.ndarray:
        """Packed plane of the pixels whose level is above a threshold.

        Parameters
        ----------
        threshold : int
            A level.

        Returns
        -------
        ndarray of shape (n,), uint8
            May be shared; not to be written to.
        """
        if threshold != self._threshold:
            self._threshold, self._above = threshold, self._compare(threshold)
        return self._above

    def _compare(self, threshold: int) -> np.ndarray:
        if threshold < 0:
            return self.canvas.inside
        found = np.zeros_like(self.canvas.inside)
        if threshold < self.largest:
            # From the lowest bit up: where bits are equal, the lower ones decide.
            for bit, plane in enumerate(self.planes):
                join = cv2.bitwise_and if threshold >> bit & 1 else cv2.bitwise_or
                join(found, plane, dst=found)
        return found
