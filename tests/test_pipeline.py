"""The whole pipeline as scikit-learn sees it."""

from __future__ import annotations

import subprocess
import sys

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import Pipeline

from hybridlesion import make_hybrid_pipeline

SCORE = """
import sys, joblib, numpy, pandas
pipe = joblib.load(sys.argv[1])
numpy.save(sys.argv[3], pipe.predict_proba(pandas.read_pickle(sys.argv[2])))
"""


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    """Measured features are kept between fits, so that each test need not measure again."""
    return str(tmp_path_factory.mktemp("memory"))


@pytest.fixture
def pipe(memory):
    return make_hybrid_pipeline(n_splits=3, memory=memory)


@pytest.fixture(scope="module")
def fitted(memory, lesions):
    """The pipeline, fitted once; no test changes it."""
    pipe = make_hybrid_pipeline(n_splits=3, memory=memory)
    return pipe.fit(lesions, lesions["target"])


def test_steps(pipe):
    assert isinstance(pipe, Pipeline)
    assert list(pipe.named_steps) == ["features", "model"]


def test_fit_and_score(fitted, lesions):
    probability = fitted.predict_proba(lesions)
    assert probability.shape == (len(lesions), 2)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert set(fitted.predict(lesions)) <= {0, 1}


def test_inner_folds_keep_patients_together(fitted, lesions):
    folds = np.asarray(fitted.named_steps["model"].folds_).reshape(-1, len(lesions))
    for patient in lesions["patient_id"].unique():
        rows = (lesions["patient_id"] == patient).to_numpy()
        assert all(len(set(split[rows])) == 1 for split in folds)


def test_clone_keeps_parameters_and_drops_the_fit(fitted):
    again = clone(fitted)
    assert again.get_params()["model__n_splits"] == 3
    assert not hasattr(again.named_steps["model"], "classes_")


def test_cross_validate_with_groups(pipe, lesions):
    result = cross_validate(
        pipe,
        lesions,
        lesions["target"],
        params={"groups": lesions["patient_id"]}
        if sklearn.get_config()["enable_metadata_routing"]
        else None,
        cv=list(GroupKFold(2).split(lesions, groups=lesions["patient_id"])),
        scoring="roc_auc",
        error_score="raise",
    )
    assert result["test_score"].shape == (2,)


def test_groups_by_metadata_routing(memory, lesions):
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = make_hybrid_pipeline(n_splits=2, memory=memory)
        pipe.named_steps["model"].set_fit_request(groups=True)
        groups = np.arange(len(lesions)) // 9
        pipe.fit(lesions, lesions["target"], groups=groups)
    folds = np.asarray(pipe.named_steps["model"].folds_).reshape(-1, len(lesions))
    assert all(len(set(folds[0][groups == group])) == 1 for group in range(4))


def test_grid_search(pipe, lesions):
    search = GridSearchCV(
        pipe,
        {"model__n_seeds": [1, 2]},
        cv=list(GroupKFold(2).split(lesions, groups=lesions["patient_id"])),
        scoring="average_precision",
        error_score="raise",
    )
    search.fit(lesions, lesions["target"])
    assert search.best_params_["model__n_seeds"] in (1, 2)


def test_equal_scores_in_a_new_process(fitted, lesions, tmp_path):
    model, table, scores = tmp_path / "m.joblib", tmp_path / "t.pkl", tmp_path / "s.npy"
    joblib.dump(fitted, model)
    lesions.to_pickle(table)
    subprocess.run([sys.executable, "-c", SCORE, model, table, scores], check=True)
    np.testing.assert_array_equal(np.load(scores), fitted.predict_proba(lesions))


def test_unseen_site_and_missing_age_are_scored(fitted, lesions):
    strange = lesions.head(3).assign(age=np.nan, sex=None, site="oral/genital")
    assert np.isfinite(fitted.predict_proba(strange)).all()


def test_records_need_no_target_to_be_scored(fitted, lesions):
    bare = lesions[["image_id", "path"]].head(3)
    assert np.isfinite(fitted.predict_proba(bare)).all()
