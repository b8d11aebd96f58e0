"""A cache that would grow for ever loses what was not used for longest."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridlesion.batch import Output, RunOptions
from hybridlesion.exceptions import OptionError
from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.inference import _cache as cache_module
from hybridlesion.inference import score_inputs, score_records
from hybridlesion.inference._cache import FeatureCache, hash_images, measure_cached, trim_cache

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
