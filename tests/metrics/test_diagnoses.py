"""Metrics of several diagnoses, compared with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as reference

from hybridlesion.metrics import confusion_matrix, evaluate_diagnoses

CLASSES = ["mel", "nv", "bcc", "df"]


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    truth = rng.choice(3, 300, p=[0.2, 0.7, 0.1])
    logits = rng.normal(size=(300, 4)) + 1.5 * np.eye(4)[truth]
    p = np.exp(logits.round(1))
    return np.array(CLASSES)[truth], p / p.sum(axis=1, keepdims=True)


def _values(*arguments, **options):
    return evaluate_diagnoses(*arguments, CLASSES, **options).set_index("metric")


def test_values_are_scikit_learns(drawn):
    y, p = drawn
    predicted = np.array(CLASSES)[(p * [2, 1, 3, 1]).argmax(axis=1)]
    found = _values(y, p, predicted=predicted, n_bootstrap=0)["value"]
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        balanced = reference.balanced_accuracy_score(y, predicted)
    assert found["balanced_accuracy"] == pytest.approx(balanced)
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(y, predicted))
    # scikit-learn wants the columns in alphabetical order.
    order = np.argsort(CLASSES)
    loss = reference.log_loss(y, p[:, order], labels=sorted(CLASSES))
    assert found["log_loss"] == pytest.approx(loss)
    areas = [reference.roc_auc_score(y == name, p[:, k]) for k, name in enumerate(CLASSES[:3])]
    assert found["macro_auc"] == pytest.approx(np.mean(areas))
    assert found["auc_bcc"] == pytest.approx(areas[2])
    assert "recall_df" not in found


def test_the_most_probable_is_predicted_by_default(drawn):
    y, p = drawn
    found = _values(y, p, n_bootstrap=0)["value"]
    assert found["accuracy"] == np.mean(np.array(CLASSES)[p.argmax(axis=1)] == y)


def test_intervals_hold_the_values_and_widen_with_patients(drawn):
    y, p = drawn
    single, grouped = (
        _values(np.repeat(y, 3), np.repeat(p, 3, axis=0), groups=groups, n_bootstrap=200)
        for groups in (None, np.arange(900) // 3)
    )
    for name in ("balanced_accuracy", "macro_auc", "log_loss", "accuracy", "recall_mel"):
        value, low, high = grouped.loc[name]
        assert low < value < high
        assert high - low > 1.3 * (single.loc[name, "high"] - single.loc[name, "low"])
    assert (single.loc["n_groups", "value"], grouped.loc["n_groups", "value"]) == (900, 300)


def test_a_probability_of_zero_is_not_infinitely_wrong():
    found = _values(["mel", "nv"], [[0, 1, 0, 0], [0, 1, 0, 0]], n_bootstrap=0)["value"]
    assert found["log_loss"] == pytest.approx(-np.log(np.finfo(float).eps) / 2)


def test_confusion_matrix_is_scikit_learns(drawn):
    y, p = drawn
    predicted = np.array(CLASSES)[p.argmax(axis=1)]
    found = confusion_matrix(y, predicted, CLASSES)
    expected = reference.confusion_matrix(y, predicted, labels=CLASSES)
    np.testing.assert_array_equal(found, expected)
    assert found.index.tolist() == found.columns.tolist() == CLASSES


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        (["mel", "scc"], np.full((2, 4), 0.25), "'scc', which is not one of the classes: mel, nv"),
        (["mel", "nv"], np.full((2, 3), 1 / 3), "one column for each of 4"),
        (["mel", "nv"], np.full((2, 4), 0.5), "sum to 1"),
        (["mel", "nv"], np.full((2, 4), np.nan), "sum to 1"),
        (["mel", "mel"], np.full((2, 4), 0.25), "at least two diagnoses"),
    ],
)
def test_what_cannot_be_measured_is_refused(y, p, message):
    with pytest.raises(ValueError, match=message):
        evaluate_diagnoses(y, p, CLASSES)
