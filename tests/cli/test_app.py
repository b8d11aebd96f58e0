"""What holds for every command: help, version, exit codes, errors, Ctrl-C, quick start."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import hybridlesion
from hybridlesion.cli import _app

COMMANDS = (
    "features",
    "fit",
    "score",
    "segment",
    "explain",
    "evaluate",
    "report",
    "inspect",
    "demo",
)
CLI_FOLDER = Path(_app.__file__).parent


def _run(*arguments, **options):
    command = [sys.executable, "-m", "hybridlesion", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_version_and_module_entry():
    done = _run("--version")
    assert (done.returncode, done.stdout) == (0, f"hybridlesion {hybridlesion.__version__}\n")


def test_help_names_every_command_and_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from hybridlesion.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'numpy', 'pandas', 'torch', 'timm', 'lightgbm', 'sklearn', 'matplotlib', 'cv2'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in COMMANDS:
        assert command in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(hybridlesion, command):
    result = hybridlesion(command, "--help")
    assert result.exit_code == 0
    assert result.output.count("--") >= 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("features",),
        ("features", "images"),
        ("nothing",),
        ("--nothing",),
        ("features", "images", "--out", "f.parquet", "--segmenter", "magic"),
        ("features", "images", "--out", "f.parquet", "--device", "tpu"),
        ("features", "images", "--out", "f.parquet", "--jobs", "0"),
        ("features", "images", "--out", "f.csv"),
        ("features", "images", "--out", "f.parquet", "--embedder", "gone.safetensors"),
        ("features", "images", "--out", "f.parquet", "--column", "age"),
        ("features", "images", "--out", "f.parquet", "--column", "agee=age_approx"),
        ("features", "images", "--out", "f.parquet", "--embedder", "mobilnetv2_100"),
        ("features", "images", "--out", "f.parquet", "--weights", __file__),
        ("fit", "t.csv", "--out", "m.joblib", "--folds", "1"),
        ("score", "m.joblib", "images", "--out", "s.txt"),
        ("evaluate", "s.csv", "--out", "d"),
        ("report", "m.joblib", "--out", "d", "--truth", "t.csv"),
    ],
)
def test_wrong_usage_is_exit_code_2(hybridlesion, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = hybridlesion(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ("features", "gone", "--out", "f.parquet"),
        ("fit", "gone.csv", "--out", "m.joblib"),
        ("score", "gone.joblib", "gone", "--out", "s.csv"),
        ("segment", "gone", "--out", "masks"),
        ("explain", "gone"),
        ("evaluate", "gone.csv", "--truth", "gone.csv", "--out", "d"),
        ("inspect", "gone.joblib"),
    ],
)
def test_what_does_not_exist_is_one_message_and_exit_code_1(
    hybridlesion, arguments, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = hybridlesion(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith("hybridlesion: ")
    assert "gone" in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_outputs_are_checked_before_the_work(hybridlesion, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for arguments in (
        ("features", "gone", "--out", tmp_path / "file" / "f.parquet"),
        ("fit", "gone.csv", "--out", tmp_path / "file" / "m.joblib"),
        ("score", "gone.joblib", "gone", "--out", tmp_path / "file" / "s.csv"),
    ):
        result = hybridlesion(*arguments)
        assert result.exit_code == 1
        assert "file is a file; name a folder." in result.stderr


def test_folders_and_missing_tables_are_said_in_words(hybridlesion, lesions, tmp_path):
    out = tmp_path / "m.joblib"
    folder = hybridlesion("fit", lesions / "images", "--out", out)
    assert f"run `hybridlesion features {lesions / 'images'}` first" in folder.stderr
    missing = hybridlesion("fit", tmp_path / "nope.parquet", lesions / "metadata.csv", "--out", out)
    assert "there is no feature table" in missing.stderr
    for result in (folder, missing):
        assert result.exit_code == 1
        assert "Errno" not in result.stderr


def test_only_own_warnings_are_shown(capsys):
    own = Path(hybridlesion.__file__).parent / "scoring" / "_inputs.py"
    _app._print_warning(UserWarning("ours"), UserWarning, str(own), 1)
    _app._print_warning(UserWarning("theirs"), UserWarning, pd.__file__, 1)
    _app._print_warning(
        pd.errors.PerformanceWarning("slow"), pd.errors.PerformanceWarning, str(own), 1
    )
    assert capsys.readouterr().err == "note: ours\n"


def test_ctrl_c_is_clean(lesions, tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    sources = [path for path in (lesions / "images").iterdir() if path.stem != "SYN_0007"]
    for number in range(1500):
        (images / f"A{number}.png").hardlink_to(sources[number % len(sources)])
    command = [sys.executable, "-m", "hybridlesion", "features", images]
    process = subprocess.Popen(
        [*command, "--out", tmp_path / "f.parquet", "--jobs", "1"],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background has them ignore interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    shards = tmp_path / "f.parquet.shards"
    while not any(shards.glob("*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "f.parquet").exists()


def test_no_color_is_honoured():
    environment = {**os.environ, "NO_COLOR": "1", "FORCE_COLOR": "", "TERM": "xterm-256color"}
    assert "\x1b[3" not in _run("--help", env=environment).stdout


def test_command_modules_import_only_typer_at_the_top():
    allowed = {*sys.stdlib_module_names, "typer", "hybridlesion"}
    for path in CLI_FOLDER.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module]
            else:
                continue
            for name in names:
                assert name.split(".")[0] in allowed, f"{path.name} imports {name}"
                if name.startswith("hybridlesion."):
                    package = name.split(".")[1]
                    assert package in ("_formatting", "cli", "exceptions"), f"{path.name}: {name}"


def test_help_lists_what_everyone_needs_first(hybridlesion):
    text = hybridlesion("fit", "--help").stdout
    groups = ("Options:", "Tables and labels:", "Speed, cluster and cache:", "Expert:")
    places = [text.index(f"\n{group}\n") for group in groups]
    assert places == sorted(places)
    first, last = text[: places[1]], text[places[3] :]
    assert "--out" in first
    assert "--seed N" in last
    assert "--random-state" not in text


def test_the_former_name_of_seed_still_works(hybridlesion, tmp_path):
    table = tmp_path / "absent.csv"
    result = hybridlesion("fit", table, "--out", tmp_path / "m.joblib", "--random-state=3")
    assert "note: --random-state is now called --seed" in result.stderr
    assert result.exit_code == 1  # the table does not exist


def test_a_home_folder_behind_an_equals_sign_is_expanded(hybridlesion, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    result = hybridlesion("segment", tmp_path / "gone", "--out=~/masks", "--root=~/images")
    assert result.exit_code == 1
    assert "~" not in result.stderr
    assert not list(tmp_path.iterdir())
