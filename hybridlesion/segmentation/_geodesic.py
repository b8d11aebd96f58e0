"""Morphological geodesic active contours: snakes that stop at edges."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion._validation import check_number
from hybridlesion.segmentation._canvas import Canvas
from hybridlesion.segmentation._evolution import evolve
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
