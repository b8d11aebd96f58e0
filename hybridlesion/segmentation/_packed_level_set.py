"""A level set with eight pixels to a byte, laid out so that neighbours are mere offsets."""

from __future__ import annotations

import numpy as np

from hybridlesion._optional_imports import cv2

__all__ = ["BitPlanes", "Canvas", "count_bits"]

STRIPS = 8

# As an array, since numpy takes longer over a number of Python's than over a row of bytes.
_ONE = np.array(1, np.uint8)


class Canvas:
    """A binary level set in packed bytes.

    Parameters
    ----------
    level : ndarray of shape (H, W), uint8
        Zeros and ones.

    Notes
    -----
    The rows are cut into eight strips of equal height, and bit n of a byte is a pixel of strip n.
    What is done to a byte is done to eight pixels that are far apart, so that a pixel's neighbour
    is the same bit of a shifted view, in the direction of columns as in that of rows. Only where
    strips meet does a bit move on: the row above the first row is the last one, one strip higher.
    A column of zeros stands on either side.
    """

    def __init__(self, level: np.ndarray):
        self.shape = level.shape
        self.depth = -(-level.shape[0] // STRIPS)
        self.stride = level.shape[1] + 2
        self.inside = self.pack(np.ones_like(level))
        self._lay_edges()
        # A row of a neighbouring strip above and below, and a byte for the corners' neighbours.
        self._run = np.zeros((self.depth + 2) * self.stride + 2, np.uint8)
        self.level = self._view(0)
        self.level[:] = self.pack(level)
        offsets = (self.stride, 1, self.stride + 1, self.stride - 1)
        self._pairs = [(self._view(-offset), self._view(offset)) for offset in offsets]
        row = self.stride
        self._above, self._below = self._view(-row)[:row], self._view(row)[-row:]
        self._first, self._last = self.level[:row], self.level[-row:]

    def pack(self, plane: np.ndarray) -> np.ndarray:
        """Pack a plane in the way of the level set.

        Parameters
        ----------
        plane : ndarray of shape (H, W), bool or uint8
            Zeros and ones.

        Returns
        -------
        ndarray of shape (n,), uint8
            Packed bytes.
        """
        strips = self._strips(plane)
        for half in (4, 2, 1):
            strips = strips[:half] | strips[half:] << half
        return strips[0]

    def pack_bits(self, plane: np.ndarray) -> np.ndarray:
        """Pack every bit of a plane of bytes.

        Parameters
        ----------
        plane : ndarray of shape (H, W), uint8
            Any values.

        Returns
        -------
        ndarray of shape (8, n), uint8
            Packed planes, that of the lowest bit first.
        """
        strips = self._strips(plane)
        # Transposes the 8x8 bits of every eight bytes, which lie in eight strips: off-diagonal
        # blocks change places, in blocks of half the side each time.
        for half, lower in ((4, 0x0F), (2, 0x33), (1, 0x55)):
            blocks = strips.reshape(-1, 2, half, strips.shape[1])
            first, second = blocks[:, 0], blocks[:, 1]
            different = (first >> half ^ second) & lower
            second ^= different
            first ^= different << half
        return strips

    def _strips(self, plane: np.ndarray) -> np.ndarray:
        """The rows of each strip in one run, framed."""
        framed = np.zeros((STRIPS * self.depth, self.stride), np.uint8)
        # A bool is a byte; converting them would take longer than copying them.
        framed[: self.shape[0], 1:-1] = plane.view(np.uint8)
        return framed.reshape(STRIPS, -1)

    def unpack(self) -> np.ndarray:
        """Copy of the level set, shape (H, W), int8, zeros and ones."""
        bits = np.arange(STRIPS, dtype=np.uint8)[:, None]
        plane = ((self.level >> bits) & 1).reshape(-1, self.stride)
        return plane[: self.shape[0], 1:-1].astype(np.int8)

    def opposite_pairs(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The two ends of each of the four 3-pixel lines through every pixel.

        Returns
        -------
        list of tuple of ndarray of shape (n,), uint8
            Packed, four pairs of views: up and down, left and right, and the diagonals. Beyond the
            image all is 0. They hold until the level set changes.
        """
        np.left_shift(self._last, _ONE, out=self._above)
        np.right_shift(self._first, _ONE, out=self._below)
        return self._pairs

    def sides(self) -> list[np.ndarray]:
        """Neighbours up, down, left and right of every pixel.

        Returns
        -------
        list of ndarray of shape (n,), uint8
            Packed, four planes. At the image's own border the pixel itself stands in for the
            neighbour that it lacks, as in a one-sided difference. Not to be written to, and valid
            until the level set changes.
        """
        columns, rows = self.opposite_pairs()[:2]
        sides = [*columns, *rows]
        if count_bits(cv2.bitwise_and(self.level, self._rim)):
            for side, edge in enumerate(self._edges):
                own = cv2.bitwise_and(self.level, edge)
                sides[side] = cv2.bitwise_or(own, sides[side], dst=own)
        return sides

    def settle(self, where: np.ndarray, target: np.ndarray) -> None:
        """Set the pixels of one plane to what they are in another.

        Parameters
        ----------
        where, target : ndarray, uint8
            Packed planes.
        """
        changed = cv2.bitwise_xor(self.level, target)
        cv2.bitwise_and(changed, where, dst=changed)
        cv2.bitwise_xor(self.level, changed, dst=self.level)

    def _view(self, offset: int) -> np.ndarray:
        """Bytes that lie `offset` places after those of the level set."""
        start = 1 + self.stride + offset
        return self._run[start : start + self.depth * self.stride]

    def _lay_edges(self) -> None:
        """Packed planes of the first and the last row, and of the first and the last column."""
        strip, row = divmod(self.shape[0] - 1, self.depth)
        parts = ((0, np.s_[0]), (strip, np.s_[row]), (None, np.s_[:, 1]), (None, np.s_[:, -2]))
        self._edges = []
        for bit, part in parts:
            edge = np.zeros_like(self.inside)
            plane = edge.reshape(-1, self.stride)
            plane[part] = self.inside.reshape(-1, self.stride)[part]
            self._edges.append(edge if bit is None else edge & (1 << bit))
        self._rim = np.bitwise_or.reduce(self._edges)


def count_bits(plane: np.ndarray, other: np.ndarray | None = None) -> int:
    """Count the pixels of a packed plane, or those in which two planes differ.

    Parameters
    ----------
    plane : ndarray, uint8
        Packed plane.
    other : ndarray or None, default=None
        Another one.

    Returns
    -------
    int
        The count.
    """
    if other is None:
        return int(cv2.norm(plane, cv2.NORM_HAMMING))
    return int(cv2.norm(plane, other, cv2.NORM_HAMMING))


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
