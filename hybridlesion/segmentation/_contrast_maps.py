"""Grey maps of the contrast between lesion and skin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hybridlesion._optional_imports import cv2

# Samples per side to which a surface is fitted; since it is smooth, a coarse grid is enough.
GRID = 40
N_REWEIGHTS = 5


def _skin_lightness(lightness: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Estimate L* of skin by a quadratic surface, fitted robustly in spite of a darker lesion.

    The fit is iteratively reweighted least squares with Cauchy weights, twice as strict below the
    surface as above it, because lesions are darker. A vignette is concave; a fit that is convex in
    some direction has followed the lesion and is replaced by a plane.
    """
    step = max(1, max(lightness.shape) // GRID)
    basis = _basis(lightness.shape)
    picked = usable[::step, ::step]
    samples = lightness[::step, ::step][picked].astype(float)
    if len(samples) < 30:
        fallback = np.median(lightness[usable]) if usable.any() else np.median(lightness)
        return np.full(lightness.shape, float(fallback))
    rows = basis[::step, ::step][picked]
    surface = _fit(rows, samples)
    _, _, _, xx, yy, xy = surface
    if np.linalg.eigvalsh([[2 * xx, xy], [xy, 2 * yy]]).max() > 0:
        surface = np.append(_fit(rows[:, :3], samples), np.zeros(3))
    return basis @ surface


@lru_cache(maxsize=4)
def _basis(shape: tuple[int, int]) -> np.ndarray:
    y, x = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1)


def _fit(rows: np.ndarray, samples: np.ndarray) -> np.ndarray:
    weights = np.ones(len(samples))
    for _ in range(N_REWEIGHTS):
        # Weights scale both sides and enter squared; the ridge keeps thin images solvable.
        scaled = rows * weights[:, None]
        gram = scaled.T @ scaled + 1e-6 * np.eye(rows.shape[1])
        surface = np.linalg.solve(gram, scaled.T @ (samples * weights))
        rest = samples - rows @ surface
        scale = max(2.0, 1.5 * _median(np.abs(rest)))
        weights = 1 / (1 + (np.where(rest < 0, rest, rest / 2) / scale) ** 2)
    return surface


def _median(values: np.ndarray) -> np.floating:
    """Median of finite values, in the dtype of `values`; several times faster than np.median."""
    middle = len(values) // 2
    if len(values) % 2:
        return np.partition(values, middle)[middle]
    ordered = np.partition(values, (middle - 1, middle))
    return (ordered[middle - 1] + ordered[middle]) / 2


# Width, as a share of the long side, of the ring along the rim of the field of view in which the
# colour of skin is measured.
RING_SHARE = 0.10


@dataclass(frozen=True)
class ContrastMaps:
    """Contrast maps of one image and the reference values behind them.

    Parameters
    ----------
    usable : ndarray of shape (h, w), bool
        Field of view without markers, in which all statistics are computed.
    field_of_view : ndarray of shape (h, w), bool
        The frame without dark corners.
    markers : ndarray of shape (h, w), bool
        Ink and stickers.
    lab : ndarray of shape (h, w, 3), float32
        CIE L*a*b*, slightly smoothed.
    skin : ndarray of shape (3,), float32
        L*a*b* of the surrounding skin.
    maps : dict of str to ndarray of shape (h, w), uint8
        Maps ``blue``, ``shadow``, ``saturation`` and ``distance``, with high values in the lesion.
    """

    usable: np.ndarray
    field_of_view: np.ndarray
    markers: np.ndarray
    lab: np.ndarray
    skin: np.ndarray
    maps: dict[str, np.ndarray]


def compute_contrast_maps(
    image: np.ndarray, field_of_view: np.ndarray, markers: np.ndarray
) -> ContrastMaps:
    """Compute the maps that are thresholded to obtain candidate masks.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB image after hair removal.
    field_of_view : ndarray of shape (h, w), bool
        False in dark corners.
    markers : ndarray of shape (h, w), bool
        True on ink and stickers.

    Returns
    -------
    ContrastMaps
        Maps and reference values.

    Notes
    -----
    ``blue`` is 255 - B, because pigment absorbs blue light most. ``shadow`` is the drop of L* below
    the lightness of skin, which is modelled over the frame to allow for uneven illumination.
    ``saturation`` is that of HSV. ``distance`` is sqrt(max(shadow, 0)**2 + da**2 + db**2 / 2),
    where da and db are the differences from the colour of skin.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0)
    lab = cv2.cvtColor(smooth.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    usable = field_of_view & ~markers
    skin = _skin_color(lab, field_of_view, usable)
    shadow = (_skin_lightness(lab[..., 0], field_of_view) - lab[..., 0]).astype(np.float32)
    red, yellow = ((lab[..., channel] - skin[channel]) ** 2 for channel in (1, 2))
    distance = np.sqrt(np.maximum(shadow, 0) ** 2 + red + yellow / 2)
    maps = {
        "blue": 255 - smooth[..., 2],
        "shadow": np.clip(128 + 4 * shadow, 0, 255).astype(np.uint8),
        "saturation": cv2.cvtColor(smooth, cv2.COLOR_RGB2HSV)[..., 1],
        "distance": np.clip(3 * distance, 0, 255).astype(np.uint8),
    }
    return ContrastMaps(usable, field_of_view, markers, lab, skin, maps)


def _skin_color(lab: np.ndarray, field_of_view: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Median colour of the lighter pixels in a ring along the rim of the field of view."""
    field = field_of_view.astype(np.uint8)
    framed = cv2.copyMakeBorder(field, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1]
    ring = usable & (depth <= RING_SHARE * max(usable.shape))
    if not ring.any():
        ring = field_of_view
    if not ring.any():
        return lab.reshape(-1, 3).mean(axis=0)
    # Contiguous channels: medians of strided columns take twice as long.
    colors = np.ascontiguousarray(lab.reshape(-1, 3)[np.flatnonzero(ring)].T)
    # A lesion that reaches the rim is darker than skin; a tolerance of 5 L* keeps its texture.
    bright = colors[:, colors[0] >= _median(colors[0]) - 5]
    return np.array([_median(channel) for channel in bright])
