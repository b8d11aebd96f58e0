"""Separate fold models for lesions with and without siblings."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest

from hybridlesion.metrics import roc_auc
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.model._ensemble import plan_views


def _cohort(n_patients=150, per_patient=8, seed=0):
    """Malignant where a lesion stands out among its patient's, whose level says nothing."""
    rng = np.random.default_rng(seed)
    level = np.repeat(rng.normal(0, 3, n_patients), per_patient)
    excess = rng.normal(0, 1, len(level))
    y = rng.random(len(level)) < 1 / (1 + np.exp(-3 * (excess - 1.5)))
    table = pd.DataFrame({"cnn__score": level + excess, "meta__age": rng.normal(50, 9, len(level))})
    table.insert(0, "patient_id", np.repeat(np.arange(n_patients), per_patient).astype(str))
    return table, y


def _small(**changes):
    return HybridLesionClassifier(n_splits=3, max_trees=60, **changes)


@pytest.fixture(scope="module")
def fitted():
    table, y = _cohort()
    return _small().fit(table, y), table, y


def test_context_finds_what_stands_out(fitted):
    model, table, y = fitted
    without = _small(context="none").fit(table, y)
    assert roc_auc(y, model.oof_score_) > roc_auc(y, without.oof_score_) + 0.1
    fresh, truth = _cohort(seed=1)
    assert roc_auc(truth, model.predict_proba(fresh)[:, 1]) == pytest.approx(
        roc_auc(y, model.oof_score_), abs=0.04
    )


def test_the_table_needs_no_context_columns(fitted):
    model, _, _ = fitted
    assert model.feature_names_in_.tolist() == ["cnn__score", "meta__age"]
    assert model.feature_names_.tolist()[2:] == [
        "ctx__cnn_score_others",
        "ctx__cnn_score_excess",
        "ctx__cnn_score_z",
    ]
    assert len(model.feature_importances_) == 5


def test_a_lone_lesion_is_scored_as_a_model_without_context_would(fitted):
    model, table, y = fitted
    without = _small(context="none").fit(table, y)
    lone = table.groupby("patient_id").head(1)
    np.testing.assert_array_equal(model.predict_proba(lone), without.predict_proba(lone))
    nobody = table.drop(columns="patient_id")
    np.testing.assert_array_equal(model.predict_proba(nobody), without.predict_proba(nobody))


def test_company_in_the_same_call_changes_a_score_and_other_patients_do_not(fitted):
    model, table, _ = fitted
    whole = model.predict_proba(table)[:, 1]
    own = table["patient_id"] == "7"
    np.testing.assert_array_equal(model.predict_proba(table[own])[:, 1], whole[own])
    lone = model.predict_proba(table[own].head(1))[0, 1]
    assert lone != whole[own][0]


@pytest.mark.parametrize("n_jobs", [1, 3])
@pytest.mark.parametrize("rows", [1, 7, 1199, 1200])
def test_neither_blocks_nor_threads_change_a_score(fitted, monkeypatch, n_jobs, rows):
    model, table, _ = fitted
    whole = model.predict_proba(table)
    monkeypatch.setattr("hybridlesion.model._ensemble._ROWS_A_BLOCK", rows)
    parallel = copy.copy(model).set_params(n_jobs=n_jobs)
    np.testing.assert_array_equal(parallel.predict_proba(table), whole)


def test_cross_calibrated_scores_keep_the_order_of_the_logits(fitted):
    model, _, y = fitted
    order = np.argsort(model.oof_raw_)
    assert (np.diff(model.oof_score_[order]) >= 0).all()
    assert roc_auc(y, model.oof_score_) == pytest.approx(roc_auc(y, model.oof_raw_))


def test_rows_alone_and_in_company_mix(fitted):
    _, table, y = fitted
    mixed = table.copy()
    mixed.loc[mixed.index[:300], "patient_id"] = None
    model = _small().fit(mixed, y)
    assert np.isfinite(model.oof_score_).all()
    assert roc_auc(y[300:], model.oof_score_[300:]) > roc_auc(y[:300], model.oof_score_[:300])
    assert model.oof_score_[:300].mean() == pytest.approx(y[:300].mean(), rel=0.15)


def test_context_is_left_out_where_most_lesions_come_alone(fitted):
    _, table, y = fitted
    lonely = table.assign(patient_id=[str(k // 2 if k < 400 else k) for k in range(len(table))])
    model = _small().fit(lonely, y)
    assert model.feature_names_.tolist() == ["cnn__score", "meta__age"]


def test_context_columns_of_the_table_itself_are_features(fitted):
    _, table, y = fitted
    given = table.assign(ctx__mine=np.where(np.arange(len(table)) % 2, table["cnn__score"], np.nan))
    model = _small(context="none").fit(given, y)
    assert [view.name for view in model.ensemble_.views] == ["all", "all, alone"]
    assert np.isfinite(model.predict_proba(given)).all()


def test_context_alone_is_one_view():
    assert [view.company for view in plan_views(["ctx__a", "ctx__b"])] == [False]
    assert [view.name for view in plan_views(["", ""])] == ["all"]


def test_handcrafted_and_network_columns_have_members_of_their_own(fitted):
    _, table, y = fitted
    rng = np.random.default_rng(0)
    wide = table.assign(abcd__tds=table["cnn__score"] + rng.normal(size=len(table)))
    model = _small().fit(wide, y)
    names = np.array(model.ensemble_.names)
    views = {view.name: names[view.dense].tolist() for view in model.ensemble_.views}
    assert list(views) == ["handcrafted", "network", "handcrafted, alone", "network, alone"]
    assert not any("cnn" in name for name in views["handcrafted"])
    assert not any("abcd" in name for name in views["network"])
    assert views["network, alone"] == ["cnn__score", "meta__age"]
    assert model.feature_importances_.sum() == pytest.approx(1)
    assert len(model.ensemble_.members) == 4
