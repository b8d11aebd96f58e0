"""The three commands, and evaluate, on 60 real images with ISIC 2020 metadata."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture(scope="module")
def images(real_data, tmp_path_factory):
    """Folder with 20 malignant and 40 benign images."""
    table = pd.read_csv(real_data / "isic2020" / "train.csv")
    files = {path.stem: path for path in sorted((real_data / "isic2020").rglob("*.jpg"))}
    table = table[table["image_name"].isin(list(files))].sort_values("image_name")
    chosen = pd.concat([table[table["target"] == 1].head(20), table[table["target"] == 0][::20]])
    folder = tmp_path_factory.mktemp("isic2020")
    for name in chosen["image_name"].head(60):
        shutil.copy(files[name], folder)
    return folder


def test_features_fit_score_evaluate(hybridlesion, real_data, images, tmp_path):
    metadata = real_data / "isic2020" / "train.csv"
    features, model = tmp_path / "f.parquet", tmp_path / "m.joblib"
    arguments = (images, "--metadata", metadata, "--out", features, "--jobs", 1)
    measured = hybridlesion("features", *arguments)
    assert measured.exit_code == 0, measured.output
    assert "60 rows, 0 failed" in measured.stdout
    assert "benign_malignant" in measured.stderr
    fitted = hybridlesion("fit", features, "--out", model, "--folds", 3, "--jobs", 1)
    assert fitted.exit_code == 0, fitted.output
    scores = tmp_path / "scores.csv"
    arguments = (images, "--metadata", metadata, "--out", scores, "--jobs", 1)
    scored = hybridlesion("score", model, *arguments)
    assert scored.exit_code == 0, scored.output
    table = pd.read_csv(scores)
    assert len(table) == 60
    assert table["patient_id"].notna().all()
    evaluated = hybridlesion("evaluate", scores, "--truth", metadata, "--out", tmp_path / "e")
    assert evaluated.exit_code == 0, evaluated.output
    metrics = json.loads((tmp_path / "e" / "metrics.json").read_text())["metrics"]
    assert metrics["n"]["value"] == 60
    # The model saw these images: anything near chance would mean that scores lost their rows.
    assert metrics["auc"]["value"] > 0.8
