"""The photograph, the colours and the structures on an ABCD sheet."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hybridlesion.features import COLORS, Palette
from hybridlesion.features.color_map import NOT_MEASURED
from hybridlesion.features.maps import LesionMaps
from hybridlesion.report._abcd_layout import Panel
from hybridlesion.report._abcd_marks import (
    BLUE,
    GREEN,
    PINK,
    RED,
    SKY,
    YELLOW,
    fade,
    hex_color,
    show_lesion,
    tint,
)
from hybridlesion.report._abcd_words import color_word, percent
from hybridlesion.report._style import INK
from hybridlesion.segmentation import draw_overlay

__all__ = ["draw_colors", "draw_photograph", "draw_structures"]

# Far enough apart in lightness that no colour vision confuses them.
_SHOWN = {
    "white": (255, 255, 255),
    "red": (214, 48, 48),
    "light_brown": (222, 184, 135),
    "dark_brown": (96, 56, 32),
    "blue_gray": (110, 145, 185),
    "black": (20, 20, 20),
}
_NONE = (229, 222, 216)
_FEW_PIXELS = 40.0  # lesion diameter; details of a quarter of the measuring scale are guessed


def draw_photograph(
    panel: Panel,
    image: np.ndarray,
    mask: np.ndarray,
    field_of_view: np.ndarray | None,
    hair: np.ndarray | None,
) -> None:
    """Show the photograph with the outline, what is left out, and a bar of one diameter.

    Parameters
    ----------
    panel : Panel
        Where to draw.
    image : ndarray of shape (H, W, 3), uint8
        The photograph.
    mask : ndarray of shape (H, W), bool
        The lesion; may be empty.
    field_of_view, hair : ndarray of shape (H, W), bool, or None
        What shows skin, and hairs.
    """
    shown, words = image, []
    if hair is not None and hair.any():
        shown, words = tint(shown, hair, BLUE, 0.45), ["Blue: hair, left out."]
    if field_of_view is not None and not field_of_view.all():
        shown = tint(shown, ~field_of_view, (200, 200, 200), 0.55)
        words.append("Grey: no skin seen, left out.")
    panel.picture.imshow(draw_overlay(shown, mask))
    if mask.any():
        diameter = float(np.sqrt(4.0 * np.count_nonzero(mask) / np.pi))
        _bar(panel, diameter, image.shape)
        words = ["Green line: the mask.", *words]
        if diameter < _FEW_PIXELS:
            words.append(f"Only {diameter:.0f} pixels across: the numbers mean little.")
    panel.say(" ".join(words), line=1 if mask.any() else 0)


def draw_colors(
    panel: Panel, maps: LesionMaps, values: Mapping[str, float], palette: Palette
) -> None:
    """Give each pixel the one of six colours that it has.

    Parameters
    ----------
    panel : Panel
        Where to draw.
    maps : LesionMaps
        The lesion.
    values : mapping of str to float
        Features by column name.
    palette : Palette
        Reference colours.
    """
    shown = np.full((NOT_MEASURED + 1, 3), 255, np.uint8)
    shown[: len(COLORS)] = [_SHOWN[name] for name in COLORS]
    shown[len(COLORS)] = _NONE
    inside = maps.colors != NOT_MEASURED
    picture = np.where(inside[..., None], shown[maps.colors], fade(maps, 0.75))
    show_lesion(panel, maps, picture.astype(np.uint8))
    shares = {name: values[f"abcd__color_share_{name}"] for name in COLORS}
    entries = [
        ("s", hex_color(_SHOWN[name]), f"{color_word(name)} {percent(share)}",
         values[f"abcd__color_has_{name}"] > 0)
        for name, share in shares.items()
    ]  # fmt: skip
    rest = ("s", hex_color(_NONE), f"none of them {percent(1 - sum(shares.values()))}", False)
    panel.legend([*entries[:3], rest, *entries[3:]])
    _write_under(panel, f"Bold: present ({percent(palette.minimum_share)} or more).")


def draw_structures(panel: Panel, maps: LesionMaps, values: Mapping[str, float]) -> None:
    """Mark network, spots, streaks, structureless areas and veil.

    Parameters
    ----------
    panel : Panel
        Where to draw.
    maps : LesionMaps
        The lesion.
    values : mapping of str to float
        Features by column name.
    """
    found = maps.structures
    shown = fade(maps, 0.15)
    for where, color, alpha in (
        (found.structureless, SKY, 0.5),
        (found.veil, PINK, 0.45),
        (found.lines, BLUE, 0.9),
        (found.streaks, RED, 0.9),
    ):
        shown = tint(shown, where, color, alpha)
    show_lesion(panel, maps, shown)
    if found.network.any():
        panel.picture.contour(found.network, levels=[0.5], colors=hex_color(BLUE), linewidths=0.9)
    _spots(panel, found.dots, ms=3, mfc=hex_color(YELLOW), mec=INK, mew=0.5)
    _spots(panel, found.globules, ms=7.5, mfc="none", mec=hex_color(GREEN), mew=1.3)

    def value(name: str) -> float:
        return values[f"abcd__structure_{name}"]

    panel.legend(
        [
            ("s", hex_color(BLUE), f"network {percent(value('network_share'))}", False),
            ("s", hex_color(RED), f"streaks in {value('streaks_octants'):.0f} octants", False),
            ("o", hex_color(YELLOW), f"dots {value('dots_count'):.0f}", False),
            ("ring", hex_color(GREEN), f"globules {value('globules_count'):.0f}", False),
            ("s", hex_color(SKY), f"structureless {percent(value('structureless_share'))}", False),
            ("s", hex_color(PINK), f"blue-white veil {percent(value('veil_share'))}", False),
        ]
    )


def _spots(panel: Panel, where: np.ndarray, **style: object) -> None:
    y, x = np.nonzero(where)
    panel.picture.plot(x, y, "o", **style)


def _bar(panel: Panel, diameter: float, shape: tuple[int, ...]) -> None:
    """Draw the caption's bar as long as a lesion diameter is in the picture."""
    height, width = shape[:2]
    box = panel.picture.get_position()
    page = panel.picture.figure.get_size_inches()
    inches_per_pixel = min(box.width * page[0] / width, box.height * page[1] / height)
    parts = next(n for n in (1, 2, 4, 8) if diameter * inches_per_pixel / n < 1.3 or n == 8)
    length = diameter * inches_per_pixel / parts
    panel.caption.plot([0.05, 0.05 + length], [0.1, 0.1], color=INK, lw=3, solid_capstyle="butt")
    name = "1 lesion diameter" if parts == 1 else f"1/{parts} lesion diameter"
    panel.caption.text(0.15 + length, 0.1, f"{name} (mm unknown)", va="center", fontsize=9.5,
                       color=INK)  # fmt: skip


def _write_under(panel: Panel, text: str) -> None:
    # the sixth key's neighbour is free: seven keys stand in two columns of four
    panel.caption.text(1.8, 0.7, text, va="center", fontsize=9.5, color=INK)
