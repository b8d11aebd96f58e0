"""Lesion at measuring scale, with the intermediate results that features share.

A lesion is cut out with a margin of skin and resampled so that a circle of equal area has a fixed
diameter. A filter with a fixed size in pixels then covers a fixed share of the lesion, and the
computing time is the same for a thumbnail and for 24 megapixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features._numerics import Curvature, curvature, median, percentiles, rgb_to_lab

N_POINTS = 256


@dataclass(frozen=True)
class Outline:
    """Outer contour of the largest part of a mask.

    Lengths and areas refer to the outer edges of pixels rather than the line through their centres:
    half a pixel is added all around (Steiner's formula, which is exact for convex shapes).

    Parameters
    ----------
    points : ndarray of shape (256, 2), float
        Evenly spaced points (x, y), smoothed by a Gaussian.
    perimeter, area : float
        In pixels and square pixels.
    hull_perimeter, hull_area : float
        The same for the convex hull.
    hull : ndarray of shape (k, 2), float
        Corners of the convex hull.
    parts : int
        Number of connected parts of the mask.
    """

    points: np.ndarray
    perimeter: float
    area: float
    hull_perimeter: float
    hull_area: float
    hull: np.ndarray
    parts: int

    @property
    def normals(self) -> np.ndarray:
        """Outward unit normals, (256, 2)."""
        curve = _complex(self.points)
        tangent = np.roll(curve, -1) - np.roll(curve, 1)
        # OpenCV traces outer contours in either direction, depending on its version
        outwards = -1j if signed_area(self.points) > 0 else 1j
        return _pairs(tangent * outwards / np.maximum(np.abs(tangent), 1e-9))


def trace_outline(mask: np.ndarray, *, smooth: float) -> Outline:
    """Trace the outer contour of the largest part of a mask.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool
        Mask with at least one pixel.
    smooth : float
        Standard deviation, in pixels, of the Gaussian that smooths the steps of the pixel grid
        along the contour.

    Returns
    -------
    Outline
        Points, lengths and areas.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.mgrid[-60:61, -60:61]
    >>> disc = trace_outline(x**2 + y**2 <= 50**2, smooth=2.0)
    >>> round(disc.perimeter / (2 * np.pi * 50), 2), round(disc.area / (np.pi * 50**2), 2)
    (1.0, 1.0)
    """
    contours, ((*family,),) = cv2.findContours(
        np.ascontiguousarray(mask).view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    # a contour with a parent is the border of a hole
    outer = [contour for contour, links in zip(contours, family, strict=True) if links[3] < 0]
    chain = max(outer, key=lambda c: (cv2.contourArea(c), len(c)))[:, 0, :]
    points = smooth_curve(_even(chain), smooth)
    hull = cv2.convexHull(points.astype(np.float32))[:, 0, :].astype(float)
    return Outline(points, *_size(points), *_size(hull), hull, len(outer))


def _even(chain: np.ndarray) -> np.ndarray:
    """Resample a closed chain to `N_POINTS` evenly spaced points."""
    closed = np.append(_complex(chain.astype(float)), complex(*chain[0].tolist()))
    length = np.zeros(len(closed))
    np.abs(closed[1:] - closed[:-1]).cumsum(out=length[1:])
    at = np.arange(N_POINTS) * (length[-1] / N_POINTS)
    return _pairs(np.interp(at, length, closed))


def _complex(points: np.ndarray) -> np.ndarray:
    """Return points (x, y) as x + iy, (n,), which halves the number of subsequent calls."""
    return np.ascontiguousarray(points).view(complex)[:, 0]


def _pairs(curve: np.ndarray) -> np.ndarray:
    return curve.view(float).reshape(-1, 2)


def smooth_curve(points: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth a closed, evenly spaced curve in the frequency domain.

    Parameters
    ----------
    points : ndarray of shape (n, 2), float
        Points on the curve.
    sigma : float
        Standard deviation of the Gaussian, in the unit of the curve.

    Returns
    -------
    ndarray of shape (n, 2), float
        The smoothed curve.
    """
    curve = _complex(points)
    step = np.abs(curve[1:] - curve[:-1]).mean()
    if step == 0.0:
        return points
    damping = np.fft.fftfreq(len(points), d=float(step) / (np.pi * sigma))
    damping *= damping
    damping *= -2.0
    return _pairs(np.fft.ifft(np.fft.fft(curve) * np.exp(damping)))


def _size(points: np.ndarray) -> tuple[float, float]:
    """Return perimeter and area of a closed polygon, dilated by half a pixel."""
    curve = _complex(points)
    arc = float(np.abs(curve[1:] - curve[:-1]).sum() + abs(curve[0] - curve[-1]))
    area = abs(signed_area(points))
    return arc + np.pi, area + arc / 2.0 + np.pi / 4.0


def signed_area(points: np.ndarray) -> float:
    """Compute the signed area of a polygon, positive if it turns from x towards y.

    Parameters
    ----------
    points : ndarray of shape (n, 2), float
        Corners of the polygon, in order.

    Returns
    -------
    float
        Area by the shoelace formula, in square units of the points.

    Examples
    --------
    >>> import numpy as np
    >>> signed_area(np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 3.0], [0.0, 3.0]]))
    6.0
    """
    curve = _complex(points)
    last, first = complex(curve[-1]), complex(curve[0])
    return 0.5 * (complex(np.vdot(curve[:-1], curve[1:])) + last.conjugate() * first).imag


DIAMETER = 160.0  # pixels; a network mesh of 1/40 of the lesion still spans 4
_ENLARGE = 8.0  # limits the enlargement of tiny lesions
_LONG_SIDE = 480.0  # bounds the work for thread-like masks
_MARGIN = 0.3  # skin around the lesion, in diameters
_SEEN = 192  # of 255; a resampled pixel is usable if three quarters of it are
_NEAR = 0.13  # smaller margin, for features of the border: pigment is sought up to 0.12
_SMALL = 2**20  # bytes; larger windows would take too much memory in float32
_MIN_SKIN = 64  # pixels; fewer do not represent the skin

# Properties of the whole cut-out, including skin, that its near part inherits.
_SHARED = ("skin_lab", "has_skin", "ground", "lab_inside", "lightness_levels", "lab_mean")
_SHARED += ("lab_centered", "moments", "axes")


@dataclass(eq=False, repr=False)
class LesionContext:
    """Resampled cut-out of a lesion, with shared intermediate results computed once.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB cut-out at measuring scale.
    mask : ndarray of shape (h, w), bool
        Lesion mask; holes and separate parts are kept.
    usable : ndarray of shape (h, w), bool
        True on hairless pixels inside the frame and the field of view.
    diagonal : float
        Diagonal of the frame in pixels of the cut-out.
    structures : ndarray of shape (5, h, w), float32, default=None
        Probabilities of dermoscopic structures, if a network has mapped them.
    window : tuple of four int, default=None
        Top, bottom, left and right of the cut-out in the image, which it may extend beyond.

    Attributes
    ----------
    diameter : float
        Diameter, in pixels, of the circle with the area of the mask.
    """

    image: np.ndarray
    mask: np.ndarray
    usable: np.ndarray
    diagonal: float
    structures: np.ndarray | None = None
    window: tuple[int, int, int, int] | None = None

    def __post_init__(self) -> None:
        self._hessians: dict[float, Curvature] = {}
        self.diameter = float(np.sqrt(4.0 * np.count_nonzero(self.mask) / np.pi))

    @cached_property
    def lab(self) -> np.ndarray:
        """CIE Lab, (h, w, 3) float32: L from 0 to 100, a and b from about -127 to 127."""
        return rgb_to_lab(self.image)

    @cached_property
    def lightness(self) -> np.ndarray:
        """Lightness L*, (h, w) float32."""
        return np.ascontiguousarray(self.lab[..., 0])

    @cached_property
    def inside(self) -> np.ndarray:
        """Lesion pixels on which colour is measured: the usable ones, or all if none are."""
        clean = self.mask & self.usable
        return clean if clean.any() else self.mask

    @cached_property
    def core(self) -> np.ndarray:
        """`inside` without the rim, or `inside` itself if nothing remains."""
        core = self.inside & (self.depth > 0.03)
        return core if core.any() else self.inside

    @cached_property
    def where(self) -> np.ndarray:
        """Indices of the pixels of `inside` in a flattened array, (n,) int, in row order.

        Taking pixels by index is many times faster than masking three channels.
        """
        return np.flatnonzero(self.inside)

    @cached_property
    def lab_inside(self) -> np.ndarray:
        """Lab of the pixels of `inside`, (3, n) float32, contiguous for fast sums."""
        return np.ascontiguousarray(self.lab.reshape(-1, 3).take(self.where, axis=0).T)

    @cached_property
    def rgb_inside(self) -> np.ndarray:
        """RGB of the pixels of `inside`, (n, 3) uint8."""
        return self.image.reshape(-1, 3).take(self.where, axis=0)

    @cached_property
    def lab_mean(self) -> np.ndarray:
        """Mean Lab of the pixels of `inside`, (3,) float."""
        return self.lab_inside.mean(axis=1, dtype=np.float32).astype(float)

    @cached_property
    def lab_centered(self) -> np.ndarray:
        """`lab_inside` minus its mean, (3, n) float32."""
        return self.lab_inside - self.lab_mean.astype(np.float32)[:, None]

    @cached_property
    def covariance(self) -> np.ndarray:
        """Covariance of Lab over the pixels of `inside`, (3, 3) float."""
        centered = self.lab_centered
        return (centered @ centered.T).astype(float) / centered.shape[1]

    @cached_property
    def lightness_levels(self) -> dict[int, float]:
        """Percentiles 1, 5, 50, 90, 95 and 99 of the lightness of the pixels of `inside`."""
        levels = (1, 5, 50, 90, 95, 99)
        return dict(zip(levels, percentiles(self.lab_inside[0], *levels), strict=True))

    @cached_property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the bounding box of the mask."""
        x, y, width, height = cv2.boundingRect(self.mask.view(np.uint8))
        return slice(y, y + height), slice(x, x + width)

    def around(self, pad: int) -> tuple[slice, slice]:
        """Return the rows and columns of the bounding box and its surroundings.

        Parameters
        ----------
        pad : int
            Number of pixels around the box.

        Returns
        -------
        tuple of two slices
            Rows and columns.
        """
        rows, columns = (slice(max(side.start - pad, 0), side.stop + pad) for side in self.box)
        return rows, columns

    @cached_property
    def depth(self) -> np.ndarray:
        """Distance, in diameters, to the nearest pixel outside the lesion; 0 outside."""
        # everything beyond the cut-out counts as outside
        own = self.mask[self.box].view(np.uint8)
        framed = cv2.copyMakeBorder(own, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
        distance = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1]
        depth = np.zeros(self.mask.shape, np.float32)
        np.multiply(distance, np.float32(1.0 / self.diameter), out=depth[self.box])
        return depth

    @cached_property
    def reach(self) -> np.ndarray:
        """Distance, in diameters, to the nearest lesion pixel; 0 inside."""
        distance = cv2.distanceTransform((~self.mask).view(np.uint8), cv2.DIST_L2, 3)
        distance *= np.float32(1.0 / self.diameter)
        return distance

    @cached_property
    def skin(self) -> np.ndarray:
        """Usable skin 0.08 to 0.3 diameters from the lesion; all False if there is too little."""
        ring = (self.reach > 0.08) & (self.reach < _MARGIN) & self.usable
        if np.count_nonzero(ring) < _MIN_SKIN:
            ring = (self.reach > 0.0) & self.usable
        return ring if np.count_nonzero(ring) >= _MIN_SKIN else np.zeros_like(ring)

    @cached_property
    def has_skin(self) -> bool:
        """Whether enough skin is visible around the lesion."""
        return bool(self.skin.any())

    @cached_property
    def skin_where(self) -> np.ndarray:
        """Indices of every n-th pixel of `skin`, at most 8192, which are enough for a median."""
        where = np.flatnonzero(self.skin)
        return where[:: 1 + len(where) // 8192]

    @cached_property
    def skin_pixels(self) -> np.ndarray:
        """Lab of the pixels at `skin_where`, (n, 3) float32."""
        return self.lab.reshape(-1, 3).take(self.skin_where, axis=0)

    @cached_property
    def skin_lab(self) -> np.ndarray:
        """Median Lab of the skin, (3,) float; NaN if no skin is visible."""
        if not self.has_skin:
            return np.full(3, np.nan)
        return np.array([median(channel) for channel in np.ascontiguousarray(self.skin_pixels.T)])

    @cached_property
    def ground(self) -> np.ndarray:
        """Lab of unpigmented skin, (3,); without skin, that of the lesion's lightest tenth.

        Pigment is thus defined even for a lesion that fills the frame.
        """
        if self.has_skin:
            return self.skin_lab
        light = self.lab_inside[:, self.lab_inside[0] >= self.lightness_levels[90]]
        return np.array([median(channel) for channel in light])

    @cached_property
    def center(self) -> tuple[float, float]:
        """Centroid (x, y) of the mask in pixels."""
        moments, (rows, columns) = self.moments, self.box
        area = moments["m00"]
        return columns.start + moments["m10"] / area, rows.start + moments["m01"] / area

    @cached_property
    def moments(self) -> dict[str, float]:
        """Image moments of the mask in its bounding box, named as in OpenCV."""
        return cv2.moments(self.mask[self.box].view(np.uint8))

    @cached_property
    def axes(self) -> tuple[float, float, float]:
        """Angle of the major principal axis in radians, and both axis lengths in pixels.

        Lengths are those of the ellipse with the second moments of the mask, as in regionprops.
        """
        m = self.moments
        xx, yy, xy = (m[k] / m["m00"] for k in ("mu20", "mu02", "mu11"))
        angle = 0.5 * np.arctan2(2.0 * xy, xx - yy)
        mean, half = (xx + yy) / 2.0, np.hypot((xx - yy) / 2.0, xy)
        # 1/12 is the second moment of a single pixel, whose axes are thus not 0
        major = 4.0 * float(np.sqrt(mean + half + 1.0 / 12.0))
        minor = 4.0 * float(np.sqrt(max(mean - half, 0.0) + 1.0 / 12.0))
        return float(angle), major, minor

    def places(self, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns and rows of pixels relative to the centroid.

        Parameters
        ----------
        where : ndarray of shape (n,), int
            Indices into the flattened cut-out.

        Returns
        -------
        dx, dy : ndarray of shape (n,), float32
            Offsets in pixels.
        """
        width = self.mask.shape[1]
        where = where.astype(np.int32)
        row = where // width
        column = where - row * width
        x, y = map(np.float32, self.center)
        return column.astype(np.float32) - x, row.astype(np.float32) - y

    def angle(self, where: np.ndarray) -> np.ndarray:
        """Return the direction from the centroid to pixels, counted from the major axis.

        Parameters
        ----------
        where : ndarray of shape (n,), int
            Indices into the flattened cut-out.

        Returns
        -------
        ndarray of shape (n,), int16
            Directions, 0 to 255 for a full turn.
        """
        if where.size == 0:
            return np.zeros(0, np.int16)
        turn = cv2.phase(*self.places(where), angleInDegrees=True).ravel()
        turn *= np.float32(256.0 / 360.0)
        turn += np.float32(512.0 - self.axes[0] * 128.0 / np.pi)  # positive for any axis
        return turn.astype(np.int16) & 255

    @cached_property
    def near(self) -> LesionContext:
        """Smaller cut-out: the bounding box of the mask and 0.13 diameters around it.

        This is enough for features of the lesion and its border, and halves the pixels.
        """
        part = self.around(int(np.ceil(_NEAR * self.diameter)) + 1)
        layers = (self.image, self.mask, self.usable, self.depth)
        image, mask, usable, depth = (np.ascontiguousarray(layer[part]) for layer in layers)
        structures = None if self.structures is None else self.structures[:, part[0], part[1]]
        near = LesionContext(image, mask, usable, self.diagonal, structures)
        near.lab, near.reach, near.depth = self.lab[part], self.reach[part], depth
        for name in _SHARED:
            setattr(near, name, getattr(self, name))
        near.near = near
        return near

    def hessian(self, sigma: float) -> Curvature:
        """Return the second derivatives of lightness, computed once per scale.

        Parameters
        ----------
        sigma : float
            Standard deviation of the Gaussian in pixels.

        Returns
        -------
        Curvature
            Eigenvalues and orientation at every pixel.
        """
        if sigma not in self._hessians:
            self._hessians[sigma] = curvature(self.lightness, sigma)
        return self._hessians[sigma]

    @cached_property
    def outline(self) -> Outline:
        """Outer contour of the largest part of the mask."""
        return trace_outline(self.mask, smooth=self.diameter / 80.0)


def cut_out(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    field_of_view: np.ndarray | None = None,
    hair: np.ndarray | None = None,
    structures: np.ndarray | None = None,
) -> LesionContext:
    """Cut a lesion out of its frame and resample it to measuring scale.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    mask : ndarray of shape (H, W), bool
        Lesion mask with at least one pixel.
    field_of_view : ndarray of shape (H, W), bool, default=None
        True on visible skin. If None, the whole image is used.
    hair : ndarray of shape (H, W), bool, default=None
        True on hair, which is excluded. If None, the image is assumed to be free of hair.
    structures : ndarray of shape (5, S, S), float32, default=None
        Probabilities of dermoscopic structures, with the image squashed to a square.

    Returns
    -------
    LesionContext
        Cut-out with an equivalent diameter of 160 pixels, unless the lesion is smaller than 20
        pixels (enlarged 8 times at most) or thread-like (long side 480 pixels at most).
    """
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    diameter = np.sqrt(4.0 * np.count_nonzero(mask) / np.pi)
    scale = min(DIAMETER / diameter, _ENLARGE, _LONG_SIDE / max(width, height))
    margin = int(np.ceil(max(_MARGIN * diameter, 2.0)))
    window = (y - margin, y + height + margin, x - margin, x + width + margin)
    size = tuple(max(1, round(n * scale)) for n in (width + 2 * margin, height + 2 * margin))
    how = cv2.INTER_AREA if size[0] < width + 2 * margin else cv2.INTER_LINEAR
    small = cv2.resize(_window(mask.view(np.uint8) * np.uint8(255), window), size, None, 0, 0, how)
    lesion = small > 127
    if not lesion.any():  # a thread thinner than one resampled pixel
        lesion = small >= max(1, small.max())
    if field_of_view is None and hair is None:
        usable = _framed(mask.shape, window, size, how)
    else:
        clear = np.ones(mask.shape, bool) if field_of_view is None else field_of_view
        clear = clear if hair is None else clear & ~hair
        clear = _window(clear.view(np.uint8) * np.uint8(255), window)
        usable = cv2.resize(clear, size, None, 0, 0, how) > _SEEN
    colors = _window(image, window, cv2.BORDER_REPLICATE)
    if how == cv2.INTER_AREA and colors.size <= _SMALL:
        # averaging takes a third less time in float32, which rounds to the same bytes
        colors = colors.astype(np.float32)
    colors = cv2.convertScaleAbs(cv2.resize(colors, size, None, 0, 0, how))
    diagonal = float(scale * np.hypot(*mask.shape))
    maps = None if structures is None else _cut_maps(structures, mask.shape, window, size)
    return LesionContext(colors, lesion, usable, diagonal, maps, window)


def _cut_maps(
    maps: np.ndarray,
    shape: tuple[int, int],
    window: tuple[int, int, int, int],
    size: tuple[int, int],
) -> np.ndarray:
    """Resample a window of the frame from maps of the frame squashed to a square."""
    top, bottom, left, right = window
    side = maps.shape[-1]
    step_x = side / shape[1] * (right - left) / size[0]
    step_y = side / shape[0] * (bottom - top) / size[1]
    x, y = left * side / shape[1] + step_x / 2 - 0.5, top * side / shape[0] + step_y / 2 - 0.5
    matrix = np.array([[step_x, 0.0, x], [0.0, step_y, y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    border = cv2.BORDER_REPLICATE
    return np.stack([cv2.warpAffine(one, matrix, size, None, flags, border) for one in maps])


def _framed(
    shape: tuple[int, int], window: tuple[int, int, int, int], size: tuple[int, int], how: int
) -> np.ndarray:
    """Return a mask of the pixels of a resampled window that lie inside the frame."""
    top, bottom, left, right = window
    if top >= 0 and left >= 0 and bottom <= shape[0] and right <= shape[1]:
        return np.ones(size[::-1], bool)
    rows = _window(np.full((shape[0], 1), 1.0, np.float32), (top, bottom, 0, 1))
    columns = _window(np.full((1, shape[1]), 1.0, np.float32), (0, 1, left, right))
    rows = cv2.resize(rows, (1, size[1]), None, 0, 0, how)
    columns = cv2.resize(columns, (size[0], 1), None, 0, 0, how)
    return rows * columns > np.float32(_SEEN / 255.0)


def _window(
    array: np.ndarray, window: tuple[int, int, int, int], border: int = cv2.BORDER_CONSTANT
) -> np.ndarray:
    """Crop a window, padded if it extends beyond the array."""
    top, bottom, left, right = window
    height, width = array.shape[:2]
    part = array[max(top, 0) : bottom, max(left, 0) : right]
    beyond = (max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    return cv2.copyMakeBorder(part, *beyond, border) if any(beyond) else part
