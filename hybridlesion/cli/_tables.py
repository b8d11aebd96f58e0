"""Tables of an evaluation as people read them on a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "format_comparison",
    "format_diagnoses",
    "format_operating_points",
    "format_subgroups",
]

# Lines of diagnoses, and words of one of them, that are printed.
_MOST_LINES, _MOST_WORDS = 40, 8
_SIDES = {"undecided": "left out", "unknown": "unknown", "": "no target"}

_RULES = {
    "given": "the given threshold",
    "sensitivity": "sensitivity {:.3g} %",
    "cost_formula": "cost ratio {:g}, by formula",
    "cost_best": "cost ratio {:g}, best here",
}
# Heads of columns where there is no room for intervals.
_SHORT = ("auc", "sens.", "spec.", "obs/exp")


def format_operating_points(points: pd.DataFrame, width: int | None = None) -> str:
    """Lay thresholds out as a table for people.

    Parameters
    ----------
    points : DataFrame
        What `hybridlesion.evaluation.operating_points` gave.
    width : int, default=None
        Columns that there are; None sets no limit. Where they are too few for the intervals, these
        are left out.

    Returns
    -------
    str
        One line a rule: threshold, sensitivity, specificity and precision with 95 % intervals,
        share of images called.
    """
    measures = ("sensitivity", "specificity", "precision")

    def lay_out(interval: bool) -> str:
        names = measures if interval else (*_SHORT[1:3], "precision")
        rows = [("threshold for", "threshold", *names, "called")]
        for _, point in points.iterrows():
            share = point["rule"] == "sensitivity"
            rule = _RULES[point["rule"]].format(100 * point["at"] if share else point["at"])
            cells = [_cell(point, name, interval=interval) for name in measures]
            threshold = _cell(point, "threshold", digits=3, interval=interval)
            rows.append((rule, threshold, *cells, f"{100 * point['called']:.1f} %"))
        return _align(rows)

    return _fitting(lay_out, width, "operating_points.csv")


def format_subgroups(subgroups: pd.DataFrame, width: int | None = None) -> str:
    """Lay measures by group of patients out as a table for people.

    Parameters
    ----------
    subgroups : DataFrame
        What `hybridlesion.evaluation.evaluate_subgroups` gave.
    width : int, default=None
        Columns that there are; None sets no limit. Where they are too few for the intervals, these
        are left out.

    Returns
    -------
    str
        One line a group: counts, then AUC, sensitivity, specificity and calibration in the large
        with 95 % intervals; a dash where there are too few rows.
    """
    measures = ("auc", "sensitivity", "specificity", "calibration_in_the_large")

    def lay_out(interval: bool) -> str:
        names = (*measures[:3], "observed/expected") if interval else _SHORT
        rows = [("group", "images", "malignant", *names)]
        for _, row in subgroups.iterrows():
            both = row["group"] == row["attribute"]
            name = row["group"] if both else f"{row['attribute']}: {row['group']}"
            counts = (f"{row['n']:,}", f"{row['n_malignant']:,}")
            cells = (_cell(row, measure, interval=interval) for measure in measures)
            rows.append((name, *counts, *cells))
        return _align(rows)

    lines = _fitting(lay_out, width, "subgroups.csv")
    few = int((subgroups["note"] != "").sum())
    return f"{lines}\n- : too few malignant or benign images ({few} groups)." if few else lines


def format_comparison(
    comparison: pd.DataFrame, names: tuple[str, str], width: int | None = None
) -> str:
    """Lay differences of two scores out as a table for people.

    Parameters
    ----------
    comparison : DataFrame
        What `hybridlesion.evaluation.compare_scores` gave.
    names : tuple of str
        What the score in question and the other one are called.
    width : int, default=None
        Columns that there are; None sets no limit. Where they are too few, the value of the other
        score is left out, which is the value less the difference.

    Returns
    -------
    str
        One line a measure: both values, difference with 95 % interval, p; then how to read them.
    """
    from hybridlesion._words import measure_words
    from hybridlesion.evaluation import LOWER_IS_BETTER

    rows = [("measure", "value", "against", "difference", "95 % interval", "p")]
    for row in comparison.itertuples():
        known = not math.isnan(row.low)
        value, _ = measure_words(row.metric, row.value, None, None)
        against, _ = measure_words(row.metric, row.against, None, None)
        interval = f"{row.low:+.4f} to {row.high:+.4f}" if known else ""
        p = ("< 0.001" if row.p < 0.001 else f"{row.p:.3f}") if known else ""
        rows.append((row.metric, value, against, _number(row.difference, "+.4f"), interval, p))
    table = _align(rows)
    if not _fits(table, width):
        table = _align([(*row[:2], *row[3:]) for row in rows])
    return "\n".join(
        [
            table,
            f"difference = {names[0]} minus {names[1]}, on the same patients.",
            f"Lower is better for {' and '.join(LOWER_IS_BETTER)}; 1 is best for "
            "calibration_slope and calibration_in_the_large; else higher is better.",
            "p is not corrected for the number of measures: settle on one beforehand.",
        ]
    )


def format_diagnoses(diagnoses: pd.DataFrame) -> str:
    """Lay out which diagnoses count as malignant and which as benign.

    Parameters
    ----------
    diagnoses : DataFrame of shape (m, 4)
        Columns diagnosis, side, n_rows, words, as `hybridlesion.metadata.Records` has them.

    Returns
    -------
    str
        One line a diagnosis and side, with its rows and the words as written.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [("melanoma", "malignant", 2, ("MEL", "MM")), ("", "benign", 9, ())]
    >>> columns = ["diagnosis", "side", "n_rows", "words"]
    >>> print(format_diagnoses(pd.DataFrame(rows, columns=columns)))
    diagnosis  counts as  rows  written
    melanoma   malignant  2     MEL, MM
    (none)     benign     9
    """
    rows = [("diagnosis", "counts as", "rows", "written")]
    for one in diagnoses.head(_MOST_LINES).itertuples():
        words = ", ".join(one.words[:_MOST_WORDS]) + (" ..." if one.words[_MOST_WORDS:] else "")
        side = _SIDES.get(one.side, one.side)
        rows.append((one.diagnosis or "(none)", side, f"{one.n_rows:,}", words))
    more = len(diagnoses) - _MOST_LINES
    return _align(rows) + (f"\nand {more:,} more." if more > 0 else "")


def _fitting(lay_out: Callable[[bool], str], width: int | None, file: str) -> str:
    """Lay a table out with intervals, or where that is too wide, without."""
    table = lay_out(True)
    if _fits(table, width):
        return table
    return f"{lay_out(False)}\nIntervals: in {file}, or in a wider window."


def _fits(table: str, width: int | None) -> bool:
    return width is None or max(map(len, table.splitlines())) <= width


def _cell(row: pd.Series, name: str, digits: int = 2, interval: bool = True) -> str:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    if math.isnan(value):
        return "-"
    words = _number(value, f".{digits}f")
    if math.isnan(low) or not interval:
        return words
    return f"{words} ({low:.{digits}f}-{high:.{digits}f})"


def _number(value: float, form: str = ".3f") -> str:
    return "-" if math.isnan(value) else format(value, form)


def _align(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
