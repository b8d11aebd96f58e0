"""What every command does with its words before its own work: usage lines, typos, slips."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption

from hybridlesion._sanitize import printable

__all__ = ["Command", "naming_options", "usage_words"]

# typer gives BadParameter a public name, but not what it comes from.
_UsageError = typer.BadParameter.__base__

_OUTPUTS = ("out", "oof", "save_splits", "audit")
"""Parameters that name a file to write; none may be the file of another parameter."""

_LIST_OF_FAILURES = ".errors.csv"
"""What a command writes beside its output; it may not be the file of a parameter either."""


class Command(TyperCommand):
    """A command that shows what it requires, and refuses slips before anything is read."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:
        return [*usage_words(self), *([self.options_metavar] if self.options_metavar else [])]

    def format_options(self, ctx: typer.Context, formatter: object) -> None:
        for title, kind in (("Arguments", TyperArgument), ("Options", TyperOption)):
            parameters = [one for one in self.get_params(ctx) if isinstance(one, kind)]
            records = [(one, one.get_help_record(ctx)) for one in parameters]
            # The type of an argument, `<list[str]>`, says less than its name and its help.
            rows = [
                (one.metavar if kind is TyperArgument else record[0], record[1])
                for one, record in records
                if record is not None
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        words = list(args)
        _refuse_words_without_value(self, ctx, words)
        try:
            with naming_options(self, ctx):
                rest = super().parse_args(ctx, args)
        except typer.BadParameter as error:
            raise _reworded(error, words) from error
        _refuse_overwriting(self, ctx)
        return rest


def usage_words(command: TyperCommand) -> list[str]:
    """List what a command cannot do without.

    Parameters
    ----------
    command : TyperCommand
        The command.

    Returns
    -------
    list of str
        Its arguments, then its required options with their values.
    """
    arguments = [one.metavar for one in command.params if isinstance(one, TyperArgument)]
    options = [one for one in command.params if isinstance(one, TyperOption) and one.required]
    return [*arguments, *(f"{one.opts[0]} {one.metavar}" for one in options)]


def _refuse_words_without_value(
    command: TyperCommand, ctx: typer.Context, words: list[str]
) -> None:
    """Refuse empty words, which scripts make of unset variables, and options in place of values.

    An empty path would mean the working folder.
    """
    parameters = {name: one for one in command.get_params(ctx) for name in one.opts}
    before = None
    for word in words:
        if not _is_text(word):
            raise typer.BadParameter(
                f"{printable(word)} is a name that is not valid UTF-8. Rename it.", ctx=ctx
            )
        option = parameters.get(before)
        takes_value = isinstance(option, TyperOption) and not option.is_flag
        name, mark, value = word.partition("=")
        if takes_value and isinstance(parameters.get(word), TyperOption):
            raise typer.BadParameter(f"{before} needs a value, and {word} follows.", ctx=ctx)
        if not word or (mark and not value and name in parameters):
            place = before if takes_value else (name or "an argument")
            raise typer.BadParameter(
                f"{place} is empty. If a variable of a script stands there, it is not set.", ctx=ctx
            )
        before = None if takes_value else word


def _is_text(word: str) -> bool:
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _reworded(error: typer.BadParameter, words: list[str]) -> typer.BadParameter:
    """Say what came, which the messages of the parser leave out."""
    message = error.message.removeprefix("Value error, ")
    names = list(getattr(error.param, "opts", ()))
    given = [value for name, value in _pairs(words) if name in names]
    if message.startswith("Input should be") and given:
        limit = message.removeprefix("Input should be").partition(", unable")[0]
        message = f"it should be{limit}, got {given[-1]!r}."
    if message == error.message:
        return error
    return typer.BadParameter(message, ctx=error.ctx, param=error.param)


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    for position, word in enumerate(words):
        name, mark, value = word.partition("=")
        if mark or position + 1 < len(words):
            yield name, value if mark else words[position + 1]


@contextmanager
def naming_options(command: TyperCommand, ctx: typer.Context) -> Iterator[None]:
    """Say of an unknown option which one was meant, or which command has it.

    Parameters
    ----------
    command : TyperCommand
        The command that parses in the block.
    ctx : Context
        Its context.

    Yields
    ------
    None
        Nothing.
    """
    try:
        yield
    except _UsageError as error:
        name = getattr(error, "option_name", None)
        if name is not None and hasattr(error, "possibilities"):
            error.possibilities, error.message = None, _no_option(command, ctx, name)
        # With it the usage is shown, which the parser leaves out where a value is missing.
        error.ctx = error.ctx or ctx
        raise


def _no_option(command: TyperCommand, ctx: typer.Context, name: str) -> str:
    known = [opt for one in command.get_params(ctx) for opt in one.opts if opt.startswith("--")]
    nearest = difflib.get_close_matches(name, known, n=1)
    if nearest:
        return f"No such option: {name}. Did you mean {nearest[0]}?"
    others = getattr(ctx.parent and ctx.parent.command, "commands", {})
    having = [one for one, other in others.items() if any(name in p.opts for p in other.params)]
    where = f" It is an option of {' and '.join(having)}." if having else ""
    return f"No such option: {name}.{where}"


def _refuse_overwriting(command: TyperCommand, ctx: typer.Context) -> None:
    """Refuse an output that is an input, too, or that another output would replace."""
    from hybridlesion._atomic import same_file

    named = [
        (one, Path(value))
        for one in command.params
        for value in _texts(ctx.params.get(one.name))
        if not re.match(r"\w+://", value)
    ]
    for index, (output, path) in enumerate(named):
        if output.name not in _OUTPUTS or path.is_dir():
            continue
        for other, used in named[:index] + named[index + 1 :]:
            errors = path.with_name(path.name + _LIST_OF_FAILURES)
            if same_file(path, used) or same_file(errors, used):
                called = other.metavar if isinstance(other, TyperArgument) else other.opts[0]
                said = (
                    f"{output.opts[0]} and {called} are the same file, {path}; it would be "
                    "overwritten. Name another."
                )
                if not same_file(path, used):
                    said = (
                        f"{called} is {used}, the list of failures that {output.opts[0]} {path} "
                        f"would replace. Name another {output.opts[0]}."
                    )
                raise typer.BadParameter(said, ctx=ctx)


def _texts(value: object) -> list[str]:
    if isinstance(value, (str, Path)):
        return [str(value)]
    return [one for item in value for one in _texts(item)] if isinstance(value, list) else []
