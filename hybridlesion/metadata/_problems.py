"""How faults of a table are put into words: what, how often, in which rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Findings", "describe_rows", "shorten"]

_SHOWN = 10


@dataclass
class Findings:
    """What came to light while tables were read.

    Parameters
    ----------
    problems : list of str, optional
        What makes a table unusable.
    warnings : list of str, optional
        What the user should know; the rows concerned count as missing or were merged.
    words : dict of str to list of str, optional
        Diagnosis in our words -> as the tables write it.
    """

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    words: dict[str, list[str]] = field(default_factory=dict)


def shorten(items: Sequence[object]) -> str:
    """Write a list, at most ten items of it.

    Parameters
    ----------
    items : sequence
        What to write.

    Returns
    -------
    str
        The items, and how many more there are.

    Examples
    --------
    >>> shorten([3, 4])
    '3, 4'
    """
    text = ", ".join(str(item) for item in items[:_SHOWN])
    return text if len(items) <= _SHOWN else f"{text} and {len(items) - _SHOWN:,} more"


def describe_rows(rows: np.ndarray) -> str:
    """Name rows of a table.

    Parameters
    ----------
    rows : ndarray of shape (n,)
        Row labels: row numbers of the file, where the header is row 1.

    Returns
    -------
    str
        ``"row 7"``, or ``"rows 7, 9 and 31 more"`` with at most ten named.

    Examples
    --------
    >>> describe_rows(np.array([7]))
    'row 7'
    >>> describe_rows(np.arange(2, 14))
    'rows 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 2 more'
    """
    return f"row{'s' if len(rows) > 1 else ''} {shorten(rows)}"
