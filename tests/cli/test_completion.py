"""What a shell offers after `hybridlesion`, asked as the shells ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hybridlesion.cli import app

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "hybridlesion"


def _offered(shell, line):
    """What is offered for the last word of a command line, without the explanations."""
    words = line.split(" ")
    environment = {
        f"_{PROGRAM.upper()}_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    result = CliRunner().invoke(app, [], env=environment, prog_name=PROGRAM)
    assert result.exit_code == 0, result.output
    if shell == "zsh":  # _arguments '*: :(("name":"help" ...))'
        return [part.split('"')[1] for part in result.stdout.splitlines() if '"' in part]
    return [text.split("\t")[0] for text in result.stdout.splitlines()]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("hybridlesion fe", ["features"]),
        ("hybridlesion features images --seg", ["--segmenter"]),
        ("hybridlesion features images --segmenter ", ["classical", "refined"]),
        ("hybridlesion features images --embedder f", ["finetuned", "finetuned-embedding"]),
        ("hybridlesion features images --device c", ["cpu", "cuda"]),
        ("hybridlesion fit features.parquet --cnn-seen ", ["blank", "drop", "keep"]),
        ("hybridlesion finetune images --learning", ["--learning-rate"]),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_names_are_offered(shell, line, offered):
    assert _offered(shell, line) == offered


@pytest.mark.parametrize("shell", SHELLS)
def test_files_are_left_to_the_shell(shell):
    assert not any(_offered(shell, "hybridlesion features images --metadata "))


def _script(monkeypatch, shell):
    """What `--show-completion` prints under a shell."""
    monkeypatch.setattr("shellingham.detect_shell", lambda *_: (shell, f"/bin/{shell}"))
    shown = CliRunner().invoke(app, ["--show-completion"], prog_name=PROGRAM)
    assert shown.exit_code == 0, shown.output
    return shown.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_is_shown(monkeypatch, shell):
    assert f"_HYBRIDLESION_COMPLETE=complete_{shell}" in _script(monkeypatch, shell)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_is_installed(monkeypatch, tmp_path, shell):
    monkeypatch.setattr("shellingham.detect_shell", lambda *_: (shell, f"/bin/{shell}"))
    monkeypatch.setenv("HOME", str(tmp_path))
    done = CliRunner().invoke(app, ["--install-completion"], prog_name=PROGRAM)
    assert done.exit_code == 0, done.output
    written = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(f"_HYBRIDLESION_COMPLETE=complete_{shell}" in text for text in written)


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_completes(monkeypatch, tmp_path):
    """The script, sourced by a real shell, calls the program and fills in the reply."""
    program = tmp_path / PROGRAM
    program.write_text(f"#!{sys.executable}\nfrom hybridlesion.cli import main\n\nmain()\n")
    program.chmod(0o755)
    (tmp_path / "complete.sh").write_text(_script(monkeypatch, "bash"))
    lines = f"""
source {tmp_path}/complete.sh
COMP_WORDS=({PROGRAM} score m.joblib images --dev); COMP_CWORD=4
_{PROGRAM}_completion {program}; echo "${{COMPREPLY[@]}}"
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        ["bash", "--norc", "-c", lines], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.split() == ["--device"]
