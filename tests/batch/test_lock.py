"""Two runs on one output: the second is told of the first, and a dead first one is no obstacle."""

from __future__ import annotations

import json
import os
import socket
import time

import pytest

from hybridlesion.batch import extract_features
from hybridlesion.batch._output import locked
from hybridlesion.batch._storage import open_storage
from hybridlesion.exceptions import SourceError


def _owner(**facts) -> str:
    here = {"host": socket.gethostname(), "pid": os.getpid(), "token": "other"}
    return json.dumps(here | {"born": None, "started": "today", "signed": time.time()} | facts)


def test_a_second_run_is_refused_and_the_first_goes_on(quick, quick_records, tmp_path):
    records, out = quick_records(4), tmp_path / "f.parquet"
    refused = []

    def start_another(done, failed, total):
        with pytest.raises(SourceError, match=f"another run: process {os.getpid()} on") as error:
            extract_features(records, out, featurizer=quick)
        refused.append(error)

    result = extract_features(records, out, featurizer=quick, shard_size=2, progress=start_another)
    assert (len(refused), result.n_rows) == (2, 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.parquet", "images"]


@pytest.mark.parametrize(
    "dead",
    [
        {"born": "1", "pid": os.getpid()},
        {"pid": 2**22 + 1},
        {"host": "elsewhere", "signed": time.time() - 3600},
        {"signed": None},
    ],
    ids=["number went to another process", "no such process", "not signed for an hour", "damaged"],
)
def test_the_lock_of_a_dead_run_is_taken_over(quick, quick_records, tmp_path, dead):
    out = tmp_path / "f.parquet"
    (tmp_path / "f.parquet.lock").write_text(_owner(**dead))
    assert extract_features(quick_records(2), out, featurizer=quick).n_rows == 2
    assert not (tmp_path / "f.parquet.lock").exists()


def test_a_run_on_another_machine_is_believed_while_it_signs(quick, quick_records, tmp_path):
    (tmp_path / "f.parquet.lock").write_text(_owner(host="elsewhere", pid=77))
    with pytest.raises(SourceError, match="process 77 on elsewhere, since today"):
        extract_features(quick_records(2), tmp_path / "f.parquet", featurizer=quick)
    assert (tmp_path / "f.parquet.lock").exists()


def test_a_living_run_signs_its_lock_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("hybridlesion.batch._output._HEARTBEAT", 0.02)
    lock = tmp_path / "f.parquet.lock"
    with locked(open_storage(tmp_path), "f.parquet"):
        first = json.loads(lock.read_text())
        deadline = time.monotonic() + 30
        while json.loads(lock.read_text())["signed"] == first["signed"]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        # The lock of a run that took over is left alone.
        lock.write_text(_owner())
    assert json.loads(lock.read_text())["token"] == "other"
