"""Write the pages of the command line: ``python docs/generate_commands.py``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path

from typer.core import TyperArgument, TyperCommand, TyperOption
from typer.main import get_command

from hybridlesion.cli import app, required_words

__all__ = ["pages"]

FOLDER = Path(__file__).resolve().parent

_INTRODUCTION = """# Commands

<!-- Generated from the command line by `python docs/generate_commands.py`; do not edit. -->

Every command has a page here, and `--help` or `-h`; `hybridlesion --version` prints the installed
version. On the pages, *required* under *default* means that a value must be given, *-* stands for
no default. [tutorial.md](tutorial.md) shows how the commands follow each other.

- `hybridlesion --install-completion` makes bash, zsh and fish complete commands, options and
  choices with the tab key; open a new shell afterwards.
- Results go to standard output; with `--json` that is [one JSON object](batch_scoring.md#json) and
  nothing else. Notes,
  progress and errors go to standard error: a progress bar on a terminal, whole lines elsewhere.
  Only the bar is coloured; `NO_COLOR=1` turns that off.
- Exit codes: 0 done; 1 refused, or no usable image; 2 wrong usage; 3 alarm of `drift`; 130
  interrupted. A command that refuses has written nothing; images that failed are listed in
  `OUT.errors.csv`.
"""


def pages() -> dict[str, str]:
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
    texts = {"commands.md": "\n".join([_INTRODUCTION, *rows, ""])}
    for name, command in commands.items():
        texts[f"commands/{name}.md"] = "\n".join(_command_lines(name, command))
    return texts


def _command_lines(name: str, command: TyperCommand) -> list[str]:
    arguments = [one for one in command.params if isinstance(one, TyperArgument)]
    options = [one for one in command.params if isinstance(one, TyperOption)]
    words = " ".join([name, *required_words(command)])
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
    for page, text in pages().items():
        path = FOLDER / page
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
