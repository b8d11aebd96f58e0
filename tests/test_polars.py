"""Frames of polars are taken wherever a frame of pandas is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.pipeline import Pipeline

from hybridlesion import HybridLesionClassifier, evaluate, extract_features, read_records
from hybridlesion.batch import read_features, segment_images
from hybridlesion.explain import explain_scores, reason_columns
from hybridlesion.featurizer import LesionFeaturizer, encode_metadata
from hybridlesion.inference import score_records, score_table
from hybridlesion.metadata import read_table
from hybridlesion.metrics import evaluate_subgroups
from hybridlesion.model import patient_context
from hybridlesion.model_selection import grouping
from hybridlesion.training import describe_training

N = 60


@pytest.fixture(scope="module")
def table():
    """A feature table without missing text, which both libraries hold alike."""
    y = np.arange(N) % 4 == 0
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "image_id": [f"I{i}" for i in range(N)],
            "patient_id": [f"P{i // 3}" for i in range(N)],
            "sex": np.where(np.arange(N) % 2, "male", "female"),
            "target": y.astype(float),
            "meta__age": (50 + 10 * y + rng.normal(0, 9, N)).astype(np.float32),
            "abcd__tds": np.where(np.arange(N) % 7, rng.normal(4, 1, N), np.nan),
        }
    )


@pytest.fixture(scope="module")
def model(table):
    return HybridLesionClassifier(n_splits=3, max_trees=30).fit(table, table["target"])


@pytest.mark.parametrize(
    "call",
    [
        lambda model, frame: model.predict_proba(frame),
        lambda model, frame: model.predict_set(frame),
        lambda model, frame: model.contributions(frame),
        lambda model, frame: model.with_context(frame),
        lambda model, frame: score_table(model, frame, explain=True),
        lambda model, frame: explain_scores(model, frame),
        lambda model, frame: reason_columns(model, frame),
        lambda model, frame: patient_context(frame),
        lambda model, frame: grouping(frame),
        lambda model, frame: encode_metadata(frame),
        lambda model, frame: describe_training(frame, frame["target"]),
        lambda model, frame: (
            evaluate(frame["target"], frame["abcd__tds"].is_null(), n_bootstrap=9)
            if isinstance(frame, pl.DataFrame)
            else evaluate(frame["target"], frame["abcd__tds"].isna(), n_bootstrap=9)
        ),
        lambda model, frame: evaluate_subgroups(
            *(frame["target"], frame["meta__age"] / 100, frame[["sex"]]),
            threshold=0.5,
            groups=frame["patient_id"],
            n_bootstrap=9,
        ),
        lambda model, frame: (
            HybridLesionClassifier(n_splits=3, max_trees=30)
            .fit(frame, frame["target"], groups=frame["patient_id"])
            .oof_score_
        ),
        lambda model, frame: read_records(frame).frame,
        lambda model, frame: read_records([frame], images=_paths(frame)).frame,
    ],
)
def test_the_answer_is_that_for_pandas(model, table, call):
    expected, found = call(model, table), call(model, pl.from_pandas(table))
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    else:
        np.testing.assert_equal(_plain(found), _plain(expected))


def _paths(frame):
    return type(frame)({"image_id": frame["image_id"], "path": frame["image_id"]})


def test_images_of_polars_records_are_measured(lesions, tmp_path):
    few = lesions.head(2)
    for name, records in (("one", few), ("two", pl.from_pandas(few))):
        extract_features(records, tmp_path / f"{name}.parquet")
        segment_images(records, tmp_path / name)
    one, two = (read_features(tmp_path / f"{name}.parquet")[0] for name in ("one", "two"))
    pd.testing.assert_frame_equal(one, two)
    assert len(list((tmp_path / "two").glob("*.png"))) == 2


def test_images_of_polars_records_are_scored(model, lesions, tmp_path):
    network_free = Pipeline([("features", LesionFeaturizer()), ("model", model)])
    few = lesions.head(2)
    for name, records in (("one", few), ("two", pl.from_pandas(few))):
        score_records(network_free, records, tmp_path / f"{name}.csv")
    assert (tmp_path / "one.csv").read_text() == (tmp_path / "two.csv").read_text()


def test_a_table_read_by_polars_is_one_read_by_us(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("image_name,age_approx,sex,target\na,85+,male,0\nb,40,female,1\n")
    pd.testing.assert_frame_equal(
        read_records(pl.read_csv(file)).frame, read_records(read_table(file)).frame
    )


def _plain(value):
    return value.to_numpy() if isinstance(value, pd.Series) else value
