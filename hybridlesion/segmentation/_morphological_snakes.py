"""Morphological active contours without edges (Chan-Vese)."""

from __future__ import annotations

from collections import deque
from functools import reduce

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_number
from hybridlesion.segmentation._packed_level_set import BitPlanes, PackedLevelSet, count_bits

# Longest cycle of contours that is detected. A converged snake alternates between two or four
# contours, because the smoothing operator alternates; longer cycles run to the last iteration.
MAX_PERIOD = 8


def morphological_chan_vese(
    image: np.ndarray,
    num_iter: int,
    init_level_set: str | np.ndarray = "checkerboard",
    smoothing: int = 1,
    lambda1: float = 1,
    lambda2: float = 1,
) -> np.ndarray:
    """Segment an image into two regions of uniform grey value, separated by a smooth contour.

    Parameters
    ----------
    image : ndarray of shape (H, W)
        Grey image of any real dtype, at least 2x2 pixels.
    num_iter : int
        Number of iterations, at least 0.
    init_level_set : {"checkerboard", "disk"} or ndarray of shape (H, W), \
default="checkerboard"
        Initial level set: a name, or an array that is positive inside.
    smoothing : int, default=1
        Curvature steps per iteration, at least 0.
    lambda1 : float, default=1
        Weight of the variance inside.
    lambda2 : float, default=1
        Weight of the variance outside.

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
    ``lambda2 * (I - c0)**2 - lambda1 * (I - c1)**2``, where c0 and c1 are the means outside and
    inside, and then smooths the contour. The result equals that of scikit-image's function of the
    same name bit for bit, provided that the latter starts at an even number of curvature steps (it
    counts them across calls).

    Eight pixels are packed into a byte and the image is split into bit planes, so that a mean takes
    a few population counts and a threshold a few bitwise operations. The error from rounding to at
    most 20 bits and from the order of summation is bounded; the means are recomputed in
    scikit-image's order only if a pixel on the contour lies within that bound, or if the weights
    differ.

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
    contour = PackedLevelSet(_initial_level_set(init_level_set, image.shape))
    move = _RegionForce(contour, image, lambda1, lambda2)
    # An iteration depends only on the contour and on the parity of the curvature steps. Once a
    # contour recurs at the same parity, the remaining iterations repeat a known cycle.
    seen: deque[bytes] = deque([contour.level.tobytes()], maxlen=MAX_PERIOD)
    stride = 1 if smoothing % 2 == 0 else 2
    for iteration in range(num_iter):
        move()
        for number in range(smoothing):
            _curvature_step(contour, even=(iteration * smoothing + number) % 2 == 0)
        state = contour.level.tobytes()
        periods = range(stride, len(seen) + 1, stride)
        period = next((period for period in periods if seen[-period] == state), 0)
        if period:
            left = (num_iter - 1 - iteration) % period
            if left > 0:
                contour.level[:] = np.frombuffer(seen[left - period], np.uint8)
            break
        seen.append(state)
    return contour.unpack()


def _curvature_step(contour: PackedLevelSet, *, even: bool) -> None:
    """Smooth a contour: inf-sup, then sup-inf at even steps; in reverse order at odd ones.

    Inf-sup adds a pixel if every 3-pixel line through it has an end inside, sup-inf keeps a pixel
    if both ends of some line are inside. No pixel is added beyond the image: the line along the
    border has no end there.
    """
    inf_sup, sup_inf = (cv2.bitwise_or, cv2.bitwise_and), (cv2.bitwise_and, cv2.bitwise_or)
    for within_line, over_lines in (inf_sup, sup_inf) if even else (sup_inf, inf_sup):
        lines = [within_line(first, second) for first, second in contour.opposite_pairs()]
        within_line(contour.level, reduce(over_lines, lines), dst=contour.level)


def _initial_level_set(init: str | np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Binarise a level set or draw a named one, as (H, W) uint8 with 1 inside."""
    if min(shape) < 2:
        raise ValueError(f"a snake needs an image of at least 2x2 pixels, got shape {shape}.")
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    if isinstance(init, str):
        if init == "checkerboard":
            return (rows // 5 % 2 != columns // 5 % 2).view(np.uint8)
        if init == "disk":
            radius = min(shape) * 3.0 / 8.0
            inside = (rows - shape[0] // 2) ** 2 < radius**2 - (columns - shape[1] // 2) ** 2
            return inside.view(np.uint8)
        raise ValueError(
            f"init_level_set must be 'checkerboard', 'disk' or an array, got {init!r}."
        )
    init = np.asarray(init)
    if init.shape != shape:
        raise ValueError(
            f"init_level_set must have the image's shape {shape}, got {init.shape}. "
            "Resize it with nearest-neighbour interpolation first."
        )
    return np.ascontiguousarray(init > 0).view(np.uint8)


class _RegionForce:
    """Force that moves pixels on the contour to the region whose mean is closer."""

    def __init__(self, contour: PackedLevelSet, image: np.ndarray, lambda1: float, lambda2: float):
        self.contour = contour
        self.image = image
        self.lambda1 = lambda1
        self.lambda2 = lambda2
        self.planes: BitPlanes | None = None
        kind = np.finfo(image.dtype if image.dtype.kind == "f" else np.float64)
        smallest, largest = float(image.min()), float(image.max())
        top = max(abs(smallest), abs(largest))
        eps = max(float(kind.eps), float(np.finfo(np.float64).eps))
        # Neither sums nor squares may overflow; NaN fails the comparison.
        safe = top * max(image.size, 16 * abs(lambda1) * top) < float(kind.max)
        if safe and smallest < largest and lambda1 == lambda2 > 0:
            self.planes = BitPlanes(contour, image)
            # Bound for the rounding of a pixel and of a mean to levels and, with a factor of two to
            # spare, for that of pairwise summation, a mean and the force in the image's float type.
            rounding = (20 + np.log2(image.size) / 2) * eps * top
            self.margin = 2 * (2 * self.planes.error + rounding)
            self.least_contrast = float(np.sqrt(kind.tiny / kind.eps / lambda1))

    def __call__(self) -> None:
        up, down, left, right = self.contour.sides()
        edge = cv2.bitwise_or(cv2.bitwise_xor(up, down), cv2.bitwise_xor(left, right))
        target = None if self.planes is None else self._quick_target(self.planes, edge)
        self.contour.assign(edge, self._exact_target() if target is None else target)

    def _quick_target(self, planes: BitPlanes, edge: np.ndarray) -> np.ndarray | None:
        """Packed plane of the pixels closer to the inner mean; None if rounding could affect it."""
        inside = count_bits(self.contour.level)
        outside = self.image.size - inside
        if not (inside and outside):
            return None
        inner = planes.sum_inside()
        # scikit-image also adds 1e-8 to the counts.
        c1 = (planes.low * inside + planes.step * inner) / (inside + 1e-8)
        c0 = (planes.low * outside + planes.step * (planes.total - inner)) / (outside + 1e-8)
        window = self._window(planes, c0, c1) if abs(c1 - c0) > self.least_contrast else None
        if window is None:
            return None
        target = planes.above(window[0])
        if window[1] > window[0]:
            unclear = cv2.bitwise_xor(target, planes.above(window[1]))
            if cv2.countNonZero(cv2.bitwise_and(unclear, edge)):
                return None
        return cv2.bitwise_xor(target, self.contour.inside) if c1 < c0 else target

    def _window(self, planes: BitPlanes, c0: float, c1: float) -> tuple[int, int] | None:
        """Return two levels: up to the first and above the second, the region is certain."""
        below = int(np.floor(((c0 + c1) / 2 - planes.low) / planes.step))
        for reach in (0, int(self.margin / (2 * planes.step)) + 1):
            # One level beyond those of the image is enough on either side.
            first = min(max(below - reach, -1), planes.largest)
            last = min(max(below + reach, first), planes.largest)
            ends = (planes.low + planes.step * level for level in (first, last + 1))
            # The difference has the sign of the force and is linear near the midpoint of the means.
            if min(abs(abs(end - c1) - abs(end - c0)) for end in ends) > self.margin:
                return first, last
        return None

    def _exact_target(self) -> np.ndarray:
        """Compute the same plane with scikit-image's order of summation and dtype."""
        level = self.contour.unpack()
        c0 = (self.image * (1 - level)).sum() / float((1 - level).sum() + 1e-8)
        c1 = (self.image * level).sum() / float(level.sum() + 1e-8)
        force = self.lambda1 * (self.image - c1) ** 2 - self.lambda2 * (self.image - c0) ** 2
        return self.contour.pack((force < 0) | ((level > 0) & ~(force > 0)))
