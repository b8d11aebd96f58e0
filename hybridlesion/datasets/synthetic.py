"""Synthetic dermoscopic images with true masks, and data sets of them on disk."""

from __future__ import annotations

import math
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from numpy.random import Generator, SeedSequence

from hybridlesion._atomic import atomic_path, check_writable
from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_number
from hybridlesion.datasets._cohort import (
    ARTIFACTS,
    PATTERNS,
    LesionTraits,
    auc_ceiling,
    isic2020_table,
    malignancy_risk,
    random_cohort,
    random_patient,
    vary_traits,
)
from hybridlesion.datasets._skin import (
    centered,
    draw_path,
    draw_pigment,
    draw_skin,
    smooth_noise,
    smoothstep,
    soften,
    unit_vectors,
)
from hybridlesion.io import write_image, write_mask

__all__ = [
    "ARTIFACTS",
    "PATTERNS",
    "LesionTraits",
    "auc_ceiling",
    "draw_lesion",
    "make_lesions",
    "malignancy_risk",
]


def _draw_outline(traits: LesionTraits, shape: tuple[int, int], rng: Generator) -> np.ndarray:
    """Draw the depth of each pixel in units of the radius: 0 on the border, negative outside.

    The outline is an ellipse in coordinates distorted by smooth noise. Lobes are added and bites
    removed by smooth maxima, and fractal noise roughens the border.
    """
    u, v = _bent_coordinates(traits, shape, rng)
    depth = 1.0 - np.sqrt(u * u + v * v)
    for _ in range(rng.binomial(3, 0.7 * traits.asymmetry)):
        depth = _smooth_maximum(depth, _disk(u, v, (0.75, 1.1), (0.3, 0.55), rng))
    for _ in range(rng.binomial(3, 0.45 * traits.asymmetry)):
        depth = -_smooth_maximum(-depth, _disk(u, v, (0.95, 1.2), (0.2, 0.5), rng))
    rough = smooth_noise(rng, shape, traits.radius * 0.5, octaves=4, persistence=0.6)
    depth += (0.015 + 0.085 * traits.border) * rough
    if traits.pattern == "starburst":
        depth += (0.035 + 0.045 * traits.border) * _rays(u, v, rng)
    return depth


def _lesion_mask(depth: np.ndarray) -> np.ndarray:
    """Outline the lesion as an expert would: one piece, without holes, slightly smoothed.

    Parameters
    ----------
    depth : ndarray of shape (H, W), float32
        Result of `_draw_outline`.

    Returns
    -------
    ndarray of shape (H, W), bool
        The largest piece in which the smoothed depth is positive.
    """
    smoothed = cv2.GaussianBlur(depth, (0, 0), 0.004 * max(depth.shape))
    positive = (smoothed > 0).astype(np.uint8)
    contours, _ = cv2.findContours(positive, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    mask = np.zeros(depth.shape, np.uint8)
    if contours:
        cv2.drawContours(mask, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return mask > 0


def _bent_coordinates(
    traits: LesionTraits, shape: tuple[int, int], rng: Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return coordinates along the lesion's axes in units of its half-axes, bent by noise."""
    x, y = centered(shape, traits.center, pixel=0.5)
    cos, sin = math.cos(traits.angle), math.sin(traits.angle)
    stretch = math.sqrt(traits.aspect)
    u = (x * cos + y * sin) * (stretch / traits.radius)
    v = (y * cos - x * sin) / (stretch * traits.radius)
    bend = 0.025 + 0.11 * traits.asymmetry
    wavelength = traits.radius * 1.9
    u += bend * smooth_noise(rng, shape, wavelength, octaves=2)
    v += bend * smooth_noise(rng, shape, wavelength, octaves=2)
    return u, v


def _disk(
    u: np.ndarray, v: np.ndarray, distances: tuple, radii: tuple, rng: Generator
) -> np.ndarray:
    """Return the depth in a disk with a random place and radius near the border of the lesion."""
    angle = rng.uniform(0, 2 * np.pi)
    distance, radius = rng.uniform(*distances), rng.uniform(*radii)
    return radius - np.hypot(u - distance * math.cos(angle), v - distance * math.sin(angle))


def _smooth_maximum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the larger of two fields, smoothed where they meet."""
    blend = 0.12
    h = np.maximum(blend - np.abs(a - b), 0.0) / blend
    return np.maximum(a, b) + h * h * (blend / 4)


def _rays(u: np.ndarray, v: np.ndarray, rng: Generator) -> np.ndarray:
    """Draw streaks: noise that varies along the rim but hardly along the radius."""
    count = int(rng.integers(90, 160))
    table = rng.standard_normal((6, count), dtype=np.float32)
    table = np.concatenate([table, table[:, :2]], axis=1)
    column = (np.arctan2(v, u) / (2 * np.pi) + 0.5) * count
    row = np.clip(np.hypot(u, v) * 2.0, 0, 5)
    return cv2.remap(table, column.astype(np.float32), row.astype(np.float32), cv2.INTER_LINEAR)


# Images are drawn with a long side between these limits and then scaled. Below, structures would
# be thinner than a pixel; above, time and memory would grow without additional detail.
_CANVAS = (640, 1600)
_SIZE_LIMITS = (64, 8000)

# Points of the path of a hair, and how much larger hairs are drawn than shown.
_POINTS = 24
_LARGER = 2


def draw_lesion(
    traits: LesionTraits | None = None,
    size: tuple[int, int] = (600, 450),
    *,
    random_state: int | SeedSequence = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a dermoscopic image of one lesion, and its mask.

    Parameters
    ----------
    traits : LesionTraits or None, default=None
        Traits of the lesion. If None, they are random.
    size : tuple of int, default=(600, 450)
        (width, height) in pixels, each 64 to 8000.
    random_state : int or SeedSequence, default=0
        Seed for the random detail. The same seed and traits give the same image.

    Returns
    -------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    mask : ndarray of shape (H, W), bool
        True inside the lesion, even under hair, ink or a dark corner.

    Raises
    ------
    ValueError
        If `size` is outside the limits.

    Examples
    --------
    >>> image, mask = draw_lesion(size=(120, 90), random_state=3)
    >>> image.shape, mask.any()
    ((90, 120, 3), np.True_)
    """
    width, height = _check_size(size)
    rng = np.random.default_rng(random_state)
    if traits is None:
        patient, excess = random_patient(rng), tuple(rng.beta(1.1, 3.0, 3))
        traits = vary_traits(patient, excess, rng, hair=0.3, artifacts=0.3)
    scale = np.clip(max(width, height), *_CANVAS) / max(width, height)
    shape = (max(round(height * scale), 1), max(round(width * scale), 1))
    depth = _draw_outline(traits, shape, rng)
    lab = draw_pigment(draw_skin(traits.skin, shape, rng), depth, traits, rng)
    lab = lab.astype(np.float32, copy=False)
    np.clip(lab[..., 0], 2.0, 99.0, out=lab[..., 0])
    image = _photograph(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), traits, rng)
    mask = _lesion_mask(cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR))
    return _expose(image, (width, height), rng), mask


def _check_size(size: tuple[int, int]) -> tuple[int, int]:
    """Validate the (width, height) in pixels of an image to draw, and return it."""
    low, high = _SIZE_LIMITS
    for side in _check_pair("size", size, "(width, height) in pixels, such as (600, 450)"):
        check_number("each side of size", side, low=low, high=high, integer=True)
    return int(size[0]), int(size[1])


def _check_pair(name: str, value: Any, wanted: str) -> tuple[Any, Any]:
    try:
        first, second = value
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be {wanted}, got {value!r}.") from None
    return first, second


def _add_light(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Make the lighting uneven, with a gradient and a fall-off towards the corners."""
    x, y = centered(image.shape[:2])
    angle = rng.uniform(0, 2 * np.pi)
    slope = rng.normal(0, 0.07) * (x * math.cos(angle) + y * math.sin(angle))
    falloff = rng.gamma(1.5, 0.10) * (x * x + y * y)
    return image * (1.0 + slope - falloff)[..., None]


def _add_vignette(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Darken the area outside the round window of the dermoscope."""
    x, y = centered(image.shape[:2])
    radius = rng.uniform(0.50, 0.62) if rng.random() < 0.75 else rng.uniform(0.41, 0.50)
    left, top = rng.normal(0, 0.015, 2).tolist()
    distance = np.hypot(x - left, y - top)
    soft = rng.uniform(0.008, 0.09)
    light = smoothstep(distance, radius + soft / 2, radius - soft / 2)[..., None]
    dark = np.array([0.05, 0.045, 0.05], np.float32) * rng.uniform(0.2, 2.2)
    return dark + light * (image - dark)


def _add_ruler(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Print a millimetre scale near one side."""
    layer = np.zeros(image.shape[:2], np.uint8)
    size, long_side = np.array(layer.shape[::-1]), max(layer.shape)
    gap = long_side * rng.uniform(0.012, 0.035)
    count = int(rng.integers(12, 40))
    angle = rng.choice([0, np.pi / 2]) + rng.normal(0, 0.12)
    along = unit_vectors(angle)[0]
    across = np.array([-along[1], along[0]]) * rng.choice([-1, 1])
    middle = size / 2 + across * (rng.uniform(0.38, 0.46) * size)
    thickness = max(1, round(long_side * 0.0018))
    # Some scales follow the curved edge of the window.
    curve = rng.uniform(0.0, 0.9) / long_side if rng.random() < 0.6 else 0.0
    for tick in range(count):
        offset = (tick - count / 2) * gap
        foot = middle + along * offset - across * curve * offset**2
        length = gap * (2.0 if tick % 10 == 0 else 1.45 if tick % 5 == 0 else 0.9)
        draw_path(layer, np.array([foot, foot - across * length]), 255, thickness)
        if tick % 10 == 0 and curve == 0.0:
            corner = (foot - across * gap * 3.2).astype(int).tolist()
            scale = long_side / 1500
            cv2.putText(layer, str(tick), corner, 0, scale, 255, thickness, cv2.LINE_AA)
    alpha = layer.astype(np.float32)[..., None] / 255 * rng.uniform(0.4, 0.85)
    return image * (1 - alpha) + alpha * np.float32(0.12)


def _add_bubbles(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Add air bubbles in the contact gel, each with a dark rim, a bright arc and a highlight."""
    bright, dark = np.zeros((2, *image.shape[:2]), np.uint8)
    long_side = max(dark.shape)
    home = rng.uniform((0.1, 0.1), (0.9, 0.9)) * dark.shape[::-1]
    for _ in range(rng.integers(3, 26)):
        center = home + rng.normal(0, 0.22 * long_side, 2)
        radius = long_side * float(np.clip(rng.gamma(1.6, 0.005), 0.003, 0.035))
        _draw_bubble(bright, dark, center, radius, rng)
    sigma = max(0.0008 * long_side, 0.4)
    image = image * (1 - 0.35 * soften(dark, sigma)[..., None])
    return image + 0.8 * soften(bright, sigma)[..., None] * (1 - image)


def _add_ink(image: np.ndarray, rng: Generator) -> np.ndarray:
    """Draw a violet or blue pen stroke, like a surgeon's, near the edge of the image."""
    layer = np.zeros(image.shape[:2], np.uint8)
    long_side = max(layer.shape)
    angle = rng.uniform(0, 2 * np.pi)
    edge = (0.5 + 0.44 * unit_vectors(angle)) * layer.shape[::-1]
    heading = angle + np.pi / 2 + np.cumsum(rng.normal(0, 0.08, 20))
    stride = long_side * rng.uniform(0.008, 0.025)
    path = edge + np.cumsum(unit_vectors(heading), axis=0) * stride
    draw_path(layer, path, 255, max(2, round(long_side * rng.uniform(0.008, 0.03))))
    grain = smooth_noise(rng, layer.shape, 0.012, octaves=3, persistence=0.8)
    alpha = soften(layer, 0.003 * long_side) * np.clip(0.7 + 0.25 * grain, 0.15, 0.95)
    violet = np.array([0.28, 0.16, 0.46]) + rng.normal(0, 0.05, 3)
    # Ink filters the light; it does not cover the skin.
    return image * (1 - alpha[..., None] * (1 - np.clip(violet, 0, 1))).astype(np.float32)


def _draw_bubble(
    bright: np.ndarray, dark: np.ndarray, center: np.ndarray, radius: float, rng: Generator
) -> None:
    """Draw one bubble on the layers of highlights and rims."""
    middle = np.round(center * 16).astype(int).tolist()
    axes = [max(int(radius * 16), 12), max(int(radius * 16 * rng.uniform(0.85, 1.0)), 12)]
    line = max(1, round(radius * 0.16))
    turn = float(rng.uniform(0, 360))
    cv2.ellipse(dark, middle, axes, turn, 0, 360, 255, line, cv2.LINE_AA, 4)
    inner = [max(int(axis * 0.82), 8) for axis in axes]
    for start, extent, level in ((200, 90, 190), (20, 70, 120)):
        cv2.ellipse(bright, middle, inner, 0, start, start + extent, level, line, cv2.LINE_AA, 4)
    spot = np.round((center - 0.45 * radius) * 16).astype(int).tolist()
    cv2.circle(bright, spot, max(int(radius * 16 * 0.16), 8), 255, -1, cv2.LINE_AA, 4)


def _draw_hair(image: np.ndarray, amount: float, lightness: float, rng: Generator) -> np.ndarray:
    """Draw hairs over an image.

    The amount runs from 0 (one or two fine hairs) to 1 (a hairy arm), the lightness from 0 (black)
    to 1 (white).
    """
    height, width = image.shape[:2]
    long_side = max(height, width)
    count = 2 + int(rng.poisson(2 + 30 * amount**1.6))
    heading = rng.uniform(0, np.pi)
    spread = rng.uniform(0.15, 1.2)
    thickness = rng.uniform(0.0013, 0.0042) * (0.6 + 0.6 * amount)
    # Line widths are integers, so lines are drawn large and scaled down.
    cover = np.zeros((_LARGER * height, _LARGER * width), np.uint8)
    for _ in range(count):
        path = _hair_path((height, width), heading + rng.normal(0, spread), rng)
        breadth = thickness * np.exp(rng.normal(0, 0.25)) * long_side
        _draw_tapered(cover, path * _LARGER, breadth * _LARGER, strength=rng.uniform(0.65, 1.0))
    cover = cv2.resize(cover, (width, height), interpolation=cv2.INTER_AREA)
    cover = cv2.GaussianBlur(cover, (0, 0), max(0.0007 * long_side, 0.4))
    alpha = cover.astype(np.float32)[..., None] / 255
    # A soft shadow next to the hair lifts it from the skin.
    shift = np.float32([[1, 0, 0.004 * long_side], [0, 1, 0.003 * long_side]])
    shadow = cv2.warpAffine(cover, shift, (width, height))
    shadow = cv2.GaussianBlur(shadow, (0, 0), 0.004 * long_side).astype(np.float32)
    image = image * (1 - 0.22 / 255 * shadow[..., None])
    brown = np.array([0.95, 0.78, 0.62]) * lightness + np.array([0.05, 0.03, 0.02])
    return image + 0.9 * alpha * (brown.astype(np.float32) - image)


def _hair_path(shape: tuple[int, int], heading: float, rng: Generator) -> np.ndarray:
    """Return the points (x, y) of one hair, whose curvature changes slowly along its length."""
    length = max(shape) * rng.uniform(0.25, 1.1)
    bend = rng.normal(0, 0.55) + rng.normal(0, 0.5) * np.linspace(-1, 1, _POINTS)
    if rng.random() < 0.03:
        bend = bend + rng.choice([-1, 1]) * np.linspace(0.5, 1.0, _POINTS) * rng.uniform(2, 4)
    turn = heading + np.cumsum(bend) / _POINTS * 1.6
    path = np.cumsum(unit_vectors(turn) * (length / _POINTS), axis=0)
    return path - path[_POINTS // 2] + rng.uniform((0, 0), shape[::-1])


def _draw_tapered(cover: np.ndarray, path: np.ndarray, width: float, *, strength: float) -> None:
    """Draw a line that tapers towards its tip and fades when it is thinner than a pixel."""
    pieces = 12
    edges = np.linspace(0, len(path) - 1, pieces + 1).astype(int)
    for piece, (start, end) in enumerate(pairwise(edges)):
        # The root lies in the skin and shows less.
        local = width * (0.6 if piece == 0 else 1.0 - 0.65 * piece / pieces)
        thickness = max(1, round(local))
        level = int(255 * strength * min(local / thickness, 1.0))
        draw_path(cover, path[start : end + 1], level, thickness)


def _photograph(image: np.ndarray, traits: LesionTraits, rng: Generator) -> np.ndarray:
    """Add light, hair and artefacts, in the order in which they lie over the skin."""
    image = _add_light(image, rng)
    if "ink" in traits.artifacts:
        image = _add_ink(image, rng)
    if traits.hair > 0:
        image = _draw_hair(image, traits.hair, traits.hair_lightness, rng)
    over_hair = {"bubbles": _add_bubbles, "ruler": _add_ruler, "vignette": _add_vignette}
    for name, add in over_hair.items():
        if name in traits.artifacts:
            image = add(image, rng)
    return image


def _expose(image: np.ndarray, size: tuple[int, int], rng: Generator) -> np.ndarray:
    """Blur slightly, scale to `size`, add grain, and round to 8 bits."""
    sigma = max(image.shape) * rng.uniform(0.0003, 0.0010)
    image = cv2.GaussianBlur(image, (0, 0), sigma)
    method = cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_CUBIC
    image = cv2.resize(image, size, interpolation=method)
    grain = rng.standard_normal(image.shape[:2], dtype=np.float32) * rng.uniform(0.003, 0.011)
    image += cv2.GaussianBlur(grain, (0, 0), 0.6)[..., None]
    return cv2.convertScaleAbs(np.clip(image, 0.0, 1.0), alpha=255.0)


_JPEG_QUALITY = 90


def make_lesions(
    folder: str | os.PathLike,
    *,
    n_patients: int = 40,
    lesions_per_patient: tuple[int, int] = (1, 8),
    size: tuple[int, int] = (600, 450),
    malignant_share: float = 0.1,
    hair: float = 0.3,
    artifacts: float = 0.3,
    random_state: int = 0,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Draw a synthetic dermoscopic data set with known ground truth.

    Writes ``images/IMAGEID.jpg``, ``masks/IMAGEID_segmentation.png`` (0/255) and
    ``metadata.csv`` (the columns of the ISIC 2020 training table). Lesions of the same patient
    share skin, hair, size, pigment and pattern; malignant lesions stand out.

    Parameters
    ----------
    folder : str or path-like
        Output folder, created if it is missing. Files with the same names are replaced.
    n_patients : int, default=40
        Number of patients, at least 1.
    lesions_per_patient : tuple of int, default=(1, 8)
        Minimum and maximum number of lesions per patient, at least 1.
    size : tuple of int, default=(600, 450)
        (width, height) in pixels, each 64 to 8000.
    malignant_share : float, default=0.1
        Share of malignant lesions, 0.01 to 0.5.
    hair : float, default=0.3
        Share of images with hair, 0 to 1.
    artifacts : float, default=0.3
        Share of images with dark corners, a ruler, gel bubbles or ink, 0 to 1.
    random_state : int, default=0
        Random seed. The same call writes identical files, whatever `n_jobs` is.
    n_jobs : int, default=1
        Number of threads; -1 uses all processors.

    Returns
    -------
    DataFrame
        One row per image: `image_id, path, mask_path, patient_id, sex, age` (years), `site,
        diagnosis, target` (0 or 1), `risk` (the true probability of malignancy) and the latent
        `asymmetry, border, color` (0 to 1) that determine it. `auc_ceiling(frame["risk"])` is
        the highest AUC that a model can be expected to reach.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    SourceError
        If a file cannot be written.

    Notes
    -----
    See `malignancy_risk` for the rule. `risk`, `asymmetry`, `border` and `color` reveal the
    target: use them to evaluate a model, never to train one.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     records = make_lesions(folder, n_patients=2, lesions_per_patient=(1, 1), size=(80, 64))
    >>> records["image_id"].tolist()
    ['SYN_0000001', 'SYN_0000002']
    """
    _check_size(size)
    check_number("n_patients", n_patients, low=1, integer=True)
    wanted = "(fewest, most), such as (1, 8)"
    fewest, most = _check_pair("lesions_per_patient", lesions_per_patient, wanted)
    check_number("the fewest lesions_per_patient", fewest, low=1, integer=True)
    check_number("the most lesions_per_patient", most, low=fewest, integer=True)
    check_number("malignant_share", malignant_share, low=0.01, high=0.5)
    check_number("hair", hair, low=0.0, high=1.0)
    check_number("artifacts", artifacts, low=0.0, high=1.0)
    check_number("random_state", random_state, low=0, integer=True)
    folder = Path(folder)
    check_writable(folder / "metadata.csv")
    plan_seed, picture_seed = SeedSequence(random_state).spawn(2)
    counts = {"n_patients": n_patients, "lesions_per_patient": lesions_per_patient}
    shares = {"malignant_share": malignant_share, "hair": hair, "artifacts": artifacts}
    cohort, traits = random_cohort(np.random.default_rng(plan_seed), **counts, **shares)
    cohort.insert(1, "path", [str(folder / "images" / f"{i}.jpg") for i in cohort["image_id"]])
    masks = [str(folder / "masks" / f"{i}_segmentation.png") for i in cohort["image_id"]]
    cohort.insert(2, "mask_path", masks)
    # One seed per image, so that the result does not depend on the thread that draws it.
    seeds = picture_seed.spawn(len(traits))
    jobs = zip(traits, seeds, cohort["path"], cohort["mask_path"], strict=True)
    Parallel(n_jobs=n_jobs, prefer="threads")(delayed(_write_lesion)(*job, size) for job in jobs)
    with atomic_path(folder / "metadata.csv") as temporary:
        isic2020_table(cohort).to_csv(temporary, index=False, lineterminator="\n")
    return cohort


def _write_lesion(
    traits: LesionTraits, seed: SeedSequence, path: str, mask_path: str, size: tuple[int, int]
) -> None:
    image, mask = draw_lesion(traits, size, random_state=seed)
    write_image(path, image, quality=_JPEG_QUALITY)
    write_mask(mask_path, mask)
