"""The door to all segmenters, by name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_choice, check_image, check_mask
from hybridlesion.segmentation._classical import segment_classical
from hybridlesion.segmentation._result import Segmentation
from hybridlesion.segmentation.refiner import SHIPPED_WEIGHTS, check_refiner, segment_batch

__all__ = [
    "SEGMENTERS",
    "check_segmenter",
    "draw_overlay",
    "segment",
    "segment_details",
    "segment_many",
    "segmenter_digest",
]

SEGMENTERS = ("classical", "refined") if SHIPPED_WEIGHTS.is_file() else ("classical",)

_WEIGHT_SUFFIX = ".safetensors"


def check_segmenter(segmenter: str) -> str:
    """Make sure that a segmenter can be used.

    Parameters
    ----------
    segmenter : str
        One of SEGMENTERS, or a refiner's weight file ending in ``.safetensors``.

    Returns
    -------
    str
        `segmenter`.

    Raises
    ------
    ValueError
        If the name is unknown.
    SourceError
        If there is no such weight file.
    ArtifactError
        If the file is no refiner's.

    Examples
    --------
    >>> check_segmenter("classical")
    'classical'
    """
    if str(segmenter).endswith(_WEIGHT_SUFFIX):
        check_refiner(segmenter)
        return segmenter
    return check_choice("segmenter", segmenter, SEGMENTERS)


def segment(image: np.ndarray, *, segmenter: str = "classical") -> np.ndarray:
    """Find the lesion in a dermoscopic image.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image of any size.
    segmenter : str, default="classical"
        One of SEGMENTERS ("refined" is among them where its weights are installed), or a weight
        file that ``hybridlesion train-refiner`` wrote.

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
    SourceError
        If it is a weight file that is not there.

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
    segmenter : str, default="classical"
        One of SEGMENTERS ("refined" is among them where its weights are installed), or a weight
        file that ``hybridlesion train-refiner`` wrote.

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
    SourceError
        If it is a weight file that is not there.

    Examples
    --------
    >>> import numpy as np
    >>> details = segment_details(np.zeros((40, 60, 3), np.uint8))
    >>> details.flags, details.confidence
    (('empty',), 0.0)
    """
    (details,) = segment_many([image], segmenter=segmenter)
    return details


def segment_many(
    images: Sequence[np.ndarray], *, segmenter: str = "classical"
) -> list[Segmentation]:
    """Find the lesions in many images; a network sees several at once.

    Parameters
    ----------
    images : sequence of ndarray of shape (H, W, 3), uint8
        RGB images of any size, which may differ.
    segmenter : str, default="classical"
        One of SEGMENTERS, or a weight file that ``hybridlesion train-refiner`` wrote.

    Returns
    -------
    list of Segmentation
        One an image, in order, each as `segment_details` gives it.

    Raises
    ------
    ImageError
        If an image is not an RGB uint8 array.
    ValueError
        If the segmenter is unknown.
    SourceError
        If it is a weight file that is not there.

    Examples
    --------
    >>> import numpy as np
    >>> [details.flags for details in segment_many([np.zeros((40, 60, 3), np.uint8)] * 2)]
    [('empty',), ('empty',)]
    """
    images = [check_image(image) for image in images]
    segmenter = check_segmenter(segmenter)
    if segmenter == "classical":
        return [segment_classical(image) for image in images]
    weights = SHIPPED_WEIGHTS if segmenter == "refined" else segmenter
    return segment_batch(images, weights=weights)


def segmenter_digest(segmenter: str) -> str | None:
    """Tell two refiners apart that go by the same name.

    Parameters
    ----------
    segmenter : str
        One of SEGMENTERS, or a weight file.

    Returns
    -------
    str or None
        SHA-256 of the weight file, 64 hexadecimal digits; None for "classical", which has none.

    Raises
    ------
    ValueError
        If the name is unknown.
    SourceError
        If there is no such weight file.

    Examples
    --------
    >>> segmenter_digest("classical") is None
    True
    """
    if check_segmenter(segmenter) == "classical":
        return None
    path = SHIPPED_WEIGHTS if segmenter == "refined" else Path(segmenter)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def draw_overlay(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    color: tuple[int, int, int] = (0, 255, 200),
    width: int | None = None,
) -> np.ndarray:
    """Draw the contour of a mask onto a copy of the image.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    mask : ndarray of shape (H, W), bool
        Lesion mask.
    color : tuple of int, default=(0, 255, 200)
        RGB colour of the line. A dark rim on both sides keeps it visible on any skin.
    width : int, default=None
        Line width in pixels, at least 1; None takes 1/180 of the long side.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        The drawing. An empty mask leaves the image as it is.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((40, 40, 3), 200, dtype=np.uint8)
    >>> mask = np.zeros((40, 40), dtype=bool)
    >>> mask[10:30, 10:30] = True
    >>> drawn = draw_overlay(image, mask)
    >>> bool((drawn[10, 20] != 200).any()), bool((drawn[20, 20] == 200).all())
    (True, True)
    """
    drawn = check_image(image).copy()
    mask = check_mask(mask, image.shape[:2])
    line = max(1, round(max(mask.shape) / 180)) if width is None else width
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    rim = max(2, line)
    cv2.drawContours(drawn, outlines, -1, (20, 20, 20), line + rim, cv2.LINE_AA)
    cv2.drawContours(drawn, outlines, -1, color, line, cv2.LINE_AA)
    return drawn
