"""Tables to a fitted model: groups, targets and what is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.training import fit_tables


@pytest.fixture
def table(tmp_path, rng) -> pd.DataFrame:
    n = 150
    target = (np.arange(n) % 5 == 0).astype(int)
    return pd.DataFrame(
        {
            "image_name": [f"ISIC_{row:07d}" for row in range(n)],
            "patient_id": [f"IP_{row // 3}" for row in range(n)],
            "clinic": [f"C{row // 15}" for row in range(n)],
            "sex": "female",
            "age_approx": 5.0 * rng.integers(4, 10, n) + 20.0 * target,
            "anatom_site_general_challenge": "torso",
            "target": target,
        }
    )


def _fit(table, folder, **options):
    table.to_csv(folder / "train.csv", index=False)
    return fit_tables([folder / "train.csv"], n_splits=3, **options)


def test_out_of_fold_scores_and_facts(table, tmp_path):
    trained = _fit(table, tmp_path)
    assert trained.out_of_fold["image_id"].tolist() == table["image_name"].tolist()
    assert trained.out_of_fold["score"].between(0, 1).all()
    values = trained.metrics.set_index("metric")["value"]
    assert values["auc"] > 0.8
    assert values["n"] == 150
    assert trained.facts["n_groups"] == trained.facts["n_patients"] == 50
    assert trained.facts["tables"] == ["train.csv"]


def test_other_groups_by_name(table, tmp_path):
    table.loc[0, "clinic"] = None
    trained = _fit(table, tmp_path, groups="clinic")
    # Ten clinics, and the image whose clinic is unknown by itself.
    assert trained.facts["n_groups"] == 11


def test_patients_are_found_without_being_named(table, tmp_path):
    trained = _fit(table, tmp_path)
    assert trained.facts["n_groups"] == 50
    alone = _fit(table.drop(columns="patient_id"), tmp_path, groups="patient_id")
    assert alone.facts["n_groups"] == 150
    assert any("every image is its own group" in text for text in alone.warnings)


def test_rows_without_target_are_left_out_and_counted(table, tmp_path):
    table["target"] = table["target"].astype(float)
    table.loc[:9, "target"] = np.nan
    trained = _fit(table, tmp_path)
    assert trained.facts["n_rows"] == 140
    assert any("10 rows without a target" in text for text in trained.warnings)


def test_leaks_never_reach_the_model(table, tmp_path):
    table["benign_malignant"] = np.where(table["target"] == 1, "malignant", "benign")
    table["mel_thick_mm"] = np.where(table["target"] == 1, 1.5, np.nan)
    trained = _fit(table, tmp_path)
    assert {"benign_malignant", "mel_thick_mm"} <= set(trained.set_aside)
    assert not any("thick" in name for name in trained.model.feature_names_in_)


@pytest.mark.parametrize(
    ("change", "options", "reason"),
    [
        (lambda t: t.assign(target=1), {}, "benign and malignant"),
        (lambda t: t.drop(columns="target"), {}, "which lesions are malignant"),
        (lambda t: t, {"groups": "doctor"}, "the tables lack"),
        (lambda t: t.assign(patient_id="P"), {}, "Bring more patients"),
    ],
)
def test_refusals(table, tmp_path, change, options, reason):
    with pytest.raises(TableError, match=reason):
        _fit(change(table), tmp_path, **options)


def test_out_of_fold_scores_can_be_evaluated(table, tmp_path):
    from hybridlesion.reporting import report_scores

    trained = _fit(table, tmp_path)
    scores = trained.out_of_fold
    assert scores.columns.tolist() == [
        *("image_id", "patient_id", "target", "score", "fold", "threshold", "threshold_rule")
    ]
    assert (scores.groupby("patient_id")["fold"].nunique() == 1).all()
    scores.to_csv(tmp_path / "oof.csv", index=False)
    truth = table[["image_name", "target"]]
    truth.to_csv(tmp_path / "truth.csv", index=False)
    report = report_scores(
        tmp_path / "oof.csv", [tmp_path / "truth.csv"], tmp_path / "e", n_bootstrap=20
    )
    measured, told = (m.set_index("metric")["value"] for m in (report.metrics, trained.metrics))
    assert measured[["auc", "n_groups"]].tolist() == pytest.approx(told[["auc", "n_groups"]])


def test_few_patients_are_told(table, tmp_path):
    trained = _fit(table.head(45), tmp_path)
    assert any("9 positives in 15 groups" in text for text in trained.warnings)
    assert not any("too few" in text for text in _fit(table, tmp_path).warnings)
