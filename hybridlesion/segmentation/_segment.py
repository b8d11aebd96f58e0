"""The door to all segmenters, by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hybridlesion._validation import check_choice, check_image
from hybridlesion.segmentation._classical import segment_classical
from hybridlesion.segmentation._result import Segmentation

__all__ = ["SEGMENTERS", "segment", "segment_details"]

_SEGMENTERS: dict[str, Callable[[np.ndarray], Segmentation]] = {"classical": segment_classical}

SEGMENTERS = tuple(_SEGMENTERS)


def segment(image: np.ndarray, *, segmenter: str = "classical") -> np.ndarray:
    """Find the lesion in a dermoscopic image.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image of any size.
    segmenter : {"classical"}, default="classical"
        Which segmenter to use, one of SEGMENTERS.

    Returns
    -------
    ndarray of shape (H, W), bool
        True on the lesion; all False if there is none to be found.

    Raises
    ------
    ImageError
        If the image is not an RGB uint8 array.
    ValueError
        If the segmenter is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((120, 160, 3), (225, 180, 160), np.uint8)
    >>> rows, columns = np.mgrid[:120, :160]
    >>> lesion = np.hypot(rows - 60, columns - 80) < 30
    >>> image[lesion] = (110, 70, 50)
    >>> mask = segment(image)
    >>> bool((mask & lesion).sum() / (mask | lesion).sum() > 0.8)
    True
    """
    return segment_details(image, segmenter=segmenter).mask


def segment_details(image: np.ndarray, *, segmenter: str = "classical") -> Segmentation:
    """Find the lesion and say how sure the finding is.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image of any size.
    segmenter : {"classical"}, default="classical"
        Which segmenter to use, one of SEGMENTERS.

    Returns
    -------
    Segmentation
        Mask, confidence, flags, hair, field of view and likelihood.

    Raises
    ------
    ImageError
        If the image is not an RGB uint8 array.
    ValueError
        If the segmenter is unknown.

    Examples
    --------
    >>> import numpy as np
    >>> details = segment_details(np.zeros((40, 60, 3), np.uint8))
    >>> details.flags, details.confidence
    (('empty',), 0.0)
    """
    image = check_image(image)
    return _SEGMENTERS[check_choice("segmenter", segmenter, SEGMENTERS)](image)
