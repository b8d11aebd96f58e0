"""Sanitisation of untrusted text (image names, metadata, manifests) before display."""

from __future__ import annotations

import math

# First characters of a spreadsheet formula.
_FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r")


def printable(text: str) -> str:
    r"""Escape control characters, which could manipulate a terminal.

    Parameters
    ----------
    text : str
        Any text; its line breaks stay.

    Returns
    -------
    str
        The text, each other unprintable character as a Python escape sequence.

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
        True for text that begins with ``= + - @``, a tab or a carriage return, and is not a number.

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
    r"""Escape formulas and control characters in a cell of a table for people.

    Not for ids of tables that are joined later, which must not change.

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
