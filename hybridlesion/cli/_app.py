"""Command-line application: commands, exit codes, errors and warnings."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

from hybridlesion import __version__
from hybridlesion._formatting import printable
from hybridlesion.cli._options import EXPERT, IN_TABLES, RUNNING, flag
from hybridlesion.cli._output import echo_err, name_options, note, start_messages
from hybridlesion.cli.check import check
from hybridlesion.cli.demo import demo, web_app
from hybridlesion.cli.evaluation import evaluate, inspect, report
from hybridlesion.cli.fit import fit
from hybridlesion.cli.images import explain, features, segment
from hybridlesion.cli.score import score
from hybridlesion.cli.sites import drift, recalibrate
from hybridlesion.cli.training import finetune, train_refiner
from hybridlesion.exceptions import HybridLesionError

# Warnings are shown from these folders: this package, and typer, which calls it.
_OWN_FOLDERS = (Path(__file__).resolve().parents[1], Path(typer.__file__).resolve().parent)
_REFUSED, _INTERRUPTED = 1, 130

# typer exports BadParameter, but not its base class.
_UsageError: type[Any] = typer.BadParameter.__base__

# Former option -> its present name, for one release.
_FORMER = {"--random-state": "--seed"}

# Parameters for output files, and the suffix of the list of failures written with an output.
_OUTPUTS, _FAILURES = ("out", "oof", "save_splits", "audit"), ".errors.csv"


class _Command(TyperCommand):
    """Command that checks its arguments before any work, and turns errors into messages."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:
        return [*required_words(self), self.options_metavar]

    def format_options(self, ctx: typer.Context, formatter: Any) -> None:
        """List arguments by their metavar, without the Python type that typer adds."""
        arguments = [one for one in self.get_params(ctx) if isinstance(one, TyperArgument)]
        options = [one for one in self.get_params(ctx) if isinstance(one, TyperOption)]
        sections: dict[str, list] = {
            "Arguments": [(one.metavar, one.get_help_record(ctx)[1]) for one in arguments],
        }
        for group in ("Options", IN_TABLES, RUNNING, EXPERT):
            own = [one for one in options if (one.rich_help_panel or "Options") == group]
            sections[group] = [one.get_help_record(ctx) for one in own]
        for title, rows in sections.items():
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        start_messages(self)
        args = _normalise_words(self, args)
        words = list(args)
        with _usage_errors(ctx, words):
            if "--list" in words and len(words) > 1:
                raise typer.BadParameter("--list must be given alone.")
            _check_values(self, ctx, words)
            rest = super().parse_args(ctx, args)
            _check_outputs(self, ctx)
        return rest

    def invoke(self, ctx: typer.Context) -> object:
        """Run the command; library errors result in a message and exit code 1."""
        with warnings.catch_warnings():
            warnings.filterwarnings("default", category=UserWarning)
            warnings.showwarning = _print_warning
            try:
                with _usage_errors(ctx):
                    return super().invoke(ctx)
            except KeyboardInterrupt as error:
                echo_err(
                    "\nhybridlesion: interrupted. No incomplete output remains. features, score, "
                    "finetune and train-refiner continue where they stopped when run again."
                )
                raise typer.Exit(_INTERRUPTED) from error
            except (HybridLesionError, ModuleNotFoundError, OSError) as error:
                echo_err(f"hybridlesion: {_describe(error)}")
                raise typer.Exit(_REFUSED) from error


def _describe(error: Exception) -> str:
    """Describe an error that the user can correct; raise any other error again."""
    if isinstance(error, HybridLesionError):
        return str(error)
    if isinstance(error, OSError) and error.errno != errno.EPIPE:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or error}."
    if isinstance(error, ModuleNotFoundError) and error.name in ("torch", "timm"):
        install = 'pip install "timm>=1.0.9" torch'
        return f"this needs {error.name}, which is not installed. Install it with: {install}"
    # A closed pipe, whose reader has stopped, or a mistake in this package.
    raise error


def required_words(command: TyperCommand) -> list[str]:
    """List the arguments and required options of a command, as shown in its usage line.

    Parameters
    ----------
    command : TyperCommand
        Command to describe.

    Returns
    -------
    list of str
        Arguments, followed by required options with their values.
    """
    arguments = [one.metavar for one in command.params if isinstance(one, TyperArgument)]
    options = [one for one in command.params if isinstance(one, TyperOption) and one.required]
    return [*arguments, *(f"{one.opts[0]} {one.metavar}" for one in options)]


def _normalise_words(command: TyperCommand, words: Sequence[str]) -> list[str]:
    """Replace former names of options, with a note, and ``~`` in ``--root=~/images``."""
    known = {name for one in command.params for name in one.opts}
    replaced = []
    for word in words:
        name, mark, value = word.partition("=")
        if name in known and value.startswith("~"):  # shells expand it only at the start of a word
            word = f"{name}={os.path.expanduser(value)}"
        new = _FORMER.get(name)
        if new in known and name not in known:
            note(
                f"{name} is now called {new}; the former name will be removed in the next release."
            )
            word = f"{new}{mark}{value}"
        replaced.append(word)
    return replaced


def _check_values(command: TyperCommand, ctx: typer.Context, words: list[str]) -> None:
    """Reject empty arguments, which scripts pass for unset variables, and options as values.

    An empty path would refer to the current folder.
    """
    parameters = {name: one for one in command.get_params(ctx) for name in one.opts}
    before = None
    for word in words:
        if re.search("[\ud800-\udfff]", word):
            raise typer.BadParameter(f"{printable(word)} is not a valid UTF-8 name. Rename it.")
        option = parameters.get(before)
        takes_value = isinstance(option, TyperOption) and not option.is_flag
        name, mark, value = word.partition("=")
        if takes_value and isinstance(parameters.get(word), TyperOption):
            raise typer.BadParameter(f"{before} needs a value, but is followed by {word}.")
        if not word or (mark and not value and name in parameters):
            place = before if takes_value else (name or "an argument")
            raise typer.BadParameter(
                f"{place} is empty. If a script passes a variable, check that it is set."
            )
        before = None if takes_value else word


@contextmanager
def _usage_errors(ctx: typer.Context, words: Sequence[str] = ()) -> Iterator[None]:
    """Extend usage errors with option names, given values, the usage line and other commands."""
    try:
        yield
    except _UsageError as error:
        error.message = name_options(error.message)
        error.message = _quote_value(error, words) + _find_option(error, ctx)
        # The usage line is only shown with a context, which the parser omits for missing values.
        error.ctx = error.ctx or ctx
        raise


def _quote_value(error: Any, words: Sequence[str]) -> str:
    """Add the given value, which is missing from the messages of the typer parser."""
    message = error.message.removeprefix("Value error, ")
    names = tuple(getattr(getattr(error, "param", None), "opts", ()))
    given = [word.partition("=")[2] for word in words if word.startswith(names) and "=" in word]
    given += [value for name, value in pairwise(words) if name in names]
    if not message.startswith("Input should be") or not given:
        return message
    limit = message.removeprefix("Input should be").partition(", unable")[0]
    return f"it should be{limit}, got {given[-1]!r}."


def _find_option(error: Any, ctx: typer.Context) -> str:
    """List other commands that have the unknown option, instead of similar options."""
    if getattr(error, "possibilities", None) is None:
        return ""
    having = [
        name
        for name, other in getattr(ctx.parent.command, "commands", {}).items()
        if any(error.option_name in one.opts for one in other.params)
    ]
    if not having:
        return ""
    error.possibilities = []
    return f". It is an option of {' and '.join(having)}."


def _check_outputs(command: TyperCommand, ctx: typer.Context) -> None:
    """Reject an output that is also an input, or that another output would overwrite."""
    from hybridlesion._atomic import same_file

    named = [
        (one.metavar if isinstance(one, TyperArgument) else one.opts[0], Path(path), one.name)
        for one in command.params
        for path in _paths(ctx.params.get(one.name))
    ]
    for index, (option, path, parameter) in enumerate(named):
        if parameter not in _OUTPUTS or path.is_dir():
            continue
        errors = path.with_name(path.name + _FAILURES)
        for name, used, _ in named[:index] + named[index + 1 :]:
            if same_file(path, used):
                raise typer.BadParameter(
                    f"{option} and {name} are the same file, {path}, which would be overwritten. "
                    "Choose another."
                )
            if same_file(errors, used):
                raise typer.BadParameter(
                    f"{name} is {used}, the list of failures that {option} {path} would replace. "
                    f"Choose another {option}."
                )


def _paths(value: object) -> list[str]:
    """List the texts and paths of a parameter that are not addresses."""
    values = value if isinstance(value, list) else [value]
    texts = [str(one) for one in values if isinstance(one, (str, Path))]
    return [text for text in texts if not re.match(r"\w+://", text)]


app = typer.Typer(
    name="hybridlesion",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain text, since boxes leave only 28 of 80 columns for the help, and break paths.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for function in (
    *(check, features, fit, score, segment, explain, finetune, train_refiner),
    *(evaluate, recalibrate, drift, report, inspect, demo),
):
    app.command(cls=_Command)(function)
app.command("app", cls=_Command)(web_app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hybridlesion {__version__}")
        raise typer.Exit


@app.callback()
def hybridlesion(
    version: Annotated[
        bool, flag("--version", "Show the version.", _print_version, is_eager=True)
    ] = False,
) -> None:
    """Calibrated malignancy scores from dermoscopic images and ISIC metadata.

    Research software, not a medical device.
    """


def main() -> None:
    """Run the command line and exit with the appropriate exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Escape characters that the terminal cannot display.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except Exception as error:
        import tempfile
        import traceback

        descriptor, path = tempfile.mkstemp(".txt", "hybridlesion-")
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(f"hybridlesion {__version__}, {sys.argv[1:]}\n")
            file.writelines(traceback.format_exception(error))
        echo_err(
            f"hybridlesion: internal error; please report it. {type(error).__name__}: {error}. "
            f"The details for a report are in {path}"
        )
        sys.exit(_REFUSED)


def _print_warning(
    message: Warning | str, category: type[Warning], filename: str, *_: object, **__: object
) -> None:
    """Print warnings from this package; warnings from other libraries are for developers."""
    folders = Path(filename).resolve().parents
    if category is UserWarning and any(folder in folders for folder in _OWN_FOLDERS):
        note(str(message))
