"""The application: its commands, its exit codes, and how errors and warnings look."""

from __future__ import annotations

import errno
import sys
import warnings
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from hybridlesion import __version__
from hybridlesion.cli._command import Command, naming_options, usage_words
from hybridlesion.cli._print import NOTES, note, say
from hybridlesion.cli.demo import demo
from hybridlesion.cli.evaluate import evaluate
from hybridlesion.cli.explain import explain
from hybridlesion.cli.features import FeaturesCommand, features
from hybridlesion.cli.finetune import finetune
from hybridlesion.cli.fit import fit
from hybridlesion.cli.inspect import inspect
from hybridlesion.cli.report import report
from hybridlesion.cli.score import score
from hybridlesion.cli.segment import segment
from hybridlesion.cli.train_refiner import train_refiner
from hybridlesion.exceptions import HybridLesionError

__all__ = ["app", "commands_pages", "main"]

# Where a warning of this package may point to: itself, or typer, which called it.
_OWN_FOLDERS = (Path(__file__).resolve().parents[1], Path(typer.__file__).resolve().parent)
_REFUSED = 1
_INTERRUPTED = 130


class _Commands(TyperGroup):
    """Turns the errors that the library raises on purpose into one message and exit code 1."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        with naming_options(self, ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: typer.Context) -> object:
        NOTES.clear()
        with warnings.catch_warnings():
            warnings.filterwarnings("default", category=UserWarning)
            warnings.showwarning = _print_warning
            try:
                return super().invoke(ctx)
            except HybridLesionError as error:
                say(f"hybridlesion: {error}")
                raise typer.Exit(_REFUSED) from error
            except OSError as error:
                if error.errno == errno.EPIPE:  # whoever read the output has closed it
                    raise
                place = f"{error.filename}: " if error.filename else ""
                say(f"hybridlesion: {place}{error.strerror or error}.")
                raise typer.Exit(_REFUSED) from error
            except KeyboardInterrupt as error:
                say(
                    "\nhybridlesion: interrupted. No half-written output was left; features, "
                    "score, finetune and train-refiner go on where they stopped when run again."
                )
                raise typer.Exit(_INTERRUPTED) from error


app = typer.Typer(
    cls=_Commands,
    name="hybridlesion",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain text: boxes leave help 28 columns of 80, and break paths in the middle.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=FeaturesCommand)(features)
for command in (
    fit,
    score,
    segment,
    explain,
    finetune,
    train_refiner,
    evaluate,
    report,
    inspect,
    demo,
):
    app.command(cls=Command)(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hybridlesion {__version__}")
        raise typer.Exit


@app.callback()
def hybridlesion(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say which, exit."),
    ] = False,
) -> None:
    """Calibrated malignancy scores from dermoscopic images and ISIC metadata.

    Research software, not a medical device.
    """


def main() -> None:
    """Run the command line and exit with its code."""
    # A terminal that knows few characters shows the others as escapes.
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except Exception as error:
        say(
            f"hybridlesion: this is a mistake of the program, not of yours: "
            f"{type(error).__name__}: {error}. What a report of it needs stands in "
            f"{_keep_details(error)}"
        )
        sys.exit(_REFUSED)


def _keep_details(error: Exception) -> str:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile(
        "w", prefix="hybridlesion-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(f"hybridlesion {__version__}, {sys.argv[1:]}\n")
        file.writelines(traceback.format_exception(error))
    return file.name


def _print_warning(
    message: Warning | str, category: type[Warning], filename: str, *_: object, **__: object
) -> None:
    """Show this package's own warnings; those of libraries are for its developers."""
    folders = Path(filename).resolve().parents
    if category is UserWarning and any(folder in folders for folder in _OWN_FOLDERS):
        note(str(message))


_INTRODUCTION = """# Commands

Generated from the command line by `python -m hybridlesion.cli._app docs`; do not edit.

Every command has a page of its own, and `--help`, in short `-h`; `hybridlesion --version` says
which version is installed. On the pages *required* means, under *default*, that a value must be
given, *-* that nothing is assumed. How the commands follow each other is shown in
[tutorial.md](tutorial.md).

- `hybridlesion --install-completion` makes bash, zsh and fish complete commands, options and
  choices with the tab key; open a new shell afterwards.
- Results go to standard output, or with `--json` one JSON object and nothing else. Notes, progress
  and errors go to standard error: a bar on a terminal, whole lines elsewhere. Nothing is coloured
  but the bar, which `NO_COLOR=1` makes plain.
- Exit codes: 0 done; 1 refused, or not one image usable; 2 wrong usage; 130 interrupted. A command
  that refuses has written nothing; where images failed, `OUT.errors.csv` names them.
"""


def commands_pages() -> dict[str, str]:
    """Write every command with its arguments and options as a Markdown page.

    Returns
    -------
    dict of str to str
        Text by path in ``docs``: first the list of all, in the order of ``--help``, then one page
        for each command.
    """
    commands = get_command(app).commands
    rows = ["| command | what it does |", "|---|---|"]
    rows += [
        f"| [{name}](commands/{name}.md) | {command.help.splitlines()[0]} |"
        for name, command in commands.items()
    ]
    pages = {"commands.md": "\n".join([_INTRODUCTION, *rows, ""])}
    for name, command in commands.items():
        pages[f"commands/{name}.md"] = "\n".join(_command_lines(name, command))
    return pages


def _command_lines(name: str, command: TyperCommand) -> list[str]:
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    options = [one for one in command.params if isinstance(one, TyperOption)]
    words = " ".join([name, *usage_words(command)])
    lines = [f"# {name}\n", f"    hybridlesion {words} [OPTIONS]\n", f"{command.help}\n"]
    if arguments:
        lines += ["| argument | what it is | default |", "|---|---|---|"]
        lines += [_row(f"`{one.metavar}`", one.help, _default(one)) for one in arguments]
        lines.append("")
    lines += ["| option | value | what it does | default |", "|---|---|---|---|"]
    lines += [_row(f"`{one.opts[0]}`", _value(one), one.help, _default(one)) for one in options]
    lines += ["", "Back to [all commands](../commands.md).", ""]
    return lines


def _row(*cells: str) -> str:
    escaped = " | ".join(cell.replace("|", "\\|") for cell in cells)
    return f"| {escaped} |"


def _value(option: TyperOption) -> str:
    """Name what follows the option, with its limits; a switch takes nothing."""
    if option.is_flag:
        return "-"
    if isinstance(option.default, Enum):
        return " or ".join(f"`{word.value}`" for word in type(option.default))
    value = f"`{option.metavar}`"
    if option.max is not None:
        value += f", {option.min:g} to {option.max:g}"
    elif option.min is not None:
        value += f", {option.min:g} or more"
    return f"{value}, may be repeated" if option.multiple else value


def _default(parameter: TyperArgument | TyperOption) -> str:
    if parameter.required:
        return "required"
    default = parameter.default
    if isinstance(default, Enum):
        default = default.value
    return "-" if default is None or default is False else f"`{default}`"


if __name__ == "__main__":
    for page, text in commands_pages().items():
        path = Path(sys.argv[1]) / page
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
