"""Page layout, drawing helpers and wording of an ABCD sheet."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features import COLORS, FEATURES
from hybridlesion.features.maps import LesionMaps
from hybridlesion.features.scores import structure_presence
from hybridlesion.plotting._style import INK, NOTE, RESEARCH_ONLY, plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "GREEN",
    "PINK",
    "RED",
    "SCORE_RANGES",
    "SKY",
    "YELLOW",
    "Panel",
    "color_word",
    "fade",
    "flag_words",
    "hex_color",
    "limit_view",
    "make_page",
    "make_panel",
    "numbers_axes",
    "percent",
    "score_words",
    "show_lesion",
    "tint",
    "unit_vector",
]

WIDTH, HEIGHT = 16.0, 10.0  # inches; 1600 x 1000 pixels at 100 dpi
_SIDE, _TOP, _STEP_X, _STEP_Y = 3.6, 0.95, 3.95, 4.48
_LEFT, _PICTURE, _CAPTION = 0.3, 3.22, 0.8
_LINE = 0.2  # inches from one line of a caption to the next
_CHARACTERS = 52  # of a line of a caption


@dataclass(frozen=True)
class Panel:
    """An image with a caption below it.

    Parameters
    ----------
    picture : Axes
        Axes of the image.
    caption : Axes
        Axes below it, in inches from their top left corner, y downwards.
    """

    picture: Axes
    caption: Axes

    def write(self, text: str, line: int = 0) -> None:
        """Write text into the caption.

        Parameters
        ----------
        text : str
            Text, wrapped to the width of the caption.
        line : int, default=0
            First line.
        """
        lines = textwrap.wrap(text, _CHARACTERS)
        for row, words in enumerate(lines, start=line):
            _write(self.caption, 0.0, (row + 0.5) * _LINE, words)

    def legend(self, entries: Sequence[tuple], n_columns: int = 2) -> None:
        """Write a legend into the caption.

        Parameters
        ----------
        entries : sequence of (mark, color, text, bold)
            `mark` is a matplotlib marker or ``"ring"``; filled column by column.
        n_columns : int, default=2
            Number of columns.
        """
        n_rows = -(-len(entries) // n_columns)
        for i, (mark, color, text, bold) in enumerate(entries):
            x, y = (i // n_rows) * _SIDE / n_columns + 0.08, (i % n_rows + 0.5) * _LINE
            ring = {"marker": "o", "mfc": "none", "mec": color, "mew": 1.3}
            filled = {"marker": mark, "mfc": color, "mec": INK, "mew": 0.6}
            self.caption.plot(x, y, ms=8, clip_on=False, **(ring if mark == "ring" else filled))
            _write(self.caption, x + 0.15, y, text, bold)

    def scale(self, colormap: str, low: str, high: str, *, middle: bool = False) -> None:
        """Draw a colour bar in the last line, with labels at its ends.

        Parameters
        ----------
        colormap : str
            Name of a matplotlib colour map.
        low, high : str
            Labels of its ends.
        middle : bool, default=False
            Whether to mark its middle.
        """
        y, start, stop = _CAPTION - 0.5 * _LINE, 0.55, 1.9
        ramp = np.linspace(0, 1, 128)[None]
        extent = (start, stop, y + 0.06, y - 0.06)
        self.caption.imshow(ramp, cmap=colormap, extent=extent, aspect="auto")
        if middle:
            self.caption.plot([(start + stop) / 2] * 2, [y - 0.08, y + 0.08], color=INK, lw=0.8)
        self.caption.text(start - 0.06, y, low, ha="right", va="center", fontsize=9.5, color=INK)
        _write(self.caption, stop + 0.06, y, high)
        _frame(self.caption)


def make_page(title: str, notes: str) -> Figure:
    """Make an empty page.

    Parameters
    ----------
    title : str
        Title, any text.
    notes : str
        A line below it.

    Returns
    -------
    Figure
        Page with title, notes and the disclaimer.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=100, facecolor="white")
    left = _LEFT / WIDTH
    figure.text(left, 1 - 0.3 / HEIGHT, plain_text(title), fontsize=16, fontweight="bold",
                va="center", color=INK, parse_math=False)  # fmt: skip
    figure.text(left, 1 - 0.58 / HEIGHT, plain_text(notes, 180), fontsize=10, va="center",
                color=NOTE, parse_math=False)  # fmt: skip
    figure.text(1 - left, 0.16 / HEIGHT, RESEARCH_ONLY, fontsize=11, fontweight="bold",
                ha="right", va="center", color=INK)  # fmt: skip
    return figure


def make_panel(figure: Figure, column: int, row: int, title: str) -> Panel:
    """Add a panel to the page.

    Parameters
    ----------
    figure : Figure
        Page of `make_page`.
    column, row : int
        Position, 0 to 2 and 0 to 1.
    title : str
        Title of the panel.

    Returns
    -------
    Panel
        Empty panel without ticks.
    """
    left, top = _LEFT + column * _STEP_X, _TOP + row * _STEP_Y + 0.15
    figure.text(left / WIDTH, 1 - (top - 0.15) / HEIGHT, title, fontsize=12, fontweight="bold",
                va="center", color=INK)  # fmt: skip
    picture = _place(figure, left, top, _SIDE, _PICTURE)
    caption = _place(figure, left, top + _PICTURE + 0.06, _SIDE, _CAPTION)
    caption.set_axis_off()
    _frame(caption)
    picture.set_axis_off()
    return Panel(picture, caption)


def numbers_axes(figure: Figure) -> Axes:
    """Make the right column, in inches from its top left corner, y downwards.

    Parameters
    ----------
    figure : Figure
        Page of `make_page`.

    Returns
    -------
    Axes
        3.4 by 8.6 inches, without ticks.
    """
    axes = _place(figure, _LEFT + 3 * _STEP_X, _TOP - 0.15, 3.5, 8.75)
    axes.set(xlim=(0, 3.5), ylim=(8.75, 0))
    axes.set_axis_off()
    return axes


def _place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    bottom = HEIGHT - top - height
    return figure.add_axes((left / WIDTH, bottom / HEIGHT, width / WIDTH, height / HEIGHT))


def _frame(caption: Axes) -> None:
    caption.set(xlim=(0, _SIDE), ylim=(_CAPTION, 0))


def _write(axes: Axes, x: float, y: float, text: str, bold: bool = False) -> None:
    weight = "bold" if bold else "normal"
    axes.text(x, y, text, va="center", fontsize=9.5, color=INK, fontweight=weight)


# Okabe and Ito's colours, as RGB.
SKY, GREEN, YELLOW = (86, 180, 233), (0, 158, 115), (240, 228, 66)
BLUE, RED, PINK = (0, 114, 178), (213, 94, 0), (204, 121, 167)
_BEYOND = (245, 245, 245)


def show_lesion(panel: Panel, maps: LesionMaps, picture: np.ndarray) -> None:
    """Show an image of the crop with the outline of the mask.

    Parameters
    ----------
    panel : Panel
        Panel to draw in.
    maps : LesionMaps
        The lesion.
    picture : ndarray of shape (h, w, 3), uint8
        Image of the size of the crop.
    """
    panel.picture.imshow(picture)
    panel.picture.contour(maps.lesion.mask.astype(np.uint8), levels=[0.5], colors=INK,
                          linewidths=0.9)  # fmt: skip


def fade(maps: LesionMaps, towards_white: float = 0.3) -> np.ndarray:
    """Lighten the crop of the photograph.

    Parameters
    ----------
    maps : LesionMaps
        The lesion.
    towards_white : float, default=0.3
        0 for no change, 1 for white.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        Light grey outside the photograph.
    """
    image = maps.photograph
    pale = cv2.addWeighted(image, 1.0 - towards_white, image, 0.0, 255.0 * towards_white)
    pale[~maps.frame] = _BEYOND
    return pale


def tint(
    image: np.ndarray, where: np.ndarray, color: tuple[int, int, int], alpha: float
) -> np.ndarray:
    """Blend a colour into a part of an image.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB image; not changed.
    where : ndarray of shape (h, w), bool or float
        Pixels to colour, or a weight of each, 0 to 1.
    color : tuple of int
        RGB.
    alpha : float
        Opacity, 0 to 1.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        A new image.
    """
    weight = alpha * where[..., None].astype(np.float32)
    return (image + weight * (np.array(color, np.float32) - image)).round().astype(np.uint8)


def limit_view(panel: Panel, maps: LesionMaps) -> None:
    """Limit the view to the crop, whatever was drawn outside it.

    Parameters
    ----------
    panel : Panel
        Panel to limit.
    maps : LesionMaps
        The lesion.
    """
    height, width = maps.lesion.mask.shape
    panel.picture.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def unit_vector(angle: float) -> np.ndarray:
    """Return the unit vector of a direction.

    Parameters
    ----------
    angle : float
        Radians from the row axis towards rising rows.

    Returns
    -------
    ndarray of shape (2,), float
        (x, y) of length 1.
    """
    return np.array([np.cos(angle), np.sin(angle)])


def hex_color(color: tuple[int, int, int]) -> str:
    """Format an RGB colour for matplotlib.

    Parameters
    ----------
    color : tuple of int
        RGB.

    Returns
    -------
    str
        For example ``"#0072B2"``.
    """
    return "#{:02X}{:02X}{:02X}".format(*color)


SCORE_RANGES = {row.name: (row.low, row.high) for row in FEATURES if row.family == "score"}
"""Lowest and highest value of each score by column name."""

_LOOK = {"asymmetry": "asymmetric", "border": "irregular", "color": "variegated"}
_FLAGS = {
    "empty": "no lesion was found",
    "touches_border": "the lesion extends beyond the field of view",
    "several": "another region is almost as likely a lesion",
    "fills_frame": "there is little surrounding skin for comparison",
    "unrefined": "the refiner found no lesion, so the classical mask was kept",
}


def color_word(name: str) -> str:
    """Return the name of a colour for display.

    Parameters
    ----------
    name : str
        One of `COLORS`.

    Returns
    -------
    str
        For example ``"blue-grey"``.
    """
    return "blue-grey" if name == "blue_gray" else name.replace("_", " ")


def flag_words(flags: Sequence[str]) -> str:
    """Describe the flags of a segmentation.

    Parameters
    ----------
    flags : sequence of str
        Flags of `Segmentation`.

    Returns
    -------
    str
        A sentence; empty without flags.

    Examples
    --------
    >>> flag_words(("touches_border", "several"))
    'The lesion extends beyond the field of view; another region is almost as likely a lesion.'
    """
    words = "; ".join(_FLAGS.get(flag, flag.replace("_", " ")) for flag in flags)
    return f"{words[0].upper()}{words[1:]}." if words else ""


def percent(share: float) -> str:
    """Format a fraction as a whole percentage.

    Parameters
    ----------
    share : float
        0 to 1.

    Returns
    -------
    str
        For example ``"13 %"``; ``"<1 %"`` for a positive fraction that would round to 0.

    Examples
    --------
    >>> percent(0.126), percent(0.001), percent(0.0)
    ('13 %', '<1 %', '0 %')
    """
    return "<1 %" if 0.0 < share < 0.005 else f"{100 * max(share, 0.0):.0f} %"


def score_words(name: str, values: Mapping[str, float]) -> list[str]:
    """Explain an ABCD score in a few lines.

    Parameters
    ----------
    name : {"asymmetry", "border", "color", "structures", "tds"}
        Score.
    values : mapping of str to float
        Features by column name.

    Returns
    -------
    list of str
        Lines of at most 50 characters.
    """
    if name == "structures":
        parts = [f"{part} {share:.1f}" for part, share in structure_presence(values).items()]
        return [
            "Each structure counts from 0 (absent) to 1:",
            ", ".join(parts[:3]) + ",",
            ", ".join(parts[3:]) + ". The sum is at least 1.",
        ]
    if name == "tds":
        return [
            "1.3 A + 0.1 B + 0.5 C + 0.5 D, as coloured.",
            "Published cut-offs apply to scores given by",
            "dermatologists, not to these.",
        ]
    low, high = SCORE_RANGES[f"abcd__{name}"]
    rank = (values[f"abcd__{name}"] - low) / (high - low)
    lines = [
        f"Estimated to look more {_LOOK[name]} than {percent(rank)}",
        "of the lesions that human raters compared.",
    ]
    if name == "color":
        count = sum(values[f"abcd__color_has_{color}"] > 0 for color in COLORS)
        lines.append(f"Colours present: {count:.0f} of six.")
    return lines
