"""Scoring that is interrupted goes on with what is missing, to the same scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from hybridlesion.batch import ProcessRunner
from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.inference import score_records
from hybridlesion.model import HybridLesionClassifier


@pytest.fixture(scope="module")
def model(lesions) -> Pipeline:
    rng, target = np.random.default_rng(0), np.arange(60) % 4 == 0
    names = ["abcd__asymmetry_color_major", "abcd__border_compactness"]
    table = pd.DataFrame(rng.normal(size=(60, 2)) + target[:, None], columns=names)
    classifier = HybridLesionClassifier(3, max_trees=20).fit(table, target)
    featurizer = LesionFeaturizer().fit(lesions[["image_id", "path"]])
    return Pipeline([("features", featurizer), ("model", classifier)])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_interrupted_night_goes_on_to_the_same_bytes(model, lesions, tmp_path, suffix):
    records = lesions[["image_id", "path"]].head(20)
    whole, out = tmp_path / f"whole{suffix}", tmp_path / f"s{suffix}"
    score_records(model, records, whole)

    def interrupt(done, failed, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_records(model, records, out, progress=interrupt)
    assert not out.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"s{suffix}.shards", whole.name]
    result = score_records(model, records, out, runner=ProcessRunner(2))
    assert (result.n_rows, result.n_reused) == (20, 8)
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([whole.name, out.name])
