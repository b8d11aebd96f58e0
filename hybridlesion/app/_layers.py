"""Layers over a photograph: hair, colours, structures and the attribution of the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.explain import cnn_map
from hybridlesion.features import COLORS
from hybridlesion.features.maps import NOT_MEASURED, LesionMaps, lesion_maps
from hybridlesion.features.scores import present_structures
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
        from hybridlesion.plotting import HAIR

        painted = np.zeros((*details.hair.shape, 4), np.uint8)
        painted[details.hair] = (*HAIR, _COVER)
        return painted
    if name == "network":
        from hybridlesion.plotting import paint_cnn_map

        settings = {"device": featurizer.device}
        return paint_cnn_map(cnn_map(image, details.mask, featurizer.weights, **settings))
    correct, field = COLOR_CONSTANCY[featurizer.color_constancy], details.field_of_view
    shown = image if correct is None else correct(image, mask=field)
    options = {"field_of_view": field, "hair": details.hair, "raw": image}
    maps = lesion_maps(shown, details.mask, **options)
    paint = _paint_colors if name == "colours" else _paint_structures
    return paint(maps, image.shape[:2])


def _paint_colors(maps: LesionMaps, shape: tuple[int, int]) -> np.ndarray:
    from hybridlesion.plotting import SWATCHES

    palette = np.zeros((NOT_MEASURED + 1, 4), np.uint8)
    palette[: len(COLORS)] = [(*SWATCHES[name], 255) for name in COLORS]
    return _in_frame(palette[maps.colors], maps, shape)


def _paint_structures(maps: LesionMaps, shape: tuple[int, int]) -> np.ndarray:
    from hybridlesion.plotting import STRUCTURE_COLORS

    found = maps.structures
    painted = np.zeros((*found.core.shape, 4), np.uint8)
    for name, where, strength in (
        ("structureless", found.structureless, 120),
        ("veil", found.veil > 0.5, 150),
        ("network", found.network, 90),
        ("network", found.lines, 235),
        ("streaks", found.streaks, 235),
    ):
        painted[where] = (*STRUCTURE_COLORS[name], strength)
    frame = _in_frame(painted, maps, shape)
    top, bottom, left, right = maps.lesion.window
    scale = _ENLARGED * np.divide((bottom - top, right - left), found.core.shape)
    for name, radius, width in (("dots", 2, -1), ("globules", 5, 2)):
        spots = (np.argwhere(getattr(found, name)) + 0.5) * scale
        for y, x in spots + np.multiply(_ENLARGED, (top, left)):
            color = (*STRUCTURE_COLORS[name], 255)
            cv2.circle(frame, (round(x), round(y)), radius, color, width, cv2.LINE_AA)
    return frame


def _in_frame(painted: np.ndarray, maps: LesionMaps, shape: tuple[int, int]) -> np.ndarray:
    """Place a layer of the cut-out in its frame."""
    top, bottom, left, right = np.multiply(maps.lesion.window, _ENLARGED).tolist()
    size = (right - left, bottom - top)
    painted = cv2.resize(painted, size, interpolation=cv2.INTER_NEAREST)
    frame = np.zeros((*np.multiply(shape, _ENLARGED), 4), np.uint8)
    rows, columns = slice(max(top, 0), bottom), slice(max(left, 0), right)
    target = frame[rows, columns]
    height, width = target.shape[:2]
    target[:] = painted[rows.start - top :, columns.start - left :][:height, :width]
    return frame


def _entry(color: tuple[int, int, int], text: str, present: bool = True) -> dict[str, object]:
    return {"color": "#{:02x}{:02x}{:02x}".format(*color), "text": text, "present": present}


def _hair_legend(values: Mapping[str, float]) -> list[dict[str, object]]:
    from hybridlesion.plotting import HAIR

    return [_entry(HAIR, "hair, excluded from colour")]


def _color_legend(values: Mapping[str, float]) -> list[dict[str, object]]:
    from hybridlesion.plotting import SWATCHES, color_word, percent

    return [
        _entry(
            SWATCHES[name],
            f"{color_word(name)} {percent(values[f'abcd__color_share_{name}'])}",
            bool(values[f"abcd__color_has_{name}"] > 0),
        )
        for name in COLORS
    ]


def _structure_legend(values: Mapping[str, float]) -> list[dict[str, object]]:
    from hybridlesion.plotting import STRUCTURE_COLORS, percent

    value = {
        name.removeprefix("abcd__structure_"): number
        for name, number in values.items()
        if name.startswith("abcd__structure_")
    }
    texts = {
        "network": f"network {percent(value['network_share'])}",
        "streaks": f"streaks in {value['streaks_octants']:.0f} octants",
        "dots": f"dots {value['dots_count']:.0f}",
        "globules": f"globules {value['globules_count']:.0f}",
        "structureless": f"structureless {percent(value['structureless_share'])}",
        "veil": f"blue-white veil {percent(value['veil_share'])}",
    }
    present = present_structures(values)
    return [
        _entry(STRUCTURE_COLORS[name], text, bool(present.get(name, False)))
        for name, text in texts.items()
    ]


def _network_legend(values: Mapping[str, float]) -> list[dict[str, object]]:
    return [_entry((213, 94, 0), "raises the score"), _entry((0, 114, 178), "lowers the score")]


@dataclass(frozen=True)
class Layer:
    """A layer that can be shown over a photograph.

    Parameters
    ----------
    title : str
        Name for display.
    legend : callable
        Entries of its legend, from the measured values by column name.
    """

    title: str
    legend: Callable[[Mapping[str, float]], list[dict[str, object]]]


LAYERS = {
    "hair": Layer("Hair", _hair_legend),
    "colours": Layer("Colours", _color_legend),
    "structures": Layer("Structures", _structure_legend),
    "network": Layer("Network map", _network_legend),
}
"""Layers by name."""
