"""The page in a real browser: no error, no request, figures, filters, layout."""

from __future__ import annotations

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
    assert page.title() == "Report on model.joblib"
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
    assert page.title() == "Report on model.joblib"
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
    assert page.url.endswith("#main")
