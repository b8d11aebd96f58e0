"""Morphological active contours without edges (Chan-Vese)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_number

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
    """Segment an image into two regions of uniform grey value with a smooth contour.

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

    The curvature steps are bitwise operations on shifted views of the level set, the force is
    computed on the contour only, and the iteration ends when the contour becomes periodic.

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
    contour = _LevelSet(_initial_level_set(init_level_set, image.shape))
    _evolve(contour, num_iter, smoothing, partial(_attach, contour, image, lambda1, lambda2))
    return contour.plane.copy()


class _LevelSet:
    """Binary level set in a frame of zeros; views of its flat memory shift it by a pixel.

    Parameters
    ----------
    level : ndarray of shape (H, W), uint8
        Zeros and ones.
    """

    def __init__(self, level: np.ndarray):
        height, width = level.shape
        stride = width + 2
        # One pixel more at either end, for diagonal neighbours.
        run = np.zeros((height + 2) * stride + 2, np.int8)
        start, size = 1 + stride, height * stride
        self.level = run[start : start + size]
        self.plane = self.level.reshape(height, stride)[:, 1:-1]
        self.plane[:] = level
        # The two ends of each of the four 3-pixel lines through every pixel.
        self.opposite_pairs = [
            (run[start - offset :][:size], run[start + offset :][:size])
            for offset in (stride, 1, stride + 1, stride - 1)
        ]


def _evolve(contour: _LevelSet, num_iter: int, smoothing: int, attach: Callable[[], None]) -> None:
    """Alternate image force and smoothing, and stop early once the contour is periodic.

    An iteration depends only on the contour and on the parity of the curvature steps. Once a
    contour recurs at the same parity, the remaining iterations repeat a known cycle.
    """
    seen: deque[bytes] = deque([contour.level.tobytes()], maxlen=MAX_PERIOD)
    for iteration in range(1, num_iter + 1):
        attach()
        for number in range(smoothing):
            even = ((iteration - 1) * smoothing + number) % 2 == 0
            for operator in (_inf_sup, _sup_inf) if even else (_sup_inf, _inf_sup):
                operator(contour)
        state = contour.level.tobytes()
        stride = 1 if smoothing % 2 == 0 else 2
        periods = range(stride, len(seen) + 1, stride)
        period = next((period for period in periods if seen[-period] == state), 0)
        if period:
            left = (num_iter - iteration) % period
            last = state if left == 0 else seen[left - period]
            contour.level[:] = np.frombuffer(last, np.int8)
            break
        seen.append(state)


def _attach(contour: _LevelSet, image: np.ndarray, lambda1: float, lambda2: float) -> None:
    """Move the pixels on the contour to the region whose mean is closer."""
    level = contour.plane.astype(image.dtype)
    n_inside = int(np.count_nonzero(level))
    # scikit-image's order of summation and dtype, and its 1e-8.
    c0 = (image * (1 - level)).sum() / (level.size - n_inside + 1e-8)
    c1 = (image * level).sum() / (n_inside + 1e-8)
    # Beyond the border a pixel is its own neighbour, as in a one-sided difference.
    framed = cv2.copyMakeBorder(contour.plane, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    vertical = cv2.bitwise_xor(framed[2:, 1:-1], framed[:-2, 1:-1])
    horizontal = cv2.bitwise_xor(framed[1:-1, 2:], framed[1:-1, :-2])
    edge = np.flatnonzero(cv2.bitwise_or(vertical, horizontal).view(bool))
    values = image.ravel().take(edge)
    force = lambda1 * (values - c1) ** 2 - lambda2 * (values - c0) ** 2
    framed_edge = edge + 2 * (edge // image.shape[1]) + 1
    contour.level[framed_edge[force < 0]] = 1
    contour.level[framed_edge[force > 0]] = 0


def _sup_inf(contour: _LevelSet) -> None:
    """Keep a pixel if both ends of some 3-pixel line through it are inside."""
    either = None
    for first, second in contour.opposite_pairs:
        both = cv2.bitwise_and(first, second)
        either = both if either is None else cv2.bitwise_or(either, both, dst=either)
    cv2.bitwise_and(contour.level, either, dst=contour.level)


def _inf_sup(contour: _LevelSet) -> None:
    """Add a pixel if every 3-pixel line through it has an end inside.

    No pixel is added beyond the image: the line along the border has no end there.
    """
    every = None
    for first, second in contour.opposite_pairs:
        some = cv2.bitwise_or(first, second)
        every = some if every is None else cv2.bitwise_and(every, some, dst=every)
    cv2.bitwise_or(contour.level, every, dst=contour.level)


def _initial_level_set(init: str | np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Binarise a level set, or draw a named one; (H, W) uint8, 1 inside."""
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
