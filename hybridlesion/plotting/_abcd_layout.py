"""The page of an ABCD sheet: fixed places, so that no text can run into another."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion.features.maps import LesionMaps
from hybridlesion.plotting._style import INK, NOTE, RESEARCH_ONLY, plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BLUE",
    "GREEN",
    "PINK",
    "RED",
    "SKY",
    "YELLOW",
    "Panel",
    "fade",
    "hex_color",
    "limit_view",
    "make_page",
    "make_panel",
    "numbers_axes",
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
    """One picture with room for a caption below it.

    Parameters
    ----------
    picture : Axes
        Where the picture goes.
    caption : Axes
        Room below it; its data coordinates are inches from its top left corner, y downwards.
    """

    picture: Axes
    caption: Axes

    def say(self, text: str, line: int = 0) -> None:
        """Write into the caption.

        Parameters
        ----------
        text : str
            Words; long ones are wrapped.
        line : int, default=0
            Line to begin at.
        """
        lines = textwrap.wrap(text, _CHARACTERS)
        for row, words in enumerate(lines, start=line):
            _write(self.caption, 0.0, (row + 0.5) * _LINE, words)

    def legend(self, entries: Sequence[tuple], n_columns: int = 2) -> None:
        """Write coloured keys with their names.

        Parameters
        ----------
        entries : sequence of (mark, color, text, bold)
            `mark` is a matplotlib marker or ``"ring"``; filled column by column.
        n_columns : int, default=2
            Keys side by side.
        """
        n_rows = -(-len(entries) // n_columns)
        for i, (mark, color, text, bold) in enumerate(entries):
            x, y = (i // n_rows) * _SIDE / n_columns + 0.08, (i % n_rows + 0.5) * _LINE
            ring = {"marker": "o", "mfc": "none", "mec": color, "mew": 1.3}
            filled = {"marker": mark, "mfc": color, "mec": INK, "mew": 0.6}
            self.caption.plot(x, y, ms=8, clip_on=False, **(ring if mark == "ring" else filled))
            _write(self.caption, x + 0.15, y, text, bold)

    def scale(self, colormap: str, low: str, high: str, *, middle: bool = False) -> None:
        """Draw a colour scale in the last line, with the values of its ends.

        Parameters
        ----------
        colormap : str
            Name of the colour map.
        low, high : str
            What its ends stand for.
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
        Heading, any text.
    notes : str
        A line below it.

    Returns
    -------
    Figure
        With title, notes and the line that this is no medical device.
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
    """Put one panel onto the page.

    Parameters
    ----------
    figure : Figure
        Page of `make_page`.
    column, row : int
        Place, 0 to 2 and 0 to 1.
    title : str
        Heading of the panel.

    Returns
    -------
    Panel
        Empty, without ticks.
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
    """Make the column on the right, in inches from its top left corner, y downwards.

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
    """Show a picture of the cut-out with the outline of the mask.

    Parameters
    ----------
    panel : Panel
        Where to draw.
    maps : LesionMaps
        The lesion.
    picture : ndarray of shape (h, w, 3), uint8
        What to show.
    """
    panel.picture.imshow(picture)
    panel.picture.contour(maps.lesion.mask.astype(np.uint8), levels=[0.5], colors=INK,
                          linewidths=0.9)  # fmt: skip


def fade(maps: LesionMaps, towards_white: float = 0.3) -> np.ndarray:
    """Make the cut-out of the photograph paler.

    Parameters
    ----------
    maps : LesionMaps
        The lesion.
    towards_white : float, default=0.3
        0 leaves it as it is, 1 is white.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        Blank beyond the photograph.
    """
    image = maps.photograph
    pale = cv2.addWeighted(image, 1.0 - towards_white, image, 0.0, 255.0 * towards_white)
    pale[~maps.frame] = _BEYOND
    return pale


def tint(
    image: np.ndarray, where: np.ndarray, color: tuple[int, int, int], alpha: float
) -> np.ndarray:
    """Lay a colour over a part of a picture.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB picture; stays as it is.
    where : ndarray of shape (h, w), bool or float
        Pixels to colour, or how much of each, 0 to 1.
    color : tuple of int
        RGB.
    alpha : float
        0 leaves the picture, 1 hides it.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        A new picture.
    """
    weight = alpha * where[..., None].astype(np.float32)
    return (image + weight * (np.array(color, np.float32) - image)).round().astype(np.uint8)


def limit_view(panel: Panel, maps: LesionMaps) -> None:
    """Keep the view on the cut-out, whatever lines were drawn beyond it.

    Parameters
    ----------
    panel : Panel
        Where to draw.
    maps : LesionMaps
        The lesion.
    """
    height, width = maps.lesion.mask.shape
    panel.picture.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def unit_vector(angle: float) -> np.ndarray:
    """Point into a direction.

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
    """Write a colour as matplotlib reads it.

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
