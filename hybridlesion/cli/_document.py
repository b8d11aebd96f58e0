"""The commands as Markdown pages: ``python -m hybridlesion.cli._document docs`` writes them."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path

from typer.core import TyperArgument, TyperCommand, TyperOption
from typer.main import get_command

from hybridlesion.cli._app import app
from hybridlesion.cli._command import usage_words

__all__ = ["commands_pages"]

_INTRODUCTION = """# Commands

Generated from the command line by `python -m hybridlesion.cli._document docs`; do not edit.

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
