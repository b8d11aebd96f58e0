"""Folds given by the caller."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.model import HybridLesionClassifier
from hybridlesion.model_selection import grouped_folds, repeated_grouped_folds


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    y = np.arange(240) % 4 == 0
    columns = {"patient_id": np.arange(240) // 2, "meta__age": 50 + 15 * y + rng.normal(0, 9, 240)}
    return pd.DataFrame(columns), y


def _fit(table, y, folds=None, **parameters):
    model = HybridLesionClassifier(**({"n_splits": 3, "max_trees": 20} | parameters))
    return model.fit(table, y, folds=folds)


def test_the_folds_that_would_be_dealt_give_the_same_model(table):
    X, y = table
    dealt = _fit(X, y, n_seeds=2)
    draws = repeated_grouped_folds(y, X["patient_id"], n_splits=3, n_repeats=2)
    given = _fit(X, y, draws, n_splits=7)
    assert (given.oof_score_ == dealt.oof_score_).all()
    assert (given.predict_proba(X) == dealt.predict_proba(X)).all()
    assert len(given.ensemble_.members[0]) == 6


def test_one_column_is_one_draw(table):
    X, y = table
    folds = grouped_folds(y, X["patient_id"], n_splits=4, random_state=9)
    model = _fit(X, y, list(folds))
    assert (model.folds_ == folds).all()
    assert len(model.ensemble_.members[0]) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f[:-1], r"one value per row.*\(239,\) for 240 rows"),
        (lambda f: f + 1, "from 0 to k - 1"),
        (lambda f: np.column_stack([f, np.minimum(f, 1)]), "each used in every draw"),
        (lambda f: f * 0.5, "whole numbers"),
        (lambda f: np.arange(240) % 4, "at least 2 folds, got 1"),
    ],
)
def test_unusable_folds_are_refused(table, change, message):
    X, y = table
    with pytest.raises(ValueError, match=message):
        _fit(X, y, change(grouped_folds(y, X["patient_id"], n_splits=3)))


def test_an_embedding_needs_both_classes_in_three_folds(table):
    X, y = table
    wide = X.assign(emb__0=np.arange(240.0), emb__1=1.0)
    with pytest.raises(ValueError, match=r"at least 3 folds when there are emb__.*got 2"):
        _fit(wide, y, grouped_folds(y, X["patient_id"], n_splits=2))


def test_folds_that_part_a_patient_are_told(table):
    X, y = table
    folds = grouped_folds(y, X["patient_id"], n_splits=3)
    folds[0] = (folds[0] + 1) % 3
    with pytest.warns(UserWarning, match=r"split 1 of 120 groups \(patients\)"):
        _fit(X, y, folds)
