"""The application: its commands, its exit codes, and how errors and warnings look."""

from __future__ import annotations

import errno
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from hybridlesion import __version__
from hybridlesion.cli._command import Command, naming_options
from hybridlesion.cli._lines import NOTES, note, say
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

__all__ = ["app", "main"]

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
