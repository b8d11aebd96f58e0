"""The pages of the commands."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from typer.main import get_command

from hybridlesion.cli import app

DOCS = Path(__file__).resolve().parents[2] / "docs"
COMMANDS = get_command(app).commands


def commands_pages():
    """Run the generator, which is not part of the package."""
    spec = importlib.util.spec_from_file_location("commands", DOCS / "generate_commands.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


@pytest.mark.parametrize("page", ["commands.md", *(f"commands/{name}.md" for name in COMMANDS)])
def test_committed_pages_are_up_to_date(page):
    fix = "run: python docs/generate_commands.py"
    assert (DOCS / page).read_text(encoding="utf-8") == commands_pages()[page], fix


def test_no_page_of_a_command_that_is_gone():
    assert {path.stem for path in (DOCS / "commands").iterdir()} == set(COMMANDS)


def test_every_command_is_listed_and_every_option_on_its_page():
    pages = commands_pages()
    for name, command in COMMANDS.items():
        assert f"| [{name}](commands/{name}.md) |" in pages["commands.md"]
        page = pages[f"commands/{name}.md"]
        options = [one.opts[0] for one in command.params if one.param_type_name == "option"]
        assert [option for option in options if f"| `{option}` |" not in page] == []
        assert "\x1b" not in page


def test_cells_hold_defaults_limits_and_choices():
    lines = "\n".join(commands_pages().values()).splitlines()
    assert "| `--folds` | `N`, 2 or more | Folds, grouped by patient. | `5` |" in lines
    assert any(line.startswith("| `--device` | `auto` or `cpu` or `cuda` |") for line in lines)
    assert any(line.startswith("| `--out` | `FILE\\|ADDRESS` |") for line in lines)
    assert "| `TABLE...` | Feature and metadata tables, joined by image id. | required |" in lines
