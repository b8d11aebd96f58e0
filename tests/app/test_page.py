"""The page in headless Chromium: drop, correct, read, export, with the keyboard and on a phone."""

from __future__ import annotations

import base64
import csv
import json
import re
import threading
import time

import pytest

from .conftest import draw_lesion, encode, spread_lesions

pytest.importorskip("fastapi")

import uvicorn

from hybridlesion.app import create_app
from hybridlesion.metadata import read_mapping

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror=alert(1)>.png"

_DROP = """([names, data]) => {
  const transfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  for (const name of names) transfer.items.add(new File([bytes], name));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
}"""


@pytest.fixture(scope="module")
def address(reader, gallery):
    """Address of a running app."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(reader, gallery=gallery), port=0, log_level="warning")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/"
    server.should_exit = True
    thread.join()


@pytest.fixture
def open_page(browser, address):
    """Open the page: open_page(width=, scheme=) gives it and what went wrong on it."""
    contexts = []

    def open_it(width=1440, scheme="light"):
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=scheme, accept_downloads=True)
        # A busy machine is slow, not wrong.
        context.set_default_timeout(120_000)
        contexts.append(context)
        page, wrong = context.new_page(), []
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        own = (address, "blob:")
        page.on("request", lambda sent: sent.url.startswith(own) or wrong.append(sent.url))
        page.in_flight = set()
        page.on("request", lambda sent: page.in_flight.add(sent))
        page.on("requestfinished", lambda sent: page.in_flight.discard(sent))
        page.on("requestfailed", lambda sent: page.in_flight.discard(sent))
        page.goto(address)
        page.wait_for_selector("#version:not(:empty)")
        return page, wrong

    yield open_it
    for context in contexts:
        context.close()


def _choose(page, *names, content=None):
    content = encode(draw_lesion()) if content is None else content
    files = [{"name": name, "mimeType": "image/png", "buffer": content} for name in names]
    page.set_input_files("#files", files)


def _wait(page, n_read):
    page.locator("#list img").nth(n_read - 1).wait_for()
    page.wait_for_selector("#progress", state="hidden")


def _settle(page):
    """Wait until nothing is being loaded."""
    end = time.monotonic() + 120
    while page.in_flight and time.monotonic() < end:
        page.wait_for_timeout(20)
    assert not page.in_flight


def _changed(page, work):
    """Wait until the score differs after some work."""
    before = page.inner_text("#list [aria-selected=true] b")
    with page.expect_response(lambda answer: answer.request.method in ("PUT", "DELETE")) as found:
        work()
    assert found.value.ok
    # The browser has the answer before the page shows it.
    page.wait_for_selector("#answer[aria-busy=false]")
    return before, page.inner_text("#list [aria-selected=true] b")


def test_dropped_photographs_are_read_and_their_names_are_text(open_page):
    page, wrong = open_page()
    data = base64.b64encode(encode(draw_lesion())).decode()
    page.evaluate(_DROP, [[HOSTILE, "IMG_2.png"], data])
    _wait(page, 2)
    assert page.inner_text("#name") == HOSTILE
    assert page.locator("#list [role=option]").count() == 2
    assert "%" in page.inner_text("#score")
    assert re.fullmatch(r"[\d.]+ % to [\d.]+ %", page.inner_text("#range").replace("\u00a0", " "))
    assert "threshold for 90" in page.inner_text("#verdict")
    assert "of nevi.joblib" in page.inner_text("#verdict")
    assert page.locator("#reasons li").count() == 2  # the age is unknown
    assert page.locator("#outline").get_attribute("d").startswith("M")
    assert wrong == []


def test_age_updates_the_score(open_page):
    page, wrong = open_page()
    _choose(page, "a.png")
    _wait(page, 1)
    before, after = _changed(page, lambda: page.fill("#age", "90"))
    assert before != after
    assert wrong == []


def test_evidence_is_shown_with_its_layer(open_page):
    page, wrong = open_page()
    _choose(page, "a.png")
    _wait(page, 1)
    page.hover("#abcd li:nth-child(3) button")
    assert "Black" in page.inner_text("#proof")
    page.locator("#layers image[href*=colours]").wait_for(state="attached")
    assert "black" in page.inner_text("#legend")
    page.hover("h1")
    page.wait_for_selector("#proof", state="detached")
    page.click("#layer-buttons >> text=Structures")
    page.locator("#layers image[href*=structures]").wait_for(state="attached")
    assert wrong == []


def test_the_outline_is_corrected_by_a_point_or_drawn_anew(open_page):
    page, wrong = open_page()
    _choose(page, "a.png")
    _wait(page, 1)
    automatic = page.locator("#outline").get_attribute("d")
    page.click("#edit")
    handle = page.locator("#handles circle").first
    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag():
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 60, y - 60, steps=5)
        page.mouse.up()

    _changed(page, drag)
    moved = page.locator("#outline").get_attribute("d")
    assert moved != automatic
    stage = page.locator("#picture").bounding_box()

    def draw():
        left, top = stage["x"] + 0.3 * stage["width"], stage["y"] + 0.3 * stage["height"]
        page.mouse.move(left, top)
        page.mouse.down()
        for dx, dy in ((150, 0), (150, 150), (0, 150), (0, 5)):
            page.mouse.move(left + dx, top + dy, steps=5)
        page.mouse.up()

    _changed(page, draw)
    assert page.locator("#outline").get_attribute("d") != moved
    _changed(page, lambda: page.click("#reset"))
    assert page.locator("#outline").get_attribute("d") == automatic
    assert wrong == []


def test_everything_works_with_the_keyboard(open_page):
    page, wrong = open_page()
    _choose(page, "a.png", "b.png", "c.png")
    _wait(page, 3)
    page.focus("#list [aria-selected=true]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    assert page.inner_text("#name") == "c.png"
    _settle(page)  # a picture that is still being loaded would not be found
    page.keyboard.press("Delete")
    assert page.inner_text("#name") == "b.png"
    assert page.locator("#list [role=option]").count() == 2
    _settle(page)
    page.focus("#picture")
    whole = page.get_attribute("#picture", "viewBox")
    page.keyboard.press("+")
    assert page.get_attribute("#picture", "viewBox") != whole
    page.keyboard.press("0")
    assert page.get_attribute("#picture", "viewBox") == whole
    page.focus("#edit")
    page.keyboard.press("Enter")
    page.focus("#handles circle")
    _changed(page, lambda: [page.keyboard.press("ArrowUp") for _ in range(8)])
    page.keyboard.press("Escape")
    assert page.get_attribute("#edit", "aria-pressed") == "false"
    page.focus("#abcd button")
    page.keyboard.press("Enter")
    assert page.inner_text("#proof")
    assert wrong == []


def test_lesions_of_one_patient_are_ordered(open_page):
    page, wrong = open_page()
    page.set_input_files("#files", _files(3))
    _wait(page, 3)
    page.focus("#same-patient")
    page.keyboard.press("Enter")
    page.locator("#patient-lesions button").nth(2).wait_for()
    assert page.input_value("#patient_id").startswith("patient ")
    page.focus("#patient-lesions button:not([aria-current])")
    chosen = page.evaluate("document.activeElement.title")
    page.keyboard.press("Enter")
    page.wait_for_selector(f'#patient-lesions [aria-current][title="{chosen}"]')
    assert page.inner_text("#name") == chosen
    page.fill("#patient_id", "another")
    page.wait_for_selector("#patient-part", state="hidden")
    assert wrong == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_similar_cases_are_shown_with_their_diagnosis(open_page, width, scheme):
    page, wrong = open_page(width, scheme)
    page.set_input_files("#files", _files(2))
    page.locator("#similar-cases li").nth(4).wait_for()
    _wait(page, 2)
    page.click("#same-patient")
    page.wait_for_selector("#patient-part")
    named = page.locator("#similar-cases").inner_text().split()
    assert set(named) == {"Nevus", "Melanoma"}
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert wrong == []


def _files(n):
    names = [f"{k}.png" for k in range(n)]
    drawn = zip(names, spread_lesions(n), strict=True)
    return [{"name": name, "mimeType": "image/png", "buffer": encode(one)} for name, one in drawn]


def test_files_are_exported(open_page, tmp_path):
    page, wrong = open_page()
    _choose(page, "a.png", "b.png")
    _wait(page, 2)
    for button in ("sheet-pdf", "csv", "json"):
        with page.expect_download() as found:
            page.click(f"#{button}")
        found.value.save_as(tmp_path / found.value.suggested_filename)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a_abcd.pdf", "hybridlesion.csv", "hybridlesion.json"]
    rows = list(csv.DictReader((tmp_path / "hybridlesion.csv").read_text().splitlines()))
    assert [row["image_id"] for row in rows] == ["a.png", "b.png"]
    assert len(json.loads((tmp_path / "hybridlesion.json").read_text())["photographs"]) == 2
    assert wrong == []


def test_what_cannot_be_read_is_said(open_page):
    page, _ = open_page()
    _choose(page, "letter.txt", content=b"Dear colleague")
    page.locator("#list .failed").wait_for()
    assert "not an image" in page.inner_text("#failure").lower()
    assert page.is_hidden("#answer")


def test_a_reload_keeps_the_photographs(open_page):
    page, wrong = open_page()
    _choose(page, "a.png")
    _wait(page, 1)
    page.reload()
    _wait(page, 1)
    assert page.inner_text("#name") == "a.png"
    assert wrong == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_a_data_set_is_checked(open_page, address, tmp_path, width, scheme):
    page, wrong = open_page(width, scheme)
    page.click("text=Check a data set")
    page.wait_for_url("**/check")  # and until its scripts have run
    rows = "zzz,Alter,Diagnose\n0,50,nevus\n1,60,melanoma\n"
    table = {"name": "<b>t</b>.csv", "mimeType": "text/csv", "buffer": rows.encode()}
    page.set_input_files("#files", [*_files(3), table])
    page.locator("#columns tr >> text=zzz").wait_for()
    assert "no known layout" in page.inner_text("#failure")
    assert page.is_hidden("#next")
    wrong.clear()  # the browser reports the refusal, too
    page.select_option("#columns tr:has-text('zzz') select", "image_id")
    page.wait_for_selector("#next", state="visible")
    assert page.inner_text("#tiles dd b").split()[0] == "2"
    page.fill("#malignant", "melanoma")
    page.click("text=Check again")
    page.locator("#labels tr:has-text('melanoma') >> text=malignant").wait_for()
    assert "1 photograph without a row: 2" in page.inner_text("#photographs")
    command = page.inner_text("#next")
    assert command.startswith("hybridlesion features . --metadata '<b>t</b>.csv' --mapping")
    with page.expect_download() as found:
        page.click("#mapping")
    found.value.save_as(tmp_path / "mapping.toml")
    assert read_mapping(tmp_path / "mapping.toml").columns["image_id"] == "zzz"
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert wrong == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_is_wider_than_the_window(open_page, width, scheme):
    page, wrong = open_page(width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    _choose(page, "a_rather_long_name_of_a_photograph_from_a_clinic_0001.png")
    _wait(page, 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(18, 22, 26)"
    assert dark == (scheme == "dark")
    small = page.evaluate(
        "[...document.querySelectorAll('button, input, select, .button')]"
        ".filter((one) => one.offsetParent && !one.matches('.unseen') && one.offsetHeight < 24)"
        ".map((one) => one.id || one.textContent)"
    )
    assert small == []
    assert wrong == []
