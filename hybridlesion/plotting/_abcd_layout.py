"""Page layout, drawing helpers and wording of an ABCD sheet."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hybridlesion.inference import LesionAnswer
from hybridlesion.plotting._style import (
    GRID,
    INK,
    NOTE,
    RESEARCH_ONLY,
    SCORE,
    plain_text,
    write,
)

WIDTH, HEIGHT = 16.0, 10.0  # inches; 1600 x 1000 pixels at 100 dpi
_SIDE, _TOP, _STEP_X, _STEP_Y = 3.6, 0.95, 3.95, 4.48
_LEFT, _PICTURE, _CAPTION = 0.3, 3.22, 0.8
_LINE = 0.2  # inches between lines of a caption
_CHARACTERS = 52  # per line of a caption
_HEADER = 0.85  # inches from the top to the end of title and notes
_REASONS = 150  # characters per line about a score


@dataclass(frozen=True)
class Panel:
    """An image with a caption below it.

    Parameters
    ----------
    picture : Axes
        Axes of the image.
    caption : Axes
        Axes below the image, in inches from their top left corner, with y downwards.
    """

    picture: Axes
    caption: Axes

    def show(self, image: np.ndarray) -> None:
        """Show an image, to which the view remains limited.

        Parameters
        ----------
        image : ndarray of shape (h, w, 3), uint8
            Image.
        """
        self.picture.imshow(image)
        self.picture.autoscale(False)

    def outline(self, where: np.ndarray, color: str) -> None:
        """Draw the outline of a mask.

        Parameters
        ----------
        where : ndarray of shape (h, w), bool
            Mask, not empty.
        color : str
            Colour of the line.
        """
        self.picture.contour(where.astype(np.uint8), levels=[0.5], colors=color, linewidths=0.9)

    def write(self, text: str, line: int = 0) -> None:
        """Write text into the caption.

        Parameters
        ----------
        text : str
            Text, wrapped to the width of the caption.
        line : int, default=0
            Line to start at.
        """
        lines = textwrap.wrap(text, _CHARACTERS)
        for row, words in enumerate(lines, start=line):
            write(self.caption, 0.0, (row + 0.5) * _LINE, words)

    def legend(self, entries: Sequence[tuple]) -> None:
        """Write a legend of two columns into the caption.

        Parameters
        ----------
        entries : sequence of (mark, color, text, bold)
            `mark` is a matplotlib marker or ``"ring"``, `color` is RGB. Entries are placed column
            by column.
        """
        n_rows = -(-len(entries) // 2)
        for i, (mark, color, text, bold) in enumerate(entries):
            x, y = (i // n_rows) * _SIDE / 2 + 0.08, (i % n_rows + 0.5) * _LINE
            color = np.divide(color, 255)
            ring = {"marker": "o", "mfc": "none", "mec": color, "mew": 1.3}
            filled = {"marker": mark, "mfc": color, "mec": INK, "mew": 0.6}
            self.caption.plot(x, y, ms=8, clip_on=False, **(ring if mark == "ring" else filled))
            write(self.caption, x + 0.15, y, text, weight="bold" if bold else "normal")

    def scale(self, colormap: str, low: str, high: str, *, middle: bool = False) -> None:
        """Draw a colour bar in the last line, with labels at its ends.

        Parameters
        ----------
        colormap : str
            Name of a matplotlib colour map.
        low, high : str
            Labels of the ends.
        middle : bool, default=False
            Whether to mark the middle.
        """
        y, start, stop = _CAPTION - 0.5 * _LINE, 0.55, 1.9
        ramp = np.linspace(0, 1, 128)[None]
        extent = (start, stop, y + 0.06, y - 0.06)
        self.caption.imshow(ramp, cmap=colormap, extent=extent, aspect="auto")
        if middle:
            self.caption.plot([(start + stop) / 2] * 2, [y - 0.08, y + 0.08], color=INK, lw=0.8)
        write(self.caption, start - 0.06, y, low, ha="right")
        write(self.caption, stop + 0.06, y, high)
        _frame(self.caption)

    def scale_bar(self, diameter: float) -> None:
        """Draw a scale bar of one lesion diameter, or a fraction of it, into the first line.

        Parameters
        ----------
        diameter : float
            Diameter of the lesion in pixels of the image shown.
        """
        height, width = self.picture.images[0].get_size()
        length = diameter * min(_SIDE / width, _PICTURE / height)
        parts = next(n for n in (1, 2, 4, 8) if length / n < 1.3 or n == 8)
        end = 0.05 + length / parts
        self.caption.plot([0.05, end], [0.1, 0.1], color=INK, lw=3, solid_capstyle="butt")
        name = "1 lesion diameter" if parts == 1 else f"1/{parts} lesion diameter"
        write(self.caption, 0.1 + end, 0.1, f"{name} (mm unknown)")


def make_page(title: str, notes: str) -> Figure:
    """Make an empty page.

    Parameters
    ----------
    title : str
        Title, which may be any text.
    notes : str
        Line below the title.

    Returns
    -------
    Figure
        Page with title, notes and the disclaimer.
    """
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=100, facecolor="white")
    left, title, notes = _LEFT / WIDTH, plain_text(title), plain_text(notes, 180)
    write(figure, left, 1 - 0.3 / HEIGHT, title, 16, weight="bold", parse_math=False)
    write(figure, left, 1 - 0.58 / HEIGHT, notes, 10, color=NOTE, parse_math=False)
    write(figure, 1 - left, 0.16 / HEIGHT, RESEARCH_ONLY, 11, weight="bold", ha="right")
    return figure


def add_score(figure: Figure, answer: LesionAnswer, model: str) -> None:
    """Extend a page at the top by a model's score of the lesion, and its reasons.

    Parameters
    ----------
    figure : Figure
        Page with all its panels.
    answer : LesionAnswer
        Score and reasons.
    model : str
        Name of the model.
    """
    small = [line for text in (*answer.details, *answer.warnings) for line in _wrap(text)]
    reasons = [plain_text(reason, _REASONS) for reason in answer.reasons]
    line, top = 1.1 * _LINE, 0.42
    added = top + max(4, len(reasons) + len(small) + 1) * line
    _make_room(figure, added)
    height = figure.get_figheight()
    score = _place(figure, _LEFT, _HEADER, _STEP_X, added, height)
    words = _place(figure, _LEFT + _STEP_X, _HEADER, WIDTH - _STEP_X - _LEFT, added, height)
    for axes, width in ((score, _STEP_X), (words, WIDTH - _STEP_X - _LEFT)):
        axes.set_axis_off()
        axes.set(xlim=(0, width), ylim=(added, 0))
    write(score, 0, 0.13, f"Score {answer.score:.3g}", 16, weight="bold")
    score.barh(top, _SIDE, 0.14, left=0, color=GRID)
    score.barh(top, answer.score * _SIDE, 0.14, left=0, color=SCORE)
    score.plot([answer.threshold * _SIDE] * 2, [top - 0.12, top + 0.12], color=INK, lw=1.6)
    said = f"{answer.verdict[0].upper()}{answer.verdict[1:]}"
    for row, text in enumerate([said, f"of {plain_text(model, 44)}."]):
        write(score, 0, top + 0.3 + row * line, text, parse_math=False)
    write(words, 0, 0.13, "Reasons", 12, weight="bold")
    for row, text in enumerate([*reasons, *small]):
        color = INK if row < len(reasons) else NOTE
        write(words, 0, top + row * line, text, color=color, parse_math=False)


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(f"{text[0].upper()}{text[1:]}", _REASONS)


def _make_room(figure: Figure, added: float) -> None:
    """Make a page higher, and move everything but the title down."""
    old, new = figure.get_figheight(), figure.get_figheight() + added
    for axes in figure.axes:
        box = axes.get_position()
        axes.set_position((box.x0, box.y0 * old / new, box.width, box.height * old / new))
    for text in figure.texts:
        x, y = text.get_position()
        is_title = (1 - y) * old < _HEADER
        text.set_position((x, 1 - (1 - y) * old / new if is_title else y * old / new))
    figure.set_figheight(new)


def make_panel(figure: Figure, column: int, row: int, title: str) -> Panel:
    """Add a panel to the page.

    Parameters
    ----------
    figure : Figure
        Page from `make_page`.
    column, row : int
        Position of the panel, 0 to 2 and 0 to 1.
    title : str
        Title of the panel.

    Returns
    -------
    Panel
        Empty panel without ticks.
    """
    left, top = _LEFT + column * _STEP_X, _TOP + row * _STEP_Y + 0.15
    write(figure, left / WIDTH, 1 - (top - 0.15) / HEIGHT, title, 12, weight="bold")
    picture = _place(figure, left, top, _SIDE, _PICTURE)
    caption = _place(figure, left, top + _PICTURE + 0.06, _SIDE, _CAPTION)
    caption.set_axis_off()
    _frame(caption)
    picture.set_axis_off()
    return Panel(picture, caption)


def numbers_axes(figure: Figure) -> Axes:
    """Make the axes of the right column, in inches from the top left corner, with y downwards.

    Parameters
    ----------
    figure : Figure
        Page from `make_page`.

    Returns
    -------
    Axes
        3.5 by 8.75 inches, without ticks.
    """
    axes = _place(figure, _LEFT + 3 * _STEP_X, _TOP - 0.15, 3.5, 8.75)
    axes.set(xlim=(0, 3.5), ylim=(8.75, 0))
    axes.set_axis_off()
    return axes


def _place(
    figure: Figure, left: float, top: float, width: float, height: float, page: float = HEIGHT
) -> Axes:
    bottom = page - top - height
    return figure.add_axes((left / WIDTH, bottom / page, width / WIDTH, height / page))


def _frame(caption: Axes) -> None:
    caption.set(xlim=(0, _SIDE), ylim=(_CAPTION, 0))


def percent(share: float, limit: float | None = None, digits: int = 0) -> str:
    """Format a fraction as a percentage.

    Parameters
    ----------
    share : float
        Fraction, 0 to 1.
    limit : float, default=None
        Fraction that decides; see `rounded`.
    digits : int, default=0
        Digits after the point.

    Returns
    -------
    str
        For example ``"13 %"``; ``"<1 %"`` for a positive fraction that would round to 0.

    Examples
    --------
    >>> percent(0.126), percent(0.001), percent(0.0), percent(0.028, 0.03)
    ('13 %', '<1 %', '0 %', '2.8 %')
    """
    if digits == 0 and 0.0 < share < 0.005:
        return "<1 %"
    return f"{rounded(100 * max(share, 0.0), None if limit is None else 100 * limit, digits)} %"


def rounded(value: float, limit: float | None, digits: int) -> str:
    """Round a number, with as many digits as tell on which side of a limit it lies.

    Parameters
    ----------
    value : float
        The number.
    limit : float or None
        Number that decides, for example whether a colour is present.
    digits : int
        Fewest digits after the point; at most five are written.

    Returns
    -------
    str
        The number.

    Examples
    --------
    >>> rounded(9.4, 10.0, 1), rounded(10.02, 10.0, 1), rounded(10.0, 10.0, 1)
    ('9.4', '10.02', '10.0')
    """
    if limit is not None and value != limit:
        while digits < 5 and round(value, digits) == round(limit, digits):
            digits += 1
    return f"{value:.{digits}f}"
