"""The cache of measurements: keys, entries, concurrent runs, and its limit."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridlesion import list_images, make_lesions
from hybridlesion.batch import Output, RunOptions
from hybridlesion.exceptions import OptionError, TableError
from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.inference import _cache as cache_module
from hybridlesion.inference import score_inputs, score_records
from hybridlesion.inference._cache import FeatureCache, hash_images, measure_cached, trim_cache


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("few")
    return make_lesions(
        folder, n_patients=2, lesions_per_patient=(2, 2), size=(120, 90), random_state=3
    )


def _cache(folder, records, **parameters) -> FeatureCache:
    return FeatureCache(folder, LesionFeaturizer(**parameters).fit(records))


def _measured(folder, records, digests=None, *, name="f", **options):
    output = Output(folder / f"{name}.parquet")
    return measure_cached(records, LesionFeaturizer(), output, RunOptions(**options), digests)


def test_keys_tell_images_and_settings_apart_and_nothing_else(tmp_path, records):
    digests = hash_images(records["path"])
    keys = _cache(tmp_path, records).keys(records, digests)
    assert len(set(keys)) == 4
    other = records.assign(age=1.0, patient_id="x", image_id=["a", "b", "c", "d"])
    assert _cache(tmp_path, records, n_jobs=2, on_error="raise").keys(other, digests) == keys
    for parameters in ({"long_side": 256}, {"color_constancy": "none"}):
        assert not set(keys) & set(_cache(tmp_path, records, **parameters).keys(records, digests))


def test_keys_of_a_fine_tuned_network_know_the_patient(tmp_path, records):
    digests = hash_images(records["path"])
    cache = _cache(tmp_path, records, embedder="finetuned")
    keys = cache.keys(records, digests)
    assert cache.keys(records.assign(age=1.0), digests) == keys
    assert not set(cache.keys(records.assign(patient_id="x"), digests)) & set(keys)
    alone = records[["image_id", "path"]]
    assert not set(cache.keys(alone, digests)) & set(keys)


def test_files_that_cannot_be_read_have_no_digest(tmp_path):
    (tmp_path / "text.png").write_bytes(b"no image")
    assert hash_images([str(tmp_path / "text.png"), str(tmp_path / "none.png"), None]) == [None] * 3


def test_digests_are_in_the_order_of_the_paths_and_archives_have_them_too(
    tmp_path, records, monkeypatch
):
    monkeypatch.setattr(cache_module, "_READ_AHEAD", 3)
    paths = [*records["path"], str(tmp_path / "none.png"), *records["path"][::-1]]
    expected = [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in records["path"]]
    assert hash_images(paths) == [*expected, None, *expected[::-1]]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in records["path"]:
            archive.write(path, Path(path).name)
    assert hash_images(list_images(tmp_path / "all.zip")["path"]) == expected


def test_entries_come_back_equal(tmp_path, records):
    cache = _cache(tmp_path, records)
    values = np.arange(len(cache.names), dtype=np.float32)
    values[3] = np.nan
    cache.write("ab" * 32, values)
    np.testing.assert_array_equal(cache.read("ab" * 32), values)
    assert cache.read("cd" * 32) is None
    assert cache.read(None) is None


def test_an_image_that_changes_while_it_is_measured_is_not_kept(tmp_path, records, monkeypatch):
    digests = hash_images(records["path"])
    monkeypatch.setattr(cache_module, "hash_images", lambda paths: ["other"] * len(paths))
    result = _measured(tmp_path, records, digests, cache=tmp_path / "cache")
    assert len(result.table) == 4
    assert not (tmp_path / "cache").exists()


def test_what_a_cache_cannot_serve(tmp_path, records):
    with pytest.raises(OptionError, match="masks need every image"):
        _measured(tmp_path, records, cache=tmp_path, masks=tmp_path)
    with pytest.raises(TableError, match="two records have the image id"):
        _measured(tmp_path, records.assign(image_id="a"), cache=tmp_path)


def _measure(folder, name, records, barrier):
    barrier.wait()
    result = _measured(folder, records, name=name, cache=folder / "cache")
    result.table.to_pickle(folder / f"{name}.pkl")


def test_two_processes_share_a_folder(tmp_path, records):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    workers = [
        context.Process(target=_measure, args=(tmp_path, name, records, barrier)) for name in "ab"
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
    assert [worker.exitcode for worker in workers] == [0, 0]
    first, second = (pd.read_pickle(tmp_path / f"{name}.pkl") for name in "ab")
    pd.testing.assert_frame_equal(first, second)
    entries = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert len(entries) == 4
    result = _measured(tmp_path, records, name="c", cache=tmp_path / "cache")
    assert result.n_reused == 4
    pd.testing.assert_frame_equal(result.table, first)


KEYS = [digit * 64 for digit in "0123456789"]


@pytest.fixture
def filled(tmp_path) -> FeatureCache:
    """Ten entries, the first written ten days ago, the last one a day ago."""
    records = pd.DataFrame({"image_id": ["a"], "path": ["a.png"]})
    cache = FeatureCache(tmp_path / "cache", LesionFeaturizer().fit(records))
    for days, key in zip(range(10, 0, -1), KEYS, strict=True):
        cache.write(key, np.zeros(len(cache.names), np.float32))
        _written(cache, key, days)
    return cache


def _written(cache: FeatureCache, key: str, days: float) -> None:
    then = time.time() - 86400 * days
    os.utime(cache.folder / key[:2] / key, (then, then))


def _gigabytes(cache: FeatureCache, n_entries: int) -> float:
    state = (cache.folder / KEYS[0][:2] / KEYS[0]).stat()
    return n_entries * max(state.st_size, 512 * state.st_blocks) / 1e9


def _left(cache: FeatureCache) -> list[int]:
    return [n for n, key in enumerate(KEYS) if (cache.folder / key[:2] / key).exists()]


@pytest.mark.skipif(os.name == "nt", reason="blocks of a disk are told on Unix only")
def test_the_oldest_go_and_what_was_read_stays(filled):
    assert filled.read(KEYS[0]) is not None
    assert trim_cache(filled.folder, _gigabytes(filled, 4)) == 6
    assert _left(filled) == [0, 7, 8, 9]
    assert trim_cache(filled.folder, _gigabytes(filled, 4)) == 0


def test_other_files_are_left_alone(filled):
    # The last one is called like an entry: other stores name their files by digests, too.
    other = [filled.folder / "notes.txt", filled.folder / "00" / "mine", filled.folder / KEYS[1]]
    other += [filled.folder / "ab" / ("ab" * 32)]
    other[-1].parent.mkdir()
    for path in other:
        path.write_bytes(bytes(10_000))
    assert trim_cache(filled.folder, 1e-9) == 10
    assert _left(filled) == []
    assert all(path.exists() for path in other)


def test_a_folder_that_is_not_there_is_empty(tmp_path):
    assert trim_cache(tmp_path / "none", 1.0) == 0


def test_a_run_keeps_its_own_entries_and_the_limit(lesions, tmp_path, monkeypatch):
    records = lesions.head(6)
    output, folder = Output(tmp_path / "f.parquet"), tmp_path / "cache"
    first = measure_cached(records, LesionFeaturizer(), output, RunOptions(cache=folder))
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))
    limits = []

    def trim(folder: Path, limit: float) -> int:
        limits.append(limit)
        return trim_cache(folder, 3 * 4096 / 1e9)

    monkeypatch.setattr(cache_module, "trim_cache", trim)
    options = RunOptions(cache=folder, cache_limit=2.0)
    second = measure_cached(records.tail(3), LesionFeaturizer(), output, options)
    assert second.n_reused == 3
    assert limits == [2.0]
    cache = FeatureCache(tmp_path / "cache", LesionFeaturizer().fit(records))
    keys = cache.keys(records, hash_images(records["path"]))
    assert [cache.read(key) is not None for key in keys] == [False] * 3 + [True] * 3
    assert len(first.table) == 6


def test_limits_that_are_none(tmp_path, lesions):
    for score, inputs in ((score_records, lesions), (score_inputs, [tmp_path])):
        with pytest.raises(OptionError, match="`cache_limit` needs a cache"):
            score(None, inputs, tmp_path / "s.csv", cache_limit=1.0)
        with pytest.raises(OptionError, match="cache_limit must be"):
            score(None, inputs, tmp_path / "s.csv", cache=tmp_path, cache_limit=0)
