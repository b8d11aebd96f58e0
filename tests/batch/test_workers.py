"""Workers that die or hang: the image is named and nothing else changes."""

from __future__ import annotations

import multiprocessing

import pandas as pd
import pytest

from hybridlesion.batch import ProcessRunner, extract_features, read_features
from hybridlesion.batch._workers import WorkerDied
from hybridlesion.exceptions import HybridLesionError


def _run(quick, records, out, **options):
    runner = ProcessRunner(2, time_limit=options.pop("time_limit", 60))
    return extract_features(records, out, featurizer=quick, shard_size=3, runner=runner, **options)


def test_the_image_that_kills_workers_is_named_and_the_others_are_measured(
    quick, quick_records, tmp_path
):
    records = quick_records(8, {4: "die"})
    result = _run(quick, records, tmp_path / "f.parquet")
    assert (result.n_rows, result.n_failed) == (7, 1)
    errors = pd.read_csv(result.errors_path)
    assert errors.loc[0, ["image_id", "path", "stage"]].tolist() == [
        "I004",
        records.loc[4, "path"],
        "worker",
    ]
    assert "SIGKILL, most likely out of memory" in errors.loc[0, "reason"]
    records.loc[4, "path"] = str(tmp_path / "no such file")
    plain = extract_features(records, tmp_path / "plain.parquet", featurizer=quick)
    expected = read_features(plain.path)[0]
    pd.testing.assert_frame_equal(read_features(result.path)[0], expected)


def test_a_worker_that_dies_once_costs_nothing_but_time(quick, quick_records, tmp_path):
    records = quick_records(6, {1: f"die-once {tmp_path / 'mark'}"})
    result = _run(quick, records, tmp_path / "f.parquet")
    assert (result.n_rows, result.n_failed) == (6, 0)
    one = extract_features(records, tmp_path / "one.parquet", featurizer=quick)
    assert one.path.read_bytes() == result.path.read_bytes()


def test_an_image_that_hangs_is_given_up_after_the_limit(quick, quick_records, tmp_path):
    records = quick_records(4, {2: "hang"})
    result = _run(quick, records, tmp_path / "f.parquet", time_limit=5)
    assert (result.n_rows, result.n_failed) == (3, 1)
    reason = pd.read_csv(result.errors_path).loc[0, ["image_id", "stage", "reason"]].tolist()
    assert reason == ["I002", "worker", "it took longer than the limit of 5 s"]


def test_a_fault_of_the_program_is_raised_with_its_place(quick, quick_records, tmp_path):
    # Joblib keeps processes of other tests.
    others = multiprocessing.active_children()
    with pytest.raises(RuntimeError, match="a fault of the program") as caught:
        _run(quick, quick_records(4, {2: "raise"}), tmp_path / "f.parquet")
    assert "quick_featurizer.py" in caught.value.__notes__[0]
    assert set(multiprocessing.active_children()) <= set(others)


def test_a_machine_on_which_every_worker_dies_is_told(quick, quick_records, tmp_path, monkeypatch):
    monkeypatch.setattr("hybridlesion.batch._workers._MAX_EARLY_DEATHS", 2)
    with pytest.raises(HybridLesionError, match="the first 2 worker processes all died"):
        _run(quick, quick_records(9, every="die"), tmp_path / "f.parquet")


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (WorkerDied(-11), "died of SIGSEGV"),
        (WorkerDied(-9), "out of memory"),
        (WorkerDied(1), "longer than the limit of 7 s"),
        (WorkerDied(3), "exited with status 3"),
        (WorkerDied(-99), "died of signal 99"),
        (WorkerDied(None), "the worker process died"),
    ],
)
def test_what_became_of_a_worker_is_said(lost, words):
    assert words in lost.reason(7)
