"""The recipes run as they stand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

RECIPES = Path(__file__).resolve().parents[1] / "pipelines"


def _load(name):
    spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_quickstart(tmp_path, capsys):
    _load("quickstart").main(tmp_path, n_patients=12)
    printed = capsys.readouterr().out
    assert "AUC in each patient-grouped fold" in printed
    assert (tmp_path / "model.joblib").exists()


def test_isic2020(lesions, tmp_path):
    folder = Path(lesions["path"].iloc[0]).parent
    recipe = _load("isic2020")
    options = recipe.parse(
        [f"--images={folder}", f"--table={folder.parent}/metadata.csv", f"--out={tmp_path}"]
    )
    measures = recipe.main(options).set_index("metric")
    assert 0 <= measures.loc["auc", "value"] <= 1
    assert (tmp_path / "split.csv").exists()
    assert (tmp_path / "report" / "report.html").exists()


def _isic2024(folder, lesions, n_bare=300):
    """An archive and a table in the layout of ISIC 2024: some lesions with images, more without."""
    h5py = pytest.importorskip("h5py")
    rng = np.random.default_rng(0)
    with h5py.File(folder / "train-image.hdf5", "w") as archive:
        for row in lesions.itertuples():
            archive[row.image_id] = np.void(Path(row.path).read_bytes())
    n = len(lesions)
    target = np.r_[lesions["target"].astype(int), rng.random(n_bare) < 0.05]
    table = pd.DataFrame(
        {
            "isic_id": [*lesions["image_id"], *(f"ISIC_99{k:05d}" for k in range(n_bare))],
            "target": target,
            "patient_id": [*lesions["patient_id"], *(f"IP_{k // 10}" for k in range(n_bare))],
            "age_approx": rng.integers(4, 17, n + n_bare) * 5.0,
            "sex": rng.choice(["male", "female"], n + n_bare),
            "anatom_site_general": rng.choice(["head/neck", "posterior torso"], n + n_bare),
            "clin_size_long_diam_mm": 4 + 2 * target + rng.normal(0, 1, n + n_bare),
            "tbp_lv_A": 20 + rng.normal(0, 3, n + n_bare),
            "tbp_lv_dnn_lesion_confidence": 100.0 * target,
            "mel_thick_mm": np.where(target == 1, 0.5, np.nan),
        }
    )
    table.to_csv(folder / "train-metadata.csv", index=False)


def test_isic2024_without_and_with_its_images(lesions, tmp_path, capsys):
    _isic2024(tmp_path, lesions)
    recipe = _load("isic2024")
    table = f"--table={tmp_path}/train-metadata.csv"
    bare = recipe.main(recipe.parse([table, f"--out={tmp_path}/bare", "--jobs=1"]))
    assert bare.set_index("metric").loc["auc", "value"] < 0.99  # columns that leak stay out
    scores = pd.read_csv(tmp_path / "bare" / "out_of_fold.csv")
    assert len(scores) == len(lesions) + 300
    assert "tbp_lv_A" in capsys.readouterr().out
    images = f"--images={tmp_path}/train-image.hdf5"
    recipe.main(recipe.parse([table, images, f"--out={tmp_path}/whole", "--jobs=1"]))
    assert (tmp_path / "whole" / "model.joblib").exists()
    assert "<img" in (tmp_path / "whole" / "report" / "report.html").read_text(encoding="utf-8")


def test_ablation(tmp_path, capsys):
    rng = np.random.default_rng(0)
    y = np.arange(400) % 5 == 0
    table = pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(400)],
            "patient_id": np.arange(400) // 4,
            "target": y.astype(int),
            "meta__age": 50 + rng.normal(0, 9, 400),
            "abcd__tds": y + rng.normal(0, 1, 400),
            "cnn__score": 2 * y + rng.normal(0, 1, 400),
        }
    )
    table.to_csv(tmp_path / "features.csv", index=False)
    recipe = _load("ablation")
    options = recipe.parse([f"{tmp_path}/features.csv", f"--out={tmp_path}/out", "--jobs=1"])
    result = recipe.main(options).set_index("families")
    assert len(result) == 13
    assert result.loc["ABCD + CNN", "auc"] > result.loc["ABCD", "auc"] > 0.6
    words = (tmp_path / "out" / "ablation.txt").read_text()
    assert "CNN adds: AUC +" in words
    assert "metadata is not shown to matter" in words
