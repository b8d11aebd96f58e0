"""The lightness that skin would have at every pixel, under light that falls off smoothly."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

__all__ = ["lightness_of_skin", "median"]

# The surface is so smooth that a grid of about this many samples a side fixes it.
GRID = 40
N_REWEIGHTS = 5


def lightness_of_skin(lightness: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Fit a quadratic surface to the lightness of the skin, robust against a darker lesion.

    Parameters
    ----------
    lightness : ndarray of shape (h, w), float
        L* of every pixel.
    usable : ndarray of shape (h, w), bool
        Pixels that may be used for the fit.

    Returns
    -------
    ndarray of shape (h, w), float
        Expected L* of skin.

    Notes
    -----
    Iteratively reweighted least squares with Cauchy weights, twice as strict for pixels below the
    surface as for those above, since lesions are darker. A vignette bulges; if the fit dips in some
    direction it has followed the lesion, and a plane is fitted instead.
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
        # Weights enter squared, as they scale both sides; ridge keeps thin images solvable.
        scaled = rows * weights[:, None]
        gram = scaled.T @ scaled + 1e-6 * np.eye(rows.shape[1])
        surface = np.linalg.solve(gram, scaled.T @ (samples * weights))
        rest = samples - rows @ surface
        scale = max(2.0, 1.5 * median(np.abs(rest)))
        weights = 1 / (1 + (np.where(rest < 0, rest, rest / 2) / scale) ** 2)
    return surface


def median(values: np.ndarray) -> np.floating:
    """Median of finite values; np.median takes several times as long over a thousand.

    Parameters
    ----------
    values : ndarray of shape (n,), float
        At least one.

    Returns
    -------
    float
        Of the type of `values`.
    """
    middle = len(values) // 2
    if len(values) % 2:
        return np.partition(values, middle)[middle]
    ordered = np.partition(values, (middle - 1, middle))
    return (ordered[middle - 1] + ordered[middle]) / 2
