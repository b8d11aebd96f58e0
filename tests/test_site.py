"""Pages of the site that `make docs` built, in headless Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest

SITE = Path(__file__).resolve().parents[1] / "build" / "docs"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not SITE.is_dir(), reason="the site is not built: make docs"),
]


@pytest.mark.parametrize(
    "name",
    [
        "docs/site/index",
        "docs/installation",
        "docs/features",
        "docs/comparison",
        "docs/commands/fit",
        "docs/api/metrics",
        "benchmarks/RESULTS",
    ],
)
def test_a_page_fits_a_phone_and_loads_nothing_from_other_hosts(browser, name):
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(180_000)
    page, requested = context.new_page(), []
    page.on("request", lambda request: requested.append(request.url))
    page.goto((SITE / f"{name}.html").as_uri())
    width = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert width <= 390
    assert [address for address in requested if not address.startswith(("file:", "data:"))] == []
