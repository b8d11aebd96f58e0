"""Text on standard error: wrapped for people on a terminal, whole lines elsewhere."""

from __future__ import annotations

import sys

import typer

from hybridlesion._strangers import printable

__all__ = ["say"]

_WIDEST = 100


def say(text: str) -> None:
    """Tell the user something that is no result.

    Parameters
    ----------
    text : str
        What to tell. On a terminal its lines are wrapped between words, and paths stay whole;
        elsewhere a line stays a line, for logs and `grep`.
    """
    text = printable(text)
    if sys.stderr.isatty():
        import shutil
        from textwrap import TextWrapper

        width = min(shutil.get_terminal_size().columns, _WIDEST)
        lines = []
        for line in text.split("\n"):
            indent = line[: len(line) - len(line.lstrip())]
            wrap = TextWrapper(width, subsequent_indent=indent + "  ", drop_whitespace=True)
            wrap.break_long_words = wrap.break_on_hyphens = False
            lines += wrap.wrap(line) or [""]
        text = "\n".join(lines)
    typer.echo(text, err=True)
