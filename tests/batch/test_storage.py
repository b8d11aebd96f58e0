"""Full disks, vanished folders, addresses: clear errors, and no finished work is lost."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pandas as pd
import pytest

from hybridlesion.batch import extract_features, read_features
from hybridlesion.batch._storage import LocalStorage
from hybridlesion.exceptions import SourceError


def _stop_after(shards, action):
    calls = []

    def progress(done, failed, total):
        calls.append(done)
        if len(calls) == shards:
            action()

    return progress


def test_an_output_folder_that_vanishes_is_an_error_that_says_so(quick, quick_records, tmp_path):
    records, out = quick_records(6), tmp_path / "out" / "f.parquet"
    gone = _stop_after(1, lambda: shutil.rmtree(tmp_path / "out"))
    with pytest.raises(SourceError, match=r"f\.parquet\.shards vanished"):
        extract_features(records, out, featurizer=quick, shard_size=2, progress=gone)
    assert not out.exists()


def test_images_that_vanish_are_not_noted_as_bad(quick, quick_records, tmp_path):
    records, out = quick_records(6), tmp_path / "f.parquet"
    images, away = tmp_path / "images", tmp_path / "away"
    # The last shard was cut before the images went, the second one is in work.
    gone = _stop_after(2, lambda: images.rename(away))
    with pytest.raises(SourceError, match="existed when the run began and is now missing"):
        extract_features(
            records, out, featurizer=quick, shard_size=2, progress=gone, runner=_Hasty()
        )
    away.rename(images)
    result = extract_features(records, out, featurizer=quick, shard_size=2)
    assert (result.n_rows, result.n_failed, result.n_reused) == (6, 0, 4)


class _Hasty:
    """Cuts all shards before it begins, as workers do that are ahead of one another."""

    def run(self, work, shards):
        for shard in list(shards):
            yield shard, work(shard)


def test_a_shard_that_is_lost_before_the_end_is_computed_by_the_next_run(
    quick, quick_records, tmp_path
):
    records, out = quick_records(6), tmp_path / "f.parquet"
    lost = tmp_path / "f.parquet.shards" / "000001.parquet"
    with pytest.raises(SourceError, match="shard 1 of 3 was written"):
        extract_features(
            records, out, featurizer=quick, shard_size=2, progress=_stop_after(3, lost.unlink)
        )
    assert not out.exists()
    assert extract_features(records, out, featurizer=quick, shard_size=2).n_reused == 4


_FULL_DISK = """
import resource, signal, sys
sys.path.insert(0, sys.argv[1])
import pandas as pd
from quick_featurizer import QuickFeaturizer
from hybridlesion.batch import extract_features

# A write beyond the limit fails as one on a full disk does.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
records = pd.read_csv(sys.argv[2])
extract_features(records, sys.argv[3], featurizer=QuickFeaturizer(), shard_size=20)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file size are of Unix")
def test_a_full_disk_leaves_nothing_half_written_and_nothing_lost(quick, quick_records, tmp_path):
    records, out = quick_records(600), tmp_path / "out" / "f.parquet"
    records.to_csv(tmp_path / "records.csv", index=False)
    sizes = []
    shards = tmp_path / "out" / "f.parquet.shards"

    def measure(done, failed, total):
        sizes.extend(path.stat().st_size for path in shards.iterdir())

    expected = extract_features(
        records, out, featurizer=quick, shard_size=20, progress=measure
    ).path.read_bytes()
    out.unlink()
    for limit, stage in [(200, "shards"), (max(sizes) + 1, "whole table")]:
        arguments = [quick_path(quick), tmp_path / "records.csv", out, limit]
        done = subprocess.run(
            [sys.executable, "-c", _FULL_DISK, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "SourceError: cannot write into" in done.stderr, stage
        assert "Finished work is kept" in done.stderr
        assert not out.exists()
        assert not list((tmp_path / "out").rglob("*.part*"))
    result = extract_features(records, out, featurizer=quick, shard_size=20)
    assert result.n_reused == 600
    assert out.read_bytes() == expected


def quick_path(quick) -> str:
    return sys.modules[type(quick).__module__].__file__.rsplit("/", 1)[0]


def test_an_address_holds_the_same_table(quick, quick_records, tmp_path):
    records = quick_records(6)
    records.loc[2, "path"] = str(tmp_path / "none.jpg")
    local = extract_features(records, tmp_path / "f.parquet", featurizer=quick)
    address = "memory://runs/f.parquet"

    def stop(done, failed, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract_features(records, address, featurizer=quick, shard_size=2, progress=stop)
    result = extract_features(records, address, featurizer=quick, shard_size=2)
    assert (result.path, result.n_rows, result.n_reused) == (address, 5, 2)
    pd.testing.assert_frame_equal(read_features(address)[0], read_features(local.path)[0])

    import fsspec

    storage = fsspec.filesystem("memory")
    assert storage.cat("/runs/f.parquet") == local.path.read_bytes()
    assert storage.cat("/runs/f.parquet.errors.csv") == local.errors_path.read_bytes()
    assert sorted(storage.ls("/runs", detail=False)) == [
        "/runs/f.parquet",
        "/runs/f.parquet.errors.csv",
    ]


def test_an_address_that_nobody_knows_is_refused_before_work(quick, quick_records):
    with pytest.raises(SourceError, match=r"cannot use nowhere://bucket: .*nowhere"):
        extract_features(quick_records(2), "nowhere://bucket/f.parquet", featurizer=quick)


def test_an_address_of_a_local_folder_is_a_folder(quick, quick_records, tmp_path):
    result = extract_features(quick_records(2), f"file://{tmp_path}/f.parquet", featurizer=quick)
    assert result.path == tmp_path / "f.parquet"
    assert result.path.exists()


def test_an_address_without_a_folder_is_refused(quick, quick_records):
    with pytest.raises(SourceError, match="has no folder or bucket"):
        extract_features(quick_records(2), "memory://f.parquet", featurizer=quick)


@pytest.mark.parametrize(
    "name", ["f.parquet.errors.csv", "f.parquet.lock", "f.parquet.shards/000000.parquet"]
)
def test_what_stands_in_the_way_at_an_address_is_left_alone(quick, quick_records, name):
    import fsspec

    storage = fsspec.filesystem("memory")
    storage.pipe_file(f"/kept/{name}", b"image_id,comment\n")
    for restart in (False, True):
        with pytest.raises(SourceError, match=f"{name.split('/')[0]} .*in the way"):
            extract_features(
                quick_records(2), "memory://kept/f.parquet", featurizer=quick, restart=restart
            )
    assert storage.find("/kept") == [f"/kept/{name}"]
    assert storage.cat(f"/kept/{name}") == b"image_id,comment\n"
    storage.rm("/kept", recursive=True)


def test_a_disk_that_is_full_at_once_leaves_no_folder_that_the_next_run_refuses(
    quick, quick_records, tmp_path, monkeypatch
):
    out = tmp_path / "f.parquet"
    with monkeypatch.context() as full:
        full.setattr(LocalStorage, "write", _no_space)
        with pytest.raises(SourceError, match="No space left"):
            extract_features(quick_records(2), out, featurizer=quick)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]
    assert extract_features(quick_records(2), out, featurizer=quick).n_rows == 2


def _no_space(place, name, data):
    raise SourceError("No space left on device")
