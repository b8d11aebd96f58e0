"""Sanitisation of untrusted text (image names, metadata, manifests) before display."""

from __future__ import annotations

import math

# First characters of a spreadsheet formula.
_FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r")


def printable(text: str) -> str:
    r"""Escape control characters that could manipulate a terminal.

    Parameters
    ----------
    text : str
        Text to escape; line breaks are kept.

    Returns
    -------
    str
        The text, with all other unprintable characters as Python escape sequences.

    Examples
    --------
    >>> printable("\x1b[2Jname\u202egpj.exe")
    '\\x1b[2Jname\\u202egpj.exe'
    """
    unified = text.replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in unified)


def is_formula(value: object) -> bool:
    """Check whether a spreadsheet program would interpret a CSV value as a formula.

    Parameters
    ----------
    value : object
        Value of a cell.

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
    r"""Escape formulas and control characters in a table cell meant for display.

    Not meant for ids in tables that are joined later, since these must not change.

    Parameters
    ----------
    value : object
        Value of a cell.

    Returns
    -------
    object
        Escaped text, with an apostrophe before a formula; other objects are unchanged.

    Examples
    --------
    >>> plain_cell("=cmd|' /C calc'!A0"), plain_cell("a\x07\nb"), plain_cell(1.5)
    ("'=cmd|' /C calc'!A0", 'a\\x07\\nb', 1.5)
    """
    if not isinstance(value, str):
        return value
    shown = printable(value).replace("\n", "\\n")
    return f"'{shown}" if is_formula(value) else shown
