"""Scoring: appended rows and interrupted runs give the scores of one complete run."""

from __future__ import annotations

import json
from copy import deepcopy

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline

from hybridlesion.batch import ProcessRunner, describe_featurizer
from hybridlesion.exceptions import ArtifactError, TableError
from hybridlesion.featurizer import FEATURE_VERSION, LesionFeaturizer
from hybridlesion.inference import score_inputs, score_records, score_table
from hybridlesion.inference._score import find_rows
from hybridlesion.inference._score_table import uses_context
from hybridlesion.metadata import read_records
from hybridlesion.model import HybridLesionClassifier


def test_new_lesions_are_compared_with_former_ones_of_their_patient(tmp_path, rng):
    target = np.arange(60) % 4 == 0
    table = pd.DataFrame(
        {
            "image_id": [f"T{k:03d}" for k in range(60)],
            "patient_id": [f"P{k // 3:03d}" for k in range(60)],
            "abcd__tds": rng.normal(size=60) + target,
            "meta__age": rng.uniform(20, 80, size=60),
        }
    )
    model = HybridLesionClassifier(3, max_trees=20).fit(table, target)
    assert uses_context(model)
    out = tmp_path / "s.csv"
    for n_rows, added in ((8, 8), (9, 1)):
        table.head(n_rows).to_parquet(tmp_path / "t.parquet")
        result = score_inputs(model, [tmp_path / "t.parquet"], out, append=True, model_id="m")
        assert result.n_rows == added
    together = score_table(model, table.head(9))
    grown = pd.read_csv(out)
    assert grown["image_id"].tolist() == together["image_id"].tolist()
    np.testing.assert_allclose(grown["score"].iloc[-1], together["score"].iloc[-1], rtol=1e-12)


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


@pytest.mark.parametrize("options", [{}, {"cache": "cache"}, {"device": "cpu"}])
def test_an_older_model_does_not_score_images(model, lesions, tmp_path, options, monkeypatch):
    monkeypatch.chdir(tmp_path)
    older = deepcopy(model)
    older[0].feature_version_ = FEATURE_VERSION - 1
    with pytest.raises(ArtifactError, match="cannot score images"):
        score_records(older, lesions[["image_id", "path"]].head(2), "s.csv", **options)
    assert not (tmp_path / "s.csv").exists()


@pytest.mark.parametrize(("version", "refused"), [(FEATURE_VERSION - 1, False), (1, True)])
def test_features_of_the_version_of_an_older_model_are_scored(tmp_path, version, refused):
    featurizer = LesionFeaturizer().fit(pd.DataFrame({"image_id": ["a"], "path": ["a.png"]}))
    featurizer.feature_version_ = FEATURE_VERSION - 1
    facts = {"featurizer": describe_featurizer(featurizer) | {"feature_version": version}}
    table = pa.table({"image_id": ["a"], "abcd__border": [4.0]})
    path = tmp_path / "features.parquet"
    marked = table.replace_schema_metadata({b"hybridlesion": json.dumps(facts).encode()})
    pq.write_table(marked, path)
    model = Pipeline([("features", featurizer), ("model", DummyClassifier())])
    arguments = (model, [path], [], [], read_records)
    if refused:
        with pytest.raises(TableError, match=r"in another way .* feature_version"):
            find_rows(*arguments)
    else:
        rows, measured, _ = find_rows(*arguments)
        assert measured
        assert rows["image_id"].tolist() == ["a"]
