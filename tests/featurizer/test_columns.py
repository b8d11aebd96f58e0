"""Encoded metadata: values in, numbers out, missing stays missing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybridlesion.featurizer import encode_metadata, metadata_columns


def test_known_values_become_numbers():
    records = pd.DataFrame(
        {"age": [50.0, 30.0], "sex": ["male", "female"], "site": ["head/neck", "palms/soles"]}
    )
    encoded = encode_metadata(records)
    assert encoded["meta__age"].tolist() == [50, 30]
    assert encoded["meta__sex_male"].tolist() == [1, 0]
    assert encoded["meta__site_head_neck"].tolist() == [1, 0]
    assert encoded["meta__site_palms_soles"].tolist() == [0, 1]
    assert (encoded.dtypes == np.float32).all()


def test_missing_values_and_columns_stay_missing():
    encoded = encode_metadata(pd.DataFrame({"age": [None, 40.0], "sex": ["male", None]}))
    assert np.isnan(encoded["meta__age"][0])
    assert np.isnan(encoded["meta__sex_male"][1])
    assert encoded["meta__site_torso"].isna().all()


def test_same_columns_whatever_the_table_holds():
    nothing = encode_metadata(pd.DataFrame({"image_id": ["a"]}))
    everything = encode_metadata(pd.DataFrame({"age": [1.0], "sex": ["male"], "site": ["torso"]}))
    assert nothing.columns.tolist() == everything.columns.tolist()


def test_only_known_measurements_are_taken_from_extra_columns():
    records = pd.DataFrame({"tbp_lv_area": [3.5], "clin_size_long_diam_mm": [4.0], "width": [600]})
    assert metadata_columns(records) == ["tbp_lv_area", "clin_size_long_diam_mm"]
    encoded = encode_metadata(records)
    assert encoded["meta__tbp_lv_area"].tolist() == [3.5]
    assert "meta__width" not in encoded


def test_a_measurement_that_a_later_table_lacks_is_missing():
    encoded = encode_metadata(pd.DataFrame({"age": [1.0]}), extra=["tbp_lv_area"])
    assert encoded["meta__tbp_lv_area"].isna().all()
