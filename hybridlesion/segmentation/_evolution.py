"""The loop that both morphological snakes share: attach to the image, smooth, stop early."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.segmentation._canvas import Canvas

__all__ = ["evolve"]

# Longest cycle of contours that is recognised. Snakes at rest flip between two or four contours,
# because the smoothing operator alternates; longer cycles just run to the last iteration.
LONGEST_CYCLE = 8


def evolve(canvas: Canvas, num_iter: int, smoothing: int, attach: Callable[[], None]) -> np.ndarray:
    """Run a morphological snake and return its last level set.

    Parameters
    ----------
    canvas : Canvas
        Where to start.
    num_iter : int
        Iterations, at least 0.
    smoothing : int
        Curvature steps in each iteration, at least 0.
    attach : callable
        Moves the contour on the canvas towards the image, once.

    Returns
    -------
    ndarray of shape (H, W), int8
        1 inside, 0 outside.

    Notes
    -----
    One iteration is a function of the contour and of the turn of the curvature operator alone.
    Once a contour comes back on the same turn, the rest is a cycle whose end is known.
    """
    seen: deque[bytes] = deque([canvas.level.tobytes()], maxlen=LONGEST_CYCLE)
    for iteration in range(1, num_iter + 1):
        attach()
        for step in range(smoothing):
            _smooth(canvas, ((iteration - 1) * smoothing + step) % 2)
        state = canvas.level.tobytes()
        period = _period(seen, state, smoothing)
        if period:
            left = (num_iter - iteration) % period
            last = state if left == 0 else seen[left - period]
            canvas.level[:] = np.frombuffer(last, np.uint8)
            break
        seen.append(state)
    return canvas.unpack()


def _smooth(canvas: Canvas, turn: int) -> None:
    """One curvature step: SI after IS on even turns, IS after SI on odd ones."""
    for operator in (_inf_sup, _sup_inf) if turn == 0 else (_sup_inf, _inf_sup):
        operator(canvas)


def _sup_inf(canvas: Canvas) -> None:
    """Keep a pixel if both ends of some 3-pixel line through it are inside."""
    either = None
    for first, second in canvas.opposite_pairs():
        both = cv2.bitwise_and(first, second)
        either = both if either is None else cv2.bitwise_or(either, both, dst=either)
    cv2.bitwise_and(canvas.level, either, dst=canvas.level)


def _inf_sup(canvas: Canvas) -> None:
    """Add a pixel if every 3-pixel line through it has an end inside.

    Beyond the image none is added: the line along its border has no end there.
    """
    every = None
    for first, second in canvas.opposite_pairs():
        some = cv2.bitwise_or(first, second)
        every = some if every is None else cv2.bitwise_and(every, some, dst=every)
    cv2.bitwise_or(canvas.level, every, dst=canvas.level)


def _period(seen: deque[bytes], state: bytes, smoothing: int) -> int:
    """Smallest period after which the same contour stood on the same turn, or 0."""
    stride = 1 if smoothing % 2 == 0 else 2
    for period in range(stride, len(seen) + 1, stride):
        if seen[-period] == state:
            return period
    return 0
