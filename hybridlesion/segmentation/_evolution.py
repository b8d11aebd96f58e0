"""The loop that both morphological snakes share: attach to the image, smooth, stop early."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.segmentation._canvas import Canvas

__all__ = ["Attachment", "Window", "evolve"]

# Longest cycle of contours that is recognised. Snakes at rest flip between two or four contours,
# because the smoothing operator alternates; longer cycles just run to the last iteration.
LONGEST_CYCLE = 8

# How often, in iterations, the box round the contour is measured afresh; in between, it grows by as
# much as the contour could have.
MEASURE_EVERY = 8

# Pixels left free round the contour when the window is first laid.
FIRST_MARGIN = 18

# The rows and the columns of the image that are worked on.
Window = tuple[slice, slice]


class Attachment(ABC):
    """What ties a snake to its image."""

    # How many pixels a call can move the contour outwards.
    reach: int

    @abstractmethod
    def place(self, canvas: Canvas, window: Window) -> None:
        """Prepare for a canvas that holds this window of the image.

        Parameters
        ----------
        canvas : Canvas
            The level set there.
        window : tuple of slice
            Rows and columns.
        """

    @abstractmethod
    def __call__(self, canvas: Canvas, span: slice) -> None:
        """Move the contour once, in place.

        Parameters
        ----------
        canvas : Canvas
            That of the last `place`.
        span : slice
            The rows that can change, from `Canvas.span`.
        """


def evolve(level: np.ndarray, num_iter: int, smoothing: int, attachment: Attachment) -> np.ndarray:
    """Run a morphological snake and return its last level set.

    Parameters
    ----------
    level : ndarray of shape (H, W), uint8
        Where to start, 1 inside; taken over.
    num_iter : int
        Iterations, at least 0.
    smoothing : int
        Curvature steps in each iteration, at least 0.
    attachment : Attachment
        Moves the contour towards the image.

    Returns
    -------
    ndarray of shape (H, W), int8
        1 inside, 0 outside.

    Notes
    -----
    Two facts make it quick without changing a single pixel. What lies beyond the reach of the
    contour is 0 and stays 0, so that only a window round it is worked on, and of that only the
    rows between. And one iteration is a function of the contour and of the turn of the curvature
    operator alone: once a contour comes back on the same turn, the rest is a cycle whose end is
    known.
    """
    done, margin = 0, FIRST_MARGIN
    while done < num_iter and (window := _lay_window(level, margin)) is not None:
        canvas = Canvas(level[window])
        attachment.place(canvas, window)
        ends = zip(_sides(window), _sides(_whole(level)), strict=True)
        closed = [side == end for side, end in ends]
        done = _evolve_window(canvas, done, num_iter, smoothing, attachment, closed)
        level[window] = canvas.level()
        # A contour that comes so far will come farther: the second window is the image.
        margin = max(level.shape)
    return level.view(np.int8)


def _lay_window(level: np.ndarray, margin: int) -> Window | None:
    """Rows and columns round all that is inside, None if nothing is."""
    left, top, width, height = cv2.boundingRect(level)
    if width == 0:
        return None
    rows = slice(max(0, top - margin), min(level.shape[0], top + height + margin))
    columns = slice(max(0, left - margin), min(level.shape[1], left + width + margin))
    return rows, columns


def _whole(level: np.ndarray) -> Window:
    return slice(0, level.shape[0]), slice(0, level.shape[1])


def _sides(window: Window) -> tuple[int, int, int, int]:
    rows, columns = window
    return rows.start, rows.stop, columns.start, columns.stop


def _evolve_window(
    canvas: Canvas,
    done: int,
    num_iter: int,
    smoothing: int,
    attachment: Attachment,
    closed: list[bool],
) -> int:
    """Iterate until the end, or until the contour nears a side that is not the image's own.

    `closed` tells for top, bottom, left and right whether the image ends there. Returns the number
    of iterations done.
    """
    seen: deque[bytes] = deque([canvas.flat.tobytes()], maxlen=LONGEST_CYCLE)
    reach = attachment.reach
    box = None
    for iteration in range(done + 1, num_iter + 1):
        if box is None or iteration % MEASURE_EVERY == 1 or _nears(box, closed, reach):
            box = canvas.distances()
            if box is None:
                return num_iter
            if _nears(box, closed, reach):
                return iteration - 1
        box = [max(distance - reach, 0) for distance in box]
        span = canvas.span(box[0], canvas.height - 1 - box[1])
        attachment(canvas, span)
        for step in range(smoothing):
            _smooth(canvas, span, ((iteration - 1) * smoothing + step) % 2)
        state = canvas.flat.tobytes()
        period = _period(seen, state, smoothing)
        if period:
            left = (num_iter - iteration) % period
            canvas.restore(state if left == 0 else seen[left - period])
            return num_iter
        seen.append(state)
    return num_iter


def _nears(box: list[int], closed: list[bool], reach: int) -> bool:
    """Whether the next iteration could come to a side behind which the image goes on."""
    return any(distance <= reach for distance, end in zip(box, closed, strict=True) if not end)


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
