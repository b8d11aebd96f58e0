"""Processor time of the main stages, recorded per release in benchmarks/history.csv.

    python benchmarks/history.py             # measures, and compares with the last release
    python benchmarks/history.py --record    # the same, and replaces the rows of this version

Times are medians of the processor's own time on one core, for synthetic data that do not change.
They are compared only if the processor is the same.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

HISTORY = Path(__file__).with_name("history.csv")
SLOWER = 1.15  # ratio from which a stage is marked
N_IMAGES = 16
N_ROWS = 2000


def main() -> None:
    """Measure, print the comparison, and record if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="write the rows of this version")
    options = parser.parse_args()
    # Before hybridlesion loads the libraries, which start a thread for each core that they may use.
    os.environ["OMP_NUM_THREADS"] = "1"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rows = measure_all()
    history = pd.read_csv(HISTORY) if HISTORY.exists() else rows.iloc[:0]
    print(compare(rows, history))
    if options.record:
        kept = history[history["version"] != rows["version"][0]]
        pd.concat([kept, rows]).to_csv(HISTORY, index=False, lineterminator="\n")


def measure_all() -> pd.DataFrame:
    """Time all stages.

    Returns
    -------
    DataFrame
        Columns ``version``, ``date``, ``processor``, ``stage`` and ``ms``, one row per stage.
    """
    import hybridlesion

    stages = {"start: hybridlesion --help": command_ms("-m", "hybridlesion", "--help")}
    with tempfile.TemporaryDirectory() as folder:
        stages |= image_stages(Path(folder))
    stages |= model_stages()
    rows = pd.DataFrame({"stage": list(stages), "ms": np.round(list(stages.values()), 2)})
    rows.insert(0, "version", hybridlesion.__version__)
    rows.insert(1, "date", datetime.date.today().isoformat())
    rows.insert(2, "processor", processor())
    return rows


def image_stages(folder: Path) -> dict[str, float]:
    """Time the stages of an image of 1,024 pixels, in milliseconds."""
    import hybridlesion
    from hybridlesion.cnn import CNNScorer
    from hybridlesion.io import resize_long_side
    from hybridlesion.segmentation import segment_details

    records = hybridlesion.make_lesions(
        folder, n_patients=N_IMAGES, lesions_per_patient=(1, 1), size=(1024, 768)
    )
    decoded = [hybridlesion.read_image(path, long_side=512) for path in records["path"]]
    images = [resize_long_side(image, 512) for image in decoded]
    found = [segment_details(image) for image in images]
    scorer = CNNScorer(device="cpu").fit()

    def measure(pair: tuple) -> None:
        image, details = pair
        field, hair = details.field_of_view, details.hair
        hybridlesion.abcd(image, details.mask, field_of_view=field, hair=hair)

    def score(_: int) -> None:
        scorer.transform(images, [details.mask for details in found])

    pairs = list(zip(images, found, strict=True))
    return {
        "image: decode": median_ms(
            lambda path: hybridlesion.read_image(path, long_side=512), records["path"]
        ),
        "image: classical mask": median_ms(
            lambda image: segment_details(image, segmenter="classical"), images
        ),
        "image: refined mask": median_ms(
            lambda image: segment_details(image, segmenter="refined"), images
        ),
        "image: ABCD features": median_ms(measure, pairs),
        "image: CNN": median_ms(score, range(3)) / N_IMAGES,
    }


def model_stages() -> dict[str, float]:
    """Time fitting, scoring and evaluating 2,000 rows, in milliseconds."""
    from hybridlesion import HybridLesionClassifier, evaluate

    rng = np.random.default_rng(0)
    columns = [f"abcd__feature_{number}" for number in range(40)]
    table = pd.DataFrame(rng.normal(size=(N_ROWS, len(columns))), columns=columns)
    y = rng.random(N_ROWS) < 1 / (1 + np.exp(2 - table.iloc[:, :4].sum(axis=1)))
    fitted = []

    def fit(_: int) -> None:
        fitted.append(HybridLesionClassifier(n_splits=3, n_jobs=1).fit(table, y))

    return {
        "table of 2,000: fit": median_ms(fit, range(3)),
        "table of 2,000: score": median_ms(lambda _: fitted[0].predict_proba(table), range(5)),
        "table of 2,000: evaluate": median_ms(
            lambda _: evaluate(y, fitted[0].oof_score_), range(3)
        ),
    }


def median_ms(function: Callable[[object], object], inputs: object) -> float:
    """Median processor time of a call, after one that warms up."""
    inputs = list(inputs)
    function(inputs[0])
    spent = []
    for one in inputs:
        started = time.process_time()
        function(one)
        spent.append(time.process_time() - started)
    return 1000 * statistics.median(spent)


def command_ms(*words: str) -> float:
    """Median processor time of a Python process."""
    spent = []
    for _ in range(6):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return 1000 * statistics.median(spent[1:])


def processor() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def compare(rows: pd.DataFrame, history: pd.DataFrame) -> str:
    """Format the times beside those of the last other version on the same processor.

    Parameters
    ----------
    rows, history : DataFrame
        Rows as of `measure_all`, in the order in which they were recorded.

    Returns
    -------
    str
        One line per stage; stages that became slower by 15 % or more are marked.
    """
    others = history[
        (history["version"] != rows["version"][0]) & (history["processor"] == rows["processor"][0])
    ]
    last = others["version"].iloc[-1] if len(others) else None
    before = others[others["version"] == last].set_index("stage")["ms"]
    lines = [f"{rows['version'][0]} on {rows['processor'][0]}, compared with {last or 'nothing'}"]
    for stage, ms in zip(rows["stage"], rows["ms"], strict=True):
        line = f"{stage:<28} {ms:9.1f} ms"
        if stage in before.index:
            ratio = ms / before[stage]
            line += f"   {ratio:5.2f} x{'   SLOWER' if ratio >= SLOWER else ''}"
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    main()
