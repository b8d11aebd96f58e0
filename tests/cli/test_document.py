"""The page of the commands, and the tutorial run as it stands."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.main import get_command

from hybridlesion.cli import app
from hybridlesion.cli._document import commands_page

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "sample"
QUICK = {
    "features": ("--jobs", 1),
    "fit": ("--folds", 2, "--jobs", 1),
    "score": ("--jobs", 1),
    "evaluate": ("--bootstrap", 20),
    "report": ("--jobs", 1),
}
"""What is added to the lines of the tutorial, so that they take seconds on the sample."""


def test_committed_page_is_up_to_date():
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    fix = "run: python -m hybridlesion.cli._document > docs/commands.md"
    assert page == commands_page(), fix


def test_every_command_and_option_is_on_the_page():
    page = commands_page()
    for name, command in get_command(app).commands.items():
        part = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        options = [one.opts[0] for one in command.params if one.param_type_name == "option"]
        assert [option for option in options if f"| `{option}` |" not in part] == []
    assert "\x1b" not in page


def test_cells_hold_defaults_limits_and_choices():
    lines = commands_page().splitlines()
    assert "| `--folds` | `N`, 2 or more | Folds, grouped by patient. | `5` |" in lines
    assert any(line.startswith("| `--device` | `auto` or `cpu` or `cuda` |") for line in lines)
    assert any(line.startswith("| `--out` | `FILE\\|ADDRESS` |") for line in lines)
    assert "| `TABLE...` | Feature and metadata tables, joined by image id. | required |" in lines


@pytest.fixture
def download(tmp_path, monkeypatch) -> Path:
    """The sample, laid out as the tutorial asks for; the working folder is its parent."""
    shutil.copytree(SAMPLE / "images", tmp_path / "ISIC_2020" / "train")
    shutil.copy(SAMPLE / "metadata.csv", tmp_path / "ISIC_2020" / "train.csv")
    pairs = pd.DataFrame({"image_name_1": ["ISIC_0079038"], "image_name_2": ["ISIC_8521950"]})
    pairs.to_csv(tmp_path / "ISIC_2020" / "ISIC_2020_Training_Duplicates.csv", index=False)
    truth = pd.read_csv(SAMPLE / "metadata.csv").head(3)
    truth = truth.drop(columns=["diagnosis", "benign_malignant", "target"])
    truth.to_csv(tmp_path / "new.csv", index=False)
    (tmp_path / "new_images").mkdir()
    for name in truth["image_name"]:
        shutil.copy(SAMPLE / "images" / f"{name}.jpg", tmp_path / "new_images")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_tutorial_runs_in_its_order(hybridlesion, download):
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [shlex.split(line) for line in text.splitlines() if line.startswith("hybridlesion ")]
    ran = []
    for _, command, *arguments in lines:
        result = hybridlesion(command, *arguments, *QUICK[command])
        assert result.exit_code == 0, result.output
        ran.append(command)
    assert ran == ["features", "fit", "evaluate", "report", "score", "report", "score"]
    assert len(pd.read_csv("oof.csv")) == 24
    assert (download / "report" / "report.html").stat().st_size > 0
    plain, moved = (pd.read_csv(f"scores{end}.csv") for end in ("", "_2_percent"))
    assert (moved["score"] < plain["score"]).all()
