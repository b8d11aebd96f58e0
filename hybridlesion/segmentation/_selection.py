"""Candidate masks from thresholds on contrast maps, their measures and the choice of the best."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.segmentation._contrast_maps import ContrastMaps

# Area of a candidate as a share of the frame; smaller regions are freckles.
SMALLEST_SHARE = 0.002
LARGEST_SHARE = 0.95

# Minimum area, as a share of the largest region, for a region to join the union of regions.
COMPANION_SHARE = 0.15

LEVELS = np.arange(256)


@dataclass(frozen=True)
class Candidate:
    """Region that may be the lesion.

    Parameters
    ----------
    mask : ndarray of shape (h, w), uint8
        Zeros and ones; holes are filled.
    contours : sequence of ndarray of shape (n, 1, 2), int32
        Outlines of the region, as (column, row).
    """

    mask: np.ndarray
    contours: Sequence[np.ndarray]


def find_candidates(contrast: ContrastMaps, thresholds: str = "all") -> list[Candidate]:
    """Collect candidate lesion masks from all maps and thresholds.

    Parameters
    ----------
    contrast : ContrastMaps
        Contrast maps of one image.
    thresholds : {"all", "otsu"}, default="all"
        Whether all thresholds named below are used, or only Otsu's.

    Returns
    -------
    list of Candidate
        Candidates without duplicates; empty if no region contrasts with the skin.

    Notes
    -----
    Each map is thresholded at Otsu's threshold, at Otsu's thresholds of the pixels above and below
    it, and halfway between these. The result is opened and closed with a disc of 0.8 % of the long
    side; the three largest regions and their union are the candidates.
    """
    usable = contrast.usable.view(np.uint8)
    found: dict[bytes, Candidate] = {}
    for values in contrast.maps.values():
        counts = cv2.calcHist([values], [0], usable, [256], [0, 256])
        for threshold in _thresholds(counts.ravel().astype(float), thresholds):
            above = cv2.compare(values, float(threshold), cv2.CMP_GT) & usable
            for candidate in _regions(_clean(above)):
                found[candidate.mask.tobytes()] = candidate
    largest = LARGEST_SHARE * usable.size
    return [one for one in found.values() if cv2.countNonZero(one.mask) <= largest]


def _thresholds(counts: np.ndarray, thresholds: str) -> list[int]:
    """Return Otsu's threshold, those of the values above and below it, and the means in between."""
    middle = _otsu(counts)
    if middle is None:
        return []
    if thresholds == "otsu":
        return [middle]
    upper = _otsu(np.where(middle < LEVELS, counts, 0)) or middle
    lower = _otsu(np.where(middle >= LEVELS, counts, 0)) or middle
    return sorted({middle, upper, lower, (middle + lower) // 2, (middle + upper) // 2})


def _otsu(counts: np.ndarray) -> int | None:
    """Return the threshold of maximum between-class variance; None if all values are equal."""
    below = counts.cumsum()
    total = below[-1]
    mass = (counts * LEVELS).cumsum()
    product = below * (total - below)
    spread = np.divide(
        (mass * total - mass[-1] * below) ** 2, product, out=np.zeros(256), where=product > 0
    )
    if spread.max() <= 0:
        return None
    # The threshold is the middle of an empty gap between two classes.
    return int(np.flatnonzero(spread >= spread.max() * (1 - 1e-12)).mean())


def _clean(mask: np.ndarray) -> np.ndarray:
    around = disc(max(1, round(0.008 * max(mask.shape))))
    return cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_OPEN, around), cv2.MORPH_CLOSE, around)


@cache
def disc(radius: int) -> np.ndarray:
    """Make a disc-shaped structuring element.

    Parameters
    ----------
    radius : int
        Radius in pixels, at least 0.

    Returns
    -------
    ndarray of shape (2 * radius + 1, 2 * radius + 1), uint8
        Ones on the disc. The array is cached and must not be modified.
    """
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _regions(mask: np.ndarray) -> list[Candidate]:
    n_labels, labels = cv2.connectedComponents(mask, connectivity=4, ltype=cv2.CV_16U)
    areas = np.bincount(labels.ravel(), minlength=n_labels)[1:]
    order = np.argsort(-areas, kind="stable")[:3]
    order = order[areas[order] >= SMALLEST_SHARE * mask.size]
    regions = [(labels == label + 1).view(np.uint8) for label in order.tolist()]
    n_companions = np.count_nonzero(areas[order] > COMPANION_SHARE * areas[order[:1]])
    if n_companions > 1:
        regions.append(np.bitwise_or.reduce(regions[:n_companions]))
    return [_fill_holes(region) for region in regions]


def _fill_holes(mask: np.ndarray) -> Candidate:
    contours, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if (tree.reshape(-1, 4)[:, 3] < 0).all():
        # No contour has a parent, so the mask has no holes.
        return Candidate(mask, contours)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(mask), contours, -1, 1, cv2.FILLED)
    return Candidate(filled, contours)


# A candidate's weight in the likelihood falls by a factor of e for every 1 / SHARPNESS of expected
# Jaccard index below the best candidate.
SHARPNESS = 20.0


@dataclass(frozen=True)
class Selection:
    """Candidates of one image and their quality.

    Parameters
    ----------
    masks : list of ndarray of shape (h, w), uint8
        Candidates of zeros and ones.
    quality : ndarray of shape (n,), float
        Expected Jaccard index of each candidate.
    likelihood : ndarray of shape (h, w), float32
        Weighted share of the candidates that contain each pixel, 0 to 1.
    """

    masks: list[np.ndarray]
    quality: np.ndarray
    likelihood: np.ndarray


def select_candidate(contrast: ContrastMaps, thresholds: str = "all") -> Selection | None:
    """Find candidate masks and rate them.

    Parameters
    ----------
    contrast : ContrastMaps
        Contrast maps of one image.
    thresholds : {"all", "otsu"}, default="all"
        As in `find_candidates`.

    Returns
    -------
    Selection or None
        Candidates with their quality; None if no candidates were found.
    """
    candidates = find_candidates(contrast, thresholds)
    if not candidates:
        return None
    masks = [candidate.mask for candidate in candidates]
    stack = np.stack(masks).astype(np.float32)
    quality = _expected_jaccard(_measure_candidates(candidates, stack, contrast))
    votes = np.exp(SHARPNESS * (quality - quality.max())).astype(np.float32)
    likelihood = np.tensordot(votes / votes.sum(), stack, axes=1)
    return Selection(masks, quality, likelihood.clip(0, 1))


@cache
def _quality_model() -> dict:
    path = Path(__file__).with_name("candidate_quality.json")
    return json.loads(path.read_text(encoding="utf-8"))


def _expected_jaccard(measures: np.ndarray) -> np.ndarray:
    """Expected Jaccard index of each candidate with the lesion, (n,); not limited to 0 to 1.

    The index is ``intercept + sum of w * z_i * z_j``, where z are the standardised measures,
    clipped to -4 to 4 so that no single outlier dominates.
    """
    model = _quality_model()
    means, deviations = np.array(list(model["scales"].values())).T
    scaled = np.clip((measures - means) / deviations, -4, 4)
    column = {name: scaled[:, i] for i, name in enumerate(model["scales"])}
    quality = np.full(len(measures), model["intercept"])
    for names, weight in model["weights"]:
        quality += weight * math.prod(column[name] for name in names)
    return quality


def _measure_candidates(
    candidates: list[Candidate], stack: np.ndarray, contrast: ContrastMaps
) -> np.ndarray:
    """Measures of all candidates, (n, 19), in the order of the scales in candidate_quality.json.

    Shape: log of the area's share of the frame; distance of the centroid from the centre of the
    frame, 1 at the middle of an edge; 4 pi A / P**2; solidity; axis ratio.
    Contour: share at the rim of the field of view; share at markers; mean gradient along it
    relative to that of the image.
    Bands: colour difference between outside and inside, in units of 10 Delta-E; the same relative
    to the standard deviation outside; difference of L*, in units of 10.
    Region: share of the variance of L*, saturation and distance that the mask explains; darkness
    relative to skin, in units of 20 L*; difference of L* in standard deviations; standard deviation
    of L* outside, in units of 10.
    Agreement: mean Jaccard index with all candidates, and with the closest quarter.
    """
    outlines = [np.concatenate(candidate.contours)[:, 0] for candidate in candidates]
    height, width = stack.shape[1:]
    # Sums of integers below 2**24 (a long side of 160) are exact in single precision.
    sums = (stack.reshape(len(stack), -1) @ _coordinates(height, width)).tolist()
    bands = ContourBands([candidate.mask for candidate in candidates], contrast.usable)
    sparse = stack[:, ::2, ::2].reshape(len(stack), -1)
    shapes = list(map(_measure_shape, candidates, outlines, sums))
    contours, regions = _measure_contours(outlines, contrast), _measure_regions(sparse, contrast)
    across = [_measure_bands(bands, i, points, contrast) for i, points in enumerate(outlines)]
    return np.hstack([shapes, contours, across, regions, _measure_agreement(sparse)])


@lru_cache(maxsize=4)
def _coordinates(height: int, width: int) -> np.ndarray:
    """Return 1, column and row of every pixel, whose sums give the area and centroid of a mask."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([np.ones(height * width), columns.ravel(), rows.ravel()], 1).astype(np.float32)


def _measure_shape(candidate: Candidate, points: np.ndarray, sums: list[float]) -> list[float]:
    mask, contours = candidate.mask, candidate.contours
    height, width = mask.shape
    # One pixel is added to areas and lengths, because contours run through pixel centres.
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


def _measure_contours(outlines: list[np.ndarray], contrast: ContrastMaps) -> np.ndarray:
    """Contact with the rim and with markers, and the gradient away from the rim."""
    field = contrast.field_of_view.view(np.uint8)
    zero = {"borderType": cv2.BORDER_CONSTANT, "borderValue": 0}
    off_rim = cv2.erode(field, disc(3), **zero).view(bool)
    markers = cv2.dilate(contrast.markers.view(np.uint8), disc(3))
    # All contours at once, since an array lookup costs more than a pixel.
    points = np.concatenate(outlines)
    places = points[:, 1] * field.shape[1] + points[:, 0]
    lengths = np.array([len(points) for points in outlines])
    starts = np.cumsum(lengths) - lengths
    kept = off_rim.ravel()[places]
    gradient = _gradient(contrast).ravel()[places][kept]
    n_kept = np.add.reduceat(kept, starts, dtype=int)
    n_near = np.add.reduceat(markers.ravel()[places], starts, dtype=int)
    parts = np.split(gradient, np.cumsum(n_kept)[:-1])
    edges = [float(part.mean()) if len(part) else 0.0 for part in parts]
    return np.column_stack([(lengths - n_kept) / lengths, n_near / lengths, edges])


def _gradient(contrast: ContrastMaps) -> np.ndarray:
    """Return the colour gradient at every pixel, relative to its root mean square."""
    squares = [cv2.Sobel(contrast.lab, cv2.CV_32F, dx, 1 - dx) ** 2 for dx in (0, 1)]
    # NumPy is slow at summing over short axes.
    energies = [square[..., 0] + square[..., 1] + square[..., 2] for square in squares]
    energy = energies[0] + energies[1]
    return np.sqrt(energy / (energy[contrast.field_of_view].mean() + 1e-3))


# Radii, in pixels, that bound the bands outside and inside the contour.
OUTER_RADII = (1, 5)
INNER_RADII = (1, 4)

# Added to the standard deviation outside, in L*, to bound the contrast-to-noise ratio.
NOISE_FLOOR = 3.0


class ContourBands:
    """Bands along the contours of masks, outside and inside.

    Parameters
    ----------
    masks : list of ndarray of shape (h, w), uint8
        Zeros and ones.
    usable : ndarray of shape (h, w), bool
        Pixels that may belong to a band.

    Notes
    -----
    Each byte contains one pixel of eight masks, so that a bitwise OR of shifted planes dilates all
    eight. An erosion is a dilation of the complement; pixels beyond the frame belong to neither.
    """

    def __init__(self, masks: list[np.ndarray], usable: np.ndarray):
        allowed = np.where(usable, np.uint8(255), np.uint8(0))
        self._outer, self._inner = [], []
        for first in range(0, len(masks), 8):
            packed = np.zeros_like(masks[0])
            for bit, mask in enumerate(masks[first : first + 8]):
                packed |= mask << bit
            self._outer.append(_band(packed, OUTER_RADII) & allowed)
            self._inner.append(_band(~packed, INNER_RADII) & allowed)

    def of(self, index: int, area: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
        """Return the outer and inner bands of one mask within a part of the frame.

        Parameters
        ----------
        index : int
            Index of the mask.
        area : tuple of slice
            Rows and columns.

        Returns
        -------
        outer, inner : ndarray, uint8
            Greater than 0 inside the band.
        """
        group, bit = divmod(index, 8)
        bit = np.uint8(1 << bit)
        return self._outer[group][area] & bit, self._inner[group][area] & bit


def _band(planes: np.ndarray, radii: tuple[int, int]) -> np.ndarray:
    """Return the dilation by the larger disc minus that by the smaller one, for each bit.

    A disc is a union of horizontal lines.
    """
    height, width = planes.shape
    largest = max(radii)
    framed: np.ndarray = cv2.copyMakeBorder(planes, *4 * (largest,), cv2.BORDER_CONSTANT, value=0)
    columns = [framed[:, start : start + width] for start in range(2 * largest + 1)]
    # Lines of 1, 3, 5, ... pixels through every pixel.
    lines = [columns[largest].copy()]
    for reach in range(1, largest + 1):
        lines.append(lines[-1] | columns[largest - reach] | columns[largest + reach])
    band = np.zeros_like(planes)
    for radius in radii:
        dilated = np.zeros_like(planes)
        for row, extent in enumerate(disc(radius).sum(axis=1).tolist(), largest - radius):
            dilated |= lines[extent // 2][row : row + height]
        band ^= dilated
    return band


def _measure_bands(
    bands: ContourBands, index: int, outline: np.ndarray, contrast: ContrastMaps
) -> tuple[float, float, float]:
    """Contrast across the contour, contrast-to-noise ratio and difference of L*."""
    x, y, width, height = cv2.boundingRect(outline)
    margin = max(OUTER_RADII) + 1
    rows = slice(max(0, y - margin), y + height + margin)
    area = (rows, slice(max(0, x - margin), x + width + margin))
    lab = contrast.lab[area]
    outer, inner = bands.of(index, area)
    if cv2.countNonZero(outer) < 5 or cv2.countNonZero(inner) < 5:
        return 0.0, 0.0, 0.0
    means, spreads = cv2.meanStdDev(lab, mask=outer)
    outside, inside = means.ravel().tolist(), cv2.mean(lab, mask=inner)
    steps = [out - within for out, within in zip(outside, inside, strict=False)]
    difference = math.sqrt(sum(step**2 for step in steps))
    noise = float(spreads[0, 0]) + NOISE_FLOOR
    return difference / 10, difference / noise, steps[0] / 10


def _measure_regions(stack: np.ndarray, contrast: ContrastMaps) -> np.ndarray:
    planes = (contrast.lab[..., 0], contrast.maps["saturation"], contrast.maps["distance"])
    values = np.stack([plane[::2, ::2].ravel() for plane in planes], axis=1).astype(np.float32)
    usable = contrast.usable[::2, ::2].ravel().astype(np.float32)[:, None]
    sums_of = np.hstack([np.ones_like(usable), values, values**2]) * usable
    total, inside = sums_of.sum(axis=0), stack @ sums_of
    count, mean_in, sd_in = _moments(inside)
    rest, mean_out, sd_out = _moments(total - inside)
    size, mean, sd = _moments(total[None])
    between = count * (mean_in - mean) ** 2 + rest * (mean_out - mean) ** 2
    explained = between / size / np.maximum(sd**2, 1e-3)
    step = mean_out[:, 0] - mean_in[:, 0]
    gap = np.clip(step / (sd_in[:, 0] + sd_out[:, 0] + 1), -1, 4)
    darkness = (contrast.skin[0] - mean_in[:, 0]) / 20
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
