"""Slips of a new user, in every command: a typo in each option, a value of the wrong kind."""

from __future__ import annotations

import re

import pytest
from typer.core import TyperArgument, TyperOption
from typer.main import get_command

from hybridlesion.cli import app

COMMANDS = get_command(app).commands


def _options(wanted):
    """Every option of every command that is wanted, with a readable id."""
    return [
        pytest.param(name, option, id=f"{name}-{option.opts[0]}")
        for name, command in COMMANDS.items()
        for option in command.params
        if isinstance(option, TyperOption) and wanted(option)
    ]


def _required(name, without=None):
    """What a command needs, so that only the slip is wrong."""
    words = [
        "x" for one in COMMANDS[name].params if isinstance(one, TyperArgument) and one.required
    ]
    ends = {"features": "o.parquet", "fit": "o.joblib", "score": "o.csv"}
    ends["recalibrate"] = "o.joblib"
    ends["train-refiner"] = "o.safetensors"
    for one in COMMANDS[name].params:
        if isinstance(one, TyperOption) and one.required and one.opts[0] != without:
            words += [one.opts[0], ends.get(name, "o") if one.name == "out" else "o"]
    return words


def _is_number(option):
    return re.fullmatch("N|X|GB|SECONDS|SHARE", option.metavar or "") is not None


def _is_choice(option):
    return re.fullmatch(r"[a-z]+(\|[a-z]+)+", option.metavar or "") is not None


@pytest.fixture
def refused(hybridlesion, tmp_path, monkeypatch):
    """Run a command in an empty folder, and take what it says of the wrong usage."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = hybridlesion(*arguments)
        assert result.exit_code == 2, result.output
        assert result.stdout == ""
        assert result.stderr.startswith("Usage: hybridlesion")
        assert list(tmp_path.iterdir()) == []
        return result.stderr.split("\nError: ")[1]

    return run


@pytest.mark.parametrize(("name", "option"), _options(lambda option: True))
def test_a_typo_in_an_option_is_answered_with_the_option(refused, name, option):
    right = option.opts[0]
    typo = right[:-2] + right[-1] + right[-2] if right[-1] != right[-2] else right + "s"
    said = refused(name, typo)
    assert said.startswith(f"No such option: {typo} (Possible options: ")
    assert right in said.rstrip(")\n").split(": ")[2].split(", ")


@pytest.mark.parametrize(("name", "option"), _options(lambda option: not option.is_flag))
def test_an_empty_value_is_no_folder(refused, name, option):
    words = _required(name, without=option.opts[0])
    assert refused(name, *words, option.opts[0], "").startswith(
        f"Invalid value: {option.opts[0]} is empty."
    )


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "demo"])
def test_an_empty_argument_is_no_folder(refused, name):
    words = _required(name)
    assert refused(name, "", *words[1:]).startswith("Invalid value: an argument is empty.")


@pytest.mark.parametrize(("name", "option"), _options(lambda option: not option.is_flag))
def test_an_option_is_no_value(refused, name, option):
    said = refused(name, option.opts[0], "--help")
    assert said == f"Invalid value: {option.opts[0]} needs a value, but is followed by --help.\n"


@pytest.mark.parametrize(("name", "option"), _options(_is_number))
def test_a_word_is_no_number(refused, name, option):
    said = refused(name, *_required(name), option.opts[0], "two")
    assert said.startswith(f"Invalid value for '{option.opts[0]}': it should be a valid ")
    assert said.endswith("got 'two'.\n")


@pytest.mark.parametrize(("name", "option"), _options(_is_choice))
def test_a_typo_in_a_choice_shows_the_choices(refused, name, option):
    words = option.metavar.split("|")
    said = refused(name, *_required(name), option.opts[0], words[0] + "x")
    assert "Value error" not in said
    assert said.endswith(f"'{words[0]}x' is not one of {', '.join(map(repr, words))}.\n")


def test_numbers_and_choices_were_found():
    assert len(_options(_is_number)) > 20
    assert len(_options(_is_choice)) >= 5


def test_an_option_of_another_command_is_told(refused):
    assert refused("fit", "--embedder") == (
        "No such option: --embedder. It is an option of features.\n"
    )
    assert refused("--hlep") == "No such option: --hlep (Possible options: --help)\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fti",), "No such command 'fti'. Did you mean 'fit'?"),
        (("fit", "t.csv", "m.joblib"), "Missing option '--out'."),
        (("score", "m.joblib", "--out", "s.csv"), "Missing argument 'INPUT...'."),
        (("fit", "t.csv", "--out"), "Option '--out' requires an argument."),
        (("fit", "t.csv", "--out="), "--out is empty."),
        (("fit", "t.csv", "--out", "m.csv"), "it must end in .joblib, got 'm.csv'."),
        (("features", "i", "--out", "f.csv"), "it must end in .parquet, got 'f.csv'."),
        (("score", "m", "i", "--out", "s.txt"), "it must end in .csv or .parquet, got 's.txt'."),
        (
            ("train-refiner", "i", "--masks", "m", "--out", "r.pt"),
            "it must end in .safetensors, got 'r.pt'.",
        ),
        (("fit", "t.csv", "--out", "m.joblib", "--cost-ratio", "0"), "missed lesion; got 0."),
        (("report", "m", "--out", "d", "--images", "i"), "--images needs --scores SCORES"),
        (("report", "m", "--out", "d", "--target", "t"), "--target needs --truth TABLE"),
        (("train-refiner", "a", "b", "--masks", "m", "--out", "r.safetensors"), "Got 2 and 1."),
        (("fit", "t.csv", "--out", "\udcff.joblib"), r"\udcff.joblib is not a valid UTF-8 name"),
        (("features", "i", "--out", "f.parquet", "--embedder", "nonne"), "Did you mean 'none'?"),
    ],
    ids=lambda one: ascii(" ".join(one)) if isinstance(one, tuple) else "",
)
def test_other_slips(refused, arguments, words):
    assert words in refused(*arguments)


@pytest.mark.parametrize(
    ("arguments", "both"),
    [
        (("fit", "a.joblib", "--out", "a.joblib"), "--out and TABLE..."),
        (("fit", "a.csv", "--out", "m.joblib", "--oof", "./a.csv"), "--oof and TABLE..."),
        (("score", "m.joblib", "a.csv", "--out", "a.csv"), "--out and INPUT..."),
        (
            ("fit", "t.csv", "--out", "m.joblib", "--oof", "a.csv", "--save-splits", "a.csv"),
            "--oof and --save-splits",
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_nothing_is_written_over_another_file_of_the_command(refused, arguments, both):
    assert f"{both} are the same file" in refused(*arguments)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_80_columns_in_plain_text(hybridlesion, name, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = hybridlesion(*name.split(), "--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert text.isascii()
    assert "\x1b" not in text
    assert "\n\n\n" not in text


def test_no_command_is_cut_short_in_the_help(hybridlesion, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    listed = hybridlesion("--help").stdout.split("Commands:\n")[1]
    assert len(listed.splitlines()) == len(COMMANDS)
    assert "..." not in listed


@pytest.mark.parametrize("name", COMMANDS)
def test_usage_names_what_is_required(hybridlesion, name):
    usage = " ".join(hybridlesion(name, "--help").stdout.split("\n\n")[0].split())
    required = [one for one in COMMANDS[name].params if one.required]
    for one in required:
        named = one.metavar if isinstance(one, TyperArgument) else f"{one.opts[0]} {one.metavar}"
        assert named in usage
    assert usage.endswith("[OPTIONS]")
