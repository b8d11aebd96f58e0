"""What commands say on standard output."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from hybridlesion._sanitize import printable

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

    from hybridlesion.batch import ExtractionResult

__all__ = [
    "NOTES",
    "format_comparison",
    "format_diagnoses",
    "format_metrics",
    "format_operating_points",
    "format_subgroups",
    "format_thresholds",
    "idle_device",
    "note",
    "print_diagnoses",
    "print_notes",
    "print_result",
    "print_set_aside",
    "room",
    "say",
    "show",
]

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
        What `hybridlesion.metrics.operating_points` gave.
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
        What `hybridlesion.metrics.evaluate_subgroups` gave.
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
        What `hybridlesion.metrics.compare_scores` gave.
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
    from hybridlesion._formatting import measure_words
    from hybridlesion.metrics import LOWER_IS_BETTER

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


def print_result(result: ExtractionResult, noun: str = "row") -> None:
    """Say in one line what was written, how much failed and how long it took.

    Parameters
    ----------
    result : ExtractionResult
        Outcome of the run.
    noun : str, default="row"
        What is counted, in the singular.
    """
    from hybridlesion._formatting import count_words

    failed = f"{result.n_failed:,} failed"
    if result.errors_path is not None:
        failed += f" (see {result.errors_path})"
    reused = f"{result.n_reused:,} taken over, " if result.n_reused else ""
    rows = count_words(result.n_rows, noun)
    typer.echo(f"wrote {result.path}: {rows}, {reused}{failed}, {result.seconds:.1f} s")


def print_notes(notes: Iterable[str]) -> None:
    """Print what a user should know, on standard error.

    Parameters
    ----------
    notes : iterable of str
        One thing each.
    """
    for text in notes:
        note(text)


def print_diagnoses(diagnoses: pd.DataFrame) -> None:
    """Print which diagnoses count as malignant and which as benign, on standard error.

    Parameters
    ----------
    diagnoses : DataFrame of shape (m, 4)
        Columns diagnosis, side, n_rows, words, as `Records.diagnoses`.
    """

    if len(diagnoses):
        say(format_diagnoses(diagnoses))


def idle_device(device: str, embedder: str) -> list[str]:
    """Say that a device was chosen for nothing.

    Parameters
    ----------
    device : str
        What ``--device`` says.
    embedder : str
        Network, or ``"none"``.

    Returns
    -------
    list of str
        The note, or nothing.

    Examples
    --------
    >>> idle_device("cuda", "none")
    ['--device cuda has no effect: there is no network, only measurements on the CPU.']
    """
    if device == "auto" or embedder != "none":
        return []
    return [f"--device {device} has no effect: there is no network, only measurements on the CPU."]


def print_set_aside(set_aside: Mapping[str, str]) -> None:
    """Say which columns the model does not see, and why; a reason is told once.

    Parameters
    ----------
    set_aside : mapping of str to str
        Reason by column.
    """
    by_reason: dict[str, list[str]] = {}
    for column, reason in set_aside.items():
        by_reason.setdefault(reason, []).append(column)
    for reason, columns in by_reason.items():
        say(f"set aside {', '.join(columns)}: {reason}")


def format_metrics(metrics: pd.DataFrame, rule: str | None = None) -> str:
    """Lay measures out as a table for people.

    Parameters
    ----------
    metrics : DataFrame
        Columns metric, value, low, high.
    rule : str or None, default=None
        How the threshold was chosen, see `hybridlesion._formatting.threshold_words`.

    Returns
    -------
    str
        One line a measure: name, value, 95 % interval where there is one; then what the names
        do not say.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"metric": ["auc"], "value": [0.9], "low": [0.85], "high": [0.94]}
    >>> print(format_metrics(pd.DataFrame(row)))
    measure  value  95 % interval
    auc      0.900  0.850 to 0.940
    """
    from hybridlesion._formatting import explain_measures, measure_words

    width = max(len("measure"), *(len(name) for name in metrics["metric"]))
    rows = [
        (row.metric, *measure_words(row.metric, row.value, row.low, row.high))
        for row in metrics.itertuples()
    ]
    digits = max(len("value"), *(len(value) for _, value, interval in rows if interval), 0)
    lines = [
        f"{name:<{width}}  {value:<{digits}}  {interval}".rstrip()
        for name, value, interval in [("measure", "value", "95 % interval"), *rows]
    ]
    threshold = dict(zip(metrics["metric"], metrics["value"], strict=True)).get("threshold")
    return "\n".join([*lines, *explain_measures(metrics["metric"], threshold, rule)])


def format_thresholds(model: BaseEstimator) -> str:
    """Lay out the operating points of a fitted model.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model.

    Returns
    -------
    str
        One line for the threshold in use and one for each sensitivity, with intervals.
    """
    from hybridlesion._formatting import threshold_words
    from hybridlesion.pipeline import split_steps, threshold_rule

    _, classifier = split_steps(model)
    used = threshold_words(classifier.threshold_, threshold_rule(classifier))
    lines = [f"calls a lesion malignant from {used} on"]
    for sensitivity, found in classifier.threshold_intervals_.items():
        lines.append(
            f"  {sensitivity:.0%} sensitivity from {found.value:.4f} on "
            f"({found.low:.4f} to {found.high:.4f})"
        )
    return "\n".join(lines)
