"""Classical segmentation: thresholds, candidate selection and an active contour."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import compress

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.io import resize_long_side
from hybridlesion.preprocessing import field_of_view, hair_mask, marker_mask, remove_hair
from hybridlesion.segmentation._contrast_maps import compute_contrast_maps
from hybridlesion.segmentation._morphological_snakes import morphological_chan_vese
from hybridlesion.segmentation._selection import Selection, select_candidate

# Long sides, in pixels, at which hair is removed and at which candidates are compared.
HAIR_LONG_SIDE = 256
SELECTION_LONG_SIDE = 160

# Experts include the fading rim that thresholds cut off: the mask is dilated by this share of the
# square root of its area.
MARGIN = 0.03

# Minimum share of the outline on the rim of the field of view for the lesion to count as cut off.
BORDER_SHARE = 0.05

# Minimum share of the field of view for the lesion to count as filling the frame.
FILLING_SHARE = 0.75

# A second region is reported if its quality is at most this much lower than that of the lesion, and
# its area is at least this share of the lesion's.
RIVAL_QUALITY = 0.15
RIVAL_AREA = 0.2


@dataclass(frozen=True)
class Segmentation:
    """Lesion mask, confidence and related maps; all arrays have the size of the image.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool
        True on the lesion; all False if none was found.
    confidence : float
        0 to 1; low values indicate masks that are likely to be wrong. 0 for an empty mask.
    flags : tuple of str
        Any of "empty" (no lesion found), "touches_border" (the lesion leaves the field of view),
        "several" (a second region resembles a lesion almost as much), "fills_frame" (hardly any
        skin is visible) and "unrefined" (the refiner found no lesion or was too uncertain, so that
        the mask is the classical one).
    hair : ndarray of shape (H, W), bool
        True on hair.
    field_of_view : ndarray of shape (H, W), bool
        False in dark corners and black borders.
    likelihood : ndarray of shape (H, W), float32
        Weighted share of the candidates that contain each pixel, or the probability given by the
        refiner; 0 to 1.
    structures : ndarray of shape (5, S, S), float32, optional
        Probabilities of pigment network, negative network, streaks, globules and milia-like cysts,
        with the image squashed to a square; None if the segmenter maps no structures.
    """

    mask: np.ndarray
    confidence: float
    flags: tuple[str, ...]
    hair: np.ndarray
    field_of_view: np.ndarray
    likelihood: np.ndarray
    structures: np.ndarray | None = None


def segment_classical(
    image: np.ndarray,
    *,
    active_contour: bool = True,
    hair_removal: bool = True,
    thresholds: str = "all",
) -> Segmentation:
    """Segment a lesion by thresholds on several maps, a quality score and an active contour.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    active_contour : bool, default=True
        Whether a morphological Chan-Vese snake refines the boundary.
    hair_removal : bool, default=True
        Whether hair is inpainted before anything is measured.
    thresholds : {"all", "otsu"}, default="all"
        Thresholds of each map whose regions compete: up to five, or only Otsu's, which takes a
        third of the time and is enough as evidence for the refiner.

    Returns
    -------
    Segmentation
        Mask, confidence, flags, hair, field of view and likelihood.
    """
    work = resize_long_side(image, HAIR_LONG_SIDE)
    usable = field_of_view(work)
    hair = hair_mask(image)
    if hair_removal:
        work = remove_hair(work, _shrink(hair, work.shape[:2]))
    small = resize_long_side(work, SELECTION_LONG_SIDE)
    contrast = compute_contrast_maps(small, field_of_view(small), marker_mask(small))
    selection = select_candidate(contrast, thresholds)
    mask, confidence, flags = np.zeros(small.shape[:2], bool), 0.0, ["empty"]
    likelihood = np.zeros(mask.shape, np.float32)
    if selection is not None:
        likelihood = selection.likelihood
        mask = _refine_boundary(selection, active_contour) & contrast.field_of_view
        if mask.any():
            confidence = float(np.clip(selection.quality.max(), 0, 1))
            flags = extent_flags(mask, contrast.field_of_view)
            if _has_rival(mask, selection):
                flags.append("several")
    size = image.shape[:2]
    mask, field = _enlarge(mask, size), _enlarge(usable, size)
    likelihood = _resize(likelihood, size)
    return Segmentation(mask, confidence, tuple(flags), hair & field, field, likelihood)


def extent_flags(mask: np.ndarray, field_of_view: np.ndarray) -> list[str]:
    """Flag a mask that is cut off or that fills the frame.

    Parameters
    ----------
    mask : ndarray of shape (h, w), bool
        Lesion mask with at least one pixel.
    field_of_view : ndarray of shape (h, w), bool
        False in dark corners.

    Returns
    -------
    list of str
        "touches_border", "fills_frame", both or none.
    """
    square = np.ones((3, 3), np.uint8)
    zero = {"borderType": cv2.BORDER_CONSTANT, "borderValue": 0}
    outline = mask & (cv2.erode(mask.astype(np.uint8), square, **zero) == 0)
    rim = cv2.erode(field_of_view.astype(np.uint8), square, **zero) == 0
    flags = []
    if rim[outline].mean() > BORDER_SHARE:
        flags.append("touches_border")
    if mask.sum() > FILLING_SHARE * field_of_view.sum():
        flags.append("fills_frame")
    return flags


def _has_rival(mask: np.ndarray, selection: Selection) -> bool:
    area = RIVAL_AREA * mask.sum()
    close = selection.quality > selection.quality.max() - RIVAL_QUALITY
    rivals = compress(selection.masks, close)
    return any(cv2.countNonZero(rival) >= area and not (rival & mask).any() for rival in rivals)


def _refine_boundary(selection: Selection, active_contour: bool) -> np.ndarray:
    """Fit the boundary of the best candidate to the likelihood and add a margin, as experts do."""
    mask = selection.masks[int(selection.quality.argmax())]
    if active_contour and min(mask.shape) >= 2:
        refined = morphological_chan_vese(selection.likelihood, 10, mask, smoothing=2)
        # A snake may vanish or leak on a tiny region, in which case the candidate is kept.
        if 0.5 < refined.sum() / mask.sum() < 2:
            mask = refined.astype(np.uint8)
    margin = MARGIN * np.sqrt(mask.sum())
    return cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5) <= margin


def _shrink(hair: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Downsample a hair mask; pixels of which a third is covered become hair."""
    cover = cv2.resize(hair.astype(np.uint8) * 255, size[::-1], interpolation=cv2.INTER_AREA)
    return cover > 85


def _enlarge(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Upsample a mask, interpolating its boundary between pixels."""
    return _resize(mask.astype(np.float32), size) > 0.5


def _resize(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(values, size[::-1], interpolation=cv2.INTER_LINEAR)
