"""Skin texture and pigment of synthetic lesions."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from hybridlesion._optional_imports import cv2
from hybridlesion.datasets._cohort import LesionTraits

# Height and width in pixels.
Shape = tuple[int, int]

# Standard deviation of unit white noise after a Gaussian blur with sigma 1.
_BLURRED_SD = 0.2821


def smooth_noise(
    rng: Generator, shape: Shape, wavelength: float, *, octaves: int = 1, persistence: float = 0.5
) -> np.ndarray:
    """Draw a smooth random field with a mean of about 0 and a standard deviation of about 1.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    shape : tuple of int
        (H, W) of the field in pixels.
    wavelength : float
        Typical distance between two bright spots, as a share of the long side.
    octaves : int, default=1
        Number of fields that are summed, each with half the wavelength of the previous one.
    persistence : float, default=0.5
        Strength of each octave relative to the previous one.

    Returns
    -------
    ndarray of shape (H, W), float32
        The field.

    Examples
    --------
    >>> smooth_noise(np.random.default_rng(0), (30, 40), 0.2).shape
    (30, 40)
    """
    weights = persistence ** np.arange(octaves)
    weights /= _BLURRED_SD * np.sqrt(np.sum(weights**2))
    total = None
    # From coarse to fine on ever larger grids, so that only the last one has the full size.
    for octave, weight in enumerate(weights):
        grid = _white(rng, shape, step=wavelength / 2**octave / 4.5)
        grid = cv2.GaussianBlur(grid, (0, 0), 1.0) * np.float32(weight)
        total = grid if total is None else grid + _resize(total, grid.shape)
    return _resize(total, shape)


def _band_noise(rng: Generator, shape: Shape, wavelength: float) -> np.ndarray:
    """Draw spots of similar size and spacing, with unit standard deviation.

    The field is a difference of Gaussians of white noise. Its bright spots are spaced as evenly as
    the holes of a pigment network or globules.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    shape : tuple of int
        (H, W) of the field in pixels.
    wavelength : float
        Spacing of the spots, as a share of the long side.

    Returns
    -------
    ndarray of shape (H, W), float32
        The field.
    """
    grid = _white(rng, shape, step=wavelength / 6.0)
    grid = cv2.GaussianBlur(grid, (0, 0), 1.2) - cv2.GaussianBlur(grid, (0, 0), 1.5)
    return _resize(grid / grid.std(), shape)


def _fibre_noise(
    rng: Generator, shape: Shape, wavelength: float, *, stretch: float, angle: float
) -> np.ndarray:
    """Draw noise that is elongated along one direction, like skin lines and fibres.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    shape : tuple of int
        (H, W) of the field in pixels.
    wavelength : float
        Spacing across the direction, as a share of the long side.
    stretch : float
        Ratio of the length of the structures to their width.
    angle : float
        Direction in radians.

    Returns
    -------
    ndarray of shape (H, W), float32
        The field.
    """
    step = max(wavelength * max(shape) / 4.5, 1.0)
    # A square that covers the image at any rotation.
    side = 1.5 * max(shape)
    size = int(side / step) + 2, int(side / step / stretch) + 2
    grid = rng.standard_normal(size, dtype=np.float32)
    grid = cv2.GaussianBlur(grid, (0, 0), 1.0) / _BLURRED_SD
    turn = cv2.getRotationMatrix2D((0, 0), np.degrees(angle), 1.0)[:, :2]
    turn = turn @ np.diag([step * stretch, step])
    offset = np.array(shape[::-1]) / 2 - turn @ (np.array(grid.shape[::-1]) / 2)
    matrix = np.column_stack([turn, offset])
    return cv2.warpAffine(grid, matrix, shape[::-1], None, cv2.INTER_CUBIC, cv2.BORDER_REFLECT)


def smoothstep(field: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map `field` to 0 below `low`, to 1 above `high`, and smoothly in between.

    Parameters
    ----------
    field : ndarray
        Values.
    low, high : float
        Ends of the ramp.

    Returns
    -------
    ndarray
        3 t^2 - 2 t^3 with t = (field - low) / (high - low), clipped to 0 to 1.

    Examples
    --------
    >>> smoothstep(np.array([0.0, 0.5, 2.0]), 0.0, 1.0)
    array([0. , 0.5, 1. ])
    """
    t = (field - low) * (1.0 / (high - low))
    np.clip(t, 0.0, 1.0, out=t)
    return t * t * (3.0 - 2.0 * t)


def _white(rng: Generator, shape: Shape, step: float) -> np.ndarray:
    """Draw white noise on a grid whose spacing is the share `step` of the long side."""
    scale = 1.0 / (step * max(shape))
    grid = [max(int(np.ceil(side * scale)), 3) for side in shape]
    return rng.standard_normal(grid, dtype=np.float32)


def _resize(grid: np.ndarray, shape: Shape) -> np.ndarray:
    method = cv2.INTER_AREA if grid.shape[0] > shape[0] else cv2.INTER_CUBIC
    return cv2.resize(grid, shape[::-1], interpolation=method)


def centered(
    shape: Shape, origin: tuple[float, float] = (0.0, 0.0), *, pixel: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return pixel coordinates relative to the image centre, ready to broadcast.

    Parameters
    ----------
    shape : tuple of int
        (H, W) in pixels.
    origin : tuple of float, default=(0.0, 0.0)
        (x, y) of the origin relative to the image centre, as a share of the long side.
    pixel : float, default=0.0
        Place of a pixel's coordinate within the pixel: 0.0 for its corner, 0.5 for its middle.

    Returns
    -------
    x : ndarray of shape (1, W), float32
        Horizontal coordinates, as a share of the long side.
    y : ndarray of shape (H, 1), float32
        Vertical coordinates.

    Examples
    --------
    >>> centered((2, 4), pixel=0.5)[0]
    array([[-0.375, -0.125,  0.125,  0.375]], dtype=float32)
    """
    x, y = (
        (np.arange(side, dtype=np.float32) - (side / 2 - pixel)) / max(shape) - start
        for side, start in zip(shape[::-1], origin, strict=True)
    )
    return x[None, :], y[:, None]


def soften(layer: np.ndarray, sigma: float) -> np.ndarray:
    """Blur a layer and scale it to 0 to 1.

    Parameters
    ----------
    layer : ndarray of shape (H, W), uint8
        Layer on which shapes were drawn.
    sigma : float
        Standard deviation of the blur in pixels.

    Returns
    -------
    ndarray of shape (H, W), float32
        Blurred layer.
    """
    return cv2.GaussianBlur(layer, (0, 0), sigma).astype(np.float32) / 255


def draw_path(layer: np.ndarray, path: np.ndarray, level: int, thickness: int) -> None:
    """Draw a line through points, which may lie between pixels.

    Parameters
    ----------
    layer : ndarray of shape (H, W), uint8
        Layer to draw on.
    path : ndarray of shape (n, 2)
        Points (x, y) in pixels.
    level : int
        Grey value of the line, 0 to 255.
    thickness : int
        Thickness in pixels.
    """
    points = np.round(path * 16).astype(np.int32)
    cv2.polylines(layer, [points], False, level, thickness, cv2.LINE_AA, 4)


def unit_vectors(angles: np.ndarray) -> np.ndarray:
    """Return the directions (x, y) of angles.

    Parameters
    ----------
    angles : ndarray of shape (n,)
        Angles in radians.

    Returns
    -------
    ndarray of shape (n, 2)
        Vectors of length 1.
    """
    return np.column_stack([np.cos(angles), np.sin(angles)])


def draw_skin(tone: tuple[float, float, float], shape: Shape, rng: Generator) -> np.ndarray:
    """Draw skin without a lesion.

    Parameters
    ----------
    tone : tuple of float
        Median Lab colour, L 0 to 100.
    shape : tuple of int
        (H, W) in pixels.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (H, W, 3), float32
        Lab image.
    """
    lab = np.empty((*shape, 3), np.float32)
    mottling = rng.uniform(0.5, 1.5)
    coarse = 1.1 * smooth_noise(rng, shape, 0.5)
    lightness = coarse + 0.9 * smooth_noise(rng, shape, 0.09, octaves=4, persistence=0.7)
    redness = 1.1 * smooth_noise(rng, shape, 0.22, octaves=3, persistence=0.6)
    lines = _skin_lines(shape, rng)
    lab[..., 0] = tone[0] + mottling * lightness - lines - 0.6 * mottling * redness
    lab[..., 1] = tone[1] + mottling * redness
    yellowness = 1.2 * smooth_noise(rng, shape, 0.3, octaves=5, persistence=0.6) - 0.15 * redness
    lab[..., 2] = tone[2] + mottling * yellowness
    if rng.random() < 0.45:
        _add_vessels(lab, rng)
    if rng.random() < 0.35:
        _add_spots(lab, rng)
    if rng.random() < 0.3:
        pores = smoothstep(_band_noise(rng, shape, rng.uniform(0.02, 0.035)), 1.3, 2.4)
        lab[..., 0] += rng.uniform(1.0, 4.0) * pores
    return lab


def _skin_lines(shape: Shape, rng: Generator) -> np.ndarray:
    """Draw the depth, in L, of two crossing families of fine furrows."""
    depth = np.zeros(shape, np.float32)
    angle = rng.uniform(0, np.pi)
    strength = rng.gamma(2.0, 0.75)
    for turn, weight in ((0.0, 1.0), (rng.uniform(0.9, 1.6), 0.6)):
        wavelength, stretch = rng.uniform(0.007, 0.016), rng.uniform(4, 9)
        fibres = _fibre_noise(rng, shape, wavelength, stretch=stretch, angle=angle + turn)
        patchy = 0.4 + smoothstep(smooth_noise(rng, shape, 0.3), -0.5, 1.5)
        depth += weight * strength * patchy * (smoothstep(np.abs(fibres), 0.9, 0.0) - 0.35)
    return depth


def _add_vessels(lab: np.ndarray, rng: Generator) -> None:
    """Redden `lab` along a few branching, blurred lines."""
    layer = np.zeros(lab.shape[:2], np.uint8)
    long_side = max(layer.shape)
    for _ in range(rng.integers(4, 22)):
        steps = rng.integers(10, 40)
        headings = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.35, steps))
        stride = long_side * rng.uniform(0.004, 0.009)
        start = rng.uniform((0, 0), layer.shape[::-1])
        path = start + np.cumsum(unit_vectors(headings), axis=0) * stride
        level = int(rng.integers(80, 255))
        draw_path(layer, path, level, max(1, round(long_side * rng.uniform(0.0012, 0.004))))
    red = soften(layer, long_side * rng.uniform(0.0015, 0.005)) * rng.uniform(0.5, 1.2)
    lab += red[..., None] * np.array([-7.0, 11.0, 1.5], np.float32)


def _add_spots(lab: np.ndarray, rng: Generator) -> None:
    """Scatter freckles and pale lentigines, even where the lesion will be drawn."""
    shape = lab.shape[:2]
    field = smooth_noise(rng, shape, rng.uniform(0.05, 0.13), octaves=4, persistence=0.55)
    threshold = rng.uniform(1.1, 1.9)
    spots = smoothstep(field, threshold, threshold + 2.2) * rng.uniform(0.3, 1.1)
    lab += spots[..., None] * np.array([-12.0, 6.0, 10.0], np.float32)


def _structure_pigment(traits: LesionTraits, depth: np.ndarray, rng: Generator) -> np.ndarray:
    """Draw the darkening (positive) and lightening of the pigment by the lesion's pattern.

    Parameters
    ----------
    traits : LesionTraits
        Pattern, colour and radius are used.
    depth : ndarray of shape (H, W), float32
        Depth inside the lesion in units of its radius, negative outside.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (H, W), float32
        Relative change of pigment density, about -0.6 to 0.8.
    """
    shape = depth.shape
    field = 0.12 * smooth_noise(rng, shape, 0.03, octaves=3, persistence=0.8)
    # An atypical pattern comes and goes within the lesion.
    patchy = smoothstep(smooth_noise(rng, shape, traits.radius * 0.8), -1.2, 0.6)
    patchy = (1 - traits.color) + traits.color * patchy
    if traits.pattern == "reticular":
        field += rng.uniform(0.6, 1.1) * patchy * _network(shape, rng)
    elif traits.pattern == "globular":
        field += rng.uniform(0.7, 1.2) * patchy * _globules(shape, rng)
    elif traits.pattern == "starburst":
        rim = smoothstep(depth, -0.05, 0.15) * smoothstep(depth, 0.55, 0.2)
        field += 0.8 * rim * _globules(shape, rng) + 0.3 * _network(shape, rng)
    else:
        field += 0.10 * _network(shape, rng)
    field += 0.45 * traits.color * smoothstep(_band_noise(rng, shape, 0.05), 0.6, 1.8)
    if rng.random() < 0.35 + 0.3 * traits.color:
        field += rng.uniform(0.5, 1.0) * _scatter_dots(depth, rng, count=rng.integers(8, 60))
    if rng.random() < 0.35:
        field -= rng.uniform(0.3, 0.6) * _scatter_dots(depth, rng, count=rng.integers(8, 50))
    return field


def _scatter_dots(depth: np.ndarray, rng: Generator, *, count: int) -> np.ndarray:
    """Draw small soft dots at random places inside the lesion.

    Parameters
    ----------
    depth : ndarray of shape (H, W), float32
        Positive inside the lesion.
    rng : Generator
        Source of randomness.
    count : int
        Number of dots.

    Returns
    -------
    ndarray of shape (H, W), float32
        Layer of dots, 0 to 1.
    """
    long_side = max(depth.shape)
    layer = np.zeros(depth.shape, np.uint8)
    inside = np.argwhere(depth[::4, ::4] > 0.05) * 4
    if len(inside) == 0:
        return layer.astype(np.float32)
    for y, x in inside[rng.integers(0, len(inside), count)] + rng.uniform(0, 4, (count, 2)):
        radius = long_side * rng.uniform(0.0022, 0.0055)
        center = (int(x * 16), int(y * 16))
        level = int(rng.integers(110, 255))
        cv2.circle(layer, center, max(int(radius * 16), 8), level, -1, cv2.LINE_AA, 4)
    return soften(layer, long_side * 0.0016)


def _network(shape: Shape, rng: Generator) -> np.ndarray:
    """Draw brown lines around lighter, roundish holes."""
    holes = _band_noise(rng, shape, rng.uniform(0.015, 0.026))
    contrast = 0.7 + 0.3 * smooth_noise(rng, shape, 0.15)
    return (0.17 - 0.42 * smoothstep(holes, -0.5, 1.7)) * contrast


def _globules(shape: Shape, rng: Generator) -> np.ndarray:
    """Draw separate dark clods on a lighter background."""
    spots = _band_noise(rng, shape, rng.uniform(0.022, 0.038))
    return 0.55 * smoothstep(spots, 0.5, 1.3) - 0.15


# Lab shift relative to light skin (L 74) at pigment density 0, 0.15, ... : light brown, brown, dark
# brown, black. Based on the mean shift (-25, +10, +14) and the range of L (-46 to -7) between the
# outside and the inside of the masks of 200 ISIC 2017 images.
_PIGMENT_RAMP = np.array(
    [
        [0.00, 0.0, 0.0, 0.0],
        [0.15, -6.0, 3.5, 8.0],
        [0.30, -14.0, 8.5, 14.5],
        [0.50, -27.0, 13.5, 18.5],
        [0.75, -43.0, 14.0, 14.0],
        [1.00, -56.0, 8.5, 5.0],
        [1.30, -63.0, 3.0, 0.5],
    ],
    np.float32,
)
_RAMP_STEPS = 2048


def draw_pigment(
    lab: np.ndarray, depth: np.ndarray, traits: LesionTraits, rng: Generator
) -> np.ndarray:
    """Draw a lesion on skin.

    Parameters
    ----------
    lab : ndarray of shape (H, W, 3), float32
        Skin in Lab.
    depth : ndarray of shape (H, W), float32
        Depth inside the lesion in units of its radius, negative outside.
    traits : LesionTraits
        Traits of the lesion.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (H, W, 3), float32
        Skin with the lesion, in Lab.
    """
    # A border of 0 fades over half the radius, a border of 1 over a tenth.
    fade = (0.30 - 0.22 * traits.border) * rng.uniform(0.6, 1.4)
    coverage = smoothstep(depth, -0.45 * fade, 1.1 * fade)
    density = coverage * _density(traits, depth, rng)
    lab = _tint(lab, density, traits, rng)
    for add in (_redden, _bleach, _veil):
        lab = add(lab, depth, traits, rng)
    return lab


def _density(traits: LesionTraits, depth: np.ndarray, rng: Generator) -> np.ndarray:
    """Draw the pigment density, without the fading border."""
    shape = depth.shape
    cloud = smooth_noise(rng, shape, traits.radius * 1.1, octaves=3, persistence=0.6)
    profile = 1.0 + rng.uniform(-0.1, 0.8) * (np.clip(depth, 0, 1) - 0.35)
    density = traits.darkness * profile
    density *= 1.0 + (0.10 + 0.28 * traits.color) * cloud
    density *= 1.0 + _one_sided(shape, traits, rng)
    # Structures fade in the darkest lesions, as they do under a black blotch.
    density += min(traits.darkness, 0.6) * _structure_pigment(traits, depth, rng)
    if rng.random() < 0.15 + 0.75 * traits.color:
        blotch = _region(depth, traits, rng, share=0.25 + 0.2 * traits.color)
        density += rng.uniform(0.15, 0.5) * blotch
    return np.clip(density, 0.0, 1.25)


def _one_sided(shape: Shape, traits: LesionTraits, rng: Generator) -> np.ndarray:
    """Draw a relative change of pigment that rises from one side of the lesion to the other."""
    angle = rng.uniform(0, 2 * np.pi)
    x, y = centered(shape, traits.center)
    along = (x * math.cos(angle) + y * math.sin(angle)) / traits.radius
    return (0.05 + 0.5 * traits.asymmetry) * np.tanh(1.5 * along)


def _tint(lab: np.ndarray, density: np.ndarray, traits: LesionTraits, rng: Generator) -> np.ndarray:
    """Shift `lab` along the pigment ramp."""
    steps = np.linspace(0, 1.3, _RAMP_STEPS)
    densities, *shifts = _PIGMENT_RAMP.T
    ramp = np.column_stack([np.interp(steps, densities, shift) for shift in shifts])
    # The hue applies to brown and fades towards black, which has none.
    weight = np.minimum(steps / 0.3, 1.0) * np.clip(1.5 - steps, 0.2, 1.0)
    ramp[:, 1:] += weight[:, None] * np.array(traits.hue)
    # Dark skin leaves less room for darkening.
    ramp *= min((traits.skin[0] - 12.0) / 62.0, 1.15)
    index = (density * (_RAMP_STEPS - 1) / 1.3).astype(np.int32)
    lab = lab + np.take(ramp.astype(np.float32), index, axis=0)
    amount = np.minimum(density * 2.0, 1.0)
    wander = 1.0 + 2.5 * traits.color
    wavelength = traits.radius * 0.7
    lab[..., 1] += 0.7 * wander * amount * smooth_noise(rng, density.shape, wavelength, octaves=2)
    lab[..., 2] += wander * amount * smooth_noise(rng, density.shape, wavelength, octaves=2)
    return lab


def _region(depth: np.ndarray, traits: LesionTraits, rng: Generator, *, share: float) -> np.ndarray:
    """Draw a soft, irregular part of the lesion: 0 outside, 1 inside."""
    field = smooth_noise(rng, depth.shape, traits.radius * 1.5, octaves=5, persistence=0.5)
    inside = field[::3, ::3][depth[::3, ::3] > 0.05]
    if inside.size == 0:
        return np.zeros_like(depth)
    middle = float(np.quantile(inside, 1.0 - share))
    return smoothstep(field, middle - 0.45, middle + 0.75) * smoothstep(depth, 0.0, 0.35)


def _blend(lab: np.ndarray, color: np.ndarray, alpha: np.ndarray, *, detail: float) -> np.ndarray:
    """Blend `color` into `lab` with opacity `alpha`, keeping a fraction `detail` of the texture."""
    height, width = lab.shape[:2]
    small = cv2.resize(lab, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
    ground = cv2.resize(cv2.GaussianBlur(small, (0, 0), 1.2), (width, height))
    veiled = color.astype(np.float32) + detail * (lab - ground)
    return lab + alpha[..., None] * (veiled - lab)


def _redden(lab: np.ndarray, depth: np.ndarray, traits: LesionTraits, rng: Generator) -> np.ndarray:
    """Add milky red areas, and a faint red rim around some lesions."""
    if rng.random() < 0.25:
        halo = smoothstep(depth, -0.5, 0.0) * rng.uniform(1.0, 4.0)
        lab[..., 1] += halo
        lab[..., 0] -= 0.6 * halo
    if rng.random() < 0.6 * traits.color:
        tone = np.add(traits.skin, (-16.0, 17.0, 5.0))
        alpha = rng.uniform(0.3, 0.7) * _region(depth, traits, rng, share=0.35)
        lab = _blend(lab, tone, alpha, detail=0.8)
    return lab


def _bleach(lab: np.ndarray, depth: np.ndarray, traits: LesionTraits, rng: Generator) -> np.ndarray:
    """Add regression: scar-like pale areas with grey-blue peppering."""
    if rng.random() >= 0.9 * traits.color - 0.2:
        return lab
    region = _region(depth, traits, rng, share=rng.uniform(0.15, 0.4))
    tone = np.add(traits.skin, (2.0, rng.uniform(-3, 4), rng.uniform(-4, 0)))
    lab = _blend(lab, tone, rng.uniform(0.45, 0.85) * region, detail=0.6)
    pepper = _scatter_dots(depth, rng, count=int(rng.integers(60, 260))) * region
    grey = np.multiply(traits.skin, (0.62, 0.5, 0.4)) - (0.0, 0.0, 4.0)
    return _blend(lab, grey, rng.uniform(0.3, 0.8) * pepper, detail=0.5)


def _veil(lab: np.ndarray, depth: np.ndarray, traits: LesionTraits, rng: Generator) -> np.ndarray:
    """Add a structureless blue-grey film with a whitish haze."""
    if rng.random() >= 1.3 * traits.color - 0.35:
        return lab
    region = _region(depth, traits, rng, share=rng.uniform(0.2, 0.5))
    lightness = rng.uniform(0.45, 0.68) * traits.skin[0]
    cast = 0.4 * np.array(traits.skin[1:])
    tone = np.array([lightness, cast[0] + rng.uniform(-1, 4), cast[1] - rng.uniform(4, 11)])
    return _blend(lab, tone, rng.uniform(0.5, 0.85) * region, detail=0.55)
