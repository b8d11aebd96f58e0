"""Does a report of 5,000 cases stay fluid in a browser?

    python benchmarks/report.py --out FOLDER [--cases 5000] [--sheets 100] [--keep]

Writes the report of synthetic cases with pictures, outlines, reasons, sheets and patients of
several lesions, opens it in headless Chromium (the system's, driven by Playwright for Python), and
prints its size, the time to the first paint and to the load event, the time from a choice to the
next painted frame for filters, sorting and the threshold, the longest frame while scrolling, and
the memory of its scripts. The pictures are those of 64 drawn lesions, over and over.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion.datasets import make_lesions
from hybridlesion.inference import score_table
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.persistence import save_artifact
from hybridlesion.reporting import write_page

DRAWN = 64
# From one choice of the user to the frame that shows it.
UNTIL_PAINTED = """([name, value]) => new Promise((done) => {
  const control = document.getElementById(name);
  const start = performance.now();
  control.value = value;
  for (const kind of ["input", "change"]) control.dispatchEvent(new Event(kind, {bubbles: true}));
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
})"""
SCROLL = """(step) => new Promise((done) => {
  const gaps = [];
  let last = performance.now(), left = 240;
  const frame = (now) => {
    gaps.push(now - last);
    last = now;
    scrollBy({top: step, behavior: "instant"});
    if (left--) requestAnimationFrame(frame);
    else done(gaps.slice(1).sort((a, b) => a - b));
  };
  document.getElementById("gallery").scrollIntoView({behavior: "instant"});
  requestAnimationFrame(frame);
})"""
PAINTED = """() => {
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  const load = performance.getEntriesByType("navigation")[0];
  return {"first paint": paint ? paint.startTime : NaN, "load event": load.loadEventEnd};
}"""


def write_report(folder: Path, n_cases: int, n_sheets: int, n_jobs: int) -> Path:
    """Write a report of synthetic cases."""
    rng = np.random.default_rng(0)
    training, y = make_table(600, rng)
    model = HybridLesionClassifier(n_splits=3, max_trees=60).fit(training, y)
    save_artifact(folder / "model.joblib", model, metrics=model.metrics_)
    drawn = make_lesions(
        folder / "drawn", n_patients=DRAWN, lesions_per_patient=(1, 1), n_jobs=n_jobs
    )
    table, truth = make_table(n_cases, rng)
    sources = drawn.iloc[np.arange(n_cases) % len(drawn)]
    (folder / "masks").mkdir()
    for image_id, mask in zip(table["image_id"], sources["mask_path"], strict=True):
        (folder / "masks" / f"{image_id}_segmentation.png").hardlink_to(Path(mask).resolve())
    table["path"] = sources["path"].to_numpy()
    score_table(model, table, explain=True).to_csv(folder / "scores.csv", index=False)
    known = table[["image_id", "patient_id", "age", "sex", "site"]]
    known.assign(target=truth).to_csv(folder / "truth.csv", index=False)
    started = time.perf_counter()
    page = write_page(
        folder / "model.joblib",
        folder,
        scores=folder / "scores.csv",
        truth=[folder / "truth.csv"],
        masks=folder / "masks",
        n_cases=n_cases,
        n_sheets=n_sheets,
        n_jobs=n_jobs,
    )
    print(f"{page.n_cases:,} cases, {n_sheets} sheets: {page.path.stat().st_size / 1e6:.1f} MB, "
          f"written in {time.perf_counter() - started:.0f} s")  # fmt: skip
    return page.path


def make_table(n: int, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray]:
    """Make feature rows of patients with five lesions each, and their truth."""
    border, age = rng.uniform(0, 8, n), rng.integers(4, 17, n) * 5.0
    y = (border + age / 40 + rng.normal(0, 1.5, n) > 8).astype(int)
    table = pd.DataFrame(
        {
            "image_id": [f"CASE_{k:07d}" for k in range(n)],
            "patient_id": [f"P{k // 5:06d}" for k in range(n)],
            "age": age,
            "sex": rng.choice(["male", "female"], n),
            "site": rng.choice(["torso", "head/neck", "lower extremity"], n),
            "abcd__asymmetry": rng.uniform(0, 2, n),
            "abcd__border": border,
            "abcd__color": rng.uniform(1, 6, n),
            "abcd__structures": rng.uniform(1, 5, n),
            "abcd__tds": rng.uniform(1, 8.9, n),
        }
    )
    return table.assign(meta__age=age), y


def measure(path: Path, width: int) -> None:
    """Open the page and print what it takes."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(600_000)
        page.goto(path.as_uri(), wait_until="load")
        page.wait_for_timeout(500)
        session = page.context.new_cdp_session(page)
        print(f"at {width} px")
        for name, value in page.evaluate(PAINTED).items():
            print(f"  {name:34}{value:8.0f} ms")
        for name, value in (
            ("truth", "malignant"),
            ("truth", ""),
            ("error", "false negative"),
            ("error", ""),
            ("words", "p00001"),
            ("words", ""),
            ("sort", "patient"),
            ("sort", "score-up"),
            ("sort", "score-down"),
            ("cut", "0"),
            ("cut", "200"),
            ("prevalence", "2"),
        ):
            taken = page.evaluate(UNTIL_PAINTED, [name, value])
            print(f"  {name + ' = ' + (value or 'any'):34}{taken:8.0f} ms")
        for step in (120, 1200):
            gaps = page.evaluate(SCROLL, step)
            print(f"  scrolling {step} px a frame: median {np.median(gaps):.0f} ms, 99 % within "
                  f"{np.quantile(gaps, 0.99):.0f} ms, longest {max(gaps):.0f} ms")  # fmt: skip
        session.send("Performance.enable")
        metrics = {m["name"]: m["value"] for m in session.send("Performance.getMetrics")["metrics"]}
        print(f"  {metrics['Nodes']:,.0f} nodes, JavaScript heap "
              f"{metrics['JSHeapUsedSize'] / 1e6:.1f} MB")  # fmt: skip
        browser.close()


def main() -> None:
    """Write the report and measure it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder for the report")
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--sheets", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="measure the report that lies there")
    options = parser.parse_args()
    path = options.out / "report.html"
    if not options.keep:
        options.out.mkdir(parents=True)
        path = write_report(options.out, options.cases, options.sheets, options.jobs)
    for width in (1440, 360):
        measure(path, width)


if __name__ == "__main__":
    main()
