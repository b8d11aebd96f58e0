"""Text for people: wrapped on a terminal, whole lines for logs and `grep` elsewhere."""

from __future__ import annotations

import sys

import typer

from hybridlesion._strangers import printable

__all__ = ["NOTES", "note", "room", "say", "show"]

_WIDEST = 100

# The notes of the command that runs, for its JSON.
NOTES: list[str] = []


def say(text: str) -> None:
    """Tell the user something that is no result, on standard error.

    Parameters
    ----------
    text : str
        What to tell. On a terminal its lines are wrapped between words, and paths stay whole.
    """
    width = _columns() if sys.stderr.isatty() else None
    typer.echo(_wrapped(printable(text), width and min(width, _WIDEST)), err=True)


def note(text: str) -> None:
    """Tell a user something about the input, and keep it for ``--json``.

    Parameters
    ----------
    text : str
        What to tell.
    """
    NOTES.append(text)
    say(f"note: {text}")


def show(text: str) -> None:
    """Print a result for people, on standard output.

    Parameters
    ----------
    text : str
        Sentences, or a table no wider than `room`.
    """
    typer.echo(_wrapped(text, room()))


def room() -> int | None:
    """Tell how wide a table on standard output may be.

    Returns
    -------
    int or None
        Columns of the terminal; None where there is none.
    """
    return _columns() if sys.stdout.isatty() else None


def _columns() -> int:
    import shutil

    return max(shutil.get_terminal_size().columns, 40)


def _wrapped(text: str, width: int | None) -> str:
    if width is None:
        return text
    from textwrap import wrap

    lines = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())] + "  "
        kept = {"break_long_words": False, "break_on_hyphens": False}
        fits = len(line) <= width
        lines += [line] if fits else wrap(line, width, subsequent_indent=indent, **kept)
    return "\n".join(lines)
