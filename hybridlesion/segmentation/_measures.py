"""Measures of how much a candidate mask looks like a lesion."""

from __future__ import annotations

from functools import cache

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.segmentation._evidence import Evidence

__all__ = ["MEASURES", "measure_candidates"]

_SHAPE = ("log_area", "eccentricity", "compactness", "solidity", "axis_ratio")
_BORDER = ("rim_contact", "marker_contact", "contrast", "contrast_to_noise", "edge", "darker")
_REGION = ("explained", "explained_saturation", "explained_distance", "darkness", "gap", "unrest")
_AGREEMENT = ("agreement", "close_agreement")

MEASURES = (*_SHAPE, *_BORDER, *_REGION, *_AGREEMENT)

# Added to noise, in L*, so that flat skin does not make contrast infinite.
NOISE_FLOOR = 3.0


def measure_candidates(masks: list[np.ndarray], evidence: Evidence) -> np.ndarray:
    """Measure every candidate.

    Parameters
    ----------
    masks : list of ndarray of shape (h, w), uint8
        At least one candidate of zeros and ones, none empty.
    evidence : Evidence
        The maps they come from.

    Returns
    -------
    ndarray of shape (n, len(MEASURES)), float
        One row for each candidate, columns named by MEASURES.

    Notes
    -----
    Shape: log of the area's share of the frame; distance of the centroid from the frame's centre,
    1 at the middle of an edge; 4 pi A / P**2; area over that of the convex hull; axis ratio.
    Border: share of the contour at the rim of the field of view, and at markers; colour difference
    between rings inside and outside, by 10 Delta-E and relative to the outer ring's spread; mean
    gradient along the contour over that of the image; lightness step by 10 L*.
    Region: share of the variance of L*, saturation and distance that the mask explains; darkness
    below skin by 20 L*; separation of L* inside and outside in standard deviations; standard
    deviation of L* outside by 10.
    Agreement: mean Jaccard index with all candidates, and with the closest quarter.
    """
    gradient = _gradient(evidence)
    rim = cv2.erode(
        evidence.field_of_view.astype(np.uint8),
        _disc(3),
        borderType=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    surroundings = (gradient, rim == 0, cv2.dilate(evidence.markers.astype(np.uint8), _disc(3)) > 0)
    single = [_measure_outline(mask, evidence, surroundings) for mask in masks]
    stack = np.stack([mask[::2, ::2].ravel() for mask in masks]).astype(np.float32)
    return np.hstack([single, _measure_regions(stack, evidence), _measure_agreement(stack)])


def _gradient(evidence: Evidence) -> np.ndarray:
    """Colour gradient of every pixel, relative to its root mean square."""
    squares = [(cv2.Sobel(evidence.lab, cv2.CV_32F, dx, 1 - dx) ** 2).sum(axis=2) for dx in (0, 1)]
    energy = squares[0] + squares[1]
    usable = evidence.field_of_view
    return np.sqrt(energy / (energy[usable].mean() + 1e-3 if usable.any() else 1.0))


def _measure_outline(
    mask: np.ndarray, evidence: Evidence, surroundings: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> list[float]:
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    points = np.concatenate(contours)[:, 0]
    gradient, rim, near_markers = (plane[points[:, 1], points[:, 0]] for plane in surroundings)
    inner = gradient[~rim]
    difference, noise = _ring_contrast(mask, points, evidence)
    contrast = float(np.sqrt((difference**2).sum()))
    return [
        *_measure_shape(mask, contours, points),
        float(rim.mean()),
        float(near_markers.mean()),
        contrast / 10,
        contrast / (noise + NOISE_FLOOR),
        float(inner.mean()) if len(inner) else 0.0,
        float(difference[0]) / 10,
    ]


def _measure_shape(mask: np.ndarray, contours: tuple, points: np.ndarray) -> list[float]:
    height, width = mask.shape
    # One pixel is added to areas and lengths: contours run through pixel centres.
    area = 1 + sum(cv2.contourArea(contour) for contour in contours)
    perimeter = 1 + sum(cv2.arcLength(contour, True) for contour in contours)
    hull = cv2.convexHull(points)
    box = _box(points, margin=0)
    moments = cv2.moments(mask[box], True)
    x = (moments["m10"] / moments["m00"] + box[1].start - width / 2) / width
    y = (moments["m01"] / moments["m00"] + box[0].start - height / 2) / height
    sides = cv2.minAreaRect(hull)[1]
    return [
        float(np.log(moments["m00"] / mask.size)),
        2 * float(np.hypot(x, y)),
        4 * np.pi * area / perimeter**2,
        area / (1 + cv2.contourArea(hull)),
        (min(sides) + 1) / (max(sides) + 1),
    ]


def _ring_contrast(
    mask: np.ndarray, points: np.ndarray, evidence: Evidence
) -> tuple[np.ndarray, float]:
    """Mean colour outside minus inside of the contour, and the spread of L* outside."""
    box = _box(points, margin=6)
    crop, lab = mask[box], evidence.lab[box]
    usable = evidence.usable[box].view(np.uint8)
    outer = cv2.subtract(cv2.dilate(crop, _disc(5)), cv2.dilate(crop, _disc(1))) & usable
    inner = cv2.subtract(cv2.erode(crop, _disc(1)), cv2.erode(crop, _disc(4))) & usable
    if cv2.countNonZero(outer) < 5 or cv2.countNonZero(inner) < 5:
        return np.zeros(3), 10.0
    outside, spread = cv2.meanStdDev(lab, mask=outer)
    inside = cv2.mean(lab, mask=inner)[:3]
    return outside[:, 0] - inside, float(spread[0, 0])


def _box(points: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Bounding box of contour points, grown on all sides; slicing cuts it at the far borders."""
    x, y, width, height = cv2.boundingRect(points)
    return (
        slice(max(0, y - margin), y + height + margin),
        slice(max(0, x - margin), x + width + margin),
    )


def _measure_regions(stack: np.ndarray, evidence: Evidence) -> np.ndarray:
    planes = (evidence.lab[..., 0], evidence.maps["saturation"], evidence.maps["distance"])
    values = np.stack([plane[::2, ::2].ravel() for plane in planes], axis=1).astype(np.float32)
    usable = evidence.usable[::2, ::2].ravel().astype(np.float32)[:, None]
    sums_of = np.hstack([np.ones_like(usable), values, values**2]) * usable
    total, inside = sums_of.sum(axis=0), stack @ sums_of
    count, mean_in, sd_in = _moments(inside)
    rest, mean_out, sd_out = _moments(total - inside)
    size, mean, sd = _moments(total[None])
    between = count * (mean_in - mean) ** 2 + rest * (mean_out - mean) ** 2
    explained = between / size / np.maximum(sd**2, 1e-3)
    step = mean_out[:, 0] - mean_in[:, 0]
    gap = np.clip(step / (sd_in[:, 0] + sd_out[:, 0] + 1), -1, 4)
    darkness = (evidence.skin[0] - mean_in[:, 0]) / 20
    return np.column_stack([explained, darkness, gap, sd_out[:, 0] / 10])


def _moments(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, means and standard deviations from sums of 1, x and x squared."""
    half = (sums.shape[1] - 1) // 2
    count = np.maximum(sums[:, :1], 1)
    mean = sums[:, 1 : 1 + half] / count
    return count, mean, np.sqrt(np.maximum(sums[:, 1 + half :] / count - mean**2, 0))


def _measure_agreement(stack: np.ndarray) -> np.ndarray:
    shared = stack @ stack.T
    areas = np.diag(shared)
    jaccard = shared / np.maximum(areas[:, None] + areas[None] - shared, 1)
    others = max(1, len(stack) - 1)
    closest = np.sort(jaccard, axis=1)[:, -max(2, len(stack) // 4) :]
    return np.column_stack([(jaccard.sum(axis=1) - 1) / others, closest.mean(axis=1)])


@cache
def _disc(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
