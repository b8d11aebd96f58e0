"""Measures of how much a candidate mask looks like a lesion."""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.segmentation._candidates import Candidate
from hybridlesion.segmentation._contrast_maps import Evidence

__all__ = ["MEASURES", "Rings", "disc", "measure_candidates"]

# Radii, in pixels, between which the outer and the inner ring lie.
OUTER_RADII = (1, 5)
INNER_RADII = (1, 4)


class Rings:
    """Rings outside and inside of masks.

    Parameters
    ----------
    masks : list of ndarray of shape (h, w), uint8
        Zeros and ones.
    usable : ndarray of shape (h, w), bool
        Where the rings may lie.

    Notes
    -----
    A byte holds a pixel of eight masks, so that a dilation is an OR of shifted planes for all of
    them. An erosion is the complement's dilation; what is beyond the frame counts for neither.
    """

    def __init__(self, masks: list[np.ndarray], usable: np.ndarray):
        allowed = np.where(usable, np.uint8(255), np.uint8(0))
        self._outer, self._inner = [], []
        for first in range(0, len(masks), 8):
            packed = np.zeros_like(masks[0])
            for bit, mask in enumerate(masks[first : first + 8]):
                packed |= mask << bit
            self._outer.append(_between(packed, OUTER_RADII) & allowed)
            self._inner.append(_between(~packed, INNER_RADII) & allowed)

    def of(self, index: int, area: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
        """Outer and inner ring of one mask, in a part of the frame.

        Parameters
        ----------
        index : int
            Which mask.
        area : tuple of slice
            Rows and columns.

        Returns
        -------
        outer, inner : ndarray, uint8
            Above 0 on the ring.
        """
        group, bit = divmod(index, 8)
        bit = np.uint8(1 << bit)
        return self._outer[group][area] & bit, self._inner[group][area] & bit


@cache
def disc(radius: int) -> np.ndarray:
    """Make a round structuring element.

    Parameters
    ----------
    radius : int
        In pixels, at least 0.

    Returns
    -------
    ndarray of shape (2 * radius + 1, 2 * radius + 1), uint8
        Ones on the disc. It is shared; not to be written to.
    """
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _between(planes: np.ndarray, radii: tuple[int, int]) -> np.ndarray:
    """What a dilation by the larger disc adds to that by the smaller, for each bit of a plane.

    A disc is a union of horizontal lines.
    """
    height, width = planes.shape
    largest = max(radii)
    framed = cv2.copyMakeBorder(planes, *4 * (largest,), cv2.BORDER_CONSTANT, value=0)
    stride = framed.shape[1]
    # In one run of memory, what goes over the end of a row goes into the frame.
    run = framed.ravel()
    length = len(run) - 2 * largest
    lines = [run[largest : largest + length]]
    for reach in range(1, largest + 1):
        line = lines[-1] | run[largest - reach : largest - reach + length]
        line |= run[largest + reach : largest + reach + length]
        lines.append(line)
    found = np.zeros(height * stride, np.uint8)
    inner = found[: len(found) - 2 * largest]
    for radius in radii:
        dilated = np.zeros_like(inner)
        for row, extent in enumerate(disc(radius).sum(axis=1).tolist(), largest - radius):
            dilated |= lines[extent // 2][row * stride : row * stride + len(inner)]
        inner ^= dilated
    return found.reshape(height, stride)[:, :width]


_SHAPE = ("log_area", "eccentricity", "compactness", "solidity", "axis_ratio")
_CONTOUR = ("rim_contact", "marker_contact", "edge")
_RINGS = ("contrast", "contrast_to_noise", "darker")
_REGION = ("explained", "explained_saturation", "explained_distance", "darkness", "gap", "unrest")
_AGREEMENT = ("agreement", "close_agreement")

MEASURES = (*_SHAPE, *_CONTOUR, *_RINGS, *_REGION, *_AGREEMENT)

# Added to noise, in L*, so that flat skin does not make contrast infinite.
NOISE_FLOOR = 3.0


def measure_candidates(
    candidates: list[Candidate], stack: np.ndarray, evidence: Evidence
) -> np.ndarray:
    """Measure every candidate.

    Parameters
    ----------
    candidates : list of Candidate
        At least one, none empty.
    stack : ndarray of shape (n, h, w), float32
        Their masks, zeros and ones.
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
    Contour: share of it at the rim of the field of view, and at markers; mean gradient along it
    over that of the image. Rings: colour difference between one outside and one inside, by 10
    Delta-E and relative to the outer one's spread; lightness step by 10 L*.
    Region: share of the variance of L*, saturation and distance that the mask explains; darkness
    below skin by 20 L*; separation of L* inside and outside in standard deviations; standard
    deviation of L* outside by 10.
    Agreement: mean Jaccard index with all candidates, and with the closest quarter.
    """
    outlines = [np.concatenate(candidate.contours)[:, 0] for candidate in candidates]
    boxes = [cv2.boundingRect(points) for points in outlines]
    height, width = stack.shape[1:]
    # Sums of whole numbers below 2**24 (a long side of 160) are exact in single precision.
    places = (stack.reshape(len(stack), -1) @ _places(height, width)).tolist()
    shapes = [
        _measure_shape(candidate, points, sums)
        for candidate, points, sums in zip(candidates, outlines, places, strict=True)
    ]
    rings = Rings([candidate.mask for candidate in candidates], evidence.usable)
    contrasts = [_measure_rings(rings, index, box, evidence) for index, box in enumerate(boxes)]
    sparse = stack[:, ::2, ::2].reshape(len(stack), -1)
    return np.hstack(
        [
            shapes,
            _measure_contours(outlines, evidence),
            contrasts,
            _measure_regions(sparse, evidence),
            _measure_agreement(sparse),
        ]
    )


def _gradient(evidence: Evidence) -> np.ndarray:
    """Colour gradient of every pixel, relative to its root mean square."""
    squares = [cv2.Sobel(evidence.lab, cv2.CV_32F, dx, 1 - dx) ** 2 for dx in (0, 1)]
    # Numpy sums short axes slowly.
    energies = [square[..., 0] + square[..., 1] + square[..., 2] for square in squares]
    energy = energies[0] + energies[1]
    usable = evidence.field_of_view
    return np.sqrt(energy / (energy[usable].mean() + 1e-3 if usable.any() else 1.0))


def _measure_contours(outlines: list[np.ndarray], evidence: Evidence) -> np.ndarray:
    """Contact with the rim and with markers, and the gradient away from the rim."""
    field = evidence.field_of_view.view(np.uint8)
    zero = {"borderType": cv2.BORDER_CONSTANT, "borderValue": 0}
    off_rim = cv2.erode(field, disc(3), **zero).view(bool)
    markers = cv2.dilate(evidence.markers.view(np.uint8), disc(3))
    # All contours at once: a lookup costs more than a pixel.
    points = np.concatenate(outlines)
    places = points[:, 1] * field.shape[1] + points[:, 0]
    lengths = np.array([len(points) for points in outlines])
    starts = np.cumsum(lengths) - lengths
    kept = off_rim.ravel()[places]
    gradient = _gradient(evidence).ravel()[places][kept]
    n_kept = np.add.reduceat(kept, starts, dtype=int)
    n_near = np.add.reduceat(markers.ravel()[places], starts, dtype=int)
    ends = np.cumsum(n_kept).tolist()
    parts = (gradient[end - count : end] for end, count in zip(ends, n_kept, strict=True))
    edges = [float(part.mean()) if len(part) else 0.0 for part in parts]
    return np.column_stack([(lengths - n_kept) / lengths, n_near / lengths, edges])


def _measure_shape(candidate: Candidate, points: np.ndarray, sums: list[float]) -> list[float]:
    mask, contours = candidate.mask, candidate.contours
    height, width = mask.shape
    # One pixel is added to areas and lengths: contours run through pixel centres.
    area = 1 + sum(cv2.contourArea(contour) for contour in contours)
    perimeter = 1 + sum(cv2.arcLength(contour, True) for contour in contours)
    hull = cv2.convexHull(points)
    n_pixels, sum_x, sum_y = sums
    x = (sum_x / n_pixels - width / 2) / width
    y = (sum_y / n_pixels - height / 2) / height
    sides = cv2.minAreaRect(hull)[1]
    return [
        math.log(n_pixels / mask.size),
        2 * math.hypot(x, y),
        4 * np.pi * area / perimeter**2,
        area / (1 + cv2.contourArea(hull)),
        (min(sides) + 1) / (max(sides) + 1),
    ]


@lru_cache(maxsize=4)
def _places(height: int, width: int) -> np.ndarray:
    """One, column and row of every pixel: what a mask's count and centroid are summed from."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([np.ones(height * width), columns.ravel(), rows.ravel()], 1).astype(np.float32)


def _measure_rings(
    rings: Rings, index: int, box: tuple[int, int, int, int], evidence: Evidence
) -> tuple[float, float, float]:
    """Contrast across the contour, contrast to noise and the step of L*."""
    area = _grown(box, margin=6)
    lab = evidence.lab[area]
    outer, inner = rings.of(index, area)
    if cv2.countNonZero(outer) < 5 or cv2.countNonZero(inner) < 5:
        return 0.0, 0.0, 0.0
    means, spreads = cv2.meanStdDev(lab, mask=outer)
    outside, inside = means.ravel().tolist(), cv2.mean(lab, mask=inner)
    steps = [out - within for out, within in zip(outside, inside, strict=False)]
    contrast = math.sqrt(sum(step**2 for step in steps))
    noise = float(spreads[0, 0]) + NOISE_FLOOR
    return contrast / 10, contrast / noise, steps[0] / 10


def _grown(box: tuple[int, int, int, int], margin: int) -> tuple[slice, slice]:
    """Rows and columns of a box, grown on all sides; slicing cuts it at the far borders."""
    x, y, width, height = box
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
