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

# How often, in iterations, the rows that hold the contour are measured afresh; in between, the
# span grows by as much as the contour could have.
MEASURE_EVERY = 8


def evolve(
    canvas: Canvas,
    num_iter: int,
    smoothing: int,
    attach: Callable[[Canvas, slice], None],
    reach: int,
) -> np.ndarray:
    """Run a morphological snake and return its last level set.

    Parameters
    ----------
    canvas : Canvas
        Holds the initial level set, and the last one afterwards.
    num_iter : int
        Iterations, at least 0.
    smoothing : int
        Curvature steps in each iteration, at least 0.
    attach : callable
        ``attach(canvas, span)`` moves the contour once, in place, inside a span of rows.
    reach : int
        How many pixels `attach` can move the contour outwards.

    Returns
    -------
    ndarray of shape (H, W), int8
        1 inside, 0 outside.

    Notes
    -----
    Two facts make it quick without changing a single pixel. Rows beyond the reach of the contour
    are 0 and stay 0, so that only the rows between are worked on. And one iteration is a function
    of the contour and of the turn of the curvature operator alone: once a contour comes back on the
    same turn, the rest is a cycle whose end is known.
    """
    seen: deque[bytes] = deque([canvas.flat.tobytes()], maxlen=LONGEST_CYCLE)
    turn = 0
    first, last = 0, -1
    for iteration in range(1, num_iter + 1):
        if iteration % MEASURE_EVERY == 1:
            first, last = canvas.occupied_rows()
        if first > last:
            break
        first, last = max(first - reach, 0), min(last + reach, canvas.height - 1)
        span = canvas.span(first, last)
        attach(canvas, span)
        for _ in range(smoothing):
            _smooth(canvas, span, turn)
            turn = 1 - turn
        state = canvas.flat.tobytes()
        period = _period(seen, state, smoothing)
        if period:
            left = (num_iter - iteration) % period
            canvas.restore(state if left == 0 else seen[left - period])
            break
        seen.append(state)
    return canvas.level()


def _smooth(canvas: Canvas, span: slice, turn: int) -> None:
    """One curvature step: SI after IS on even turns, IS after SI on odd ones."""
    for operator in (_inf_sup, _sup_inf) if turn == 0 else (_sup_inf, _inf_sup):
        operator(canvas, span)


def _sup_inf(canvas: Canvas, span: slice) -> None:
    """Keep a pixel if both ends of some 3-pixel line through it are inside."""
    either = None
    for first, second in canvas.opposite_pairs(span):
        both = cv2.bitwise_and(first, second)
        either = both if either is None else cv2.bitwise_or(either, both, dst=either)
    centre = canvas.flat[span]
    cv2.bitwise_and(centre, either, dst=centre)


def _inf_sup(canvas: Canvas, span: slice) -> None:
    """Add a pixel if every 3-pixel line through it has an end inside."""
    every = None
    for first, second in canvas.opposite_pairs(span):
        some = cv2.bitwise_or(first, second)
        every = some if every is None else cv2.bitwise_and(every, some, dst=every)
    cv2.bitwise_and(every, canvas.inside[span], dst=every)
    centre = canvas.flat[span]
    cv2.bitwise_or(centre, every, dst=centre)


def _period(seen: deque[bytes], state: bytes, smoothing: int) -> int:
    """Smallest period after which the same contour stood on the same turn, or 0."""
    stride = 1 if smoothing % 2 == 0 else 2
    for period in range(stride, len(seen) + 1, stride):
        if seen[-period] == state:
            return period
    return 0
