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
    parts : int
        Connected parts of the mask.
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
        """Unit normals that point outwards, (256, 2)."""
        curve = _complex(self.points)
        tangent = np.empty_like(curve)
        tangent[1:-1] = curve[2:] - curve[:-2]
        tangent[0], tangent[-1] = curve[1] - curve[-1], curve[0] - curve[-2]
        # OpenCV walks outer contours in either sense depending on its version
        outwards = -1j if signed_area(self.points) > 0 else 1j
        return _pairs(tangent * outwards / np.maximum(np.abs(tangent), 1e-9))


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
    contours, ((*family,),) = cv2.findContours(
        np.ascontiguousarray(mask).view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    # what has a parent is the border of a hole
    outer = [contour for contour, links in zip(contours, family, strict=True) if links[3] < 0]
    chain = max(outer, key=lambda c: (cv2.contourArea(c), len(c)))[:, 0, :]
    points = smooth_curve(_even(chain), smooth)
    hull = cv2.convexHull(points.astype(np.float32))[:, 0, :].astype(float)
    return Outline(points, *_size(points), *_size(hull), hull, len(outer))


def _even(chain: np.ndarray) -> np.ndarray:
    """Resample a closed chain to `N_POINTS` points of equal spacing."""
    closed = np.append(_complex(chain.astype(float)), complex(*chain[0].tolist()))
    length = np.zeros(len(closed))
    np.abs(closed[1:] - closed[:-1]).cumsum(out=length[1:])
    at = np.arange(N_POINTS) * (length[-1] / N_POINTS)
    return _pairs(np.interp(at, length, closed))


def _complex(points: np.ndarray) -> np.ndarray:
    """Points (x, y) as x + iy, (n,), and back: half as many calls for all that follows."""
    return np.ascontiguousarray(points).view(complex)[:, 0]


def _pairs(curve: np.ndarray) -> np.ndarray:
    return curve.view(float).reshape(-1, 2)


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
    curve = _complex(points)
    step = np.abs(curve[1:] - curve[:-1]).mean()
    if step == 0.0:
        return points
    damping = np.fft.fftfreq(len(points), d=float(step) / (np.pi * sigma))
    damping *= damping
    damping *= -2.0
    return _pairs(np.fft.ifft(np.fft.fft(curve) * np.exp(damping)))


def _size(points: np.ndarray) -> tuple[float, float]:
    """Perimeter and area of a closed polygon, grown by half a pixel."""
    curve = _complex(points)
    arc = float(np.abs(curve[1:] - curve[:-1]).sum() + abs(curve[0] - curve[-1]))
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
    curve = _complex(points)
    last, first = complex(curve[-1]), complex(curve[0])
    return 0.5 * (complex(np.vdot(curve[:-1], curve[1:])) + last.conjugate() * first).imag
