"""The recipes run as they stand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

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
