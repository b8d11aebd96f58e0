"""The outer contour of a mask as evenly spaced, smoothed points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion._opencv import cv2

__all__ = ["N_POINTS", "Outline", "signed_area", "smooth_curve", "trace_outline"]

N_POINTS = 256


@dataclass(frozen=True)
class Outline:
    """Outer contour of a mask's largest part.

    Lengths and areas are those of the border of the pixels, not of the line through their
    centres: half a pixel is added all around (Steiner's formula, exact for convex shapes).

    Parameters
    ----------
    points : ndarray of shape (256, 2), float
        Evenly spaced (x, y), smoothed by a Gaussian.
    perimeter, area : float
        In pixels and square pixels.
    hull_perimeter, hull_area : float
        The same of the convex hull.
    hull : ndarray of shape (k, 2), float
        Corners of the convex hull.
    """

    points: np.ndarray
    perimeter: float
    area: float
    hull_perimeter: float
    hull_area: float
    hull: np.ndarray

    @property
    def normals(self) -> np.ndarray:
        """Unit normals that point outwards, (256, 2)."""
        tangent = np.roll(self.points, -1, axis=0) - np.roll(self.points, 1, axis=0)
        length = np.maximum(np.hypot(*tangent.T), 1e-9)
        normal = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1) / length[:, None]
        # OpenCV walks outer contours in either sense depending on its version
        return normal if signed_area(self.points) > 0 else -normal


def trace_outline(mask: np.ndarray, *, smooth: float) -> Outline:
    """Trace the outer contour of the largest part of a mask.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool
        At least one pixel.
    smooth : float
        Standard deviation in pixels of the Gaussian along the contour that removes the stairs of
        the pixel grid.

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
    contours, _ = cv2.findContours(
        np.ascontiguousarray(mask).view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    chain = max(contours, key=lambda c: (cv2.contourArea(c), len(c)))[:, 0, :].astype(float)
    points = smooth_curve(_even(chain), smooth)
    hull = cv2.convexHull(points.astype(np.float32))[:, 0, :].astype(float)
    return Outline(points, *_size(points), *_size(hull), hull)


def _even(chain: np.ndarray) -> np.ndarray:
    """Resample a closed chain to `N_POINTS` points of equal spacing."""
    closed = np.vstack([chain, chain[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    at = np.linspace(0.0, length[-1], N_POINTS, endpoint=False)
    return np.stack([np.interp(at, length, closed[:, i]) for i in (0, 1)], axis=1)


def smooth_curve(points: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth an evenly spaced closed curve along itself, in the frequency domain.

    Parameters
    ----------
    points : ndarray of shape (n, 2), float
        The curve.
    sigma : float
        Standard deviation of the Gaussian, in the curve's own unit.

    Returns
    -------
    ndarray of shape (n, 2), float
        The smoothed curve.
    """
    step = np.hypot(*np.diff(points, axis=0).T).mean()
    if step == 0.0:
        return points
    frequency = np.fft.fftfreq(len(points), d=step)
    spectrum = np.fft.fft(points @ [1.0, 1.0j])
    curve = np.fft.ifft(spectrum * np.exp(-2.0 * (np.pi * sigma * frequency) ** 2))
    return np.stack([curve.real, curve.imag], axis=1)


def _size(points: np.ndarray) -> tuple[float, float]:
    """Perimeter and area of a closed polygon, grown by half a pixel."""
    arc = float(np.hypot(*(np.roll(points, -1, axis=0) - points).T).sum())
    area = abs(signed_area(points))
    return arc + np.pi, area + arc / 2.0 + np.pi / 4.0


def signed_area(points: np.ndarray) -> float:
    """Area of a polygon by the shoelace formula, positive when x turns towards y.

    Parameters
    ----------
    points : ndarray of shape (n, 2), float
        Its corners in order.

    Returns
    -------
    float
        In square units of the points.

    Examples
    --------
    >>> import numpy as np
    >>> signed_area(np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 3.0], [0.0, 3.0]]))
    6.0
    """
    x, y = points.T
    return 0.5 * float(x[:-1] @ y[1:] - x[1:] @ y[:-1] + x[-1] * y[0] - x[0] * y[-1])
