"""The linear model, and training with missing values."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from hybridlesion.metrics import roc_auc
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.model import _fold_model as _linear
from hybridlesion.model._fold_model import LinearModel, _equalise, blank_at_random, metadata_columns


def _rows(n, seed=0, share=0.02):
    rng = np.random.default_rng(seed)
    y = rng.random(n) < share
    return (rng.normal(size=(n, 4)) + y[:, None]).astype(np.float32), y


def test_a_row_scores_the_same_alone_and_among_many():
    X, y = _rows(20_000)
    X[::7, 1] = np.nan
    part = LinearModel().fit(X, y)
    whole = part.logit(X)
    np.testing.assert_allclose(part.logit(X[9000:9001]), whole[9000:9001], rtol=1e-12)
    np.testing.assert_allclose(np.r_[part.logit(X[:50]), part.logit(X[50:])], whole, rtol=1e-12)


def test_drawn_negatives_leave_prior_and_ranking(monkeypatch):
    X, y = _rows(30_000)
    whole = LinearModel().fit(X, y)
    monkeypatch.setattr(_linear, "_MOST_ROWS", 6000)
    drawn = LinearModel().fit(X, y)
    fresh, _ = _rows(5000, seed=1)
    assert np.corrcoef(whole.logit(fresh), drawn.logit(fresh))[0, 1] > 0.99
    share = (1 / (1 + np.exp(-drawn.logit(fresh)))).mean()
    assert share == pytest.approx((1 / (1 + np.exp(-whole.logit(fresh)))).mean(), rel=0.15)


def test_one_broken_measurement_does_not_decide():
    X, y = _rows(2000)
    part = LinearModel().fit(X, y)
    row = X[:1].copy()
    row[0, 0] = 1e6
    far = part.logit(row)
    row[0, 0] = 5 * part.scale_[0] + part.mean_[0]
    np.testing.assert_allclose(far, part.logit(row), rtol=1e-5)


METADATA = ["meta__age", "meta__sex_male", "meta__site_torso"]


def _cohort(n, seed):
    """Old lesions and dark ones are malignant; nobody is younger than 20."""
    rng = np.random.default_rng(seed)
    dark, age = rng.normal(size=n), np.clip(rng.normal(55, 15, n), 20, 85)
    table = pd.DataFrame({"abcd__dark": dark, "abcd__noise": rng.normal(size=n)})
    table["cnn__score"] = expit(dark + rng.normal(size=n) - 1)
    table["meta__age"], table["meta__sex_male"] = age, rng.integers(0, 2, n) * 1.0
    table["meta__site_torso"] = rng.integers(0, 2, n) * 1.0
    return table, rng.random(n) < expit(1.2 * dark + (age - 55) / 15 - 2)


def _fit(table, y, **changes):
    return HybridLesionClassifier(n_splits=3, max_trees=120, **changes).fit(table, y)


@pytest.fixture(scope="module")
def fitted():
    table, y = _cohort(1500, 0)
    return _fit(table, y)


@pytest.fixture(scope="module")
def fresh():
    return _cohort(6000, 1)


def test_without_metadata_a_model_ranks_and_calls_as_one_that_never_had_any(fitted, fresh):
    table, truth = fresh
    without = _fit(_cohort(1500, 0)[0].drop(columns=METADATA), _cohort(1500, 0)[1])
    expected = without.predict_proba(table.drop(columns=METADATA))[:, 1]
    bare = table.assign(**dict.fromkeys(METADATA, np.nan))
    score = fitted.predict_proba(bare)[:, 1]
    assert roc_auc(truth, score) > roc_auc(truth, expected) - 0.01
    assert score.mean() == pytest.approx(truth.mean(), rel=0.15)
    cut, other = fitted.thresholds_[0.9], without.thresholds_[0.9]
    sensitivity = (score >= cut)[truth].mean()
    assert sensitivity == pytest.approx((expected >= other)[truth].mean(), abs=0.05)


@pytest.mark.parametrize("lost", [["meta__age"], METADATA[:2], ["cnn__score"], ["abcd__dark"]])
def test_what_is_missing_in_part_is_not_read_as_zero(fitted, fresh, lost):
    table, truth = fresh
    score = fitted.predict_proba(table.assign(**dict.fromkeys(lost, np.nan)))[:, 1]
    assert score.mean() == pytest.approx(truth.mean(), rel=0.25)
    assert (score >= fitted.thresholds_[0.9])[truth].mean() > 0.8


@pytest.mark.parametrize("lost", [["meta__age"], METADATA])
def test_missingness_that_goes_with_the_label_is_no_evidence(fresh, lost):
    table, y = _cohort(1500, 0)
    rng = np.random.default_rng(0)
    table.loc[rng.random(1500) < np.where(y, 0.4, 0.02), lost] = np.nan
    model = _fit(table, y)
    same, _ = fresh
    known = model.predict_proba(same)[:, 1]
    missing = model.predict_proba(same.assign(**dict.fromkeys(lost, np.nan)))[:, 1]
    # As evidence, being missing would be worth a factor of 20 in the odds.
    assert missing.mean() == pytest.approx(known.mean(), rel=0.3)


def test_parts_of_a_score_sum_to_it_without_metadata_too(fitted, fresh):
    table = fresh[0].head(20).copy()
    table.loc[::2, METADATA] = np.nan
    parts = fitted.contributions(table)
    np.testing.assert_allclose(parts.sum(axis=1), fitted.predict_proba(table)[:, 1], atol=1e-9)


def test_models_of_former_releases_score_as_they_did(fitted, fresh):
    later = ("metadata_", "bare_calibrators_", "diagnosis_", "fallback")
    old = HybridLesionClassifier()
    old.__setstate__({name: value for name, value in vars(fitted).items() if name not in later})
    table, _ = fresh
    np.testing.assert_array_equal(old.predict_proba(table), fitted.predict_proba(table))
    bare = table.assign(**dict.fromkeys(METADATA, np.nan))
    assert np.isfinite(old.predict_proba(bare)).all()


def test_values_are_missing_equally_often_in_both_classes():
    rng = np.random.default_rng(0)
    y = np.arange(20_000) % 10 == 0
    columns = rng.normal(size=(len(y), 4)).astype(np.float32)
    columns[np.ix_(rng.random(len(y)) < np.where(y, 0.5, 0.1), [0, 1, 2])] = np.nan
    columns[:, 3] = np.where(y, 1, np.nan)
    before = columns.copy()
    blank_at_random(columns, y, np.array([True, True, False, False]), rng)
    gone = np.isnan(columns)
    for pattern in (gone[:, 0], gone[:, :2].all(axis=1)):
        assert pattern[y].mean() == pytest.approx(pattern[~y].mean(), abs=0.04)
    # A measurement loses a twentieth of its values, and keeps the pattern of the others.
    for malignant, missing in ((True, 0.5), (False, 0.1)):
        expected = 1 - (1 - missing) * 0.95
        assert gone[y == malignant, 2].mean() == pytest.approx(expected, abs=0.04)
    # A column of one value says nothing but where it is missing.
    assert gone[:, 3].all()
    np.testing.assert_array_equal(columns[~gone], before[~gone])


def test_equal_patterns_of_missing_values_stay():
    rng = np.random.default_rng(0)
    y = np.arange(20_000) % 10 == 0
    gone = np.zeros((len(y), 3), dtype=bool)
    gone[:, 0] = rng.random(len(y)) < np.where(y, 0.2, 0.5)
    gone[:, 1] = rng.random(len(y)) < np.where(y, 0.3, 0.1)
    equal = _equalise(gone, y, rng)
    assert not (gone & ~equal).any()
    for pattern in itertools.product((False, True), repeat=3):
        share = (equal == pattern).all(axis=1)
        assert share[y].mean() == pytest.approx(share[~y].mean(), abs=0.04)
    # Three tenths of the benign rows and two tenths of the malignant ones may lose anything more.
    assert (equal != gone).any(axis=1)[~y].mean() < 0.4
    alike = np.repeat(rng.random((1000, 2)) < 0.5, 2, axis=0)
    np.testing.assert_array_equal(_equalise(alike, np.arange(2000) % 2 == 0, rng), alike)
    none = np.empty((2000, 0), dtype=bool)
    np.testing.assert_array_equal(_equalise(none, np.arange(2000) % 2 == 0, rng), none)


def test_metadata_that_training_never_had_does_not_count():
    names = ["cnn__score", "meta__age", "meta__sex_male", "ctx__meta_clin_size_z"]
    encoded = np.array([[0.1, 40, np.nan, 1]])
    assert metadata_columns(encoded, names).tolist() == [1, 3]
    assert metadata_columns(encoded[:, 1:2], names[1:2]).tolist() == []
    assert metadata_columns(encoded, [""] * 4).tolist() == []


def _with_diagnoses(n=900):
    """Four lesions a patient; the network knows melanoma well, and its other scores follow."""
    rng = np.random.default_rng(0)
    y = rng.random(n) < 0.2
    melanoma = expit(2.5 * y - 2 + rng.normal(size=n))
    other = expit(rng.normal(size=n) - 2) * (1 - melanoma)
    scores = {"score": melanoma + other, "melanoma": melanoma, "p_mel": melanoma, "p_bcc": other}
    table = pd.DataFrame({f"cnn__{name}": values for name, values in scores.items()})
    return table.assign(patient_id=np.arange(n) // 4), y


@pytest.mark.parametrize("leading", ["cnn__melanoma", "cnn__score"])
def test_one_score_of_the_network_leads(leading):
    table, y = _with_diagnoses()
    model = HybridLesionClassifier(n_splits=2, max_trees=30, leading=leading).fit(table, y)
    assert model.leading_ == leading
    # The probability of melanoma occurs once.
    assert model.feature_names_in_.tolist() == ["cnn__score", "cnn__melanoma", "cnn__p_bcc"]
    compared = f"ctx__{leading.replace('__', '_')}_"
    context = [name for name in model.feature_names_ if name.startswith("ctx__")]
    assert context == [f"{compared}{kind}" for kind in ("others", "excess", "z")]
    view = next(view for view in model.ensemble_.views if view.company)
    names = [model.feature_names_[k] for k in view.dense]
    for member in model.ensemble_.members[model.ensemble_.views.index(view)]:
        (text,) = (booster.model_to_string() for booster in member.boosters)
        constraints = text.split("monotone_constraints: ")[1].split("]")[0].split(",")
        ways = dict(zip(names, map(int, constraints), strict=True))
        assert {name for name, way in ways.items() if way} == {leading}


def test_the_only_score_leads():
    table, y = _with_diagnoses()
    table = table[["cnn__score"]]
    model = HybridLesionClassifier(n_splits=2, max_trees=20).fit(table, y)
    assert model.leading_ == "cnn__score"
    bare = HybridLesionClassifier(n_splits=2, max_trees=20).fit(table.to_numpy(), y)
    assert bare.leading_ is None
