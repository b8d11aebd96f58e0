"""Fit and score at the size of ISIC 2024: time, memory, and the bare predictions beside them.

    python benchmarks/scale.py [--rows 401059] [--columns 300] [--positives 393] [--jobs 2]
                               [--repeats 5]

The table is synthetic and float32, lies as Parquet on disk and has 1,042 patients. Printed are the
time of reading, fitting and scoring, the peak of memory, and the ratio of scoring to the bare
LightGBM predictions that it contains.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion.model import HybridLesionClassifier


def main() -> None:
    """Write the table, fit, score, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=401_059)
    parser.add_argument("--columns", type=int, default=300)
    parser.add_argument("--positives", type=int, default=393)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5, help="how often scoring is timed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.parquet"
        make_table(options).to_parquet(path)
        seconds, table = timed(lambda: pd.read_parquet(path))
    print(f"reading: {seconds:.1f} s, peak {peak():.1f} GiB")
    y = table.pop("target").to_numpy()
    model = HybridLesionClassifier(n_jobs=options.jobs)
    seconds, _ = timed(lambda: model.fit(table, y))
    print(f"fit: {seconds:.0f} s, peak {peak():.1f} GiB, {len(model.feature_names_)} columns")
    print(f"peak {peak():.1f} GiB")
    ratios = []
    for _ in range(options.repeats):
        seconds, _ = timed(lambda: model.predict_proba(table))
        bare = predict_bare(model, table, options.jobs)
        ratios.append(seconds / bare)
        print(f"score: {seconds:.1f} s, LightGBM alone {bare:.1f} s, ratio {ratios[-1]:.2f}")
    print(f"median ratio {statistics.median(ratios):.2f}, peak {peak():.1f} GiB")


def make_table(options: argparse.Namespace) -> pd.DataFrame:
    """Draw a table with a few columns that tell and many that do not."""
    rng = np.random.default_rng(0)
    y = np.zeros(options.rows, dtype=np.int8)
    y[rng.choice(options.rows, options.positives, replace=False)] = 1
    values = rng.standard_normal((options.rows, options.columns), dtype=np.float32)
    values[:, :10] += 0.7 * y[:, None]
    names = [f"meta__tbp_lv_{k:03d}" for k in range(34)]
    names += [f"abcd__{k:03d}" for k in range(options.columns - 35)] + ["cnn__score"]
    table = pd.DataFrame(values, columns=names)
    table.insert(0, "patient_id", rng.integers(0, 1042, options.rows).astype(str))
    return table.assign(target=y)


def predict_bare(model: HybridLesionClassifier, table: pd.DataFrame, jobs: int) -> float:
    """Seconds that the boosters alone take on matrices that are ready."""
    encoded = model.encoder_.transform(table)
    rows = model.ensemble_.split(encoded)
    setting = next(company for company in rows if rows[company].any())
    total = 0.0
    for view, members in zip(model.ensemble_.views, model.ensemble_.members, strict=True):
        if view.company != setting:
            continue
        columns = np.ascontiguousarray(encoded[:, view.dense])
        for member in members:
            for booster in member.boosters:
                seconds, _ = timed(
                    lambda b=booster, c=columns: b.predict(c, raw_score=True, num_threads=jobs)
                )
                total += seconds
    return total


def timed(work) -> tuple[float, object]:
    """Run and say how long it took."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def peak() -> float:
    """Most memory that this process ever held, in GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
