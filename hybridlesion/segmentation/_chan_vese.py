"""Morphological active contours without edges (Chan-Vese)."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion._validation import check_number
from hybridlesion.segmentation._canvas import Canvas
from hybridlesion.segmentation._evolution import Attachment, Window, evolve
from hybridlesion.segmentation._level_set import initial_level_set

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
    one starts on an even count of curvature steps (its count runs on from call to call). Floating
    point sums depend on their order, so the means are first taken in whatever order is quick; only
    when a pixel lies so close to the decision that this could matter are they summed again in
    scikit-image's order.

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
    level = initial_level_set(init_level_set, image.shape)
    return evolve(level, num_iter, smoothing, _RegionAttachment(image, lambda1, lambda2))


class _RegionAttachment(Attachment):
    """Moves pixels on the contour to the side whose mean they are closer to."""

    reach = 1

    def __init__(self, image: np.ndarray, lambda1: float, lambda2: float):
        self.image = image
        self.lambda1 = lambda1
        self.lambda2 = lambda2
        self.total = float(image.sum(dtype=np.float64))
        self._bound_errors()

    def place(self, canvas: Canvas, window: Window) -> None:
        self.window = window
        self.framed = canvas.framed(self.image[window])
        # cv2.mean knows few dtypes. Its sums differ from the reference's in their order only.
        self.double = self.framed.astype(np.float64, copy=False)

    def __call__(self, canvas: Canvas, span: slice) -> None:
        where, _, _ = canvas.contour(span)
        level = canvas.flat[span]
        values = self.framed[span][where]
        inside = cv2.countNonZero(level)
        outside = self.image.size - inside
        force = None
        if inside and outside:
            inner_sum = cv2.mean(self.double[span], mask=level)[0] * inside
            force = self._force(values, (self.total - inner_sum) / outside, inner_sum / inside)
            tolerance = self.spread / min(inside, outside) + self.rounding
            # Written so that NaN, too, takes the exact way.
            if not (len(force) == 0 or float(np.abs(force).min()) > tolerance):
                force = None
        if force is None:
            force = self._force(values, *self._exact_means(canvas))
        level[where[force < 0]] = 1
        level[where[force > 0]] = 0

    def _force(self, values: np.ndarray, c0: float, c1: float) -> np.ndarray:
        return self.lambda1 * (values - c1) ** 2 - self.lambda2 * (values - c0) ** 2

    def _exact_means(self, canvas: Canvas) -> tuple[float, float]:
        """Means in the order of summation, and the dtype, that the reference uses."""
        level = np.zeros(self.image.shape, np.int8)
        level[self.window] = canvas.level()
        c0 = (self.image * (1 - level)).sum() / float((1 - level).sum() + 1e-8)
        c1 = (self.image * level).sum() / float(level.sum() + 1e-8)
        return c0, c1

    def _bound_errors(self) -> None:
        """Bound the difference between the quick and the exact force.

        A sum of n terms in any order is off by at most n * eps * sum|I|, with eps of double
        precision for the quick sum; pairwise summation in the image's own float type by
        64 * eps * sum|I|. The 1e-8 that the reference adds to a count of at least 1 changes a mean
        by 1e-8 relative at most, so by 1e-8 / count. The force is quadratic in values and means,
        whose differences are at most 2 max|I|.
        """
        kind = self.image.dtype
        eps = float(np.finfo(kind if kind.kind == "f" else np.float64).eps)
        top = max(abs(float(self.image.min())), abs(float(self.image.max())))
        weight = abs(self.lambda1) + abs(self.lambda2)
        size = self.image.size
        per_pixel = 4 * size * float(np.finfo(np.float64).eps) + 64 * eps
        self.spread = 8 * weight * top**2 * (per_pixel * size + 1e-8)
        self.rounding = 64 * eps * weight * top**2
