"""The page of the commands."""

from __future__ import annotations

from pathlib import Path

from typer.main import get_command

from hybridlesion.cli import app
from hybridlesion.cli._document import commands_page

ROOT = Path(__file__).resolve().parents[2]


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
