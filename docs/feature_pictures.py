"""The pictures of the feature catalogue: panels of an ABCD sheet, written by Sphinx to docs/api."""

from __future__ import annotations

import re
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from hybridlesion.datasets import LesionTraits, draw_lesion
from hybridlesion.features import abcd
from hybridlesion.plotting import SCORE_RANGES, draw_abcd_sheet
from hybridlesion.segmentation import segment_details

FOLDER = Path(__file__).parent / "api"

PANELS = {
    "Asymmetry": ((1, 2), "Asymmetry of shape and of colour of a synthetic lesion"),
    "Border": ((3,), "Abruptness of its border in eight octants"),
    "Color": ((4,), "Its six colours"),
    "Structure": ((5,), "Its dermoscopic structures"),
}
"""Panels of the sheet, counted by rows, and text for each family of features."""

SCORES = "Score", "Grades of its seven-point criteria"


def write_pictures() -> None:
    """Draw a synthetic lesion and write a picture for each family of features."""
    FOLDER.mkdir(exist_ok=True)
    traits = LesionTraits(asymmetry=0.8, border=0.7, color=0.8, radius=0.25)
    image, _ = draw_lesion(traits, size=(400, 300), random_state=3)
    found = segment_details(image, segmenter="refined")
    sheet = draw_abcd_sheet(image, found.mask, structures=found.structures)
    inches = sheet.dpi_scale_trans.inverted()
    for family, (panels, _) in PANELS.items():
        # Each panel has axes for the picture and axes for the caption below it.
        axes = [sheet.axes[2 * panel + part] for panel in panels for part in (0, 1)]
        box = Bbox.union([one.get_window_extent() for one in axes]).transformed(inches)
        box = Bbox([[box.x0 - 0.1, box.y0 - 0.1], [box.x1 + 0.2, box.y1 + 0.35]])
        sheet.savefig(_path(family), bbox_inches=box)
    values = abcd(image, found.mask, structures=found.structures)
    _seven_points(values).savefig(_path(SCORES[0]))


def add_pictures(page: str) -> str:
    """Add the pictures below the headings of the catalogue.

    Parameters
    ----------
    page : str
        Text of ``docs/features.md``.

    Returns
    -------
    str
        The text with a picture in each family that has one.
    """
    words = {family: text for family, (_, text) in PANELS.items()} | dict([SCORES])
    for family, text in words.items():
        picture = f"![{text}](api/{_path(family).name})"
        page = re.sub(rf"^## {family} \(\d+\)$", rf"\g<0>\n\n{picture}", page, flags=re.MULTILINE)
    return page


def _path(family: str) -> Path:
    return FOLDER / f"feature_{family.lower()}.png"


def _seven_points(values: dict[str, float]) -> Figure:
    """Draw the grades of the seven criteria as bars."""
    prefix = "abcd__seven_point_"
    names = [name for name in SCORE_RANGES if name.startswith(prefix)]
    figure = Figure(figsize=(6, 3), dpi=100, layout="constrained")
    axes = figure.subplots()
    grades, double = [values[name] for name in names], 3 * ["#0072B2"]
    bars = axes.barh(
        [name.removeprefix(prefix) for name in names], grades, color=double + 4 * ["#56B4E9"]
    )
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.set(xlim=(0, 1.15), xlabel="grade, 0 to 1 (dark: counts double)")
    points = values[prefix.rstrip("_")]
    axes.set_title(f"Seven-point checklist: {points:.1f} of 10 points", weight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    axes.invert_yaxis()
    return figure
