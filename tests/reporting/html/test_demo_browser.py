"""The report of the demo in a real browser, on a phone and on a desk, by day and by night."""

from __future__ import annotations

import pandas as pd
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="session")
def demo(browser, request):
    """The small demo; the browser comes first, so that without one nothing is drawn."""
    return request.getfixturevalue("small_demo")[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_the_whole_page_is_readable(demo, open_page, width, scheme):
    page, wrong = open_page(demo.paths["the report"], width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    figures = page.locator("#performance figure svg")
    assert figures.count() == 8
    assert all(figure.bounding_box()["height"] > 200 for figure in figures.all())
    # Ink on paper: dark on light by day, light on dark by night.
    ink, paper = (
        sum(page.evaluate(f"getComputedStyle(document.querySelector('section')).{name}"
                          ".match(/\\d+/g).slice(0, 3).map(Number)"))
        for name in ("color", "backgroundColor")
    )  # fmt: skip
    assert (paper - ink > 400) if scheme == "light" else (ink - paper > 400)
    for table in page.locator(".bars:visible").all():
        box = table.bounding_box()
        assert box["x"] + box["width"] <= width
    assert wrong == []


@pytest.mark.parametrize("width", [360, 1440])
def test_each_case_has_its_sheet_over_the_outline_that_was_measured(demo, open_page, width):
    page, wrong = open_page(demo.paths["the report"], width=width)
    n_cases = len(demo.held_out.cases)
    assert page.locator("details.drawn").count() == min(n_cases, 24)
    card = page.locator("article.case").first
    card.locator(".drawn summary").click()
    sheet = card.locator(".drawn img")
    assert sheet.evaluate("image => image.decode().then(() => image.naturalHeight)") == 800
    photograph, outline = card.locator(".picture img"), card.locator(".outline")
    assert photograph.bounding_box() == outline.bounding_box()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert wrong == []


def test_filter_and_sort_work(demo, open_page):
    page, wrong = open_page(demo.paths["the report"])
    scores = demo.held_out.cases.sort_values("score")
    page.select_option("#sort", "score-up")
    first = page.locator("article.case").first
    assert float(first.get_attribute("data-score")) == pytest.approx(scores["score"].min())
    patient = pd.Series(scores["patient_id"]).value_counts().index[0]
    page.fill("#words", patient)
    expected = (scores["patient_id"] == patient).sum()
    assert page.locator("article.case:visible").count() == expected
    assert wrong == []
