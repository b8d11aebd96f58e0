"""The commands as a Markdown page: ``python -m hybridlesion.cli._document`` prints it."""

from __future__ import annotations

from enum import Enum

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption
from typer.main import get_command

from hybridlesion.cli._app import app
from hybridlesion.cli._command import usage_words

__all__ = ["commands_page"]

_INTRODUCTION = """# Commands

Generated from the command line by `python -m hybridlesion.cli._document > docs/commands.md`; do
not edit.

Every command also has `--help`, in short `-h`; `hybridlesion --version` says which version is
installed. Under *default*, *required* means that a value must be given, *-* that nothing is
assumed. How the commands follow each other is shown in [tutorial.md](tutorial.md).

- `hybridlesion --install-completion` makes bash, zsh and fish complete commands, options and
  choices with the tab key; open a new shell afterwards.
- Results go to standard output, or with `--json` one JSON object and nothing else. Notes, progress
  and errors go to standard error: a bar on a terminal, whole lines elsewhere. Nothing is coloured
  but the bar, which `NO_COLOR=1` makes plain.
- Exit codes: 0 done; 1 refused, or not one image usable; 2 wrong usage; 130 interrupted. A command
  that refuses has written nothing; where images failed, `OUT.errors.csv` names them.
"""


def commands_page() -> str:
    """Write every command with its arguments and options as a Markdown page.

    Returns
    -------
    str
        The text of ``docs/commands.md``, one part for each command in the order of ``--help``.
    """
    parts = [_INTRODUCTION]
    for name, command in get_command(app).commands.items():
        parts.extend(_command_lines(name, command))
    return "\n".join(parts)


def _command_lines(name: str, command: TyperCommand) -> list[str]:
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    options = [one for one in command.params if isinstance(one, TyperOption)]
    words = " ".join([name, *usage_words(command)])
    lines = [f"## {name}\n", f"    hybridlesion {words} [OPTIONS]\n", f"{command.help}\n"]
    if arguments:
        lines += ["| argument | what it is | default |", "|---|---|---|"]
        lines += [_row(f"`{one.metavar}`", one.help, _default(one)) for one in arguments]
        lines.append("")
    lines += ["| option | value | what it does | default |", "|---|---|---|---|"]
    lines += [_row(f"`{one.opts[0]}`", _value(one), one.help, _default(one)) for one in options]
    lines.append("")
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
    typer.echo(commands_page(), nl=False)
