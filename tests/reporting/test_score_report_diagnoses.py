"""Diagnoses in scores, measured against those of the truth."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from hybridlesion.exceptions import TableError
from hybridlesion.reporting import report_scores

NAMES = np.array(["melanoma", "nevus", "basal cell carcinoma"])
PROBABILITIES = ["p_mel", "p_nv", "p_bcc", "p_ak", "p_scc", "p_bkl", "p_df", "p_vasc"]


@pytest.fixture
def tables():
    rng, n = np.random.default_rng(0), 90
    kind = np.arange(n) % 3
    p = np.zeros((n, 8))
    p[:, :3] = np.exp(rng.normal(size=(n, 3)) + 1.5 * np.eye(3)[kind])
    p /= p.sum(axis=1, keepdims=True)
    ids = [f"SYN_{row}" for row in range(n)]
    truth = pd.DataFrame(
        {"image_id": ids, "patient_id": np.arange(n) // 2, "diagnosis": NAMES[kind]}
    )
    scores = pd.DataFrame({"image_id": ids, "score": p[:, 0], "threshold": 0.3})
    scores = scores.assign(**dict(zip(PROBABILITIES, p.T, strict=True)))
    scores["diagnosis_predicted"] = NAMES[(p[:, :3] * [1, 2, 1]).argmax(axis=1)]
    return truth, scores


def _report(folder, truth, scores):
    truth.to_csv(folder / "truth.csv", index=False)
    scores.to_csv(folder / "scores.csv", index=False)
    options = {"malignant": ["melanoma"], "n_bootstrap": 50}
    return report_scores(folder / "scores.csv", [folder / "truth.csv"], folder / "out", **options)


def test_metrics_matrix_and_files(tables, tmp_path):
    truth, scores = tables
    report = _report(tmp_path, truth, scores)
    found = report.by_diagnosis.set_index("metric")
    expected = balanced_accuracy_score(truth["diagnosis"], scores["diagnosis_predicted"])
    assert found.loc["balanced_accuracy", "value"] == pytest.approx(expected)
    assert found.loc["n_groups", "value"] == 45
    assert {"recall_mel", "auc_nv"} <= set(found.index)
    assert "recall_df" not in found.index
    written = pd.read_csv(tmp_path / "out" / "confusion.csv", index_col="diagnosis")
    assert written.to_numpy().sum() == 90
    assert written.loc["melanoma", "melanoma"] == pytest.approx(
        30 * found.loc["recall_mel", "value"]
    )
    assert (tmp_path / "out" / "confusion.png").stat().st_size > 10_000
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert content["by_diagnosis"]["macro_auc"]["value"] == found.loc["macro_auc", "value"]
    assert content["confusion"][0]["diagnosis"] == "melanoma"


def test_the_most_probable_counts_where_none_is_predicted(tables, tmp_path):
    truth, scores = tables
    report = _report(tmp_path, truth, scores.drop(columns="diagnosis_predicted"))
    expected = NAMES[scores[PROBABILITIES[:3]].to_numpy().argmax(axis=1)] == truth["diagnosis"]
    found = report.by_diagnosis.set_index("metric")["value"]
    assert found["accuracy"] == pytest.approx(expected.mean())


def test_other_and_unlearned_diagnoses_are_noted(tables, tmp_path):
    truth, scores = tables
    truth.loc[1, "diagnosis"], truth.loc[4, "diagnosis"] = "angioma", "verruca"
    report = _report(tmp_path, truth, scores)
    assert "1 image of other diagnoses count for the score only." in report.warnings
    assert "the model did not learn these diagnoses: vascular lesion (1)." in report.warnings


def test_a_truth_without_diagnoses_leaves_the_rest(tables, tmp_path):
    truth, scores = tables
    truth["target"] = (truth.pop("diagnosis") == "melanoma").astype(int)
    truth.to_csv(tmp_path / "truth.csv", index=False)
    scores.to_csv(tmp_path / "scores.csv", index=False)
    report = report_scores(
        tmp_path / "scores.csv", [tmp_path / "truth.csv"], tmp_path / "out", n_bootstrap=0
    )
    assert report.by_diagnosis is None
    assert report.confusion is None
    assert any("the diagnoses of the scores were not evaluated" in one for one in report.warnings)
    assert not (tmp_path / "out" / "confusion.csv").exists()
    assert "confusion.csv" not in [path.name for path in report.paths]


@pytest.mark.parametrize(
    ("column", "value"), [("p_nv", 0.9), ("p_nv", "x"), ("diagnosis_predicted", "wart")]
)
def test_what_is_no_distribution_is_refused(tables, tmp_path, column, value):
    truth, scores = tables
    scores[column] = scores[column].astype(object)
    scores.loc[3, column] = value
    with pytest.raises(TableError, match=r"of 1 rows do not sum to 1, .*\(lines 5\)"):
        _report(tmp_path, truth, scores)
