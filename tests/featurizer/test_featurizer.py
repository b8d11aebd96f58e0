"""LesionFeaturizer: one row a record, bad images told, the same answer every way."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from hybridlesion import LesionFeaturizer, read_image
from hybridlesion.exceptions import ImageError, TableError
from hybridlesion.features import feature_names
from hybridlesion.io import write_image


@pytest.fixture
def few(lesions):
    return lesions.head(6)


@pytest.fixture
def with_bad_image(few, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("<html>not found</html>")
    extra = few.iloc[[0]].assign(image_id="bad", path=str(bad))
    return pd.concat([few.iloc[:2], extra, few.iloc[2:4]], ignore_index=True)


def test_one_row_per_record_in_order(few):
    table, failures = LesionFeaturizer().fit(few).featurize(few)
    assert table["image_id"].tolist() == few["image_id"].tolist()
    assert table["path"].tolist() == few["path"].tolist()
    assert set(feature_names()) <= set(table.columns)
    assert table[feature_names()].notna().any(axis=1).all()
    assert not failures


def test_index_is_kept(few):
    moved = few.set_axis([7, 3, 9, 11, 2, 5])
    assert LesionFeaturizer().fit_transform(moved).index.tolist() == [7, 3, 9, 11, 2, 5]


def test_bad_image_leaves_nan_and_warns(with_bad_image):
    featurizer = LesionFeaturizer().fit(with_bad_image)
    with pytest.warns(UserWarning, match=r"1 of 5 images could not be used:\n  bad: "):
        table = featurizer.transform(with_bad_image)
    assert table.loc[2, feature_names()].isna().all()
    assert table.loc[2, "meta__age"] == with_bad_image.loc[2, "age"]
    good = featurizer.transform(with_bad_image.drop(index=2))
    pd.testing.assert_frame_equal(table.drop(index=2), good)


def test_bad_image_raises_on_request(with_bad_image):
    featurizer = LesionFeaturizer(on_error="raise").fit(with_bad_image)
    with pytest.raises(ImageError, match="bad: "):
        featurizer.transform(with_bad_image)


def test_failures_name_stage_and_reason(with_bad_image):
    _, failures = LesionFeaturizer().fit(with_bad_image).featurize(with_bad_image)
    assert [(failure.image_id, failure.stage) for failure in failures] == [("bad", "read")]
    assert failures[0].reason


def test_processes_give_the_same_bits(few):
    alone = LesionFeaturizer(batch_size=2).fit_transform(few)
    together = LesionFeaturizer(batch_size=2, n_jobs=2).fit_transform(few)
    pd.testing.assert_frame_equal(alone, together, check_exact=True)


def test_masks_are_written(few, tmp_path):
    LesionFeaturizer().fit(few).featurize(few, masks=tmp_path)
    assert len(list(tmp_path.glob("*_segmentation.png"))) == len(few)
    assert read_image(tmp_path / f"{few['image_id'].iloc[0]}_segmentation.png").max() == 255


def test_records_without_paths_give_metadata_only(few):
    table = LesionFeaturizer().fit_transform(few.drop(columns="path"))
    assert "meta__age" in table
    assert not [column for column in table if column.startswith(("abcd__", "qa__"))]


def test_record_without_a_path_among_others_is_a_failure(few):
    records = few.assign(path=[None, *few["path"].iloc[1:]])
    _, failures = LesionFeaturizer().fit(records).featurize(records)
    assert [failure.reason for failure in failures] == ["the record has no path to an image."]


def test_color_constancy_changes_colours_not_shape(few):
    with_it = LesionFeaturizer().fit_transform(few)
    without = LesionFeaturizer(color_constancy="none").fit_transform(few)
    families = [name for name in feature_names() if with_it[name].equals(without[name])]
    assert 0 < len(families) < len(feature_names())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"segmenter": "clasical"}, "Did you mean 'classical'"),
        ({"long_side": 8}, "long_side must be a whole number at least 64"),
        ({"color_constancy": "grey"}, "color_constancy must be one of"),
        ({"device": "gpu"}, "device must be one of"),
        ({"on_error": "ignore"}, "on_error must be one of"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"weights": "w.safetensors"}, "set embedder"),
    ],
)
def test_bad_parameters_are_named_before_work(few, parameters, message):
    with pytest.raises(ValueError, match=message):
        LesionFeaturizer(**parameters).fit(few)


@pytest.mark.parametrize("records", [np.zeros((2, 2)), pd.DataFrame({"name": ["a"]})])
def test_what_are_no_records_is_said(records):
    with pytest.raises(TableError, match="image_id"):
        LesionFeaturizer().fit(records)


def test_clone_and_pickle(few):
    featurizer = clone(LesionFeaturizer(long_side=256)).fit(few)
    again = pickle.loads(pickle.dumps(featurizer))
    pd.testing.assert_frame_equal(featurizer.transform(few), again.transform(few))


def test_missing_paths_are_said_in_words(few):
    featurizer = LesionFeaturizer().fit(few)
    with pytest.raises(TableError, match="have no path column"):
        featurizer.transform(few.drop(columns="path"))


def test_the_look_of_each_photograph_is_kept(few):
    from hybridlesion.leakage import HASH_COLUMNS, decode_hashes, perceptual_hash

    few = few.head(2)
    table = LesionFeaturizer(passthrough=HASH_COLUMNS).fit_transform(few)
    looks = decode_hashes(table[list(HASH_COLUMNS)].to_numpy())
    for look, path in zip(looks, few["path"], strict=True):
        assert np.unpackbits(look ^ perceptual_hash(read_image(path))).sum() <= 12


@pytest.mark.parametrize(
    ("shape", "grey", "mark", "reason"),
    [
        ((15, 200, 3), 255, 0, r"200 x 15 pixels are too few to measure a lesion; at least 16"),
        ((40, 60, 3), 15, 0, r"black \(100 % of it is at most 16 of 255\).* values of 12 bits"),
        ((40, 60, 3), 15, 4, r"black \(99.3 % of it is at most 16 of 255\).* values of 12 bits"),
    ],
)
def test_what_is_too_small_or_too_dark_to_measure_is_listed(tmp_path, shape, grey, mark, reason):
    image = np.full(shape, grey, np.uint8)
    image[:mark, :mark] = 255
    write_image(tmp_path / "a.png", image)
    records = pd.DataFrame({"image_id": ["a"], "path": [str(tmp_path / "a.png")]})
    table, failures = LesionFeaturizer().fit(records).featurize(records)
    assert table.filter(like="abcd__").isna().all(axis=None)
    (failure,) = failures
    assert failure.stage == "read"
    assert re.search(reason, failure.reason)
