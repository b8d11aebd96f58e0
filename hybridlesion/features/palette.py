"""The six colours of dermoscopy as reference points that a user may replace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features._context import Lesion

__all__ = ["COLORS", "DEFAULT_PALETTE", "Palette", "classify_colors"]

COLORS = ("white", "red", "light_brown", "dark_brown", "blue_gray", "black")
_STEP = 4  # Lab is looked up on a grid of 4 units: far below the distance of two references
_SIDE = 256 // _STEP
_TO_GRID = np.array(
    [[2.55 / _STEP, 0, 0, 0], [0, 1 / _STEP, 0, 128 / _STEP], [0, 0, 1 / _STEP, 128 / _STEP]],
    np.float32,
)
_GRID_STRIDE = np.array([_SIDE * _SIDE, _SIDE, 1], np.float32)


@dataclass(frozen=True)
class Palette:
    """Reference colours in CIE Lab on a standard skin, and how far a pixel may lie from its colour.

    Parameters
    ----------
    references : mapping of str to sequence of (L, a, b)
        For each of `COLORS` one or more reference points, as seen on skin of the colour `skin`.
    skin : tuple of int, default=(206, 166, 146)
        RGB of the standard skin. Before colours are named, each channel is multiplied so that the
        skin around the lesion gets this colour (von Kries): light and camera then matter little.
    radius : float, default=40.0
        Delta-E beyond which a pixel has none of the six colours.
    chroma_weight : float, default=1.6
        Weight of a and b against L in that distance: hue tells blue-grey from brown, shading not.
    minimum_share : float, default=0.03
        Share of the lesion from which a colour counts as present.
    """

    references: Mapping[str, tuple[tuple[float, float, float], ...]]
    skin: tuple[int, int, int] = (206, 166, 146)
    radius: float = 40.0
    chroma_weight: float = 1.6
    minimum_share: float = 0.03
    _key: tuple = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if set(self.references) != set(COLORS):
            raise ValueError(
                f"references must name exactly {', '.join(COLORS)}, "
                f"got {', '.join(map(str, self.references))}."
            )
        points = tuple(
            (COLORS.index(name), *map(float, point))
            for name in COLORS
            for point in self.references[name]
        )
        # skin seen inside the outline is none of the six
        points += ((len(COLORS), *_lab(np.array([self.skin], np.uint8))[0].tolist()),)
        object.__setattr__(self, "_key", (points, float(self.radius), float(self.chroma_weight)))


def _lab(rgb: np.ndarray) -> np.ndarray:
    """Lab of some pixels, (n, 3) float32."""
    scaled = rgb[None].astype(np.float32)
    scaled *= np.float32(1.0 / 255.0)
    return cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB)[0]


DEFAULT_PALETTE = Palette(
    {
        "white": ((86.0, 4.0, 6.0), (80.0, 4.0, 2.0)),
        "red": ((52.0, 42.0, 26.0), (62.0, 34.0, 22.0)),
        "light_brown": ((66.0, 17.0, 26.0), (56.0, 20.0, 30.0)),
        "dark_brown": ((44.0, 20.0, 28.0), (34.0, 17.0, 24.0), (28.0, 14.0, 20.0)),
        "blue_gray": ((46.0, 9.0, 2.0), (36.0, 7.0, -1.0), (56.0, 9.0, 2.0)),
        "black": ((26.0, 7.0, 5.0), (18.0, 8.0, 6.0), (12.0, 6.0, 4.0)),
    }
)


def classify_colors(lesion: Lesion, palette: Palette = DEFAULT_PALETTE) -> np.ndarray:
    """Name the colour of every lesion pixel.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.
    palette : Palette, default=DEFAULT_PALETTE
        Reference colours.

    Returns
    -------
    ndarray of shape (n,), uint8
        For each pixel of ``lesion.inside``, in row order, its index into `COLORS`, or 6 where it
        looks like skin or no reference is near.

    Notes
    -----
    Where no skin is seen, the lightest tenth of the lesion stands for it.
    """
    ground = lesion.ground.astype(np.float32)[None, None]
    own = cv2.cvtColor(ground, cv2.COLOR_LAB2RGB)[0, 0] * 255.0
    gain = np.asarray(palette.skin, np.float32) / np.maximum(own, 16.0)
    table = np.clip(np.arange(256)[:, None] * gain, 0, 255).astype(np.uint8)
    lab = _lab(cv2.LUT(lesion.rgb_inside[None], table[None])[0])
    # rows and columns of the grid; no value is negative, so that cutting off is rounding down
    cells = cv2.transform(lab[None], _TO_GRID)[0].astype(np.uint8)
    # float32 holds these whole numbers, and multiplies matrices many times quicker
    index = cells.astype(np.float32) @ _GRID_STRIDE
    return _lookup(palette._key).take(index.astype(np.int32))


@lru_cache(maxsize=8)
def _lookup(key: tuple) -> np.ndarray:
    """Nearest colour of every cell of a grid over Lab."""
    points, radius, chroma = key
    axis = np.arange(_SIDE) * _STEP + _STEP / 2.0
    cells = np.stack(
        np.meshgrid(axis * 100.0 / 255.0, axis - 128.0, axis - 128.0, indexing="ij"), -1
    )
    nearest = np.full(cells.shape[:3], radius**2)
    label = np.full(cells.shape[:3], len(COLORS), np.uint8)
    for color, *point in points:
        squared = (cells - point) ** 2
        distance = squared[..., 0] + chroma**2 * (squared[..., 1] + squared[..., 2])
        label[distance < nearest] = color
        nearest = np.minimum(nearest, distance)
    return label.ravel()
