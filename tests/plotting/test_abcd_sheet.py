"""The sheet shows what the features measured, in words that fit, whatever the lesion is."""

from __future__ import annotations

import importlib.util
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from hybridlesion.features import COLORS, abcd
from hybridlesion.features.maps import lesion_maps
from hybridlesion.features.scores import POINTS
from hybridlesion.plotting import draw_abcd_sheet
from hybridlesion.plotting._abcd_layout import percent
from hybridlesion.plotting._abcd_sheet import color_word, score_words

PANELS = ["Photograph", "A  Asymmetry of shape", "A  Asymmetry of colour"]
PANELS += ["B  Border: pigment cut-off", "C  The six colours", "D  Structures"]


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    path = Path(__file__).parents[1] / "features" / "drawn_lesion.py"
    spec = importlib.util.spec_from_file_location("drawn_lesion", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.draw_lesion()


def _texts(figure) -> list:
    return [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]


def _words(figure) -> str:
    return " ".join(text.get_text() for text in _texts(figure))


def _picture(figure, panel: int):
    """Axes of a panel's picture; its caption follows it."""
    return figure.axes[2 * panel]


def test_the_sheet_names_its_panels_scores_and_what_it_is_not(drawn):
    figure = draw_abcd_sheet(*drawn, title="SYN_1", notes="Mask: drawn.")
    words, values = _words(figure), abcd(*drawn)
    for panel in ["SYN_1", "Mask: drawn.", *PANELS, "Research software, not a medical device."]:
        assert panel in words
    shown = {text.get_text() for text in figure.axes[-1].texts}
    for name in ("asymmetry", "border", "color", "structures", "tds", "seven_point"):
        digits = int(name in ("tds", "seven_point"))
        assert f"{values[f'abcd__{name}']:.{digits}f}" in shown
        assert set(score_words(name, values)) <= shown


def test_the_seven_points_add_up_to_the_number_beside_them(drawn):
    values = abcd(*drawn)
    terms = " ".join(score_words("seven_point", values)).partition(";")[0].split(" + ")
    points = {name: float(number) for name, number in (term.split() for term in terms)}
    assert list(points) == list(POINTS)
    assert sum(points.values()) == pytest.approx(values["abcd__seven_point"], abs=0.036)


@pytest.mark.parametrize(("share", "shown"), [
    (0.0296, "2.96 %"), (0.0304, "3.04 %"), (0.03, "3 %"), (0.12, "12 %"), (0.002, "<1 %"),
])  # fmt: skip
def test_a_share_beside_its_limit_has_the_digits_that_decide(share, shown):
    assert percent(share, 0.03) == shown


def test_the_legend_has_the_shares_of_the_features_and_presence_is_bold(drawn):
    figure, values = draw_abcd_sheet(*drawn), abcd(*drawn)
    legend = {text.get_text(): text.get_fontweight() for text in figure.axes[9].texts}
    for name in COLORS:
        entry = f"{color_word(name)} {percent(values[f'abcd__color_share_{name}'], 0.03)}"
        present = values[f"abcd__color_has_{name}"] > 0
        assert legend[entry] == ("bold" if present else "normal")
    assert sum(values[f"abcd__color_has_{name}"] for name in COLORS) >= 2


def test_the_colours_drawn_have_the_shares_of_the_features(drawn):
    figure, values = draw_abcd_sheet(*drawn), abcd(*drawn)
    picture = _picture(figure, 4).images[0].get_array()
    inside = lesion_maps(*drawn).lesion.inside
    dark = (picture[inside] == (96, 56, 32)).all(axis=1).mean()
    assert dark == pytest.approx(values["abcd__color_share_dark_brown"], abs=1e-6)


def test_octants_drawn_as_abrupt_are_those_that_the_feature_counts(drawn):
    image, mask = drawn
    x = np.linspace(0, 1, image.shape[1])[None, :, None]
    # the border fades towards the left
    image = (image * x + 190 * (1 - x)).astype(np.uint8)
    figure, octants = draw_abcd_sheet(image, mask), lesion_maps(image, mask).octants
    numbers = _picture(figure, 3).texts
    bold = [text.get_text() for text in numbers if text.get_fontweight() == "bold"]
    assert bold == [f"{np.floor(slope):.0f}" for slope in octants.slope[octants.abrupt]]
    assert 0 < len(bold) < len(numbers) == 8
    # a framed octant is drawn twice: the frame, and the colour on it
    assert len(_picture(figure, 3).collections) == 8 + len(bold)
    assert f"abrupt (30 or more), {len(bold)} of 8 octants." in _words(figure).replace("  ", " ")


def test_spots_drawn_are_those_that_the_feature_counts(drawn):
    figure, values = draw_abcd_sheet(*drawn), abcd(*drawn)
    dots, globules = _picture(figure, 5).lines
    assert len(dots.get_xdata()) == values["abcd__structure_dots_count"]
    assert len(globules.get_xdata()) == values["abcd__structure_globules_count"]


def _frames(drawn):
    image, mask = drawn
    yield "whole", image, mask
    yield "leaves the frame", image[120:, 150:], mask[120:, 150:]
    yield "fills the frame", image[150:220, 150:220], np.ones((70, 70), bool)
    yield "two parts", image, mask & (np.abs(np.arange(image.shape[1]) - 180) > 20)
    yield "thread", image, mask & (np.abs(np.arange(image.shape[0]) - 180) < 2)[:, None]
    yield "one pixel", image[:40, :60], np.arange(2400).reshape(40, 60) == 777
    yield "empty", image, np.zeros_like(mask)


@pytest.mark.parametrize("number", range(7))
def test_no_text_runs_into_another_or_off_the_page(drawn, number):
    _, image, mask = list(_frames(drawn))[number]
    seen = np.ones(mask.shape, bool)
    seen[:30, :30] = False
    hair = np.zeros(mask.shape, bool)
    hair[:, 33:35] = True
    image, mask = np.ascontiguousarray(image), np.ascontiguousarray(mask)
    figure = draw_abcd_sheet(
        image, mask, field_of_view=seen, hair=hair, title="A" * 200, notes="Mask. " * 100
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    page = figure.bbox
    pictures = {id(text) for axes in figure.axes[0::2][:6] for text in axes.texts}
    texts = [text for text in _texts(figure) if id(text) not in pictures and text.get_text()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    for words, box in boxes:
        assert page.x0 <= box.x0 < box.x1 <= page.x1, words
        assert page.y0 <= box.y0 < box.y1 <= page.y1, words
    for (words, box), (others, other) in combinations(boxes, 2):
        assert not box.overlaps(other), f"{words!r} runs into {others!r}"
    if mask.any():
        assert all(panel in _words(figure) for panel in PANELS)
        few = "pixels across: unreliable" in _words(figure)
        assert few == (mask.sum() < np.pi * 20**2)
    else:
        assert "No lesion was found" in _words(figure)
        assert "Total dermoscopy score" not in _words(figure)


@pytest.mark.parametrize(
    "title", ["$\\frac{1}{0}$", "a$b", "two\nlines", "皮膚", "\udcff.png", "", "<&>%s{}"]
)
def test_hostile_names_are_shown_as_text(title, tmp_path):
    image = np.full((40, 60, 3), 200, np.uint8)
    mask = np.zeros((40, 60), bool)
    mask[10:30, 15:45] = True
    figure = draw_abcd_sheet(image, mask, title=title)
    figure.savefig(tmp_path / "sheet.png")
    figure.savefig(tmp_path / "sheet.svg")
    shown = figure.texts[0].get_text()
    assert len(shown) == len(title)
    assert all(own in (other, "\ufffd") for own, other in zip(shown, title, strict=True))


def test_the_bar_is_one_diameter_of_the_lesion_in_the_photograph():
    image = np.full((100, 150, 3), 200, np.uint8)
    y, x = np.mgrid[:100, :150]
    mask = np.hypot(y - 50, x - 75) < 15
    figure = draw_abcd_sheet(image, mask)
    bar = figure.axes[1].lines[0]
    inches = np.ptp(bar.get_xdata())
    FigureCanvasAgg(figure).draw()
    pixels = _picture(figure, 0).transData.transform([(0, 0), (30, 0)])
    assert inches == pytest.approx(np.ptp(pixels[:, 0]) / figure.dpi, rel=0.03)
    assert "1 lesion diameter (mm unknown)" in _words(figure)
