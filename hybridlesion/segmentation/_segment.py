"""Segmentation by a named segmenter."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hybridlesion._former_names import REMOVED_IN
from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_choice, check_image, check_mask
from hybridlesion.exceptions import ImageError
from hybridlesion.segmentation._classical import Segmentation, extent_flags, segment_classical
from hybridlesion.segmentation.refiner import SHIPPED_WEIGHTS, check_refiner, segment_refined

SEGMENTERS = ("classical", "refined") if SHIPPED_WEIGHTS.is_file() else ("classical",)


def check_segmenter(segmenter: str) -> str:
    """Check that a segmenter exists.

    Parameters
    ----------
    segmenter : str
        One of SEGMENTERS, or the weight file of a refiner, which ends in ``.safetensors``.

    Returns
    -------
    str
        `segmenter`.

    Raises
    ------
    ValueError
        If the name is unknown.
    SourceError
        If the weight file does not exist.
    ArtifactError
        If the file does not contain a refiner.

    Examples
    --------
    >>> check_segmenter("classical")
    'classical'
    """
    if str(segmenter).endswith(".safetensors"):
        check_refiner(segmenter)
        return segmenter
    return check_choice("segmenter", segmenter, SEGMENTERS)


def segment(image: np.ndarray, *, segmenter: str = "refined") -> np.ndarray:
    """Segment the lesion in a dermoscopic image.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image of any size.
    segmenter : str, default="refined"
        One of SEGMENTERS ("refined" is available if its weights are installed), or a weight file
        written by ``hybridlesion train-refiner``.

    Returns
    -------
    ndarray of shape (H, W), bool
        True on the lesion; all False if none was found.

    Raises
    ------
    ImageError
        If the image is not an RGB uint8 array.
    ValueError
        If the segmenter is unknown.
    SourceError
        If the weight file does not exist.

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


def segment_details(image: np.ndarray, *, segmenter: str = "refined") -> Segmentation:
    """Segment the lesion, with confidence, flags and intermediate masks.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image of any size.
    segmenter : str, default="refined"
        One of SEGMENTERS ("refined" is available if its weights are installed), or a weight file
        written by ``hybridlesion train-refiner``.

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
        If the weight file does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> details = segment_details(np.zeros((40, 60, 3), np.uint8))
    >>> details.flags, details.confidence
    (('empty',), 0.0)
    """
    image = check_image(image)
    if check_segmenter(segmenter) == "classical":
        return segment_classical(image)
    return segment_refined(image, weights=_weights(segmenter))


def segment_many(images: Sequence[np.ndarray], *, segmenter: str = "refined") -> list[Segmentation]:
    """Segment the lesions of many images; deprecated, call `segment_details` for each image.

    Parameters
    ----------
    images : sequence of ndarray of shape (H, W, 3), uint8
        RGB images; sizes may differ.
    segmenter : str, default="refined"
        See `segment_details`.

    Returns
    -------
    list of Segmentation
        One per image, in order.
    """
    warnings.warn(
        f"segment_many will be removed in {REMOVED_IN}; call segment_details for each image.",
        FutureWarning,
        stacklevel=2,
    )
    return [segment_details(image, segmenter=segmenter) for image in images]


def _weights(segmenter: str) -> Path:
    return SHIPPED_WEIGHTS if segmenter == "refined" else Path(segmenter)


def segmenter_digest(segmenter: str) -> str | None:
    """Hash the weights of a segmenter.

    Parameters
    ----------
    segmenter : str
        One of SEGMENTERS, or a weight file.

    Returns
    -------
    str or None
        SHA-256 of the weight file, as 64 hexadecimal digits; None for "classical", which has no
        weights.

    Raises
    ------
    ValueError
        If the name is unknown.
    SourceError
        If the weight file does not exist.

    Examples
    --------
    >>> segmenter_digest("classical") is None
    True
    """
    if check_segmenter(segmenter) == "classical":
        return None
    return hashlib.sha256(_weights(segmenter).read_bytes()).hexdigest()


_FLAGS = {
    "empty": "no lesion was found",
    "touches_border": "the lesion extends beyond the field of view",
    "several": "another region is almost as likely a lesion",
    "fills_frame": "there is little surrounding skin for comparison",
    "unrefined": "the refiner found no lesion or was too uncertain, so the classical mask was kept",
}


def flag_words(flags: Sequence[str]) -> str:
    """Describe the flags of a segmentation.

    Parameters
    ----------
    flags : sequence of str
        Flags of `Segmentation`.

    Returns
    -------
    str
        A sentence, or an empty string without flags.

    Examples
    --------
    >>> flag_words(("touches_border", "several"))
    'The lesion extends beyond the field of view; another region is almost as likely a lesion.'
    """
    words = "; ".join(_FLAGS.get(flag, flag.replace("_", " ")) for flag in flags)
    return f"{words[0].upper()}{words[1:]}." if words else ""


def soft_mask(details: Segmentation) -> np.ndarray:
    """Return values whose contour at one half is the outline, to a fraction of a pixel.

    Parameters
    ----------
    details : Segmentation
        Segmentation of an image.

    Returns
    -------
    ndarray of shape (H, W), float32
        The probability given by the refiner, or the mask with a slope at its boundary if it is of
        another origin; 0 to 1.

    Examples
    --------
    >>> import numpy as np
    >>> soft_mask(segment_details(np.zeros((40, 60, 3), np.uint8))).max()
    np.float32(0.0)
    """
    visible = details.field_of_view
    if np.array_equal((details.likelihood > 0.5) & visible, details.mask):
        return np.where(visible, details.likelihood, np.float32(0))
    # A little blur turns the steps of the boundary into a slope.
    return cv2.GaussianBlur(details.mask.astype(np.float32), (0, 0), 1.0)


def enlarge_mask(details: Segmentation, size: tuple[int, int]) -> np.ndarray:
    """Return the mask at the resolution of the photograph, with a smooth boundary.

    Parameters
    ----------
    details : Segmentation
        Segmentation at a lower resolution.
    size : tuple of int
        Height and width of the photograph, in pixels.

    Returns
    -------
    ndarray of shape `size`, bool
        The mask; the boundary runs between the pixels of the lower resolution instead of along
        their edges.

    Examples
    --------
    >>> import numpy as np
    >>> half = np.zeros((60, 60), bool); half[:, :30] = True
    >>> all_of_it = np.ones((60, 60), bool)
    >>> details = Segmentation(half, 1.0, (), ~all_of_it, all_of_it, half.astype(np.float32))
    >>> large = enlarge_mask(details, (600, 800))
    >>> large.shape, round(float(large.mean()), 2)
    ((600, 800), 0.5)
    """
    mask, ends = details.mask, (size[1], size[0])
    if mask.shape == tuple(size):
        return mask
    large = cv2.resize(soft_mask(details), ends, interpolation=cv2.INTER_CUBIC) > 0.5
    if mask.any() and not large.any():  # a thread that the blur has dissolved
        return cv2.resize(mask.astype(np.uint8), ends, interpolation=cv2.INTER_NEAREST) > 0
    return large


def trace_outline(soft: np.ndarray, tolerance: float = 0.1) -> list[np.ndarray]:
    """Trace the contours at one half, to a fraction of a pixel.

    Parameters
    ----------
    soft : ndarray of shape (H, W), float32
        Values from 0 to 1, for example those of `soft_mask`.
    tolerance : float, default=0.1
        Largest distance between a contour and its simplification, in pixels.

    Returns
    -------
    list of ndarray of shape (n, 2), float32
        Points (x, y) of each contour, the largest first; the centre of the first pixel is at
        (0.5, 0.5). Contours that meet the frame follow it.

    Examples
    --------
    >>> import numpy as np
    >>> soft = np.zeros((8, 9), np.float32); soft[2:5, 3:7] = 1
    >>> outline, = trace_outline(soft)
    >>> outline.min(axis=0).tolist(), outline.max(axis=0).tolist()
    ([3.0, 2.0], [7.0, 5.0])
    """
    from skimage.measure import find_contours

    found = find_contours(np.pad(soft, 1), 0.5)
    lines = (cv2.approxPolyDP(one[:, ::-1].astype(np.float32), tolerance, True) for one in found)
    height, width = soft.shape
    # The padding adds one pixel, and the contours refer to centres of pixels.
    frame = np.array((width, height), np.float32)
    placed = [np.clip(line[:, 0] - np.float32(0.5), 0, frame) for line in lines if len(line) > 2]
    return sorted(placed, key=cv2.contourArea, reverse=True)


def replace_mask(
    details: Segmentation, mask: np.ndarray, size: tuple[int, int] | None = None
) -> Segmentation:
    """Replace the mask of a segmentation with a given one.

    Parameters
    ----------
    details : Segmentation
        Segmentation of the image at the scale of the analysis.
    mask : ndarray of shape (H, W), bool
        Mask with the size of the photograph, or with that of the analysis.
    size : tuple of int, default=None
        Height and width of the photograph, in pixels. If None, they are those of the analysis.

    Returns
    -------
    Segmentation
        Segmentation with the mask at the scale of the analysis, its flags and confidence 1. Hair,
        field of view and structures are kept.

    Raises
    ------
    ImageError
        If the mask has another size, or is not two-dimensional.

    Examples
    --------
    >>> import numpy as np
    >>> details = segment_details(np.full((40, 60, 3), 200, np.uint8))
    >>> large = np.zeros((80, 120), bool)
    >>> large[20:60, 30:90] = True
    >>> given = replace_mask(details, large, size=(80, 120))
    >>> given.mask.shape, given.mask.sum(), given.flags
    ((40, 60), np.int64(600), ())
    """
    shape, mask = details.mask.shape, np.asarray(mask)
    size = shape if size is None else tuple(size)
    if mask.shape not in (size, shape):
        raise ImageError(f"mask and image must have the same size, got {mask.shape} and {size}.")
    grey = (mask > 0).astype(np.uint8) * np.uint8(255)
    small = cv2.resize(grey, shape[::-1], interpolation=cv2.INTER_AREA) > 127
    flags = extent_flags(small, details.field_of_view) if small.any() else ["empty"]
    return replace(details, mask=small, confidence=1.0, flags=tuple(flags))


def draw_overlay(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    color: tuple[int, int, int] = (0, 255, 200),
    width: int | None = None,
) -> np.ndarray:
    """Draw the contour of a mask on a copy of the image.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    mask : ndarray of shape (H, W), bool
        Lesion mask.
    color : tuple of int, default=(0, 255, 200)
        RGB colour of the line. A dark edge on both sides keeps it visible on any skin.
    width : int, default=None
        Line width in pixels, at least 1. If None, it is 1/180 of the long side.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        Copy with the contour; equal to the image if the mask is empty.

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
    cv2.drawContours(drawn, outlines, -1, (20, 20, 20), line + max(2, line), cv2.LINE_AA)
    cv2.drawContours(drawn, outlines, -1, color, line, cv2.LINE_AA)
    return drawn
