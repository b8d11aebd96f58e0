"""Scores joined to the truth, measured and written."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.report import report_scores


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    n = 60
    truth = pd.DataFrame(
        {
            "image_name": [f"SYN_{row}" for row in range(n)],
            "patient_id": [f"P{row // 2}" for row in range(n)],
            "sex": "male",
            "age_approx": 50.0,
            "anatom_site_general_challenge": "torso",
            "target": (np.arange(n) % 4 == 0).astype(int),
        }
    )
    scores = pd.DataFrame(
        {
            "image_id": truth["image_name"],
            "score": np.clip(0.2 + 0.3 * truth["target"] + rng.normal(0, 0.1, n), 0, 1),
            "threshold": 0.35,
        }
    )
    truth.to_csv(tmp_path / "truth.csv", index=False)
    scores.to_csv(tmp_path / "scores.csv", index=False)
    return tmp_path


def _report(folder, **options):
    return report_scores(
        folder / "scores.csv", [folder / "truth.csv"], folder / "out", n_bootstrap=50, **options
    )


def _change(folder, name, change):
    table = pd.read_csv(folder / name)
    change(table).to_csv(folder / name, index=False)


def test_files_agree_with_the_answer(folder):
    report = _report(folder)
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "metrics.csv",
        "metrics.json",
        "metrics.png",
    ]
    stored = pd.read_csv(folder / "out" / "metrics.csv")
    pd.testing.assert_frame_equal(stored, report.metrics, check_dtype=False)
    content = json.loads((folder / "out" / "metrics.json").read_text())
    values = report.metrics.set_index("metric")["value"]
    assert content["metrics"]["auc"]["value"] == pytest.approx(values["auc"])
    assert content["threshold"] == report.threshold == 0.35


def test_auc_is_scikit_learns(folder):
    from sklearn.metrics import roc_auc_score

    truth, scores = pd.read_csv(folder / "truth.csv"), pd.read_csv(folder / "scores.csv")
    values = _report(folder).metrics.set_index("metric")["value"]
    assert values["auc"] == pytest.approx(roc_auc_score(truth["target"], scores["score"]))


def test_a_named_threshold_wins(folder):
    assert _report(folder, threshold=0.2).threshold == 0.2


def test_ids_are_matched_whatever_their_names(folder):
    _change(folder, "scores.csv", lambda t: t.rename(columns={"image_id": "isic_id"}))
    _change(folder, "truth.csv", lambda t: t.assign(image_name=t["image_name"] + ".jpg"))
    assert len(_report(folder).cases) == 60


def test_scores_without_truth_are_counted(folder):
    _change(folder, "truth.csv", lambda t: t.iloc[:40])
    report = _report(folder)
    assert len(report.cases) == 40
    assert any("20 scored images have no truth" in text for text in report.warnings)


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("scores.csv", lambda t: t.drop(columns="score"), "a column named score"),
        ("scores.csv", lambda t: t.assign(score=t["score"] * 100), "between 0 and 1"),
        ("scores.csv", lambda t: pd.concat([t, t.head(2)]), "2 image ids occur more than once"),
        ("scores.csv", lambda t: t.assign(image_id="other" + t["image_id"]), "no scored image"),
        ("truth.csv", lambda t: t.drop(columns="target"), "does not say which"),
        ("truth.csv", lambda t: t.assign(target=0), "one class"),
    ],
)
def test_refusals(folder, name, change, reason):
    _change(folder, name, change)
    with pytest.raises(TableError, match=reason):
        _report(folder)
    assert not list((folder / "out").iterdir())


def test_patients_of_the_scores_stand_in_for_those_the_truth_lacks(folder):
    patients = pd.read_csv(folder / "truth.csv")["patient_id"]
    _change(folder, "scores.csv", lambda t: t.assign(patient_id=patients, lesion_id="L" + patients))
    _change(folder, "truth.csv", lambda t: t[["image_name", "target"]])
    report = _report(folder)
    assert report.metrics.set_index("metric").loc["n_groups", "value"] == 30
    assert not any("no patient_id" in text for text in report.warnings)
    assert {"patient_id", "lesion_id"} <= set(report.cases)


def test_patients_of_the_truth_win_where_it_has_them(folder):
    _change(folder, "scores.csv", lambda t: t.assign(patient_id="one for all"))
    assert _report(folder).metrics.set_index("metric").loc["n_groups", "value"] == 30
    blank = pd.Series(np.arange(60) < 10)
    _change(folder, "truth.csv", lambda t: t.assign(patient_id=t["patient_id"].mask(blank)))
    # The first five patients became the one that the scores know.
    assert _report(folder).metrics.set_index("metric").loc["n_groups", "value"] == 26


@pytest.mark.parametrize(("column", "unit"), [(None, "images"), ("lesion_id", "lesions")])
def test_without_patients_the_unit_is_told(folder, column, unit):
    _change(folder, "truth.csv", lambda t: t.drop(columns="patient_id"))
    if column:
        _change(folder, "scores.csv", lambda t: t.assign(**{column: t["image_id"].str[:5]}))
    notes = _report(folder).warnings
    assert any(f"no patient_id: intervals are over {unit}" in text for text in notes)


def test_few_patients_are_told(folder):
    assert not any("too few" in text for text in _report(folder).warnings)
    _change(folder, "scores.csv", lambda t: t.head(24))
    assert any("6 positives in 12 groups" in text for text in _report(folder).warnings)
