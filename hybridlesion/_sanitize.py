"""Text that strangers wrote (image names, metadata, manifests), made harmless where it is shown."""

from __future__ import annotations

import math

__all__ = ["is_formula", "plain_cell", "printable"]

# What a spreadsheet takes for the beginning of a formula.
_FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r")


def printable(text: str) -> str:
    r"""Show the characters by which a terminal could be steered, instead of sending them.

    Parameters
    ----------
    text : str
        Any text; its line breaks stay.

    Returns
    -------
    str
        The text, each other unprintable character written as Python would.

    Examples
    --------
    >>> printable("\x1b[2Jname\u202egpj.exe")
    '\\x1b[2Jname\\u202egpj.exe'
    """
    return "".join(
        c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text.replace("\r\n", "\n")
    )


def is_formula(value: object) -> bool:
    """Whether a spreadsheet that opens a CSV file would take a value for a formula.

    Parameters
    ----------
    value : object
        A cell.

    Returns
    -------
    bool
        True for text that begins with ``= + - @``, a tab or a carriage return, and is no number.

    Examples
    --------
    >>> [is_formula(cell) for cell in ("=1+1", "-5.5", "@a", "ISIC_1", None)]
    [True, False, True, False, False]
    """
    if not isinstance(value, str) or not value.startswith(_FORMULA_MARKS):
        return False
    try:
        return not math.isfinite(float(value))
    except ValueError:
        return True


def plain_cell(value: object) -> object:
    r"""Make a cell of a list for people: no formula, no steering characters.

    Ids in tables that are joined later must stay as they are; this is not for them.

    Parameters
    ----------
    value : object
        A cell.

    Returns
    -------
    object
        Text with an apostrophe before a formula; anything else as it is.

    Examples
    --------
    >>> plain_cell("=cmd|' /C calc'!A0"), plain_cell("a\x07\nb"), plain_cell(1.5)
    ("'=cmd|' /C calc'!A0", 'a\\x07\\nb', 1.5)
    """
    if not isinstance(value, str):
        return value
    shown = printable(value).replace("\n", "\\n")
    return f"'{shown}" if is_formula(value) else shown
