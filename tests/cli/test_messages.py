"""Messages of the library name parameters; the command line prints its options instead."""

from __future__ import annotations

import warnings

import pytest
import typer
from typer.main import get_command

from hybridlesion import reporting
from hybridlesion.cli import app
from hybridlesion.cli._output import NOTES, name_options, note, start_messages
from hybridlesion.exceptions import TableError

COMMANDS = get_command(app).commands


@pytest.mark.parametrize(
    ("command", "text", "printed"),
    [
        ("fit", "Pass `malignant`, e.g. `malignant=('mel', 'bcc')`.", "--malignant mel,bcc"),
        ("fit", '`id_column` and `cnn_seen="drop"`', "--id-column and --cnn-seen drop"),
        ("fit", "`allow_leaks=True` or `folds=5`", "--allow-leaks or --folds 5"),
        ("fit", "one of the `tables`", "one of the TABLE"),
        ("features", "`labels_from_folders`, `images`", "--labels-from-folders, IMAGES"),
        ("features", "`roots`, `columns`, `n_jobs=2`", "--root, --column, --jobs 2"),
        ("features", "`target_column`, `masks`", "--target, --masks"),
        ("explain", "`masks`", "--mask"),
        ("evaluate", "`against`", "--against"),
    ],
)
def test_parameters_become_options(command, text, printed):
    start_messages(COMMANDS[command])
    assert printed in name_options(text)


@pytest.mark.parametrize(
    "text",
    [
        "`hybridlesion score` writes `threshold_`",
        "the column `qa__cnn_seen`",
        "`embedder`",
        "`folds=[`",
        "no backticks, malignant=1",
        "one ` alone",
    ],
)
def test_anything_else_stays_as_it_is(text):
    start_messages(COMMANDS["fit"])
    assert name_options(text) == text


def test_another_command_has_other_options():
    start_messages(COMMANDS["features"])
    assert name_options("`embedder`") == "--embedder"
    start_messages(COMMANDS["fit"])
    assert name_options("`embedder`") == "`embedder`"


def test_notes_for_json_name_options_too(capsys):
    start_messages(COMMANDS["fit"])
    note("set `benign`")
    assert NOTES == ["set --benign"]
    assert capsys.readouterr().err == "note: set --benign\n"


@pytest.fixture
def evaluating(hybridlesion, monkeypatch, tmp_path):
    """Run `evaluate` with another function behind it."""

    def run(function):
        monkeypatch.setattr(reporting, "report_scores", function)
        return hybridlesion("evaluate", "s.csv", "--truth", "t.csv", "--out", tmp_path / "e")

    return run


def test_errors_are_printed_with_options(evaluating):
    def refuse(*_, **__):
        raise TableError("unknown diagnosis 'x'. Pass `malignant` or `benign`.")

    result = evaluating(refuse)
    assert result.exit_code == 1
    assert result.stderr == ("hybridlesion: unknown diagnosis 'x'. Pass --malignant or --benign.\n")


def test_usage_errors_and_warnings_are_printed_with_options(evaluating):
    def warn_and_refuse(*_, **__):
        warnings.warn_explicit("see `id_column`", UserWarning, reporting.__file__, 1)
        raise typer.BadParameter("`n_bootstrap` is too large.")

    result = evaluating(warn_and_refuse)
    assert result.exit_code == 2
    assert "note: see --id-column\n" in result.stderr
    assert "--bootstrap is too large." in result.stderr
