"""Random views of dermoscopic images, and hair drawn on them whose every pixel is known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from hybridlesion._optional_imports import cv2

HEIGHT, WIDTH = 256, 336

_POINTS = 24
_PIECES = 6


def random_view(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Flip, turn, scale and shift an image (H, W, channels) to 256 x 336 pixels."""
    height, width = image.shape[:2]
    scale = 0.98 * max(HEIGHT / height, WIDTH / width) * np.exp(rng.uniform(-0.15, 0.25))
    angle = rng.choice([0, np.pi]) + rng.normal(0, 0.12)
    if rng.random() < 0.25:
        angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = scale * turn @ np.diag([rng.choice([-1, 1]), 1])
    shift = np.array([WIDTH, HEIGHT]) / 2 - linear @ (np.array([width, height]) / 2)
    matrix = np.column_stack([linear, shift + rng.normal(0, 8, 2)])
    way = cv2.INTER_LINEAR if scale > 0.8 else cv2.INTER_AREA
    return cv2.warpAffine(
        image, matrix, (WIDTH, HEIGHT), flags=way, borderMode=cv2.BORDER_REFLECT_101
    )


def change_light(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change colour, brightness, contrast, noise and sharpness; float32, 0 to 255."""
    light = image.astype(np.float32)
    light *= np.exp(rng.normal(0, 0.07, 3) + rng.normal(0, 0.12)).astype(np.float32)
    mean = np.float32(light.mean())
    light = mean + (light - mean) * np.float32(np.exp(rng.normal(0, 0.2)))
    if rng.random() < 0.3:
        grain = rng.standard_normal(light.shape, dtype=np.float32)
        light += grain * np.float32(rng.uniform(0, 5))
    if rng.random() < 0.2:
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.3, 0.8))
    return np.clip(light, 0, 255)


def plain_picture(rng: np.random.Generator) -> np.ndarray:
    """Skin of one colour, often with a disc, dots or ticks: what has edges and is no hair."""
    skin = np.array([215, 170, 150]) * rng.uniform(0.4, 1.15) + rng.normal(0, 12, 3)
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    image[:] = np.clip(skin, 0, 255)
    centre = [int(rng.integers(60, side - 60)) for side in (WIDTH, HEIGHT)]
    if rng.random() < 0.6:
        radius, color = int(rng.integers(15, 90)), skin * rng.uniform(0.3, 0.8)
        cv2.circle(image, centre, radius, np.clip(color, 0, 255), -1, cv2.LINE_AA)
    for _ in range(rng.integers(0, 20)):
        place = [int(middle + rng.integers(-50, 50)) for middle in centre]
        color = np.clip(skin * rng.uniform(0.15, 0.6), 0, 255)
        cv2.circle(image, place, int(rng.integers(1, 7)), color, -1, cv2.LINE_AA)
    if rng.random() < 0.3:
        draw_ruler(image, rng)
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.2))


def draw_ruler(image: np.ndarray, rng: np.random.Generator, *, edge: bool = False) -> None:
    """Draw a row of short ticks, with or without the line that they stand on."""
    step, angle = rng.uniform(6, 25), rng.uniform(-0.6, 0.6) + rng.choice([0, np.pi / 2])
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]]) * rng.uniform(4, 14)
    start, shade = rng.uniform(0, 150, 2), int(rng.integers(10, 80))
    ticks = rng.integers(6, 20)
    if edge:
        ends = np.round(np.stack([start, start + (ticks - 1) * step * along]) * 8).astype(np.int32)
        cv2.line(image, ends[0], ends[1], (shade,) * 3, 1, cv2.LINE_AA, 3)
    for number in range(ticks):
        foot = start + number * step * along
        ends = np.round(np.stack([foot, foot + across]) * 8).astype(np.int32)
        thickness = int(rng.integers(1, 3))
        cv2.line(image, ends[0], ends[1], (shade,) * 3, thickness, cv2.LINE_AA, 3)


def draw_hairs(
    image: np.ndarray, rng: np.random.Generator, *, sharpest: float = 0.35
) -> tuple[np.ndarray, np.ndarray]:
    """Lay hairs over an image, blurred by `sharpest` (standard deviation in pixels) to 1.1.

    Returns
    -------
    image : ndarray of shape (H, W, 3), uint8
        With hair: thin or thick, dark, brown or light, one or many, crossing or combed.
    cover : ndarray of shape (H, W), float32
        Share of each pixel that is covered.
    """
    height, width = image.shape[:2]
    heading, spread = rng.uniform(0, np.pi), rng.choice([0.15, 0.5, 2.0])
    kinds = 1 if rng.random() < 0.8 else 2
    count = max(1, int(rng.choice([1, 1, 2, 3, 5, 8, 14, 25])) // kinds)
    skin = np.median(image[::8, ::8].reshape(-1, 3), 0)
    out, truth = image.astype(np.float32), np.zeros((height, width), np.float32)
    for _ in range(kinds):
        # Lines have whole widths, so they are drawn large and scaled down.
        large = np.zeros((2 * height, 2 * width), np.uint8)
        breadth = np.exp(rng.uniform(np.log(0.5), np.log(4.0)))
        for _ in range(count):
            path = _path(height, width, heading + rng.normal(0, spread), rng)
            _draw_tapered(large, 2 * path, 2 * breadth * np.exp(rng.normal(0, 0.25)))
        cover = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA) / np.float32(255)
        if rng.random() < 0.3:
            move = np.float32([[1, 0, rng.uniform(-2, 2)], [0, 1, rng.uniform(-2, 2)]])
            shadow = cv2.GaussianBlur(cv2.warpAffine(cover, move, (width, height)), (0, 0), 1.5)
            out *= 1 - np.float32(0.2) * shadow[..., None]
        soft = cv2.GaussianBlur(cover, (0, 0), rng.uniform(sharpest, 1.1))[..., None]
        out += soft * np.float32(rng.uniform(0.25, 1)) * (_color(skin, rng) - out)
        truth = np.maximum(truth, cover)
    return np.clip(out, 0, 255).astype(np.uint8), truth


def _color(skin: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kind = rng.random()
    if kind < 0.7:
        color = np.array([1, 0.75, 0.6]) * rng.uniform(5, 95) + rng.normal(0, 6, 3)
    elif kind < 0.85:
        color = np.array([1, 0.8, 0.6]) * rng.uniform(90, 200)
    else:
        color = skin + rng.uniform(20, 70)
    return color.astype(np.float32)


def _path(height: int, width: int, heading: float, rng: np.random.Generator) -> np.ndarray:
    length = max(height, width) * rng.uniform(0.08, 1.0)
    bend = rng.normal(0, 0.6) + rng.normal(0, 0.6) * np.linspace(-1, 1, _POINTS)
    if rng.random() < 0.08:
        bend = bend + rng.choice([-1, 1]) * rng.uniform(1.5, 4)
    turn = heading + np.cumsum(bend) / _POINTS * 1.6
    path = np.cumsum(np.column_stack([np.cos(turn), np.sin(turn)]), 0) * length / _POINTS
    return path - path[_POINTS // 2] + rng.uniform((0, 0), (width, height))


def _draw_tapered(cover: np.ndarray, path: np.ndarray, width: float) -> None:
    fixed = np.round(path * 16).astype(np.int32)
    edges = np.linspace(0, _POINTS - 1, _PIECES + 1).astype(int)
    for piece, (start, end) in enumerate(pairwise(edges)):
        local = width * (1 - 0.09 * piece)
        thickness = max(1, round(local))
        level = int(255 * min(1.0, local / thickness))
        points = [fixed[start : end + 1]]
        cv2.polylines(cover, points, False, level, thickness, cv2.LINE_AA, 4)
