"""The page in a real browser: no error, no request, figures, filters, layout."""

from __future__ import annotations

import re

import pandas as pd
import pytest

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(open_page, files):
    """Open the page of conftest: opened(width=, ...) gives it and what went wrong."""
    return lambda **options: open_page(files.page, **options)


def _shown(page):
    return page.locator("article.case:visible")


def test_no_error_no_request_and_figures_are_visible(opened):
    page, wrong = opened()
    assert page.title() == "Report on model"
    charts = page.locator("#performance figure svg")
    assert charts.count() == 8
    assert all(chart.bounding_box()["height"] > 200 for chart in charts.all())
    picture = page.locator("article.case img").first
    picture.scroll_into_view_if_needed()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 80
    assert wrong == []


def _show_all(page):
    """Come to the end of the gallery, so that every card that is listed is there."""
    while page.locator("#more").is_visible():
        page.evaluate("document.getElementById('more').scrollIntoView()")
        page.wait_for_timeout(20)


def _said(page):
    return page.locator("#count").inner_text()


def test_hostile_names_are_shown_as_text(opened):
    page, wrong = opened()
    _show_all(page)
    assert page.locator("h3", has_text="<img src=x onerror=alert(1)>").count() == 1
    of_patient = page.locator("article.case", has_text='patient "><script>document.title')
    numbers = of_patient.evaluate_all("cards => cards.map(card => Number(card.id.slice(5)))")
    # One of them at least came with the cards that wait as text.
    assert (len(numbers), max(numbers) >= 24) == (3, True)
    assert page.locator('img[src="x"], article script').count() == 0
    assert page.title() == "Report on model"
    assert wrong == []


def test_cards_follow_when_the_reader_comes_near(opened):
    page, wrong = opened()
    few = _shown(page).count()
    assert 24 <= few < 60
    assert _said(page) == "60 lesions"
    _show_all(page)
    assert _shown(page).count() == 60
    assert wrong == []


def test_filters_and_their_count(opened, files):
    page, _ = opened()
    n_malignant = pd.read_csv(files.truth)["target"].sum()
    page.select_option("#truth", "malignant")
    assert _said(page) == f"{n_malignant} of 60 lesions"
    _show_all(page)
    assert page.locator('[data-truth="malignant"]').count() == _shown(page).count() == n_malignant
    missed = page.locator('[data-error="false negative"]').count()
    page.select_option("#error", "false negative")
    assert _shown(page).count() == page.locator('[data-error="false negative"]').count() == missed
    page.fill("#low", "1")
    assert (_shown(page).count(), _said(page)) == (0, "0 of 60 lesions")
    page.click("#reset")
    assert _said(page) == "60 lesions"
    page.fill("#words", "later002")
    assert _shown(page).count() == 3


def test_sorting(opened):
    page, _ = opened()

    def order(name):
        _show_all(page)
        return page.eval_on_selector_all(
            "article.case", f"cards => cards.map(card => card.dataset.{name})"
        )

    page.select_option("#sort", "score-up")
    scores = [float(score) for score in order("score")]
    assert (len(scores), scores) == (60, sorted(scores))
    page.select_option("#sort", "error")
    errors = order("error")
    assert errors == sorted(errors, key=["false negative", "false positive", "correct"].index)
    page.select_option("#sort", "patient")
    patients = order("patient")
    assert [patients.index(patient) for patient in patients] == sorted(
        patients.index(patient) for patient in patients
    )


def test_the_patients_lesions_lead_to_their_cards_even_through_a_filter(opened):
    page, _ = opened()
    link = page.locator(".strip a:not([aria-current])").first
    target = link.get_attribute("href")
    picture = link.evaluate("link => getComputedStyle(link).backgroundImage")
    assert picture.startswith('url("data:image/webp')
    card = link.locator("xpath=ancestor::article").get_attribute("data-image")
    page.fill("#words", card)
    assert not page.locator(target).is_visible()
    link.click()
    assert page.locator(target).is_visible()


def test_an_address_leads_to_a_card_that_waits(opened):
    page, _ = opened(address="#case-59")
    card = page.locator("#case-59")
    assert card.is_visible()
    assert page.input_value("#words") == card.get_attribute("data-patient")
    assert -5 < card.bounding_box()["y"] < 900


def test_a_drawn_sheet_takes_the_whole_width(opened):
    page, wrong = opened()
    drawn = page.locator("details.drawn").first
    card = drawn.locator("xpath=ancestor::article")
    narrow = card.bounding_box()["width"]
    drawn.locator("summary").click()
    sheet = drawn.locator("img")
    assert sheet.evaluate("image => image.decode().then(() => image.naturalWidth)") == 1280
    assert card.bounding_box()["width"] > 2.5 * narrow
    assert sheet.bounding_box()["width"] > 1000
    assert wrong == []


def test_what_the_network_sees_is_laid_over_the_photograph(opened):
    page, _ = opened()
    seen = page.locator("img.seen").first
    assert not seen.is_visible()
    page.check("#seen")
    seen.scroll_into_view_if_needed()
    assert seen.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    photograph = seen.locator("xpath=preceding-sibling::img")
    assert seen.bounding_box() == photograph.bounding_box()
    assert photograph.evaluate("image => getComputedStyle(image).filter") == "grayscale(1)"


def test_a_table_that_is_wider_than_a_phone_scrolls_beside_its_names(opened):
    page, _ = opened(width=390)
    table = page.locator('[data-file="operating-points"]')
    caption = table.locator("caption").bounding_box()
    assert caption["x"] + caption["width"] <= 390
    name = table.locator("tbody th").first
    before, cell = name.bounding_box()["x"], table.locator("tbody td").last
    assert cell.bounding_box()["x"] > 390
    table.evaluate("table => { table.parentElement.scrollLeft = 999; }")
    assert cell.bounding_box()["x"] < 390
    assert name.bounding_box()["x"] == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_the_layout_holds(opened, width, scheme):
    page, wrong = opened(width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("summary", "performance", "subgroups", "gallery", "card"):
        box = page.locator(f"#{name}").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    assert wrong == []


def _values(page):
    return {
        element.get_attribute("data-value"): element.inner_text()
        for element in page.locator("#decide [data-value]").all()
    }


def test_the_threshold_moves_the_point_the_counts_and_the_lesions(opened, files):
    page, wrong = opened()
    scored, truth = pd.read_csv(files.scores), pd.read_csv(files.truth)
    table = scored.merge(truth[["image_id", "target"]], on="image_id")
    before, point = _values(page), page.locator("#point")
    assert not page.locator("#changed-list a").count()
    left = float(point.get_attribute("cx"))
    last = int(page.locator("#cut").get_attribute("max"))
    page.locator("#cut").fill(str(last - 5))
    page.wait_for_function("document.querySelector('#changed-list a')")
    after = _values(page)
    cut = page.evaluate("JSON.parse(decide.dataset.steps).t").pop(last - 5)
    called = table["score"] >= cut
    assert int(after["tp"]) == (called & (table["target"] == 1)).sum() < int(before["tp"])
    assert int(after["fp"]) == (called & (table["target"] == 0)).sum()
    assert int(after["fn"]) + int(after["tp"]) == table["target"].sum()
    assert float(point.get_attribute("cx")) < left
    moved = sum(int(before[name]) - int(after[name]) for name in ("tp", "fp"))
    assert page.locator("#changed-list a").count() == min(moved, 40)
    first = page.locator("#changed-list a").first
    assert first.evaluate("a => getComputedStyle(a).backgroundImage").startswith('url("data:image')
    first.click()
    assert page.locator(first.get_attribute("href")).is_visible()
    assert wrong == []


def test_predictive_values_follow_the_prevalence(opened):
    page, _ = opened()
    before = _values(page)
    sensitivity, specificity = (
        float(before[name].rstrip(" %\N{NO-BREAK SPACE}")) / 100
        for name in ("sensitivity", "specificity")
    )
    page.fill("#prevalence", "1")
    page.wait_for_function("document.querySelector('[data-value=share]').innerText === '1'")
    after = _values(page)
    referred = 0.01 * sensitivity + 0.99 * (1 - specificity)
    assert float(after["referred"]) == pytest.approx(1000 * referred, abs=1)
    assert float(after["missed"]) == pytest.approx(10 * (1 - sensitivity), abs=0.06)
    ppv = float(after["ppv"].rstrip(" %\N{NO-BREAK SPACE}"))
    assert ppv == pytest.approx(sensitivity / referred, abs=0.2)
    assert after["tp"] == before["tp"]
    low, high = (float(end) for end in re.findall(r"[\d.]+", after["ppv_interval"]))
    assert low < ppv < high
    assert after["sensitivity_interval"] == before["sensitivity_interval"]


def test_intervals_follow_the_threshold(opened):
    page, wrong = opened()
    row = page.locator("[data-file=operating-points] tbody tr").first.inner_text()
    drawn = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    before = _values(page)
    page.fill("#cut", page.get_attribute("#cut", "max"))
    page.evaluate(drawn)
    after = _values(page)
    for name in ("sensitivity", "specificity", "npv"):
        assert after[f"{name}_interval"] != before[f"{name}_interval"]
    page.click("#decide [data-step] >> text=model")
    assert _values(page) == before
    listed = re.findall(r"(\d+) to (\d+)", row)
    for name, ends in zip(("sensitivity", "specificity", "ppv"), listed, strict=True):
        exact = [float(end) for end in re.findall(r"[\d.]+", before[f"{name}_interval"])]
        assert [float(end) for end in ends] == pytest.approx(exact, abs=0.56)
    assert wrong == []


def test_values_are_the_same_with_and_without_scripts(opened):
    with_scripts, _ = opened()
    without, _ = opened(scripts=False)
    assert _values(with_scripts) == _values(without)
    assert not without.locator("#cut").is_visible()
    assert with_scripts.locator("#cut").is_visible()


def test_tables_and_figures_can_be_downloaded(opened, tmp_path):
    page, wrong = opened()
    for place, start, inside in (
        ("#participants .save", '"","All","Malignant","Benign"', '"Lesions","60"'),
        ("#curve .save", "<svg", ".line {"),
        ("#performance figure .save", "<svg", "Sensitivity"),
    ):
        with page.expect_download() as download:
            page.locator(place).first.click()
        download.value.save_as(tmp_path / "file")
        text = (tmp_path / "file").read_text(encoding="utf-8")
        assert text.startswith(start)
        assert inside in text
        assert "var(--" not in text
    assert wrong == []


def test_on_a_phone_no_column_is_squeezed(opened):
    page, _ = opened(width=390)
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    widths = page.eval_on_selector_all(
        "main td:not(:empty), main th:not(:empty)",
        "cells => cells.filter(c => c.offsetParent).map(c => c.getBoundingClientRect().width)",
    )
    assert len(widths) > 100
    assert min(widths) > 30


@pytest.mark.parametrize(("cases", "fewest", "most"), [(False, 5, 15), (True, 12, 40)])
def test_print_on_a4(opened, cases, fewest, most):
    page, _ = opened()
    if cases:
        page.check("#print-cases")
    printed = page.pdf(prefer_css_page_size=True)
    assert fewest <= len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) <= most
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 695, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth") <= 695
    for table in page.locator("main table:visible").all():
        box = table.bounding_box()
        assert box["x"] + box["width"] <= 696


def test_the_content_is_there_without_scripts(opened):
    page, _ = opened(scripts=False)
    assert _shown(page).count() == 60
    assert not page.locator("#sort").is_visible()
    assert page.locator("#outlines").is_visible()
    outline = page.locator(".outline").first
    outline.scroll_into_view_if_needed()
    assert outline.is_visible()
    page.uncheck("#outlines")
    assert not outline.is_visible()


def test_keys_reach_the_content(opened):
    page, _ = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.wait_for_url("**#main")
