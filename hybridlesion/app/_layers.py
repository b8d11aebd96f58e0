"""Layers over a photograph: hair, colours, structures and the attribution of the network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import PIL.Image

from hybridlesion import plotting
from hybridlesion._optional_imports import cv2
from hybridlesion.explain import cnn_map
from hybridlesion.features import COLORS
from hybridlesion.features.maps import NOT_MEASURED, LesionMaps, lesion_maps
from hybridlesion.features.scores import PRESENT, present_structures
from hybridlesion.featurizer import COLOR_CONSTANCY, LesionFeaturizer
from hybridlesion.inference import MeasuredImage

_ENLARGED = 2  # size of layers with details, in pixels of the analysis
_COVER = 205  # opacity, of 255


def paint_layer(name: str, measured: MeasuredImage, featurizer: LesionFeaturizer) -> np.ndarray:
    """Paint a layer for the whole frame.

    Parameters
    ----------
    name : str
        Key of `LAYERS`.
    measured : MeasuredImage
        The photograph at the scale of the analysis.
    featurizer : LesionFeaturizer
        Fitted featurizer, whose settings are used.

    Returns
    -------
    ndarray of shape (h, w, 4), uint8
        RGBA, in the proportions of the image.
    """
    image, details = measured.image, measured.segmentation
    if name == "hair":
        painted = np.zeros((*details.hair.shape, 4), np.uint8)
        painted[details.hair] = (*plotting.HAIR, _COVER)
        height, width = np.multiply(details.hair.shape, _ENLARGED).tolist()
        return _resize(painted, (width, height))
    if name == "network":
        settings = {"device": featurizer.device}
        return plotting.paint_cnn_map(cnn_map(image, details.mask, featurizer.weights, **settings))
    correct, field = COLOR_CONSTANCY[featurizer.color_constancy], details.field_of_view
    shown = image if correct is None else correct(image, mask=field)
    options = {"field_of_view": field, "hair": details.hair, "raw": image}
    maps = lesion_maps(shown, details.mask, **options)
    if name == "structures":
        return _paint_structures(maps, image.shape[:2])
    palette = np.zeros((NOT_MEASURED + 1, 4), np.uint8)
    palette[: len(COLORS)] = [(*plotting.SWATCHES[name], 255) for name in COLORS]
    return _in_frame(palette[maps.colors], maps, image.shape[:2])


def _paint_structures(maps: LesionMaps, shape: tuple[int, int]) -> np.ndarray:
    found = maps.structures
    painted = np.zeros((*found.core.shape, 4), np.uint8)
    for name, where, strength in (
        ("structureless", found.structureless, 120),
        ("veil", found.veil > 0.5, 150),
        ("network", found.network, 90),
        ("network", found.lines, 235),
        ("streaks", found.streaks, 235),
    ):
        painted[where] = (*plotting.STRUCTURE_COLORS[name], strength)
    frame = _in_frame(painted, maps, shape)
    top, bottom, left, right = maps.lesion.window
    scale = _ENLARGED * np.divide((bottom - top, right - left), found.core.shape)
    for name, radius, width in (("dots", 2, -1), ("globules", 5, 2)):
        spots = (np.argwhere(getattr(found, name)) + 0.5) * scale
        for y, x in spots + np.multiply(_ENLARGED, (top, left)):
            color = (*plotting.STRUCTURE_COLORS[name], 255)
            cv2.circle(frame, (round(x), round(y)), radius, color, width, cv2.LINE_AA)
    return frame


def _in_frame(painted: np.ndarray, maps: LesionMaps, shape: tuple[int, int]) -> np.ndarray:
    """Place a layer of the cut-out in its frame."""
    top, bottom, left, right = np.multiply(maps.lesion.window, _ENLARGED).tolist()
    size = (right - left, bottom - top)
    painted = _resize(painted, size)
    frame = np.zeros((*np.multiply(shape, _ENLARGED), 4), np.uint8)
    rows, columns = slice(max(top, 0), bottom), slice(max(left, 0), right)
    target = frame[rows, columns]
    height, width = target.shape[:2]
    target[:] = painted[rows.start - top :, columns.start - left :][:height, :width]
    return frame


def _resize(painted: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize RGBA to a width and height without stairs."""
    # Unlike OpenCV, Pillow weights colours by opacity, so that edges have no dark fringe.
    return np.asarray(PIL.Image.fromarray(painted).resize(size, PIL.Image.Resampling.BILINEAR))


def layer_legend(name: str, values: Mapping[str, float]) -> list[dict[str, object]]:
    """Describe the colours of a layer.

    Parameters
    ----------
    name : str
        Key of `LAYERS`.
    values : mapping of str to float
        Measurements by column name.

    Returns
    -------
    list of dict
        Entries with ``color`` (hexadecimal), ``text`` and ``present``.
    """
    if name == "hair":
        entries = [(plotting.HAIR, "hair, excluded from colour", True)]
    elif name == "network":
        up, down = (213, 94, 0), (0, 114, 178)
        # As chosen by `cnn_map`.
        score = f"score for {'melanoma' if 'cnn__melanoma' in values else 'malignancy'}"
        entries = [(up, f"raises the {score}", True), (down, f"lowers the {score}", True)]
    elif name == "colours":
        entries = plotting.color_legend(values)
    else:
        present = present_structures(values)
        entries = [
            (plotting.STRUCTURE_COLORS[part], text, bool(present.get(part, False)))
            for part, text in _structure_texts(values).items()
        ]
    return [
        {"color": "#{:02x}{:02x}{:02x}".format(*color), "text": text, "present": here}
        for color, text, here in entries
    ]


def _structure_texts(values: Mapping[str, float]) -> dict[str, str]:
    def share(name: str) -> str:
        least = PRESENT[name][1] if name in PRESENT else None
        return plotting.percent(values[f"abcd__structure_{name}_share"], least)

    return {
        "network": f"network {share('network')}",
        "streaks": f"streaks in {values['abcd__structure_streaks_octants']:.0f} octants",
        "dots": f"dots {values['abcd__structure_dots_count']:.0f}",
        "globules": f"globules {values['abcd__structure_globules_count']:.0f}",
        "structureless": f"structureless {share('structureless')}",
        "veil": f"blue-white veil {share('veil')}",
    }


LAYERS = {
    "hair": "Hair",
    "colours": "Colours",
    "structures": "Structures",
    "network": "Network map",
}
"""Titles of the layers that can be shown over a photograph, by name."""
