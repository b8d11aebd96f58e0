"""From a table with diagnoses to their metrics, by commands."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("diagnoses"), np.random.default_rng(0)
    kind = rng.choice(3, 150, p=[0.5, 0.25, 0.25])
    table = pd.DataFrame(
        {
            "image_name": [f"ISIC_{row:07d}" for row in range(150)],
            "patient_id": [f"IP_{row}" for row in range(150)],
            "sex": np.where(rng.random(150) < 0.2 + 0.6 * (kind == 2), "male", "female"),
            "age_approx": 30 + 15 * kind + 5 * rng.integers(-2, 3, 150),
            "anatom_site_general_challenge": "torso",
            "diagnosis": np.array(["nevus", "melanoma", "basal cell carcinoma"])[kind],
        }
    )
    table[:100].to_csv(folder / "train.csv", index=False)
    table[100:].to_csv(folder / "new.csv", index=False)
    return folder


def test_fit_score_evaluate_inspect(hybridlesion, folder):
    train, new = folder / "train.csv", folder / "new.csv"
    model, scores, out = folder / "m.joblib", folder / "s.csv", folder / "out"
    options = ("--malignant", "melanoma,basal cell carcinoma")
    oof = ("--oof", folder / "oof.csv", "--folds", 3, "--jobs", 1)
    result = hybridlesion("fit", train, "--out", model, *options, *oof)
    assert result.exit_code == 0, result.output
    assert "note: 3 diagnoses were learned from 100 rows" in result.stderr
    result = hybridlesion("score", model, new, "--diagnoses", "--out", scores)
    assert result.exit_code == 0, result.output
    assert pd.read_csv(scores).columns[-1] == "diagnosis_predicted"
    for table, truth, n in ((scores, new, 50), (folder / "oof.csv", train, 100)):
        evaluation = (table, "--truth", truth, *options, "--out", out, "--bootstrap", 20)
        result = hybridlesion("evaluate", *evaluation)
        assert result.exit_code == 0, result.output
        assert "balanced_accuracy" in result.stdout
        assert "confusion.png" in result.stdout.splitlines()[-1]
        counts = pd.read_csv(out / "confusion.csv", index_col="diagnosis")
        assert counts.to_numpy().sum() == n
    result = hybridlesion("inspect", model)
    assert "Gives the probabilities of basal cell carcinoma (malignant), melanoma" in result.stdout


def test_a_model_without_diagnoses_is_refused(hybridlesion, model_file, features_file, tmp_path):
    arguments = (model_file, features_file, "--diagnoses", "--out", tmp_path / "s.csv")
    result = hybridlesion("score", *arguments)
    assert result.exit_code != 0
    assert "--diagnoses needs a model that learned diagnoses" in result.stderr
