"""Runners on a real Dask scheduler: equal bytes, whichever workers die."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import fsspec.config
import pandas as pd
import pytest

from hybridlesion.batch import DaskRunner, extract_features, read_features
from hybridlesion.batch._runners import _answer
from hybridlesion.exceptions import SourceError

distributed = pytest.importorskip("distributed")

ROOT = Path(__file__).resolve().parents[2]


def _start(folder: Path, name: str, *arguments: object) -> subprocess.Popen:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
        "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "1h",
    }
    log = (folder / f"{name}.log").open("w")
    with log:
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + arguments[0], *map(str, arguments[1:])],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=folder,
        )


def _worker(folder: Path, address: str, name: str, *more: str) -> subprocess.Popen:
    options = ("--nthreads", 1, "--no-dashboard", "--host", "127.0.0.1", "--name", name)
    return _start(folder, name, "dask_worker", address, *options, *more)


@contextmanager
def _all_stopped(processes: list[subprocess.Popen]):
    try:
        yield
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def cluster(tmp_path):
    """Address of a scheduler, and a function that starts a worker of it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    folder = tmp_path / "cluster"
    folder.mkdir()
    options = ("--host", "127.0.0.1", "--port", address.rpartition(":")[2], "--no-dashboard")
    processes = [_start(folder, "scheduler", "dask_scheduler", *options)]

    def start(name: str, *more: str) -> subprocess.Popen:
        processes.append(_worker(folder, address, name, *more))
        return processes[-1]

    with _all_stopped(processes):
        yield address, start


def _pids(address: str) -> dict[str, int]:
    with distributed.Client(address, set_as_default=False) as client:
        names = client.run(lambda dask_worker: str(dask_worker.name))
        pids = client.run(os.getpid)
    return {names[worker]: pid for worker, pid in pids.items()}


@pytest.mark.filterwarnings("ignore:.*has no workers yet:UserWarning")
def test_a_killed_worker_and_a_late_one_leave_the_same_bytes(
    quick, quick_records, tmp_path, cluster
):
    address, start = cluster
    records = quick_records(40, {17: "die"}, every="sleep")
    records.loc[9, "path"] = str(tmp_path / "none.jpg")
    start("first", "--resources", "GPU=1")
    start("second", "--resources", "GPU=1")
    killed = []

    def interfere(done, failed, total):
        if not killed:
            pids = _pids(address)
            killed.append(pids.popitem()[1])
            os.kill(killed[0], signal.SIGKILL)
            start("late", "--resources", "GPU=1")

    runner = DaskRunner(address, resources={"GPU": 1}, time_limit=60)
    result = extract_features(
        records,
        tmp_path / "dask.parquet",
        featurizer=quick,
        shard_size=2,
        runner=runner,
        progress=interfere,
    )
    assert killed
    errors = pd.read_csv(result.errors_path)
    assert errors[["image_id", "stage"]].to_numpy().tolist() == [
        ["I009", "read"],
        ["I017", "worker"],
    ]
    # One process would die of the image; without its file, all else is the same.
    records.loc[17, "path"] = str(tmp_path / "none either.jpg")
    plain = extract_features(records, tmp_path / "plain.parquet", featurizer=quick)
    pd.testing.assert_frame_equal(read_features(result.path)[0], read_features(plain.path)[0])
    assert result.path.read_bytes() == plain.path.read_bytes()
    assert not (tmp_path / "dask.parquet.shards").exists()


@pytest.mark.filterwarnings("ignore:.*has no workers yet:UserWarning")
def test_a_cluster_keeps_its_shards_behind_an_address(
    quick, quick_records, tmp_path, cluster, monkeypatch
):
    # A store that is no folder to the package: only fsspec knows where it lies.
    store = tmp_path / "store"
    store.mkdir()
    settings = {"path": str(store), "target_protocol": "file"}
    monkeypatch.setitem(fsspec.config.conf, "dir", settings)
    for name, value in settings.items():
        monkeypatch.setenv(f"FSSPEC_DIR_{name.upper()}", value)
    address, start = cluster
    start("first")
    start("second")
    records = quick_records(12)
    runner = DaskRunner(address)
    seen = []
    result = extract_features(
        records,
        "dir://runs/f.parquet",
        featurizer=quick,
        shard_size=2,
        runner=runner,
        progress=lambda *_: seen.extend((store / "runs" / "f.parquet.shards").iterdir()),
    )
    plain = extract_features(records, tmp_path / "plain.parquet", featurizer=quick)
    assert (store / "runs" / "f.parquet").read_bytes() == plain.path.read_bytes()
    assert (result.path, result.n_rows) == ("dir://runs/f.parquet", 12)
    assert {path.name for path in seen} >= {"000000.parquet", "work.pickle"}
    assert [path.name for path in (store / "runs").iterdir() if path.is_file()] == ["f.parquet"]


def test_a_scheduler_that_is_not_there_is_named(quick, quick_records, tmp_path):
    import dask

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}),
        pytest.raises(SourceError, match=r"no Dask scheduler at tcp://127\.0\.0\.1:9"),
    ):
        extract_features(
            quick_records(2),
            tmp_path / "f.parquet",
            featurizer=quick,
            runner=DaskRunner("tcp://127.0.0.1:9"),
        )


def test_a_result_that_died_with_its_worker_is_awaited():
    class Lost:
        status, client = "lost", None

        def exception(self, timeout):
            assert timeout > 0
            self.status = "finished"

        def result(self):
            return "again"

    # No client is the default one, as in a run.
    assert _answer(Lost(), distributed) == "again"
