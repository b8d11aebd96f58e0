"""Ridges, blobs and their orientation from second derivatives of a Gaussian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion._opencv import cv2

__all__ = ["Curvature", "curvature"]


@dataclass(frozen=True)
class Curvature:
    """Second derivatives of the smoothed image at one scale, times sigma squared.

    Parameters
    ----------
    strong, weak : ndarray of shape (h, w), float32
        Larger and smaller eigenvalue of the Hessian by sign: both positive in a dark spot,
        ``strong`` positive and ``weak`` near zero on a dark line.
    across_x, across_y : ndarray of shape (h, w), float32
        Unit vector across the line (direction of `strong`), up to sign, as the double-angle pair
        ``(cos 2t, sin 2t)``.
    """

    strong: np.ndarray
    weak: np.ndarray
    across_x: np.ndarray
    across_y: np.ndarray


def curvature(image: np.ndarray, sigma: float) -> Curvature:
    """Filter an image with steerable second derivatives of a Gaussian.

    Parameters
    ----------
    image : ndarray of shape (h, w), float32
        For example lightness.
    sigma : float
        Standard deviation of the Gaussian in pixels.

    Returns
    -------
    Curvature
        Eigenvalues and direction of the Hessian: the response of the best of all orientations,
        in closed form.

    References
    ----------
    Freeman and Adelson 1991, IEEE Trans. PAMI 13; Lindeberg 1998, IJCV 30.
    """
    smooth = cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    scale = sigma * sigma
    xx = cv2.Sobel(smooth, cv2.CV_32F, 2, 0, ksize=3, scale=scale / 4.0)
    yy = cv2.Sobel(smooth, cv2.CV_32F, 0, 2, ksize=3, scale=scale / 4.0)
    xy = cv2.Sobel(smooth, cv2.CV_32F, 1, 1, ksize=3, scale=scale / 4.0)
    mean, half = (xx + yy) * 0.5, (xx - yy) * 0.5
    root = cv2.magnitude(half, xy)
    safe = np.maximum(root, 1e-6)
    return Curvature(mean + root, mean - root, half / safe, xy / safe)
