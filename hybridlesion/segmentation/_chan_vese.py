"""Morphological active contours without edges (Chan-Vese)."""

from __future__ import annotations

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_number
from hybridlesion.segmentation._packed_level_set import BitPlanes, Canvas, count_bits
from hybridlesion.segmentation._snakes import evolve, initial_level_set

__all__ = ["morphological_chan_vese"]


def morphological_chan_vese(
    image: np.ndarray,
    num_iter: int,
    init_level_set: str | np.ndarray = "checkerboard",
    smoothing: int = 1,
    lambda1: float = 1,
    lambda2: float = 1,
) -> np.ndarray:
    """Segment by two mean grey values, with a contour kept smooth by morphology.

    Parameters
    ----------
    image : ndarray of shape (H, W)
        Grey image of any real dtype, at least 2x2 pixels.
    num_iter : int
        Iterations, at least 0.
    init_level_set : {"checkerboard", "disk"} or ndarray of shape (H, W), \
default="checkerboard"
        Where to start: a named level set, or an array that is positive inside.
    smoothing : int, default=1
        Curvature steps in each iteration, at least 0.
    lambda1 : float, default=1
        Weight of the spread inside.
    lambda2 : float, default=1
        Weight of the spread outside.

    Returns
    -------
    ndarray of shape (H, W), int8
        1 inside, 0 outside.

    Raises
    ------
    ValueError
        If the image is not two-dimensional or too small, or a parameter is out of range.

    Notes
    -----
    Each iteration sets the pixels on the contour to the sign of
    ``lambda2 * (I - c0)**2 - lambda1 * (I - c1)**2`` with the mean outside c0 and inside c1, and
    then smooths. The result equals scikit-image's function of the same name bit for bit, when that
    one starts on an even count of curvature steps (its count runs on from call to call).

    Eight pixels share a byte, and the image is split into planes of bits, so that a mean is a few
    counts of bits and a decision a few comparisons of planes. What rounding to at most 20 bits, or
    the order of floating point sums, could change is bounded; only when a pixel on the contour lies
    within that bound are the means summed again in scikit-image's order.

    References
    ----------
    P. Marquez-Neila, L. Baumela, L. Alvarez, "A morphological approach to curvature-based
    evolution of curves and surfaces", IEEE TPAMI 36(1), 2014.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.zeros((12, 12)); image[3:9, 3:9] = 1
    >>> int(morphological_chan_vese(image, 20, init_level_set="disk").sum())
    32
    """
    image = np.asarray(image)
    if image.ndim != 2:
        raise ValueError(f"image must have shape (H, W), got {image.shape}.")
    check_number("num_iter", num_iter, low=0, integer=True)
    check_number("smoothing", smoothing, low=0, integer=True)
    canvas = Canvas(initial_level_set(init_level_set, image.shape))
    attachment = _RegionAttachment(canvas, image, lambda1, lambda2)
    return evolve(canvas, num_iter, smoothing, attachment)


class _RegionAttachment:
    """Moves pixels on the contour to the side whose mean they are closer to."""

    def __init__(self, canvas: Canvas, image: np.ndarray, lambda1: float, lambda2: float):
        self.canvas = canvas
        self.image = image
        self.lambda1 = lambda1
        self.lambda2 = lambda2
        self.planes = None
        kind = np.finfo(image.dtype if image.dtype.kind == "f" else np.float64)
        smallest, largest = float(image.min()), float(image.max())
        top = max(abs(smallest), abs(largest))
        weight = abs(lambda1) + abs(lambda2)
        eps = max(float(kind.eps), float(np.finfo(np.float64).eps))
        # Neither sums nor squares may overflow; NaN fails the comparison.
        safe = top * max(image.size, 8 * weight * top) < float(kind.max)
        if safe and smallest < largest and min(lambda1, lambda2) > 0:
            self.planes = BitPlanes(canvas, image)
            self.roots = float(np.sqrt(lambda1)), float(np.sqrt(lambda2))
            # The rounding of a pixel and of a mean to levels; of pairwise summation, of a mean and
            # of the force in the image's own float type, twice what is possible.
            rounding = (20 + np.log2(image.size) / 2) * eps * top
            error = 2 * self.planes.error + rounding
            self.margin = sum(self.roots) * error
            self.least_contrast = float(np.sqrt(kind.tiny / kind.eps)) / min(self.roots)

    def __call__(self) -> None:
        up, down, left, right = self.canvas.sides()
        contour = cv2.bitwise_or(cv2.bitwise_xor(up, down), cv2.bitwise_xor(left, right))
        target = self._quick_target(contour)
        self.canvas.settle(contour, self._exact_target() if target is None else target)

    def _quick_target(self, contour: np.ndarray) -> np.ndarray | None:
        """Packed plane of the pixels closer to the inner mean; None if one is too close to call."""
        inside = count_bits(self.canvas.level)
        outside = self.image.size - inside
        if self.planes is None or not (inside and outside):
            return None
        planes = self.planes
        inner = planes.sum_inside()
        # The reference, too, adds 1e-8 to the counts.
        c1 = (planes.low * inside + planes.step * inner) / (inside + 1e-8)
        c0 = (planes.low * outside + planes.step * (planes.total - inner)) / (outside + 1e-8)
        if not abs(c1 - c0) > self.least_contrast:
            return None
        target = None
        for value, slope in self._balances(c0, c1):
            window = self._window(value, slope, c0, c1)
            if window is None:
                return None
            plane = planes.above(window[0])
            if window[1] > window[0]:
                unclear = cv2.bitwise_xor(plane, planes.above(window[1]))
                if cv2.countNonZero(cv2.bitwise_and(unclear, contour)):
                    return None
            target = plane if target is None else cv2.bitwise_xor(target, plane)
        # Every balance passed changes the side; at the very dark end it is this one.
        dark_is_inner = (self.roots[0], c1) < (self.roots[1], c0)
        return cv2.bitwise_xor(target, self.canvas.inside) if dark_is_inner else target

    def _balances(self, c0: float, c1: float) -> list[tuple[float, float]]:
        """Values at which the force is 0, and there the slope of what `_window` calls sides."""
        inner, outer = self.roots
        found = [((inner * c1 + outer * c0) / (inner + outer), inner + outer)]
        if inner != outer:
            slope = inner - outer
            found.append(((inner * c1 - outer * c0) / slope, abs(slope)))
        return found

    def _window(self, value: float, slope: float, c0: float, c1: float) -> tuple[int, int] | None:
        """Levels such that up to the first, and above the second, the side is certain."""
        planes, (inner, outer) = self.planes, self.roots
        below = int(np.floor((value - planes.low) / planes.step))
        for reach in (0, int(self.margin / (slope * planes.step)) + 1):
            # One level on either side of those that the image has is enough.
            first = min(max(below - reach, -1), planes.largest)
            last = min(max(below + reach, first), planes.largest)
            ends = (planes.low + planes.step * level for level in (first, last + 1))
            # The force has the sign of this, which is linear where it matters.
            sides = [inner * abs(end - c1) - outer * abs(end - c0) for end in ends]
            if min(abs(side) for side in sides) > self.margin:
                return first, last
        return None

    def _exact_target(self) -> np.ndarray:
        """The same from means in the order of summation, and the dtype, of the reference."""
        level = self.canvas.unpack()
        c0 = (self.image * (1 - level)).sum() / float((1 - level).sum() + 1e-8)
        c1 = (self.image * level).sum() / float(level.sum() + 1e-8)
        force = self.lambda1 * (self.image - c1) ** 2 - self.lambda2 * (self.image - c0) ** 2
        return self.canvas.pack((force < 0) | ((level > 0) & ~(force > 0)))
