"""The record of the times of the stages is read, compared and complete."""

from __future__ import annotations

import runpy
from pathlib import Path

import pandas as pd

MODULE = runpy.run_path(str(Path(__file__).resolve().parents[1] / "benchmarks" / "history.py"))


def _rows(version, processor="A", **stages):
    facts = {"version": version, "date": "2026-01-01", "processor": processor}
    return pd.DataFrame([{**facts, "stage": stage, "ms": ms} for stage, ms in stages.items()])


def test_times_are_compared_with_the_last_version_on_the_same_processor():
    history = pd.concat(
        [_rows("1.0.0", cnn=1.0), _rows("1.1.0", cnn=8.0, fit=5.0), _rows("1.1.0", "B", cnn=2.0)]
    )
    text = MODULE["compare"](_rows("1.2.0", cnn=10.0, fit=4.0, new=1.0), history).splitlines()
    assert text[0] == "1.2.0 on A, compared with 1.1.0"
    assert text[1].split() == ["cnn", "10.0", "ms", "1.25", "x", "SLOWER"]
    assert text[2].split() == ["fit", "4.0", "ms", "0.80", "x"]
    assert text[3].split() == ["new", "1.0", "ms"]


def test_the_first_version_is_compared_with_nothing():
    rows = _rows("1.0.0", cnn=1.0)
    assert MODULE["compare"](rows, rows).splitlines() == [
        "1.0.0 on A, compared with nothing",
        f"{'cnn':<28} {1.0:9.1f} ms",
    ]


def test_the_record_is_complete():
    history = pd.read_csv(MODULE["HISTORY"])
    assert list(history) == ["version", "date", "processor", "stage", "ms"]
    assert not history.duplicated(["version", "processor", "stage"]).any()
    assert (history["ms"] > 0).all()
