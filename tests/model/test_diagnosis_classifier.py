"""Probabilities of diagnoses: what is learned, left out, and decided."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from hybridlesion.exceptions import TableError
from hybridlesion.metrics import roc_auc
from hybridlesion.model import DiagnosisClassifier, HybridLesionClassifier, match_malignancy

NAMES = np.array(["nevus", "melanoma", "benign keratosis", "dermatofibroma"], dtype=object)
CODES = ["mel", "nv", "bcc", "ak", "scc", "bkl", "df", "vasc"]


def make_table(n=600, seed=0):
    """Two measurements that tell four diagnoses apart, one of them rare, and their malignancy."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(4, n, p=[0.6, 0.2, 0.15, 0.05])
    place = np.array([[0, 0], [2, 0], [0, 2], [2, 2]])[kind]
    table = pd.DataFrame(
        {
            "patient_id": [f"P{row // 2}" for row in range(n)],
            "abcd__one": place[:, 0] + rng.normal(size=n),
            "abcd__two": place[:, 1] + rng.normal(size=n),
            "meta__age": 50 + rng.normal(0, 10, n),
            "qa__kind": kind,
        }
    )
    return table, pd.Series(NAMES[kind])


@pytest.fixture(scope="module")
def fitted():
    table, y = make_table()
    return DiagnosisClassifier(n_splits=3).fit(table, y), table, y


@pytest.fixture(scope="module")
def both():
    table, y = make_table()
    model = HybridLesionClassifier(n_splits=3, max_trees=30)
    return model.fit(table, y == "melanoma", diagnoses=y), table, y


def test_fresh_rows_are_told_apart_and_calibrated(fitted):
    model, _, _ = fitted
    table, y = make_table(n=3000, seed=1)
    p = model.predict_proba(table)
    assert model.classes_.tolist() == sorted(NAMES)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-12)
    for k, name in enumerate(model.classes_):
        assert roc_auc(y == name, p[:, k]) > 0.85
        assert p[:, k].mean() == pytest.approx((y == name).mean(), abs=0.03)


def test_rare_diagnoses_are_predicted_more_often_than_they_are_most_probable(fitted):
    model, table, y = fitted
    rare = y == "dermatofibroma"
    most_probable = model.classes_[model.oof_proba_.argmax(axis=1)] == "dermatofibroma"
    decided = model.decide(model.oof_proba_) == "dermatofibroma"
    assert (decided & rare).sum() > (most_probable & rare).sum()
    np.testing.assert_array_equal(model.predict(table), model.decide(model.predict_proba(table)))


def test_probabilities_do_not_depend_on_the_other_rows(fitted):
    model, table, _ = fitted
    p = model.predict_proba(table)
    np.testing.assert_array_equal(model.predict_proba(table.iloc[7:10]), p[7:10])


def test_rows_without_a_diagnosis_are_scored_and_not_learned_from():
    table, y = make_table()
    y[::3] = None
    folds = np.arange(600) // 2 % 3
    model = DiagnosisClassifier().fit(table, y, folds=folds)
    alone = DiagnosisClassifier().fit(table[y.notna()], y[y.notna()], folds=folds[y.notna()])
    assert model.oof_proba_.shape == (600, 4)
    assert np.isfinite(model.oof_proba_).all()
    np.testing.assert_allclose(model.oof_proba_[y.notna()], alone.oof_proba_, rtol=1e-6)


def test_labels_of_a_fold_do_not_change_its_own_probabilities():
    table, y = make_table()
    folds = np.arange(600) // 2 % 3
    held = folds == 0
    changed = y.copy()
    changed[held] = np.random.default_rng(0).permutation(y[held])
    one, other = (DiagnosisClassifier().fit(table, labels, folds=folds) for labels in (y, changed))
    # All but the temperature, which is one number for all rows.
    logs = [np.log(model.oof_proba_[held]) * model.temperature_ for model in (one, other)]
    differences = [log - log[:, :1] for log in logs]
    np.testing.assert_allclose(*differences, atol=1e-4)


def test_rare_diagnoses_are_left_out_and_counted():
    table, y = make_table()
    y[:5] = "vascular lesion"
    model = DiagnosisClassifier(n_splits=3).fit(table, y)
    assert model.left_out_ == {"vascular lesion": 5}
    assert "vascular lesion" not in model.classes_


def test_scores_of_a_network_count_as_logits():
    table, y = make_table()
    p = np.clip(np.random.default_rng(0).random(600) ** 8, 0, 1)
    model = DiagnosisClassifier(n_splits=3).fit(table.assign(cnn__p_mel=p, cnn__own=3 * p), y)
    names = [model.encoder_.encoded_names_[k] for k in model.logits_]
    assert names == ["cnn__p_mel"]


def test_missing_values_count_as_the_mean(fitted):
    model, table, _ = fitted
    missing = model.predict_proba(table.assign(abcd__one=np.nan, meta__age=None))
    means = {name: table[name].mean() for name in ("abcd__one", "meta__age")}
    np.testing.assert_allclose(missing, model.predict_proba(table.assign(**means)), atol=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table, y: (table, y.where(y.isin(NAMES[:2]), None)), "need 3 diagnoses .* got 2"),
        (lambda table, y: (table[["qa__kind", "patient_id"]], y), "columns that start with abcd__"),
    ],
)
def test_what_cannot_be_learned_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        DiagnosisClassifier().fit(*change(*make_table()))


def test_scaled_probabilities_sum_to_the_score():
    p, malignant = np.array([[0.2, 0.3, 0.5], [0.0, 0.0, 1.0]]), np.array([True, True, False])
    matched = match_malignancy(p, malignant, np.array([0.1, 0.4]))
    np.testing.assert_allclose(matched[0], [0.04, 0.06, 0.9])
    np.testing.assert_allclose(matched[1], [0.2, 0.2, 0.6])


def test_diagnoses_agree_with_the_score(both):
    model, table, _ = both
    found = model.predict_diagnoses(table.set_index(np.arange(600) + 5))
    assert found.columns.tolist() == [*(f"p_{code}" for code in CODES), "diagnosis_predicted"]
    assert found.index.tolist() == list(range(5, 605))
    np.testing.assert_allclose(found["p_mel"], model.predict_proba(table)[:, 1], rtol=1e-12)
    np.testing.assert_allclose(found.filter(like="p_").sum(axis=1, numeric_only=True), 1)
    assert (found[["p_bcc", "p_scc", "p_ak", "p_vasc"]] == 0).all(axis=None)
    np.testing.assert_allclose(model.oof_diagnoses_["p_mel"], model.oof_score_, rtol=1e-6)


def test_diagnoses_share_the_folds_of_the_score(both):
    model, _, y = both
    table, _ = make_table()
    alone = DiagnosisClassifier().fit(table, y, folds=model.folds_)
    np.testing.assert_array_equal(model.diagnosis_.oof_proba_, alone.oof_proba_)


def test_a_model_without_diagnoses_says_what_to_do():
    table, y = make_table()
    model = HybridLesionClassifier(n_splits=3, max_trees=10).fit(table, y == "melanoma")
    assert model.diagnosis_ is None
    with pytest.raises(ValueError, match=r"learned no diagnoses.* Fit it again on a table"):
        model.predict_diagnoses(table)
    with pytest.raises(ValueError, match="one value for each of its 600 rows; got 3"):
        model.fit_diagnoses(table, ["nevus"] * 3)
    benign = y.replace("melanoma", "vascular lesion")
    with pytest.raises(ValueError, match="need malignant and benign ones"):
        model.fit_diagnoses(table, benign.where(table["qa__kind"] != 1, None))
    with pytest.raises(TableError, match="columns that the model was trained on"):
        HybridLesionClassifier(n_splits=3, max_trees=10).fit(
            table, y == "melanoma", diagnoses=y
        ).predict_diagnoses(table.drop(columns="abcd__one"))


def test_kinds_of_a_class_are_learned_as_the_class():
    table, y = make_table()
    kinds = y.replace("benign keratosis", "solar lentigo")
    model = HybridLesionClassifier(n_splits=3, max_trees=10).fit(
        table, y == "melanoma", diagnoses=kinds
    )
    assert model.diagnosis_.classes_.tolist() == sorted(NAMES)


def test_pipelines_hand_diagnoses_on():
    table, y = make_table()
    model = HybridLesionClassifier(n_splits=3, max_trees=10)
    pipe = Pipeline([("same", FunctionTransformer()), ("model", model)])
    pipe.fit(table, y == "melanoma", model__diagnoses=y)
    assert pipe[-1].predict_diagnoses(pipe[:-1].transform(table)).shape == (600, 9)
