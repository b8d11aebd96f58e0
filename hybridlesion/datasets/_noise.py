"""Random fields for drawing: lengths are shares of the image's long side, whatever its size."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2

__all__ = ["band_noise", "fibre_noise", "smooth_noise", "smoothstep"]

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
