"""Measuring in shards: the file is identical to the byte, however the work is divided."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hybridlesion.batch import extract_features, read_features
from hybridlesion.exceptions import SourceError
from hybridlesion.featurizer import FEATURE_VERSION

_RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import pandas as pd
from quick_featurizer import QuickFeaturizer
from hybridlesion.batch import extract_features

if __name__ == "__main__":
    extract_features(
        pd.read_csv(sys.argv[2]), sys.argv[3], featurizer=QuickFeaturizer(), shard_size=2, n_jobs=2
    )
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_killed_goes_on_to_the_same_bytes(quick, quick_records, tmp_path, how):
    # Seconds of work are left when three shards are done, however busy the machine is.
    records, out = quick_records(60, every="sleep"), tmp_path / "f.parquet"
    expected = extract_features(records, tmp_path / "whole.parquet", featurizer=quick)
    records.to_csv(tmp_path / "records.csv", index=False)
    (tmp_path / "run.py").write_text(_RUN)
    arguments = [Path(__file__).parent, tmp_path / "records.csv", out]
    run = subprocess.Popen(
        [sys.executable, tmp_path / "run.py", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell that starts the tests in the background lets them ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    shards = tmp_path / "f.parquet.shards"
    deadline = time.monotonic() + 300
    while not shards.is_dir() or len(list(shards.glob("0*.parquet"))) < 3:
        assert run.poll() is None, run.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    # As a terminal does it: Ctrl-C goes to the workers too, a kill to the one process.
    (os.killpg if how == signal.SIGINT else os.kill)(run.pid, how)
    said = run.communicate(timeout=300)[1]
    assert said.count("Traceback") <= 1, "workers are silent"
    assert not out.exists()
    result = extract_features(records, out, featurizer=quick, shard_size=2, n_jobs=2)
    assert 6 <= result.n_reused < 60
    assert out.read_bytes() == expected.path.read_bytes()
    assert not shards.exists()
    assert not (tmp_path / "f.parquet.lock").exists()


def test_the_file_does_not_tell_the_size_of_the_shards(quick, quick_records, tmp_path, monkeypatch):
    monkeypatch.setattr("hybridlesion.batch._feature_table._GROUP_ROWS", 8)
    records = quick_records(20)
    files = [
        extract_features(
            records, tmp_path / f"{size}.parquet", featurizer=quick, shard_size=size
        ).path
        for size in (1, 3, 20)
    ]
    metadata = pq.read_metadata(files[0])
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [8, 8, 4]
    assert len({file.read_bytes() for file in files}) == 1


def test_shards_are_cut_only_as_workers_are_free(quick, quick_records, tmp_path):
    from hybridlesion.batch import ProcessRunner
    from hybridlesion.batch._measure import ShardTask

    ahead = []

    class Watched(ProcessRunner):
        def run(self, work, shards):
            assert isinstance(work, ShardTask)
            cut = []
            for answered, answer in enumerate(super().run(work, _counted(shards, cut))):
                ahead.append(len(cut) - answered)
                yield answer

    records = quick_records(30)
    extract_features(
        records, tmp_path / "f.parquet", featurizer=quick, shard_size=1, runner=Watched(2)
    )
    assert len(ahead) == 30
    # Two in work, the one that is asked for next, and the one whose answer has just come.
    assert max(ahead) <= 4


def _counted(shards, cut):
    for shard in shards:
        cut.append(shard.number)
        yield shard


def test_a_worker_with_other_code_is_refused(quick, quick_records, tmp_path, monkeypatch):
    class Old:
        def run(self, work, shards):
            monkeypatch.setattr("hybridlesion.batch._measure.FEATURE_VERSION", 1)
            for shard in shards:
                yield shard, work(shard)

    own = f"protocol {FEATURE_VERSION}"
    with pytest.raises(SourceError, match=rf"\(protocol 1\), the main process .*{own}"):
        extract_features(quick_records(2), tmp_path / "f.parquet", featurizer=quick, runner=Old())


def test_relative_paths_are_found_from_elsewhere(quick, quick_records, tmp_path, monkeypatch):
    records = quick_records(3)
    monkeypatch.chdir(tmp_path)
    records["path"] = [str(Path(path).relative_to(tmp_path)) for path in records["path"]]

    class Elsewhere:
        def run(self, work, shards):
            with monkeypatch.context() as there:
                there.chdir("/")
                for shard in shards:
                    yield shard, work(shard)

    result = extract_features(records, "f.parquet", featurizer=quick, runner=Elsewhere())
    monkeypatch.chdir(tmp_path)
    assert result.n_rows == 3
    assert read_features("f.parquet")[0]["path"].tolist() == records["path"].tolist()
