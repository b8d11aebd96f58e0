"""Training rows: features of joined tables, and the featurizer of their configuration."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hybridlesion.exceptions import ArtifactError, TableError
from hybridlesion.featurizer import FEATURE_VERSION
from hybridlesion.training import keep_measured
from hybridlesion.training._training_rows import (
    choose_groups,
    complete_features,
    featurizer_of,
    known_metadata,
    read_configuration,
)


def _write(path, configuration):
    table = pa.table({"image_id": ["a"]})
    if configuration is not None:
        import json

        facts = json.dumps({"featurizer": configuration})
        table = table.replace_schema_metadata({b"hybridlesion": facts})
    pq.write_table(table, path)
    return path


def test_configuration_is_found_among_other_tables(tmp_path):
    (tmp_path / "m.csv").write_text("image_id,target\na,1\n")
    plain = _write(tmp_path / "plain.parquet", None)
    made = _write(tmp_path / "made.parquet", {"long_side": 512})
    assert read_configuration([tmp_path / "m.csv", plain, made]) == {"long_side": 512}
    assert read_configuration([tmp_path / "m.csv", plain]) is None


def test_tables_measured_differently_are_refused(tmp_path):
    one = _write(tmp_path / "a.parquet", {"long_side": 512, "crop": "lesion"})
    other = _write(tmp_path / "b.parquet", {"long_side": 256, "crop": "lesion"})
    with pytest.raises(TableError, match="measured differently: long_side"):
        read_configuration([one, other])


def test_metadata_that_was_joined_later_wins():
    records = pd.DataFrame(
        {"image_id": ["a", "b"], "age": [50.0, 60.0], "meta__age": [np.nan, np.nan]}
    )
    table = complete_features(records)
    assert table["meta__age"].tolist() == [50.0, 60.0]
    # Nobody knows the sex: a column of blanks teaches nothing.
    assert "meta__sex_male" not in table


def test_metadata_of_some_rows_leaves_the_others_what_they_knew():
    records = pd.DataFrame(
        {"age": [50.0, None, None], "meta__age": [40.0, 60.0, None], "meta__sex_male": [1.0, 0, 1]}
    )
    for table in (complete_features(records), known_metadata(records)):
        assert table["meta__age"].fillna(-1).tolist() == [50.0, 60.0, -1.0]
        assert table["meta__sex_male"].tolist() == [1.0, 0.0, 1.0]


def test_measurements_that_extraction_encoded_stay():
    records = pd.DataFrame({"image_id": ["a"], "age": [50.0], "meta__tbp_lv_A": [20.5]})
    assert complete_features(records)["meta__tbp_lv_A"].tolist() == [20.5]


def test_rows_without_a_patient_are_told():
    table = pd.DataFrame({"image_id": list("abc"), "patient_id": ["P", None, "P"]})
    groups, notes = choose_groups(table, None)
    assert groups[0] == groups[2] != groups[1]
    assert notes == ["1 of 3 rows have no patient_id; each of them counts as a separate patient."]
    assert choose_groups(table.dropna(), None)[1] == []


def test_rows_without_an_image_are_left_out():
    table = pd.DataFrame(
        {"image_id": ["a", "b", "c"], "abcd__x": [1.0, None, None], "abcd__y": [None, 2.0, None]}
    )
    kept, notes = keep_measured(table)
    assert kept["image_id"].tolist() == ["a", "b"]
    assert notes == ("1 of 3 records have no measured image; left out.",)
    assert keep_measured(table[["image_id"]])[1] == ()


def _configuration(**changes):
    own = {"segmenter": "classical", "feature_version": FEATURE_VERSION}
    return own | {"long_side": 256, "color_constancy": "none"} | changes


def test_featurizer_comes_back_with_its_measurements():
    table = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "meta__tbp_lv_A": [20.5]})
    configuration = _configuration(measurements=["tbp_lv_A"])
    featurizer = featurizer_of(configuration, table)
    assert featurizer.long_side == 256
    assert featurizer.color_constancy == "none"
    assert featurizer.measurements_ == ["tbp_lv_A"]
    assert "meta__tbp_lv_A" in featurizer.get_feature_names_out()


@pytest.mark.parametrize("version", [{}, {"feature_version": FEATURE_VERSION - 1}])
def test_a_table_of_another_version_gives_a_model_that_scores_no_images(version):
    table = pd.DataFrame({"image_id": ["a"], "path": ["a.png"], "abcd__tds": [4.0]})
    configuration = {k: v for k, v in _configuration().items() if k != "feature_version"}
    with pytest.warns(UserWarning, match=f"has version {FEATURE_VERSION - 1} of the features"):
        featurizer = featurizer_of(configuration | version, table)
    with pytest.raises(ArtifactError, match="cannot score images"):
        featurizer.transform(table)


def test_a_table_of_another_refiner_is_refused():
    table = pd.DataFrame({"image_id": ["a"], "path": ["a.png"]})
    configuration = _configuration(segmenter="refined", segmenter_digest="0" * 64)
    with pytest.raises(TableError, match="weights of the segmenter refined are not those"):
        featurizer_of(configuration, table)
