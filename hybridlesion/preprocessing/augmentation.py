"""Random augmentations of dermoscopic images."""

from __future__ import annotations

import numpy as np

from hybridlesion._optional_imports import cv2


def random_affine(
    aspect: float,
    side: int,
    size: int,
    rng: np.random.Generator,
    *,
    turned: float = 0.7,
    stretched: float = 0.08,
) -> np.ndarray:
    """Draw a random flip, rotation, stretch, scale and shift in the true aspect ratio.

    Parameters
    ----------
    aspect : float
        Width divided by height of the photograph before it was resized to a square.
    side : int
        Side of the square picture, in pixels.
    size : int
        Side of the square view, in pixels.
    rng : Generator
        Source of randomness.
    turned : float, default=0.7
        Share of the views that are rotated; limited because rotation blurs.
    stretched : float, default=0.08
        Largest absolute logarithm of the stretch.

    Returns
    -------
    ndarray of shape (2, 3), float
        Affine map from picture to view, for ``cv2.warpAffine``. The angle is arbitrary, the scale
        ``exp(-0.25)`` to ``exp(0.25)``, and the shift up to 8 % of the side.
    """
    angle = rng.uniform(-np.pi, np.pi) if rng.random() < turned else 0.0
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flip = np.diag(rng.choice([-1.0, 1.0], 2))
    stretch = np.diag([np.exp(rng.uniform(-stretched, stretched)), 1.0])
    scale = np.exp(rng.uniform(-0.25, 0.25)) * size / side
    wide = np.diag([aspect, 1.0])
    linear = scale * np.linalg.inv(wide) @ turn @ stretch @ flip @ wide
    centre = np.full(2, (side - 1) / 2)
    shift = np.full(2, (size - 1) / 2) + rng.uniform(-0.08, 0.08, 2) * size - linear @ centre
    return np.column_stack([linear, shift])


def draw_hair(image: np.ndarray, rng: np.random.Generator) -> None:
    """Draw 2 to 13 curved hairs, dark or light, one or two pixels wide.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8
        RGB image; modified in place.
    rng : Generator
        Source of randomness.
    """
    side = len(image)
    steps = np.linspace(0, 1, 24)
    for _ in range(rng.integers(2, 14)):
        length = rng.uniform(0.2, 0.8) * side
        angles = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.015) * length * steps
        moves = np.column_stack([np.cos(angles), np.sin(angles)]) * length / len(steps)
        points = np.round((np.cumsum(moves, 0) + rng.uniform(0, side, 2)) * 8).astype(np.int32)
        shade = int(rng.choice([20, 40, 60, 200]))
        color = (shade + int(rng.integers(0, 25)), shade, shade)
        width = 1 if rng.random() < 0.7 else 2
        cv2.polylines(image, [points], False, color, width, cv2.LINE_AA, 3)


def darken_corners(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Darken the image outside a circle, as the tube of a dermatoscope does.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8
        RGB image.
    rng : Generator
        Source of randomness. The radius is 0.5 to 0.72 of the side, the soft edge 1 to 6 pixels.

    Returns
    -------
    ndarray of shape (S, S, 3), uint8
        Modified copy.
    """
    side = len(image)
    rows, columns = np.mgrid[:side, :side]
    middle = side / 2 + rng.normal(0, 6, 2)
    distance = np.hypot(rows - middle[0], columns - middle[1])
    radius, softness = rng.uniform(0.5, 0.72) * side, rng.uniform(1, 6)
    share = 1 / (1 + np.exp(np.clip((distance - radius) / softness, -30, 30)))[..., None]
    return (image * share + rng.uniform(0, 25) * (1 - share)).astype(np.uint8)


def change_light(image: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Change the colour and strength of the light, the saturation and the contrast.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8
        RGB image.
    rng : Generator
        Source of randomness. The factors are log-normal with deviations of 8 % for each channel,
        12 % for brightness, 25 % for saturation and 18 % for contrast.
    strength : float, default=1.0
        Factor by which these deviations are multiplied.

    Returns
    -------
    ndarray of shape (S, S, 3), float32
        Modified image, 0 to 255.
    """
    light = image.astype(np.float32)
    channels, brightness = rng.normal(0, 0.08 * strength, 3), rng.normal(0, 0.12 * strength)
    light *= np.exp(channels + brightness).astype(np.float32)
    grey = light.mean(2, keepdims=True)
    light = grey + (light - grey) * np.float32(np.exp(rng.normal(0, 0.25 * strength)))
    mean = light.mean()
    contrast = np.float32(np.exp(rng.normal(0, 0.18 * strength)))
    return np.clip(mean + (light - mean) * contrast, 0, 255)


def blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur the image slightly.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8
        RGB image.
    rng : Generator
        Source of randomness. Sigma is 0.4 to 1.4 pixels.

    Returns
    -------
    ndarray of shape (S, S, 3), uint8
        Modified copy.
    """
    return cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.4)))


def warp_window(
    image: np.ndarray,
    centre: np.ndarray,
    side: float,
    size: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Cut out a square window, randomly rotated, mirrored and stretched.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    centre : ndarray of shape (2,), float
        Column and row of the centre of the window.
    side : float
        Side of the window, in pixels of the image.
    size : int
        Side of the window, in pixels of the view.
    rng : Generator
        Source of randomness. Of the views, 70 % are rotated by any angle, the others by right
        angles; all are stretched by up to 10 %.

    Returns
    -------
    ndarray of shape (size, size, 3), uint8
        The view, mirrored where it extends beyond the frame.
    """
    if side > 1.6 * size:  # average pixels first, so that fine structures do not alias
        scale = 1.25 * size / side
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        centre, side = centre * scale, side * scale
    turned = rng.random() < 0.7
    angle = rng.uniform(0, 2 * np.pi) if turned else np.pi / 2 * rng.integers(4)
    stretch = np.exp(rng.uniform(-0.1, 0.1))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = side / size * turn @ np.diag([rng.choice([-1.0, 1.0]) * stretch, 1 / stretch])
    shift = centre - 0.5 - linear @ np.full(2, (size - 1) / 2)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.column_stack([linear, shift])
    return cv2.warpAffine(
        image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT_101
    )


def vary_light(image: np.ndarray, rng: np.random.Generator, strength: float) -> np.ndarray:
    """Change white balance, exposure, gamma, contrast, saturation and hue.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8
        RGB image.
    rng : Generator
        Source of randomness.
    strength : float
        Factor by which the deviations are multiplied: 10 % for each channel, 15 % for exposure,
        22 % for gamma, 25 % for contrast, 30 % for saturation, 0.1 radian for hue and 3 % for the
        black level. Contrast changes in 60 % of the images, saturation and hue in 70 %; 5 % times
        `strength` become grey.

    Returns
    -------
    ndarray of shape (S, S, 3), uint8
        Modified copy.
    """
    gain = np.exp(rng.normal(0, 0.10 * strength, 3) + rng.normal(0, 0.15 * strength))
    levels = np.clip(np.arange(256)[:, None] / 255 * gain, 0, 1)
    levels **= np.exp(rng.normal(0, 0.22 * strength))
    if rng.random() < 0.6:
        pivot = rng.uniform(0.35, 0.75)
        levels = pivot + (levels - pivot) * np.exp(rng.normal(0, 0.25 * strength))
    levels = np.clip(levels + rng.normal(0, 0.03 * strength, 3), 0, 1) * 255
    image = cv2.LUT(image, levels.astype(np.uint8).reshape(256, 1, 3))
    if rng.random() < 0.7:
        saturation, hue = np.exp(rng.normal(0, 0.3 * strength)), rng.normal(0, 0.1 * strength)
        image = cv2.transform(image, _colour_matrix(saturation, hue))
    if rng.random() < 0.05 * strength:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return image


def _colour_matrix(saturation: float, hue: float) -> np.ndarray:
    """Return a matrix that scales saturation and rotates colours about the grey axis."""
    grey, colour = np.full((3, 3), 1 / 3), np.eye(3) - 1 / 3
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    turn = grey + np.cos(hue) * colour + np.sin(hue) * across
    return turn @ (grey + saturation * colour)


def darken_edges(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Darken stripes along the edges, as a slide mount does.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8
        RGB image.
    rng : Generator
        Source of randomness. Each edge is darkened with probability 0.6, up to a ninth of the side.

    Returns
    -------
    ndarray of shape (S, S, 3), uint8
        Modified copy.
    """
    image, shade = image.copy(), int(rng.integers(0, 25))
    for edge in range(4):
        if rng.random() < 0.6:
            # Rotated views share memory with the copy.
            np.rot90(image, edge)[: 1 + rng.integers(0, max(2, len(image) // 9))] = shade
    return image


def degrade(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Randomly degrade detail, as lenses, resampling and JPEG compression do.

    Parameters
    ----------
    image : ndarray of shape (S, S, 3), uint8
        RGB image.
    rng : Generator
        Source of randomness. Of the images, 30 % are downsampled and enlarged again, 20 % blurred,
        12 % sharpened, 15 % noisy and 30 % compressed as JPEG of quality 25 to 95.

    Returns
    -------
    ndarray of shape (S, S, 3), uint8
        The image itself or a copy.
    """
    side = len(image)
    if rng.random() < 0.3:
        fewer = int(rng.uniform(min(48, side), side))
        small = cv2.resize(image, (fewer, fewer), interpolation=cv2.INTER_AREA)
        method = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
        image = cv2.resize(small, (side, side), interpolation=method)
    if rng.random() < 0.2:
        image = blur(image, rng)
    elif rng.random() < 0.15:
        amount = rng.uniform(0.3, 1.2)
        image = cv2.addWeighted(image, 1 + amount, cv2.GaussianBlur(image, (0, 0), 1.5), -amount, 0)
    if rng.random() < 0.15:
        noise = rng.normal(0, rng.uniform(2, 10), image.shape)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = int(rng.uniform(25, 95))
        data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return image
