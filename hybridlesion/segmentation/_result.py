"""What a segmenter returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["FLAGS", "Segmentation"]

FLAGS = ("empty", "touches_border", "several", "fills_frame", "unrefined")


@dataclass(frozen=True)
class Segmentation:
    """A lesion mask and what is known about it; all arrays have the image's size.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool
        True on the lesion; all False if none was found.
    confidence : float
        0 to 1; low values mark masks that are likely to be wrong, 0 an empty one.
    flags : tuple of str
        Any of "empty" (no lesion found), "touches_border" (the lesion leaves the field of view),
        "several" (another region looks almost as much like a lesion), "fills_frame" (hardly any
        skin is left to compare with) and "unrefined" (the refiner saw no lesion, so the mask is
        the classical one).
    hair : ndarray of shape (H, W), bool
        True on hair.
    field_of_view : ndarray of shape (H, W), bool
        False in dark corners and black borders.
    likelihood : ndarray of shape (H, W), float32
        0 to 1, how strongly the competing candidates claim each pixel, or the refiner's
        probability.
    """

    mask: np.ndarray
    confidence: float
    flags: tuple[str, ...]
    hair: np.ndarray
    field_of_view: np.ndarray
    likelihood: np.ndarray
