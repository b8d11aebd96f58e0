"""A level set in one flat run of memory, framed by zeros, so that neighbours are mere offsets."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2

__all__ = ["Canvas"]


class Canvas:
    """A binary level set with a frame of one pixel, stored flat.

    Parameters
    ----------
    level : ndarray of shape (H, W), uint8
        Zeros and ones.

    Notes
    -----
    A neighbour is the same pixel of a shifted view, whole rows at a time, which is how OpenCV and
    numpy are quickest. Shifts run over the ends of rows, but only into the frame.
    """

    def __init__(self, level: np.ndarray):
        self.height, self.width = level.shape
        self.stride = self.width + 2
        self.flat = self.framed(level)
        self.inside = self.framed(np.ones_like(level))
        self.plane = self.flat.reshape(-1, self.stride)

    def framed(self, array: np.ndarray) -> np.ndarray:
        """Put a frame of zeros round an array of the level set's shape, and flatten it.

        Parameters
        ----------
        array : ndarray of shape (H, W)
            Any dtype.

        Returns
        -------
        ndarray of shape ((H + 2) * (W + 2),)
            A framed copy.
        """
        frame = np.zeros((self.height + 2, self.stride), array.dtype)
        frame[1:-1, 1:-1] = array
        return frame.ravel()

    def level(self) -> np.ndarray:
        """Copy of the level set without its frame, shape (H, W), int8."""
        return self.plane[1:-1, 1:-1].astype(np.int8)

    def restore(self, state: bytes) -> None:
        """Take back an earlier content of `flat`.

        Parameters
        ----------
        state : bytes
            From ``flat.tobytes()``.
        """
        self.flat[:] = np.frombuffer(state, np.uint8)

    def distances(self) -> list[int] | None:
        """Free rows above and below and free columns left and right of all that is inside.

        Returns
        -------
        list of four int or None
            None if nothing is inside.
        """
        left, top, width, height = cv2.boundingRect(self.plane)
        if width == 0:
            return None
        # The frame is always free; it is not counted.
        below, right = self.height - top - height + 1, self.width - left - width + 1
        return [top - 1, below, left - 1, right]

    def span(self, first: int, last: int) -> slice:
        """Flat indices of image rows `first` to `last`, all of whose neighbours exist.

        Parameters
        ----------
        first, last : int
            Image rows, both included.

        Returns
        -------
        slice
            Into `flat`.
        """
        return slice((first + 1) * self.stride + 1, (last + 2) * self.stride - 1)

    def shifted(self, span: slice, offset: int) -> np.ndarray:
        """View of the pixels `offset` places after those of a span.

        Parameters
        ----------
        span : slice
            From `span`.
        offset : int
            1 is the next column, `stride` the next row.

        Returns
        -------
        ndarray of shape (span length,), uint8
            A view.
        """
        return self.flat[span.start + offset : span.stop + offset]

    def opposite_pairs(self, span: slice) -> list[tuple[np.ndarray, np.ndarray]]:
        """The two ends of each of the four 3-pixel lines through every pixel of a span.

        Parameters
        ----------
        span : slice
            From `span`.

        Returns
        -------
        list of tuple of ndarray
            Four pairs of views.
        """
        offsets = (1, self.stride, self.stride + 1, self.stride - 1)
        return [(self.shifted(span, -offset), self.shifted(span, offset)) for offset in offsets]

    def contour(self, span: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where the level set has a gradient, and its signs there.

        Parameters
        ----------
        span : slice
            From `span`.

        Returns
        -------
        where : ndarray of shape (n,), int
            Indices into the span.
        down, along : ndarray of shape (span length,), uint8
            Difference of the two neighbours down the rows and along the columns: 0, 1, or 255 for
            -1; at the image's own border the pixel itself stands in for the missing neighbour.
        """
        plane = self.plane
        plane[0], plane[-1] = plane[1], plane[-2]
        plane[:, 0], plane[:, -1] = plane[:, 1], plane[:, -2]
        down = self.shifted(span, self.stride) - self.shifted(span, -self.stride)
        along = self.shifted(span, 1) - self.shifted(span, -1)
        plane[0] = plane[-1] = 0
        plane[:, 0] = plane[:, -1] = 0
        band = cv2.bitwise_and(cv2.bitwise_or(down, along), self.inside[span])
        # ANDed with ones, every byte is 0 or 1, which is what a bool is in memory.
        return np.flatnonzero(band.view(bool)), down, along
