"""The same command on a terminal, in a pipe and into a log: nothing is garbled."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pandas as pd
import pytest

pty = pytest.importorskip("pty")

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "data" / "sample" / "images"
_ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def _environment(**more):
    plain = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    return {**plain, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **more}


def _on_a_terminal(arguments, *, stdout_too=True, folder=None, **environment):
    """Run the command on a pseudo-terminal of 80 columns; what it shows, and standard output."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "hybridlesion", *map(str, arguments)],
        stdin=theirs,
        stdout=theirs if stdout_too else subprocess.PIPE,
        stderr=theirs,
        cwd=folder,
        env=_environment(**environment),
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says so where the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0, shown
    return shown, printed


def _in_a_pipe(arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "hybridlesion", *map(str, arguments)],
        capture_output=True,
        check=True,
        env=_environment(**environment),
    )


def _screen(shown):
    """Lines that are left on the screen once bars have been drawn over."""
    lines, row = [""], 0
    for part in re.split(rb"(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)", shown):
        if part == b"\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == b"\x1b[1A":
            row -= 1
        elif part == b"\x1b[2K":
            lines[row] = ""
        elif part and part != b"\r" and not _ESCAPES.fullmatch(part):
            lines[row] += part.decode()
    return [line.rstrip() for line in lines if line.strip()]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Six images of the sample: every test starts a process that segments them."""
    folder = tmp_path_factory.mktemp("images")
    for path in sorted(IMAGES.iterdir())[:6]:
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def command(images, tmp_path):
    return ("segment", images, "--out", tmp_path / "masks", "--jobs", 1)


@pytest.mark.parametrize("color", [{}, {"NO_COLOR": "1"}], ids=["color", "no-color"])
def test_a_bar_is_drawn_and_goes(command, tmp_path, color):
    shown, _ = _on_a_terminal(command, **color)
    assert b"6/6" in shown
    assert (b"\x1b[38" in shown) == (not color)
    (line,) = _screen(shown)
    assert line.startswith(f"wrote {tmp_path / 'masks'}: 6 masks, 0 failed, ")


def test_logs_have_whole_lines_and_nothing_else(command):
    done = _in_a_pipe(command, FORCE_COLOR="1")
    assert b"\r" not in done.stderr + done.stdout
    assert b"\x1b" not in done.stderr + done.stdout
    assert re.fullmatch(rb"(segmenting: \d+ of 6 .*\n)+", done.stderr)
    assert re.fullmatch(rb"wrote .*: 6 masks, 0 failed, .* s\n", done.stdout)


def test_a_dumb_terminal_gets_lines(command):
    shown, _ = _on_a_terminal(command, TERM="dumb")
    assert b"\x1b" not in shown
    assert b"segmenting: 6 of 6 (100 %)" in shown


def test_standard_output_is_pure_json_beside_a_bar(command):
    shown, printed = _on_a_terminal((*command, "--json"), stdout_too=False)
    assert b"6/6" in shown
    assert _screen(shown) == []
    result = json.loads(printed)
    assert (result["n_rows"], result["n_failed"], result["errors_path"]) == (6, 0, None)


def test_notes_stand_above_the_bar(images, tmp_path):
    masks = ("--masks", tmp_path / "masks", "--id-column", "x", "--embedder", "none")
    arguments = ("features", images, "--out", tmp_path / "f.parquet", "--jobs", 1, *masks)
    shown, _ = _on_a_terminal(arguments)
    first, *_, last = _screen(shown)
    assert first == "note: --id-column had no effect without a table. Name one with --metadata."
    assert last.startswith("wrote ")
    assert max(map(len, _screen(shown)[:-1])) <= 80


def test_waiting_is_shown_and_goes(tmp_path):
    truth = pd.read_csv(ROOT / "data" / "sample" / "metadata.csv")
    scores = pd.DataFrame({"image_id": truth["image_name"], "score": 0.1 + 0.5 * truth["target"]})
    scores.to_csv(tmp_path / "scores.csv", index=False)
    out = ("--out", tmp_path / "evaluation", "--bootstrap", 20)
    arguments = ("evaluate", "scores.csv", "--truth", IMAGES.parent / "metadata.csv", *out)
    shown, _ = _on_a_terminal(arguments, folder=tmp_path)
    assert b"evaluating" in shown
    lines = _screen(shown)
    assert not any("evaluating" in line for line in lines)
    assert lines[0].startswith("diagnosis")
    assert any(line.startswith("note: 5 positives in 8 groups") for line in lines)
    assert max(map(len, lines)) <= 80 or "/" in max(lines, key=len)


def test_an_internal_error_is_one_line_and_a_file(tmp_path):
    code = (
        "import sys, hybridlesion.persistence as artifact\n"
        "from hybridlesion.cli import main\n"
        "artifact.read_manifest = lambda *_, **__: 1 / 0\n"
        "sys.argv = ['hybridlesion', 'inspect', 'm.joblib']\n"
        "main()\n"
    )
    environment = _environment(TMPDIR=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 1
    (kept,) = tmp_path.glob("hybridlesion-*.txt")
    assert done.stderr.startswith("hybridlesion: internal error; please report it. ")
    assert "ZeroDivisionError: division by zero." in done.stderr
    assert done.stderr.endswith(f"{kept}\n")
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" in kept.read_text()


def test_few_characters_are_enough(command, tmp_path):
    arguments = (*command[:3], tmp_path / "m\u2192", *command[4:])
    done = _in_a_pipe(arguments, PYTHONIOENCODING="latin-1", PYTHONUTF8="1")
    assert rb"m\u2192: 6 masks" in done.stdout


def test_a_closed_pipe_ends_the_command_quietly():
    lines = f'"{sys.executable}" -m hybridlesion features --list | head -n 1'
    done = subprocess.run(
        ["sh", "-c", lines], capture_output=True, text=True, check=True, env=_environment()
    )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
