"""Feature tables on disk say which column is a feature, an id or the answer."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest

from hybridlesion.batch import extract_features, read_feature_table, read_features
from hybridlesion.exceptions import TableError

IDS = ["image_id", "path", "patient_id"]


@pytest.fixture
def file(tmp_path, quick):
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(name * 3)
    records = pd.DataFrame(
        {
            "image_name": ["a", "b"],
            "image_path": [str(tmp_path / f"{name}.txt") for name in "ab"],
            "patient_id": ["p", "p"],
            "gender": ["M", "F"],
            "diagnosis": ["nevus", "melanoma"],
            "target": [0.0, 1.0],
        }
    )
    return extract_features(records, tmp_path / "f.parquet", featurizer=quick).path


def test_the_file_tells_other_programs(file):
    said = json.loads(pq.read_schema(file).metadata[b"hybridlesion.columns"])
    assert said == {
        "features": ["abcd__length"],
        "ids": IDS,
        "answer": ["diagnosis", "target"],
        "quality": [],
        "facts": ["sex"],
    }


@pytest.mark.parametrize("ours", [True, False])
def test_features_are_read_apart_from_the_answer(file, ours):
    if not ours:
        # As of earlier releases or other programs: no metadata.
        read_features(file)[0].assign(qa__hair_share=0.5).to_parquet(file)
    table = read_feature_table(file)
    assert list(table.features) == ["abcd__length"]
    assert list(table.ids) == IDS
    assert table.answer["target"].tolist() == [0, 1]
    assert list(table.quality) == ([] if ours else ["qa__hair_share"])
    assert table.facts["sex"].tolist() == ["male", "female"]
    assert (table.configuration is not None) == ours


def test_passthrough_is_no_part_of_how_images_were_measured(file, quick, tmp_path):
    records = read_features(file)[0][["image_id", "path"]]
    featurizer = quick.set_params(passthrough="ids")
    other = extract_features(records, tmp_path / "g.parquet", featurizer=featurizer).path
    assert read_features(other)[1] == read_features(file)[1]


def test_a_table_without_features_is_refused(tmp_path):
    pd.DataFrame({"image_id": ["a"], "age": [50]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(TableError, match=r"is not a feature table.*image_id, age"):
        read_feature_table(tmp_path / "t.parquet")
