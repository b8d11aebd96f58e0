"""The loop that both morphological snakes share: attach to the image, smooth, stop early."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_number
from hybridlesion.segmentation._packed_level_set import Canvas

__all__ = ["evolve", "initial_level_set", "morphological_geodesic_active_contour"]

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


def initial_level_set(init: str | np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Binarise a level set, or draw one of the two usual ones.

    Parameters
    ----------
    init : {"checkerboard", "disk"} or ndarray of shape (H, W)
        A name, or an array that is positive inside.
    shape : tuple of int
        Height and width of the image.

    Returns
    -------
    ndarray of shape (H, W), uint8
        1 inside, 0 outside.

    Raises
    ------
    ValueError
        If the name is unknown, the array has another shape, or a side is shorter than 2 pixels
        (a gradient needs two).
    """
    if min(shape) < 2:
        raise ValueError(f"a snake needs an image of at least 2x2 pixels, got shape {shape}.")
    if isinstance(init, str):
        if init == "checkerboard":
            return _checkerboard(shape)
        if init == "disk":
            return _disk(shape)
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


def _checkerboard(shape: tuple[int, int], square: int = 5) -> np.ndarray:
    rows = np.arange(shape[0])[:, None] // square % 2
    columns = np.arange(shape[1])[None, :] // square % 2
    return (rows != columns).view(np.uint8)


def _disk(shape: tuple[int, int]) -> np.ndarray:
    rows = np.arange(shape[0], dtype=float)[:, None] - shape[0] // 2
    columns = np.arange(shape[1], dtype=float)[None, :] - shape[1] // 2
    # Squares of whole numbers and of eighths are exact.
    inside = rows**2 < (min(shape) * 3.0 / 8.0) ** 2 - columns**2
    return inside.view(np.uint8)


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
    canvas = Canvas(initial_level_set(init_level_set, gimage.shape))
    attachment = _EdgeAttachment(canvas, gimage, threshold, balloon)
    return evolve(canvas, num_iter, smoothing, attachment)


class _EdgeAttachment:
    """Inflates the contour where the edge map is flat, then slides it down the map's slope."""

    def __init__(self, canvas: Canvas, gimage: np.ndarray, threshold: str | float, balloon: float):
        self.canvas = canvas
        self.balloon = balloon
        if balloon != 0:
            if threshold == "auto":
                threshold = np.percentile(gimage, 40)
            self.flat = canvas.pack(gimage > threshold / np.abs(balloon))
        down, along = _differences(gimage), _differences(gimage.T).T
        # Where the level set rises along a row, along a column, along both or one each way, the
        # force is the sum of the slopes that take part, and has the sign of this comparison. Where
        # it falls, the sign turns. The slope that takes no part enters times 0, which can be NaN.
        finite = np.isfinite(gimage).all()
        nothing = (0.0, 0.0) if finite else (0 * down, 0 * along)
        signs = [_signs(along, nothing[0]), _signs(down, nothing[1]), _signs(down, along)]
        signs.insert(2, _signs(down, np.negative(along, out=along)))
        self.rises, self.moves = (
            [canvas.pack(plane) for plane in planes] for planes in zip(*signs, strict=True)
        )
        self.always_moves = all(np.array_equal(moves, canvas.inside) for moves in self.moves)

    def __call__(self) -> None:
        if self.balloon != 0:
            self._inflate()
        up, down, left, right = self.canvas.sides()
        vertical, horizontal = cv2.bitwise_xor(up, down), cv2.bitwise_xor(left, right)
        contour = cv2.bitwise_or(vertical, horizontal)
        ways = (vertical, horizontal, cv2.bitwise_xor(up, left))
        target = cv2.bitwise_xor(_along(self.rises, *ways), _choose(vertical, up, left))
        moves = self.canvas.inside if self.always_moves else _along(self.moves, *ways)
        self.canvas.settle(cv2.bitwise_and(contour, moves), target)

    def _inflate(self) -> None:
        """One dilation or erosion by a 3x3 square, where the edge map is flat."""
        join = cv2.bitwise_or if self.balloon > 0 else cv2.bitwise_and
        target = self.canvas.level
        for first, second in self.canvas.opposite_pairs():
            target = join(join(target, first), second)
        self.canvas.settle(self.flat, target)


def _differences(values: np.ndarray) -> np.ndarray:
    """Between the two neighbours down the rows; fourfold from the pixel itself on the frame.

    The product of two central differences carries a factor of 1/4, that of two one-sided ones
    none.
    """
    found = np.empty_like(values)
    np.subtract(values[2:], values[:-2], out=found[1:-1])
    found[0] = 4 * (values[1] - values[0])
    found[-1] = 4 * (values[-1] - values[-2])
    return found


def _signs(one: np.ndarray, other: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Where the one is greater, and where either is; nowhere if they are equal or NaN."""
    greater = one > other
    return greater, greater | (one < other)


def _along(
    planes: list[np.ndarray], vertical: np.ndarray, horizontal: np.ndarray, opposed: np.ndarray
) -> np.ndarray:
    """From planes for four ways to rise, pick at every pixel that of the level set there."""
    both = _choose(opposed, planes[3], planes[2])
    return _choose(vertical, _choose(horizontal, both, planes[1]), planes[0])


def _choose(where: np.ndarray, chosen: np.ndarray, other: np.ndarray) -> np.ndarray:
    """One packed plane where a bit is set, another elsewhere."""
    different = cv2.bitwise_xor(chosen, other)
    cv2.bitwise_and(different, where, dst=different)
    return cv2.bitwise_xor(different, other, dst=different)
