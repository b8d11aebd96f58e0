"""The transformer's output holds features only, in any pipeline; ids and answers on request."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from hybridlesion import HybridLesionClassifier, LesionFeaturizer, make_hybrid_pipeline
from hybridlesion.exceptions import ArtifactError, OptionError, TableError
from hybridlesion.io import write_image

IDS = ["image_id", "patient_id", "lesion_id", "duplicate_cluster"]


@pytest.fixture
def facts():
    """Records without images: every transformation of them is quick."""
    n = 24
    return pd.DataFrame(
        {
            "image_id": [f"I{i}" for i in range(n)],
            "patient_id": [f"P{i // 2}" for i in range(n)],
            "lesion_id": [f"L{i}" for i in range(n)],
            "age": 30.0 + np.arange(n) % 7 + 20.0 * (np.arange(n) % 3 == 0),
            "sex": ["male", "female", None] * 8,
            "site": "torso",
            "diagnosis": ["melanoma", "nevus", "nevus"] * 8,
            "target": [1.0, 0.0, 0.0] * 8,
            "tbp_lv_A": np.linspace(10, 20, n),
        }
    )


@pytest.mark.parametrize("images", [True, False])
def test_the_output_holds_features_only(lesions, facts, images):
    records = lesions.head(4) if images else facts
    featurizer = LesionFeaturizer()
    table = featurizer.fit_transform(records)
    assert table.columns.tolist() == featurizer.get_feature_names_out().tolist()
    families = {"meta", "abcd", "perceived"} if images else {"meta"}
    assert {name.split("__")[0] for name in table} == families
    assert set(table.dtypes) == {np.dtype("float32")}
    assert table.index.equals(records.index)


def test_records_without_the_answer_give_the_same_columns(facts):
    featurizer = LesionFeaturizer().fit(facts)
    new = featurizer.transform(facts.drop(columns=["target", "diagnosis", "patient_id"]))
    pd.testing.assert_frame_equal(new, featurizer.transform(facts))


@pytest.mark.parametrize(
    ("passthrough", "first"),
    [
        ("ids", ["image_id", "patient_id", "lesion_id"]),
        (["target", "age"], ["target", "age"]),
        (("qa__hair_share",), ["qa__hair_share"]),
        (["meta__age"], ["meta__age"]),
        ([], ["meta__age"]),
    ],
)
def test_passthrough_adds_columns_before_the_features(facts, lesions, passthrough, first):
    records = lesions.head(2) if "qa__hair_share" in passthrough else facts
    featurizer = LesionFeaturizer(passthrough=passthrough)
    table = featurizer.fit_transform(records)
    names = featurizer.get_feature_names_out().tolist()
    assert table.columns.tolist() == names
    assert names[: len(first)] == first
    assert len(set(names)) == len(names)
    if "target" in first:
        assert table["target"].tolist() == records["target"].tolist()


def test_ids_that_new_records_lack_are_missing(facts):
    featurizer = LesionFeaturizer(passthrough="ids").fit(facts)
    new = featurizer.transform(facts[["image_id", "age"]])
    assert new["patient_id"].isna().all()
    assert new.columns.tolist() == featurizer.get_feature_names_out().tolist()


@pytest.mark.parametrize(
    ("passthrough", "message"),
    [
        ("age", "a list of columns, for example .'age'"),
        (["itch"], "passthrough names 'itch', which the records lack"),
    ],
)
def test_unknown_passthrough_is_refused(facts, passthrough, message):
    with pytest.raises(OptionError, match=message):
        LesionFeaturizer(passthrough=passthrough).fit(facts)


def test_a_column_that_new_records_lack_is_refused(facts):
    featurizer = LesionFeaturizer(passthrough=["diagnosis"]).fit(facts)
    with pytest.raises(TableError, match="no column 'diagnosis', which passthrough names"):
        featurizer.transform(facts.drop(columns="diagnosis"))


def test_a_repeated_index_repeats_no_rows(facts):
    records = facts.set_axis([0] * len(facts))
    assert len(LesionFeaturizer(passthrough=["tbp_lv_A"]).fit_transform(records)) == len(facts)


@pytest.mark.parametrize("output", ["default", "pandas", "polars"])
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_set_output_and_compositions(facts, output, frame):
    records = facts if frame is pd.DataFrame else pl.from_pandas(facts)
    kind = pl.DataFrame if output == "polars" else pd.DataFrame
    featurizer = LesionFeaturizer(passthrough="ids").set_output(transform=output)
    assert isinstance(featurizer.fit_transform(records), kind)
    table = featurizer.transform(records)
    assert isinstance(table, kind)
    assert list(table.columns) == featurizer.get_feature_names_out().tolist()
    for whole in (
        ColumnTransformer(
            [
                ("lesion", LesionFeaturizer(), ["image_id", "age", "sex"]),
                ("word", OneHotEncoder(sparse_output=False), ["site"]),
            ]
        ),
        FeatureUnion([("one", LesionFeaturizer()), ("other", LesionFeaturizer())]),
    ):
        made = whole.set_output(transform=output).fit_transform(records)
        names = whole.get_feature_names_out().tolist()
        assert made.shape == (len(facts), len(names))
        assert not any(name.rsplit("__", 1)[-1] in (*IDS, "target", "diagnosis") for name in names)
        if output != "default":
            assert list(made.columns) == names


@pytest.mark.parametrize(
    "rest",
    [
        [HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=2)],
        [SimpleImputer(), RandomForestClassifier(5, random_state=0)],
    ],
)
def test_before_classifiers_of_scikit_learn(facts, rest):
    pipe = make_pipeline(LesionFeaturizer(), *rest)
    y = facts["target"]
    scores = cross_val_score(pipe, facts, y, cv=2, error_score="raise")
    assert scores.shape == (2,)
    new = facts.drop(columns=["target", "diagnosis"])
    np.testing.assert_array_equal(
        clone(pipe).fit(facts, y).predict(new), pipe.fit(new, y).predict(pl.from_pandas(facts))
    )


def test_our_own_pipeline_groups_by_patient(facts):
    pipe = make_hybrid_pipeline(n_splits=3).fit(facts, facts["target"])
    assert len(np.unique(pipe[-1].groups_)) == facts["patient_id"].nunique()
    assert all(name.startswith("meta__") for name in pipe[-1].feature_names_in_)
    as_polars = make_hybrid_pipeline(n_splits=3).fit(pl.from_pandas(facts), facts["target"])
    np.testing.assert_array_equal(
        as_polars.predict_proba(pl.from_pandas(facts)), pipe.predict_proba(facts)
    )


def test_left_out_patients_are_said_to_our_classifier(facts):
    pipe = make_pipeline(LesionFeaturizer(), HybridLesionClassifier(n_splits=3))
    with pytest.warns(UserWarning, match=r"left out patient_id, lesion_id.*passthrough='ids'"):
        pipe.fit(facts, facts["target"])


def test_objects_of_earlier_releases_pass_ids_on(facts):
    featurizer = LesionFeaturizer(passthrough="ids").fit(facts)
    state = dict(featurizer.__getstate__())
    del state["passthrough"]
    former = LesionFeaturizer.__new__(LesionFeaturizer)
    former.__setstate__(state)
    again = clone(pickle.loads(pickle.dumps(former)))
    assert again.passthrough == "ids"
    pd.testing.assert_frame_equal(former.transform(facts), featurizer.transform(facts))


def test_a_featurizer_of_an_earlier_release_measures_no_images(tmp_path):
    write_image(tmp_path / "a.png", np.full((40, 60, 3), 200, np.uint8))
    records = pd.DataFrame({"image_id": ["a"], "path": [str(tmp_path / "a.png")]})
    former = LesionFeaturizer().fit(records)
    del former.feature_version_  # releases before the fourth version had none
    former = pickle.loads(pickle.dumps(former))
    with pytest.raises(ArtifactError, match=r"features of version 3, .* cannot score images"):
        former.transform(records)
    with pytest.raises(ArtifactError, match="cannot score images"):
        former.fit_copy(records, n_jobs=1)
    # records without images have the same columns as ever
    without = LesionFeaturizer().fit(records[["image_id"]].assign(age=[50.0]))
    del without.feature_version_
    without = pickle.loads(pickle.dumps(without))
    assert without.transform(pd.DataFrame({"image_id": ["b"], "age": [60.0]})).iloc[0, 0] == 60
