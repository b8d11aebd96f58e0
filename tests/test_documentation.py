"""What the README shows works as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from hybridlesion import __version__
from hybridlesion.cli import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
COMMANDS = [
    line for line in README.splitlines() if line.startswith("hybridlesion ") and "--" in line
]


def _command_lines(text):
    """Words of every command in a fenced or an indented block, without remarks."""
    text = text.replace("\\\n", " ")
    fenced = "".join(re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL))
    lines = re.findall(r"^hybridlesion .*", fenced, flags=re.MULTILINE)
    lines += re.findall(r"^ {4}(hybridlesion .*)", text, flags=re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


SHOWING = [path for path in PAGES if _command_lines(path.read_text(encoding="utf-8"))]


def _blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("block", _blocks("python"))
def test_python_blocks_run(block, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("[0.")


@pytest.mark.parametrize("page", SHOWING, ids=lambda path: path.name)
def test_commands_and_their_options_exist(page):
    commands = get_command(app).commands
    for words in _command_lines(page.read_text(encoding="utf-8")):
        assert words[1] in commands, words
        known = {name for one in commands[words[1]].params for name in one.opts}
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= known, f"{page.name}: {words[1]} has no {given - known}"


def test_command_lines_are_read_from_both_kinds_of_blocks():
    text = """Prose is left out:
hybridlesion turns photographs into scores.

```sh
hybridlesion fit a.parquet \\
    --out m.joblib   # a remark
```

    hybridlesion score m.joblib "new images"
"""
    assert _command_lines(text) == [
        ["hybridlesion", "fit", "a.parquet", "--out", "m.joblib"],
        ["hybridlesion", "score", "m.joblib", "new images"],
    ]


def test_pages_that_show_commands_are_found():
    assert {"README.md", "commands.md", "tutorial.md", "scale.md"} <= {one.name for one in SHOWING}


def test_every_page_stands_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    names = [path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md"]
    assert [name for name in names if f"]({name})" not in index] == []


def test_the_citation_names_this_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {__version__}\n" in text
    assert "\nlicense: MIT\n" in text


def test_the_three_main_commands_are_shown():
    assert [line.split()[1] for line in COMMANDS] == ["features", "fit", "score"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
