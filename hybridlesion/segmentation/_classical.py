"""The classical segmenter: candidates compete at a small scale, a snake settles the winner."""

from __future__ import annotations

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.io import resize_long_side
from hybridlesion.preprocessing import field_of_view, hair_mask, marker_mask, remove_hair
from hybridlesion.segmentation._chan_vese import morphological_chan_vese
from hybridlesion.segmentation._contrast_maps import Evidence, gather_evidence
from hybridlesion.segmentation._result import Segmentation
from hybridlesion.segmentation._selection import Competition, compete

__all__ = ["flag_extent", "raise_flags", "segment_classical"]

# Share of the contour at the rim of the field of view from which a lesion counts as cut off.
BORDER_SHARE = 0.05

# Share of the field of view from which a lesion counts as filling it.
FILLING_SHARE = 0.75

# A second region counts if its quality is at most this far behind, and its area at least this
# share of the first.
RIVAL_QUALITY = 0.15
RIVAL_AREA = 0.2


def raise_flags(
    mask: np.ndarray, evidence: Evidence, competition: Competition | None
) -> tuple[str, ...]:
    """Name what is unusual about a mask.

    Parameters
    ----------
    mask : ndarray of shape (h, w), bool
        The settled mask.
    evidence : Evidence
        The maps of the image.
    competition : Competition or None
        The candidates; None if there were none.

    Returns
    -------
    tuple of str
        Any of the FLAGS of `Segmentation`.
    """
    if not mask.any():
        return ("empty",)
    flags = flag_extent(mask, evidence.field_of_view)
    if _has_rival(mask, competition):
        flags.append("several")
    return tuple(flags)


def flag_extent(mask: np.ndarray, field_of_view: np.ndarray) -> list[str]:
    """Name what is unusual about where a mask ends.

    Parameters
    ----------
    mask : ndarray of shape (h, w), bool
        A mask that is not empty.
    field_of_view : ndarray of shape (h, w), bool
        The frame without dark corners.

    Returns
    -------
    list of str
        "touches_border", "fills_frame", both or none.
    """
    flags = []
    if _rim_share(mask, field_of_view) > BORDER_SHARE:
        flags.append("touches_border")
    if mask.sum() > FILLING_SHARE * field_of_view.sum():
        flags.append("fills_frame")
    return flags


def _rim_share(mask: np.ndarray, field_of_view: np.ndarray) -> float:
    """Share of the mask's outline that lies on the rim of the field of view."""
    square = np.ones((3, 3), np.uint8)
    zero = {"borderType": cv2.BORDER_CONSTANT, "borderValue": 0}
    inner = cv2.erode(mask.astype(np.uint8), square, **zero)
    rim = cv2.erode(field_of_view.astype(np.uint8), square, **zero) == 0
    outline = mask & (inner == 0)
    return float(rim[outline].mean())


def _has_rival(mask: np.ndarray, competition: Competition) -> bool:
    area = RIVAL_AREA * mask.sum()
    close = competition.quality > competition.quality.max() - RIVAL_QUALITY
    own = mask.astype(np.uint8)
    return any(
        cv2.countNonZero(rival) >= area and not cv2.countNonZero(cv2.bitwise_and(own, rival))
        for rival, near in zip(competition.masks, close, strict=True)
        if near
    )


# Long sides, in pixels, at which hair is removed and at which candidates compete.
HAIR_LONG_SIDE = 256
COMPETITION_LONG_SIDE = 160

# Experts draw around the fading rim that thresholds cut off: the winner is grown by this share of
# the square root of its area.
GENEROSITY = 0.03


def segment_classical(
    image: np.ndarray, *, active_contour: bool = True, hair_removal: bool = True
) -> Segmentation:
    """Segment by thresholds on several maps, a quality score and an active contour.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    active_contour : bool, default=True
        Whether a morphological Chan-Vese snake settles the boundary.
    hair_removal : bool, default=True
        Whether hair is filled before anything is measured.

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
    small = resize_long_side(work, COMPETITION_LONG_SIDE)
    evidence = gather_evidence(small, field_of_view(small), marker_mask(small))
    competition = compete(evidence)
    if competition is None:
        mask, confidence, likelihood = np.zeros(small.shape[:2], bool), 0.0, None
    else:
        mask = _settle(competition, evidence, active_contour)
        confidence = float(np.clip(competition.quality.max(), 0, 1))
        likelihood = competition.likelihood
    size = image.shape[:2]
    field = _enlarge(usable, size)
    return Segmentation(
        mask=_enlarge(mask, size),
        confidence=confidence if mask.any() else 0.0,
        flags=raise_flags(mask, evidence, competition),
        hair=hair & field,
        field_of_view=field,
        likelihood=_enlarge_map(
            np.zeros(mask.shape, np.float32) if likelihood is None else likelihood, size
        ),
    )


def _settle(competition: Competition, evidence: Evidence, active_contour: bool) -> np.ndarray:
    """Let the snake move the winner's boundary, then grow it to where experts draw."""
    mask = competition.masks[competition.winner]
    if active_contour and min(mask.shape) >= 2:
        settled = morphological_chan_vese(competition.likelihood, 10, mask, smoothing=2)
        # A snake may vanish or run away on a tiny region; then the winner stays as it was.
        if 0.5 < settled.sum() / mask.sum() < 2:
            mask = settled.astype(np.uint8)
    margin = GENEROSITY * np.sqrt(mask.sum())
    outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5)
    return (outside <= margin) & evidence.field_of_view


def _shrink(hair: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bring hair to a smaller size; a pixel with a third of a hair on it is hair."""
    if hair.shape == size:
        return hair
    cover = cv2.resize(hair.astype(np.uint8) * 255, size[::-1], interpolation=cv2.INTER_AREA)
    return cover > 85


def _enlarge(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bring a mask to a larger size, with its boundary interpolated between pixels."""
    if mask.shape == size:
        return mask
    return _enlarge_map(mask.astype(np.float32), size) > 0.5


def _enlarge_map(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if values.shape == size:
        return values
    return cv2.resize(values, size[::-1], interpolation=cv2.INTER_LINEAR)
