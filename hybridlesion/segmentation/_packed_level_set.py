"""Binary level sets and images packed into bytes, eight pixels each."""

from __future__ import annotations

import numpy as np

from hybridlesion._optional_imports import cv2

STRIPS = 8

# An array, because NumPy takes longer to convert a Python int than to shift a row of bytes.
_ONE = np.array(1, np.uint8)


class PackedLevelSet:
    """Binary level set with eight pixels per byte.

    Parameters
    ----------
    level : ndarray of shape (H, W), uint8
        Zeros and ones.

    Notes
    -----
    The rows are divided into eight strips of equal height; bit n of a byte is a pixel of strip n.
    The neighbour of a pixel is therefore the same bit of a shifted view, along rows and along
    columns. Bits move only where strips meet: the row above the first row of a strip is the last
    row of the strip above. A column of zeros is padded on each side.
    """

    def __init__(self, level: np.ndarray):
        self.shape = level.shape
        self.depth = -(-level.shape[0] // STRIPS)
        self.stride = level.shape[1] + 2
        self.inside = self.pack(np.ones_like(level))
        self._set_edges()
        # A row of the neighbouring strips above and below, and a byte for diagonal neighbours.
        self._run = np.zeros((self.depth + 2) * self.stride + 2, np.uint8)
        self.level = self._view(0)
        self.level[:] = self.pack(level)
        offsets = (self.stride, 1, self.stride + 1, self.stride - 1)
        self._pairs = [(self._view(-offset), self._view(offset)) for offset in offsets]
        row = self.stride
        self._above, self._below = self._view(-row)[:row], self._view(row)[-row:]
        self._first, self._last = self.level[:row], self.level[-row:]

    def pack(self, plane: np.ndarray) -> np.ndarray:
        """Pack a plane in the layout of the level set.

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
            Packed planes, starting with the lowest bit.
        """
        strips = self._strips(plane)
        # Transpose the 8x8 bits of the eight bytes from the eight strips: swap off-diagonal
        # blocks, halving their side each time.
        for half, lower in ((4, 0x0F), (2, 0x33), (1, 0x55)):
            blocks = strips.reshape(-1, 2, half, strips.shape[1])
            first, second = blocks[:, 0], blocks[:, 1]
            different = (first >> half ^ second) & lower
            second ^= different
            first ^= different << half
        return strips

    def _strips(self, plane: np.ndarray) -> np.ndarray:
        """Return the padded rows of the strips, one strip per row."""
        framed = np.zeros((STRIPS * self.depth, self.stride), np.uint8)
        # A bool is a byte; a view is faster than a conversion.
        framed[: self.shape[0], 1:-1] = plane.view(np.uint8)
        return framed.reshape(STRIPS, -1)

    def unpack(self) -> np.ndarray:
        """Return an unpacked copy of the level set, (H, W) int8, of zeros and ones."""
        bits = np.arange(STRIPS, dtype=np.uint8)[:, None]
        plane = ((self.level >> bits) & 1).reshape(-1, self.stride)
        return plane[: self.shape[0], 1:-1].astype(np.int8)

    def opposite_pairs(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return both ends of each of the four 3-pixel lines through every pixel.

        Returns
        -------
        list of tuple of ndarray of shape (n,), uint8
            Four pairs of packed views: up and down, left and right, and the diagonals. Pixels
            beyond the image are 0. Valid until the level set changes.
        """
        np.left_shift(self._last, _ONE, out=self._above)
        np.right_shift(self._first, _ONE, out=self._below)
        return self._pairs

    def sides(self) -> list[np.ndarray]:
        """Return the neighbours above, below, left and right of every pixel.

        Returns
        -------
        list of ndarray of shape (n,), uint8
            Four packed planes. At the image border the pixel itself replaces the missing
            neighbour, as in a one-sided difference. Read-only; valid until the level set
            changes.
        """
        columns, rows = self.opposite_pairs()[:2]
        sides = [*columns, *rows]
        if count_bits(cv2.bitwise_and(self.level, self._rim)):
            for side, edge in enumerate(self._edges):
                own = cv2.bitwise_and(self.level, edge)
                sides[side] = cv2.bitwise_or(own, sides[side], dst=own)
        return sides

    def assign(self, where: np.ndarray, target: np.ndarray) -> None:
        """Set selected pixels to their values in another plane.

        Parameters
        ----------
        where, target : ndarray, uint8
            Packed planes: the pixels to set, and their new values.
        """
        changed = cv2.bitwise_xor(self.level, target)
        cv2.bitwise_and(changed, where, dst=changed)
        cv2.bitwise_xor(self.level, changed, dst=self.level)

    def _view(self, offset: int) -> np.ndarray:
        """Return a view of the level set, shifted by `offset` bytes."""
        start = 1 + self.stride + offset
        return self._run[start : start + self.depth * self.stride]

    def _set_edges(self) -> None:
        """Set the packed planes of the first and last row and the first and last column."""
        strip, row = divmod(self.shape[0] - 1, self.depth)
        parts = ((0, np.s_[0]), (strip, np.s_[row]), (None, np.s_[:, 1]), (None, np.s_[:, -2]))
        self._edges = []
        for bit, part in parts:
            edge = np.zeros_like(self.inside)
            plane = edge.reshape(-1, self.stride)
            plane[part] = self.inside.reshape(-1, self.stride)[part]
            self._edges.append(edge if bit is None else edge & (1 << bit))
        self._rim = np.bitwise_or.reduce(self._edges)


def count_bits(*planes: np.ndarray) -> int:
    """Count the set pixels of a packed plane, or the pixels in which two planes differ.

    Parameters
    ----------
    *planes : ndarray, uint8
        One or two packed planes.

    Returns
    -------
    int
        Number of pixels.
    """
    return int(cv2.norm(*planes, cv2.NORM_HAMMING))


# Number of bits to which an image is rounded, unless fewer are enough.
PRECISION = 20


class BitPlanes:
    """Image in fixed point, one packed plane per bit.

    Parameters
    ----------
    level_set : PackedLevelSet
        Level set of the shape of the image, which packs the planes.
    image : ndarray of shape (H, W)
        Finite values of any real dtype, not all equal.

    Attributes
    ----------
    low, step : float
        Level n represents the value ``low + n * step``.
    largest : int
        Level with all bits set, at or above that of the largest value.
    error : float
        Largest absolute rounding error of a pixel.

    Notes
    -----
    The step is 1/255 for floating point and 1 for integers, times a power of two. An 8-bit
    photograph, whether divided by 255 or not, therefore takes eight planes without rounding.
    """

    def __init__(self, level_set: PackedLevelSet, image: np.ndarray):
        self.level_set = level_set
        values = image.astype(np.float64, copy=False)
        unit = 1 / 255 if image.dtype.kind == "f" else 1.0
        smallest, largest, _, _ = cv2.minMaxLoc(values)
        self.low = float(np.floor(smallest / unit) * unit)
        _, exponent = np.frexp((largest - self.low) / unit)
        self.step = float(np.ldexp(unit, int(exponent) - PRECISION))
        levels = np.rint((values - self.low) / self.step)
        self.error = cv2.norm(levels * self.step + self.low, values, cv2.NORM_INF)
        levels = levels.astype(np.int32)
        self.planes = self._pack_levels(levels)
        self._threshold: int | None = None
        self.largest = (1 << len(self.planes)) - 1
        self.total = sum(count_bits(plane) << bit for bit, plane in enumerate(self.planes))

    def _pack_levels(self, levels: np.ndarray) -> list[np.ndarray]:
        """Pack the bits of all levels, increasing the step to drop low bits that are never set."""
        used = int(np.bitwise_or.reduce(levels, axis=None))
        spare = (used & -used).bit_length() - 1
        self.step = float(np.ldexp(self.step, spare))
        planes = []
        for shift in range(spare, used.bit_length(), 8):
            planes.extend(self.level_set.pack_bits((levels >> shift).astype(np.uint8)))
        return planes[: used.bit_length() - spare]

    def sum_inside(self) -> int:
        """Return the sum of the levels of all pixels inside the level set."""
        level = self.level_set.level
        # 2 |A and B| = |A| + |B| - |A xor B|
        twice = self.total + count_bits(level) * self.largest
        for bit, plane in enumerate(self.planes):
            twice -= count_bits(level, plane) << bit
        return twice // 2

    def above(self, threshold: int) -> np.ndarray:
        """Return the packed plane of the pixels whose level is above a threshold.

        Parameters
        ----------
        threshold : int
            Level to compare with.

        Returns
        -------
        ndarray of shape (n,), uint8
            Packed plane, which may be shared and must not be modified.
        """
        if threshold != self._threshold:
            self._threshold, self._above = threshold, self._compare(threshold)
        return self._above

    def _compare(self, threshold: int) -> np.ndarray:
        if threshold < 0:
            return self.level_set.inside
        found = np.zeros_like(self.level_set.inside)
        if threshold < self.largest:
            # From the lowest bit up, since lower bits decide only if higher bits are equal.
            for bit, plane in enumerate(self.planes):
                join = cv2.bitwise_and if threshold >> bit & 1 else cv2.bitwise_or
                join(found, plane, dst=found)
        return found
