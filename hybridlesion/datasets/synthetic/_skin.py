"""Healthy skin: tone, mottling, skin lines, vessels and small spots."""

from __future__ import annotations

import numpy as np

from hybridlesion._optional_imports import cv2

__all__ = ["band_noise", "draw_skin", "fibre_noise", "smooth_noise", "smoothstep"]

# Standard deviation that white noise keeps after a Gaussian blur with sigma 1.
_BLURRED_SD = 0.2821


def smooth_noise(
    rng: np.random.Generator,
    shape: tuple[int, int],
    wavelength: float,
    *,
    octaves: int = 1,
    persistence: float = 0.5,
) -> np.ndarray:
    """Draw a smooth random field of about zero mean and unit standard deviation.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    shape : tuple of int
        (H, W) of the field in pixels.
    wavelength : float
        Typical distance between two bright spots, as a share of the long side.
    octaves : int, default=1
        Number of fields that are summed, each with half the wavelength of the one before.
    persistence : float, default=0.5
        Strength of each octave relative to the one before.

    Returns
    -------
    ndarray of shape (H, W), float32
        The field.

    Examples
    --------
    >>> smooth_noise(np.random.default_rng(0), (30, 40), 0.2).shape
    (30, 40)
    """
    weights = persistence ** np.arange(octaves)
    weights /= _BLURRED_SD * np.sqrt(np.sum(weights**2))
    total = None
    # From coarse to fine on ever larger grids, so that only the last one fills the picture.
    for octave, weight in enumerate(weights):
        grid = _white(rng, shape, step=wavelength / 2**octave / 4.5)
        grid = cv2.GaussianBlur(grid, (0, 0), 1.0) * np.float32(weight)
        total = grid if total is None else grid + _resize(total, grid.shape)
    return _resize(total, shape)


def band_noise(rng: np.random.Generator, shape: tuple[int, int], wavelength: float) -> np.ndarray:
    """Draw spots of about one size and spacing, with unit standard deviation.

    A difference of Gaussians of white noise: its bright spots lie as evenly as the holes of a
    pigment network or as globules do.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    shape : tuple of int
        (H, W) of the field in pixels.
    wavelength : float
        Spacing of the spots, as a share of the long side.

    Returns
    -------
    ndarray of shape (H, W), float32
        The field.
    """
    grid = _white(rng, shape, step=wavelength / 6.0)
    grid = cv2.GaussianBlur(grid, (0, 0), 1.2) - cv2.GaussianBlur(grid, (0, 0), 1.5)
    return _resize(grid / grid.std(), shape)


def fibre_noise(
    rng: np.random.Generator,
    shape: tuple[int, int],
    wavelength: float,
    *,
    stretch: float = 6.0,
    angle: float = 0.0,
) -> np.ndarray:
    """Draw noise drawn out along one direction, as skin lines and fibres are.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    shape : tuple of int
        (H, W) of the field in pixels.
    wavelength : float
        Spacing across the direction, as a share of the long side.
    stretch : float, default=6.0
        How many times longer the structures are than wide.
    angle : float, default=0.0
        Direction in radians.

    Returns
    -------
    ndarray of shape (H, W), float32
        The field.
    """
    height, width = shape
    long_side = max(shape)
    step = max(wavelength * long_side / 4.5, 1.0)
    # A square that covers the image in every rotation.
    side = 1.5 * long_side
    grid = rng.standard_normal(
        (int(side / step) + 2, int(side / step / stretch) + 2), dtype=np.float32
    )
    grid = cv2.GaussianBlur(grid, (0, 0), 1.0) / _BLURRED_SD
    turn = cv2.getRotationMatrix2D((0, 0), np.degrees(angle), 1.0)[:, :2]
    turn = turn @ np.diag([step * stretch, step])
    center = np.array([grid.shape[1] / 2, grid.shape[0] / 2])
    offset = np.array([width / 2, height / 2]) - turn @ center
    return cv2.warpAffine(
        grid,
        np.column_stack([turn, offset]),
        (width, height),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )


def smoothstep(field: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map `field` to 0 below `low`, 1 above `high`, smoothly in between.

    Parameters
    ----------
    field : ndarray
        Values.
    low, high : float
        Ends of the ramp.

    Returns
    -------
    ndarray
        3 t^2 - 2 t^3 with t = (field - low) / (high - low), cut to 0 and 1.

    Examples
    --------
    >>> smoothstep(np.array([0.0, 0.5, 2.0]), 0.0, 1.0)
    array([0. , 0.5, 1. ])
    """
    t = (field - low) * (1.0 / (high - low))
    np.clip(t, 0.0, 1.0, out=t)
    return t * t * (3.0 - 2.0 * t)


def _white(rng: np.random.Generator, shape: tuple[int, int], step: float) -> np.ndarray:
    """White noise on a grid with `step` of the long side between its points."""
    scale = 1.0 / (step * max(shape))
    grid = (max(int(np.ceil(shape[0] * scale)), 3), max(int(np.ceil(shape[1] * scale)), 3))
    return rng.standard_normal(grid, dtype=np.float32)


def _resize(grid: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    shrinks = grid.shape[0] > shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cv2.resize(grid, (shape[1], shape[0]), interpolation=method)


def draw_skin(
    tone: tuple[float, float, float], shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """Draw skin without a lesion.

    Parameters
    ----------
    tone : tuple of float
        Median Lab colour, L 0 to 100.
    shape : tuple of int
        (H, W) in pixels.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (H, W, 3), float32
        Lab image.
    """
    lab = np.empty((*shape, 3), np.float32)
    mottling = rng.uniform(0.5, 1.5)
    lightness = 1.1 * smooth_noise(rng, shape, 0.5) + 0.9 * smooth_noise(
        rng, shape, 0.09, octaves=4, persistence=0.7
    )
    redness = 1.1 * smooth_noise(rng, shape, 0.22, octaves=3, persistence=0.6)
    lab[..., 0] = (
        tone[0] + mottling * lightness - _skin_lines(shape, rng) - 0.6 * mottling * (redness)
    )
    lab[..., 1] = tone[1] + mottling * redness
    lab[..., 2] = tone[2] + mottling * (
        1.2 * smooth_noise(rng, shape, 0.3, octaves=5, persistence=0.6) - 0.15 * redness
    )
    if rng.random() < 0.45:
        _add_vessels(lab, rng)
    if rng.random() < 0.35:
        _add_spots(lab, rng)
    if rng.random() < 0.3:
        pores = smoothstep(band_noise(rng, shape, rng.uniform(0.02, 0.035)), 1.3, 2.4)
        lab[..., 0] += rng.uniform(1.0, 4.0) * pores
    return lab


def _skin_lines(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Depth, in L, of two crossing families of fine furrows."""
    depth = np.zeros(shape, np.float32)
    angle = rng.uniform(0, np.pi)
    strength = rng.gamma(2.0, 0.75)
    for turn, weight in ((0.0, 1.0), (rng.uniform(0.9, 1.6), 0.6)):
        fibres = fibre_noise(
            rng, shape, rng.uniform(0.007, 0.016), stretch=rng.uniform(4, 9), angle=angle + turn
        )
        patchy = 0.4 + smoothstep(smooth_noise(rng, shape, 0.3), -0.5, 1.5)
        depth += weight * strength * patchy * (smoothstep(np.abs(fibres), 0.9, 0.0) - 0.35)
    return depth


def _add_vessels(lab: np.ndarray, rng: np.random.Generator) -> None:
    """Redden `lab` along a few branching, blurred lines."""
    height, width = lab.shape[:2]
    layer = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(4, 22)):
        steps = rng.integers(10, 40)
        headings = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.35, steps))
        stride = max(height, width) * rng.uniform(0.004, 0.009)
        start = rng.uniform((0, 0), (width, height))
        path = start + np.cumsum(np.column_stack([np.cos(headings), np.sin(headings)]), 0) * stride
        cv2.polylines(
            layer,
            [np.round(path * 16).astype(np.int32)],
            False,
            int(rng.integers(80, 255)),
            max(1, round(max(height, width) * rng.uniform(0.0012, 0.004))),
            cv2.LINE_AA,
            4,
        )
    sigma = max(height, width) * rng.uniform(0.0015, 0.005)
    red = cv2.GaussianBlur(layer, (0, 0), sigma).astype(np.float32) / 255
    red *= rng.uniform(0.5, 1.2)
    lab[..., 0] -= 7 * red
    lab[..., 1] += 11 * red
    lab[..., 2] += 1.5 * red


def _add_spots(lab: np.ndarray, rng: np.random.Generator) -> None:
    """Scatter freckles and pale lentigines, also below the lesion to come."""
    shape = lab.shape[:2]
    field = smooth_noise(rng, shape, rng.uniform(0.05, 0.13), octaves=4, persistence=0.55)
    threshold = rng.uniform(1.1, 1.9)
    spots = smoothstep(field, threshold, threshold + 2.2) * rng.uniform(0.3, 1.1)
    lab += spots[..., None] * np.array([-12.0, 6.0, 10.0], np.float32)
