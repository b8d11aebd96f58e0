"""Morphological geodesic active contours: snakes that stop at edges."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion._validation import check_number
from hybridlesion.segmentation._canvas import Canvas
from hybridlesion.segmentation._evolution import Attachment, Window, evolve
from hybridlesion.segmentation._level_set import initial_level_set

__all__ = ["morphological_geodesic_active_contour"]


def morphological_geodesic_active_contour(
    gimage: np.ndarray,
    num_iter: int,
    init_level_set: str | np.ndarray = "disk",
    smoothing: int = 1,
    threshold: str | float = "auto",
    balloon: float = 0,
) -> np.ndarray:
    """Pull a contour into the valleys of an edge map.

    Parameters
    ----------
    gimage : ndarray of shape (H, W), float
        Edge map that is small on edges, such as the inverse Gaussian gradient of an image; at least
        2x2 pixels.
    num_iter : int
        Iterations, at least 0.
    init_level_set : {"checkerboard", "disk"} or ndarray of shape (H, W), default="disk"
        Where to start: a named level set, or an array that is positive inside.
    smoothing : int, default=1
        Curvature steps in each iteration, at least 0.
    threshold : "auto" or float, default="auto"
        The balloon acts only where ``gimage > threshold / abs(balloon)``; "auto" is the 40th
        percentile of `gimage`.
    balloon : float, default=0
        Above 0 the contour grows in flat areas, below 0 it shrinks, 0 switches the force off.

    Returns
    -------
    ndarray of shape (H, W), int8
        1 inside, 0 outside.

    Raises
    ------
    ValueError
        If the edge map is not a two-dimensional float array or too small, or a parameter is out of
        range.

    Notes
    -----
    Each iteration applies the balloon (a 3x3 dilation or erosion), moves the pixels on the contour
    along the sign of ``grad(g) . grad(u)``, and smooths. The result equals scikit-image's function
    of the same name bit for bit, when that one starts on an even count of curvature steps (its
    count runs on from call to call).

    References
    ----------
    P. Marquez-Neila, L. Baumela, L. Alvarez, "A morphological approach to curvature-based
    evolution of curves and surfaces", IEEE TPAMI 36(1), 2014.

    Examples
    --------
    >>> import numpy as np
    >>> rows, columns = np.mgrid[:40, :40] - 20
    >>> edge = np.abs(np.hypot(rows, columns) - 9) / 10
    >>> round(morphological_geodesic_active_contour(edge, 30).sum() / np.pi / 9**2, 1)
    np.float64(1.0)
    """
    gimage = np.asarray(gimage)
    if gimage.ndim != 2 or gimage.dtype.kind != "f":
        raise ValueError(
            f"gimage must be a float array of shape (H, W), got shape {gimage.shape} and dtype "
            f"{gimage.dtype}. Convert it with gimage.astype(float)."
        )
    check_number("num_iter", num_iter, low=0, integer=True)
    check_number("smoothing", smoothing, low=0, integer=True)
    level = initial_level_set(init_level_set, gimage.shape)
    return evolve(level, num_iter, smoothing, _EdgeAttachment(gimage, threshold, balloon))


class _EdgeAttachment(Attachment):
    """Inflates the contour where the edge map is flat, then slides it down the map's slope."""

    reach = 2

    def __init__(self, gimage: np.ndarray, threshold: str | float, balloon: float):
        self.gimage = gimage
        self.balloon = balloon
        if balloon != 0:
            if threshold == "auto":
                threshold = np.percentile(gimage, 40)
            self.level_of_flatness = threshold / np.abs(balloon)

    def place(self, canvas: Canvas, window: Window) -> None:
        # One pixel more than the window, so that its gradients are those of the whole map.
        wider, inner = _widen(window)
        part = self.gimage[wider]
        if self.balloon != 0:
            flat = (part[inner] > self.level_of_flatness).astype(np.uint8)
            self.flat = canvas.framed(flat)
        down, along = (slope[inner] for slope in np.gradient(part))
        # Central differences of the level set are halves inside and wholes on the frame; putting
        # that factor here leaves signs of -1, 0 and 1 for the level set. Halving is exact.
        height, width = self.gimage.shape
        rows, columns = window
        down[max(1 - rows.start, 0) : height - 1 - rows.start] *= 0.5
        along[:, max(1 - columns.start, 0) : width - 1 - columns.start] *= 0.5
        self.down, self.along = canvas.framed(down), canvas.framed(along)

    def __call__(self, canvas: Canvas, span: slice) -> None:
        if self.balloon != 0:
            self._inflate(canvas, span)
        where, down, along = canvas.contour(span)
        force = self.down[span][where] * down[where].view(np.int8)
        force += self.along[span][where] * along[where].view(np.int8)
        level = canvas.flat[span]
        level[where[force > 0]] = 1
        level[where[force < 0]] = 0

    def _inflate(self, canvas: Canvas, span: slice) -> None:
        join = cv2.bitwise_or if self.balloon > 0 else cv2.bitwise_and
        # A 3x3 square is a line of three along the columns, then one down the rows. The first
        # needs a row more on either side, which the frame or the empty rows beyond provide.
        rows = slice(
            max(span.start - canvas.stride, 1),
            min(span.stop + canvas.stride, len(canvas.flat) - 1),
        )
        ends = join(canvas.shifted(rows, -1), canvas.shifted(rows, 1))
        line = join(ends, canvas.flat[rows]).ravel()
        level = canvas.flat[span]
        start, stop = span.start - rows.start, span.stop - rows.start
        above = line[start - canvas.stride : stop - canvas.stride]
        below = line[start + canvas.stride : stop + canvas.stride]
        changed = join(join(above, below), line[start:stop])
        cv2.bitwise_xor(changed, level, dst=changed)
        cv2.bitwise_and(changed, self.flat[span], dst=changed)
        cv2.bitwise_xor(level, changed, dst=level)


def _widen(window: Window) -> tuple[Window, Window]:
    """Grow a window by a pixel on every side that has one, and find the old one in the new."""
    wider = tuple(slice(max(0, side.start - 1), side.stop + 1) for side in window)
    inner = tuple(
        slice(side.start - wide.start, side.stop - wide.start)
        for side, wide in zip(window, wider, strict=True)
    )
    return wider, inner
