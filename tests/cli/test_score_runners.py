"""Who measures the images of `score`: the same options as for `features`."""

from __future__ import annotations

import pandas as pd
import pytest


@pytest.fixture(scope="module")
def three(lesions):
    return [lesions / "images" / f"SYN_{number:04d}.png" for number in (1, 2, 7)]


def test_a_cluster_gives_the_same_scores(hybridlesion, model_file, three, tmp_path):
    distributed = pytest.importorskip("distributed")
    here, there = tmp_path / "here.csv", tmp_path / "there.csv"
    result = hybridlesion("score", model_file, *three, "--out", here, "--jobs", 1)
    assert result.exit_code == 0, result.output
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": ":0"}
    with distributed.LocalCluster(host="127.0.0.1", resources={"GPU": 1}, **options) as cluster:
        arguments = ("--out", there, "--dask", cluster.scheduler_address)
        result = hybridlesion("score", model_file, *three, *arguments, "--dask-resource", "GPU=1")
    assert result.exit_code == 0, result.output
    assert there.read_bytes() == here.read_bytes()
    assert pd.read_csv(f"{there}.errors.csv")["image_id"].tolist() == ["SYN_0007"]
    assert sorted(path.name for path in tmp_path.glob("there*")) == [
        "there.csv",
        "there.csv.errors.csv",
    ]


def test_the_limit_of_time_reaches_the_workers(
    hybridlesion, model_file, three, tmp_path, monkeypatch
):
    from hybridlesion.batch import ProcessRunner

    limits = []

    def run(self, work, shards):
        limits.append((self.n_jobs, self.time_limit))
        yield from ((shard, work(shard)) for shard in shards)

    monkeypatch.setattr(ProcessRunner, "run", run)
    arguments = ("--out", tmp_path / "s.csv", "--jobs", 2, "--time-limit", 7)
    result = hybridlesion("score", model_file, *three, *arguments)
    assert result.exit_code == 0, result.output
    assert limits == [(2, 7.0)]


def test_a_cluster_that_is_not_there_or_not_named_is_told(
    hybridlesion, model_file, three, tmp_path
):
    dask = pytest.importorskip("dask")
    out = tmp_path / "s.csv"
    alone = hybridlesion("score", model_file, *three, "--out", out, "--dask-resource", "GPU=1")
    assert alone.exit_code == 2
    assert "needs a cluster: --dask ADDRESS" in alone.output
    with dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}):
        gone = hybridlesion(
            "score", model_file, *three, "--out", out, "--dask", "tcp://127.0.0.1:9"
        )
    assert gone.exit_code == 1
    assert "no Dask scheduler at tcp://127.0.0.1:9" in gone.stderr
    assert not out.exists()
