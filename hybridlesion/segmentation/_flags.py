"""Warnings about a mask, for people and audits."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.segmentation._competition import Competition
from hybridlesion.segmentation._evidence import Evidence

__all__ = ["flag_extent", "raise_flags"]

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
