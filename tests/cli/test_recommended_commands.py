"""Commands and options that messages recommend exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
import typer

import hybridlesion
from hybridlesion.cli import app

PACKAGE = Path(hybridlesion.__file__).parent
COMMANDS = typer.main.get_command(app).commands
# Options that every command has.
COMMON = {"--help", "--version", "--install-completion", "--random-state"}


def _texts(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_commands_and_options_in_texts_exist(path):
    options = {name for one in COMMANDS.values() for p in one.params for name in p.opts}
    for text in _texts(path):
        for name in re.findall(r"`hybridlesion ([a-z][a-z-]+)", text):
            assert name in COMMANDS, text
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", text):
            assert option in options | COMMON, text
