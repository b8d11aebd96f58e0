"""The classical segmenter: candidates compete at a small scale, a snake settles the winner."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.images import resize_long_side
from hybridlesion.preprocessing import field_of_view, hair_mask, marker_mask, remove_hair
from hybridlesion.segmentation._chan_vese import morphological_chan_vese
from hybridlesion.segmentation._competition import Competition, compete
from hybridlesion.segmentation._evidence import Evidence, gather_evidence
from hybridlesion.segmentation._flags import raise_flags
from hybridlesion.segmentation._result import Segmentation

__all__ = ["segment_classical"]

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
