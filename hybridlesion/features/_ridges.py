"""Ridges, blobs and their orientation from second derivatives of a Gaussian."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hybridlesion._optional_imports import cv2

__all__ = ["Curvature", "curvature"]

_KERNELS = np.array(
    [
        [[1.0, 0.0, 1.0], [0.0, -4.0, 0.0], [1.0, 0.0, 1.0]],
        [[0.0, -2.0, 0.0], [2.0, 0.0, 2.0], [0.0, -2.0, 0.0]],
        [[1.0, 0.0, -1.0], [0.0, 0.0, 0.0], [-1.0, 0.0, 1.0]],
    ],
    np.float32,
)


@dataclass(frozen=True)
class Curvature:
    """Second derivatives of the smoothed image at one scale, times sigma squared.

    Parameters
    ----------
    smooth : ndarray of shape (h, w), float32
        The smoothed image itself.
    mean, half, mixed : ndarray of shape (h, w), float32
        ``(xx + yy) / 2``, ``(xx - yy) / 2`` and ``xy`` of the Hessian. Its eigenvalues are
        ``mean + root`` and ``mean - root``, their directions ``half / root`` and ``mixed / root``.

    Attributes
    ----------
    root : ndarray of shape (h, w), float32
        ``sqrt(half^2 + mixed^2)``.
    strong, weak : ndarray of shape (h, w), float32
        Larger and smaller eigenvalue of the Hessian by sign: both positive in a dark spot,
        ``strong`` positive and ``weak`` near zero on a dark line.
    """

    smooth: np.ndarray
    mean: np.ndarray
    half: np.ndarray
    mixed: np.ndarray

    @cached_property
    def root(self) -> np.ndarray:
        """Half the distance of the eigenvalues."""
        return cv2.magnitude(self.half, self.mixed)

    @cached_property
    def strong(self) -> np.ndarray:
        """Larger eigenvalue."""
        return cv2.add(self.mean, self.root)

    @cached_property
    def weak(self) -> np.ndarray:
        """Smaller eigenvalue."""
        return cv2.subtract(self.mean, self.root)

    @cached_property
    def dark_line(self) -> np.ndarray:
        """``strong - |weak|``: large on dark lines, small on spots and saddles."""
        # min(strong - weak, strong + weak)
        return 2.0 * cv2.min(self.root, self.mean)

    @cached_property
    def light_line(self) -> np.ndarray:
        """``-weak - |strong|``: the same of light lines."""
        return 2.0 * cv2.min(self.root, -self.mean)

    def across(self, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Direction across the line (of `strong`) at some pixels.

        Parameters
        ----------
        where : ndarray of shape (n,), int
            Positions in the flattened image.

        Returns
        -------
        cos, sin : ndarray of shape (n,), float32
            Of twice the angle, so that the sign of the direction does not matter.
        """
        root, half, mixed = (
            layer.ravel().take(where) for layer in (self.root, self.half, self.mixed)
        )
        root = np.maximum(root, 1e-6)
        return half / root, mixed / root


def curvature(image: np.ndarray, sigma: float, *, smoothed: float = 0.0) -> Curvature:
    """Filter an image with steerable second derivatives of a Gaussian.

    Parameters
    ----------
    image : ndarray of shape (h, w), float32
        For example lightness.
    sigma : float
        Standard deviation of the Gaussian in pixels.
    smoothed : float, default=0.0
        Standard deviation of a Gaussian that has smoothed the image already; less than `sigma`.

    Returns
    -------
    Curvature
        Eigenvalues and direction of the Hessian: the response of the best of all orientations,
        in closed form.

    References
    ----------
    Freeman and Adelson 1991, IEEE Trans. PAMI 13; Lindeberg 1998, IJCV 30.
    """
    blur = float(np.sqrt(sigma * sigma - smoothed * smoothed))
    smooth = cv2.GaussianBlur(image, (0, 0), blur, borderType=cv2.BORDER_REPLICATE)
    scale = sigma * sigma / 4.0
    # Sobel's xx + yy, xx - yy and xy at once
    mean, half, mixed = (
        cv2.filter2D(smooth, cv2.CV_32F, kernel * np.float32(scale)) for kernel in _KERNELS
    )
    return Curvature(smooth, mean, half, mixed)
