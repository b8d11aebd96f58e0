"""Printing of results on standard output, and of everything else on standard error."""

from __future__ import annotations

import ast
import json
import math
import os
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from typer.core import TyperArgument, TyperCommand

from hybridlesion._formatting import printable

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

    from hybridlesion.batch import ExtractionResult
    from hybridlesion.training import SourceValidation

_MAX_WIDTH = 100

WHOLE_WORDS = {"break_long_words": False, "break_on_hyphens": False}
"""Options of `textwrap.wrap` that keep paths and options in one piece."""

_Row = tuple[str, ...]

NOTES: list[str] = []
"""Notes of the running command, for its JSON."""

_started = time.monotonic()

_OPTIONS: dict[str, str] = {}
"""Option or argument of the running command, by parameter name."""

# Parameters of library functions that correspond to an option with a different name, apart from
# those with the prefix ``n_``.
_LIBRARY_NAMES = {
    "columns": "column",
    "masks": "mask",
    "metadata": "tables",
    "n_splits": "folds",
    "random_state": "seed",
    "resources": "dask_resource",
    "roots": "root",
    "target_column": "target",
}


def start_messages(command: TyperCommand) -> None:
    """Clear the notes of an earlier command, and collect the option for each parameter.

    Parameters
    ----------
    command : TyperCommand
        Command that is about to run.
    """
    global _started
    _started = time.monotonic()
    NOTES.clear()
    _OPTIONS.clear()
    for one in command.params:
        is_argument = isinstance(one, TyperArgument)
        _OPTIONS[one.name] = one.metavar.strip("[.]") if is_argument else one.opts[0]


def elapsed_seconds() -> float:
    """Measure the time since the command started.

    Returns
    -------
    float
        Wall time in seconds.
    """
    return time.monotonic() - _started


def name_options(text: str) -> str:
    """Replace the parameters in a message with the options of the running command.

    Parameters
    ----------
    text : str
        Message from the library, with parameters in backticks, such as ```malignant```, or
        ```segmenter="refined"``` with a value.

    Returns
    -------
    str
        Message with ``--malignant`` and ``--segmenter refined``. Text in backticks that is not a
        parameter of the command is left unchanged.
    """
    return re.sub(r"`(\w+)(?:=([^`]+))?`", _name_option, text)


def _name_option(found: re.Match) -> str:
    name, value = found[1], found[2]
    own = _LIBRARY_NAMES.get(name, name.removeprefix("n_"))
    option = _OPTIONS.get(name, _OPTIONS.get(own))
    if option is None or value is None:
        return option or found[0]
    try:
        value = ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return found[0]
    if value is True:
        return option
    return f"{option} {','.join(map(str, value)) if isinstance(value, (tuple, list)) else value}"


def echo_err(text: str) -> None:
    """Print a message on standard error, with options in place of parameters.

    Parameters
    ----------
    text : str
        Message. On a terminal, its lines are wrapped between words, without breaking paths.
    """
    width = min(_columns(), _MAX_WIDTH) if sys.stderr.isatty() else None
    typer.echo(_wrap(printable(name_options(text)), width), err=True)


def note(text: str) -> None:
    """Print a note on standard error, and keep it for ``--json``.

    Parameters
    ----------
    text : str
        Text of the note.
    """
    NOTES.append(name_options(text))
    echo_err(f"note: {text}")


def print_notes(notes: Iterable[str]) -> list[str]:
    """Print notes on standard error.

    Parameters
    ----------
    notes : iterable of str
        Texts of the notes.

    Returns
    -------
    list of str
        Texts with options in place of parameters.
    """
    before = len(NOTES)
    for text in notes:
        note(text)
    return NOTES[before:]


def echo(text: str) -> None:
    """Print a result on standard output, wrapped on a terminal.

    Parameters
    ----------
    text : str
        Sentences, or a table that does not exceed `table_width`.
    """
    typer.echo(_wrap(text, table_width()))


def table_width() -> int | None:
    """Return the width of the terminal.

    Returns
    -------
    int or None
        Number of columns, or None if standard output is not a terminal.
    """
    return _columns() if sys.stdout.isatty() else None


def _columns() -> int:
    import shutil

    return max(shutil.get_terminal_size().columns, 40)


def _wrap(text: str, width: int | None) -> str:
    if width is None:
        return text
    from textwrap import wrap

    lines = []
    for line in text.split("\n"):
        indent = line[: len(line) - len(line.lstrip())] + "  "
        wrapped = wrap(line, width, subsequent_indent=indent, **WHOLE_WORDS)
        lines += wrapped if len(line) > width else [line]
    return "\n".join(lines)


def print_json(content: Mapping[str, object]) -> None:
    """Print a result as JSON, with the ``seconds`` taken and the ``notes`` of the command.

    Parameters
    ----------
    content : mapping
        Values that JSON can represent, or paths; NaN and infinite numbers become null.
    """
    content = {"seconds": elapsed_seconds(), "notes": list(NOTES)} | dict(content)
    # Infinite numbers and NaN, for which JSON has no notation, are the constants of `json.loads`.
    plain = json.loads(json.dumps(content, default=os.fspath), parse_constant=lambda _: None)
    typer.echo(json.dumps(plain, indent=2))


def attributes(result: object, *names: str) -> dict[str, object]:
    """Collect attributes of a result for its JSON.

    Parameters
    ----------
    result : object
        Result of a command.
    *names : str
        Names of attributes of the result.

    Returns
    -------
    dict of str to object
        Values by attribute name.
    """
    return {name: getattr(result, name) for name in names}


def run_facts(result: ExtractionResult) -> dict[str, object]:
    """Collect the information on a run over images that is useful in scripts.

    Parameters
    ----------
    result : ExtractionResult
        Result of the run.

    Returns
    -------
    dict of str to object
        ``path``, ``n_rows``, ``n_reused``, ``n_failed``, ``errors_path``, ``seconds`` and, for a
        table, ``fields``: its columns.
    """
    names = ("path", "n_rows", "n_reused", "n_failed", "errors_path", "seconds")
    fields = {"fields": list(result.columns)} if result.columns else {}
    return attributes(result, *names) | fields


def metrics_by_name(metrics: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Convert a table of metrics into a dictionary.

    Parameters
    ----------
    metrics : DataFrame
        Table with columns metric, value, low and high.

    Returns
    -------
    dict
        ``value``, ``low`` and ``high`` by metric.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"metric": ["auc"], "value": [0.9], "low": [0.85], "high": [0.94]}
    >>> metrics_by_name(pd.DataFrame(row))
    {'auc': {'value': 0.9, 'low': 0.85, 'high': 0.94}}
    """
    return {row.pop("metric"): row for row in metrics.to_dict("records")}


def print_written(
    path: Path | str,
    made: str,
    n_failed: int = 0,
    errors_path: Path | str | None = None,
    seconds: float | None = None,
) -> None:
    """Print a line with the output, what it was made of, the failures, and the time taken.

    Parameters
    ----------
    path : Path or str
        Output.
    made : str
        Contents of the output, such as ``"2 rows"``.
    n_failed : int, default=0
        Number of failures.
    errors_path : Path or str, default=None
        Path of the list of failures, if any.
    seconds : float, default=None
        Time taken. If None, it is the time since the command started.
    """
    listed = "" if errors_path is None else f" (see {errors_path})"
    seconds = elapsed_seconds() if seconds is None else seconds
    typer.echo(f"wrote {path}: {made}, {n_failed:,} failed{listed}, {seconds:.1f} s")


def print_result(result: ExtractionResult, noun: str = "row") -> None:
    """Print a line with the output, the numbers of rows and failures, and the time taken.

    Parameters
    ----------
    result : ExtractionResult
        Result of the run.
    noun : str, default="row"
        Name of the counted items, in the singular.
    """
    from hybridlesion._formatting import count_words

    reused = f", {result.n_reused:,} reused" if result.n_reused else ""
    blank = f", {result.n_unscored:,} without a score" if result.n_unscored else ""
    made = count_words(result.n_rows, noun) + reused + blank
    print_written(result.path, made, result.n_failed, result.errors_path, result.seconds)


def print_excluded(columns: Mapping[str, str]) -> None:
    """Print the columns that the model does not use on standard error, grouped by reason.

    Parameters
    ----------
    columns : mapping of str to str
        Excluded columns with the reasons.
    """
    for reason in dict.fromkeys(columns.values()):
        names = ", ".join(column for column, why in columns.items() if why == reason)
        echo_err(f"excluded {names}: {reason}")


def check_device(device: str, embedder: str) -> None:
    """Print a note if a device was chosen but no network uses it.

    Parameters
    ----------
    device : str
        Value of ``--device``.
    embedder : str
        Name of the network, or ``"none"``.
    """
    if device != "auto" and embedder == "none":
        words = "has no effect: this run uses no network, and features run on the CPU."
        note(f"--device {device} {words}")


_MAX_DIAGNOSES, _MAX_SPELLINGS = 40, 8
_SIDES = {"undecided": "left out", "unknown": "unknown", "": "no target"}
_RULES = {
    "given": "the given threshold",
    "sensitivity": "sensitivity {:.3g} %",
    "cost_formula": "cost ratio {:g}, by formula",
    "cost_best": "cost ratio {:g}, best here",
}


def format_operating_points(points: pd.DataFrame, width: int | None = None) -> str:
    """Format thresholds as a table.

    Parameters
    ----------
    points : DataFrame
        Result of `hybridlesion.metrics.operating_points`.
    width : int, default=None
        Available columns, or None for no limit. Intervals that do not fit are omitted.

    Returns
    -------
    str
        One line per rule, with threshold, sensitivity, specificity and precision, their 95 %
        intervals, and the fraction of images classified as malignant.
    """
    metrics = ("sensitivity", "specificity", "precision")
    rows = []
    for _, point in points.iterrows():
        at = 100 * point["at"] if point["rule"] == "sensitivity" else point["at"]
        cells = [_cell(point, "threshold", digits=3), *(_cell(point, name) for name in metrics)]
        rows.append((_RULES[point["rule"]].format(at), *cells, f"{100 * point['called']:.1f} %"))
    head = ("threshold for", "threshold", *metrics, "positive")
    short = ("threshold for", "threshold", "sens.", "spec.", "precision", "positive")
    return _fit_width(rows, head, short, width, "operating_points.csv")


def format_subgroups(subgroups: pd.DataFrame, width: int | None = None) -> str:
    """Format metrics by subgroup as a table.

    Parameters
    ----------
    subgroups : DataFrame
        Result of `hybridlesion.metrics.evaluate_subgroups`.
    width : int, default=None
        Available columns, or None for no limit. Intervals that do not fit are omitted.

    Returns
    -------
    str
        One line per subgroup, with counts, AUC, sensitivity, specificity and calibration in the
        large with 95 % intervals; a dash means that there are too few rows.
    """
    metrics = ("auc", "sensitivity", "specificity", "calibration_in_the_large")
    rows = []
    for _, row in subgroups.iterrows():
        both = row["group"] == row["attribute"]
        name = row["group"] if both else f"{row['attribute']}: {row['group']}"
        counts = (f"{row['n']:,}", f"{row['n_malignant']:,}")
        rows.append((name, *counts, *(_cell(row, metric) for metric in metrics)))
    counted = ("group", "images", "malignant")
    head = (*counted, *metrics[:3], "observed/expected")
    short = (*counted, "auc", "sens.", "spec.", "obs/exp")
    lines = _fit_width(rows, head, short, width, "subgroups.csv")
    few = int((subgroups["note"] != "").sum())
    return f"{lines}\n- : too few malignant or benign images ({few} groups)." if few else lines


def format_sources(summary: pd.DataFrame) -> str:
    """Format a summary over sources as a table.

    Parameters
    ----------
    summary : DataFrame
        Result of `hybridlesion.metrics.summarize_sources`.

    Returns
    -------
    str
        One line per metric of several sources, with the mean over sources, its 95 % interval and
        the 95 % prediction interval for a new source; followed by what to expect there in words.
    """
    from hybridlesion.metrics import describe_sources

    rows = [("metric", "sources", "mean", "95 % interval", "new source")]
    for row in summary[summary["n_sources"] > 1].to_dict("records"):
        ends = [(row["low"], row["high"]), (row["new_low"], row["new_high"])]
        ranges = ("-" if math.isnan(a) else f"{a:.2f} to {b:.2f}" for a, b in ends)
        rows.append((row["metric"], str(row["n_sources"]), f"{row['value']:.2f}", *ranges))
    return "\n".join([*([align(rows)] if len(rows) > 1 else []), *describe_sources(summary)])


def format_validation(validation: SourceValidation, width: int | None = None) -> str:
    """Format the results of leaving each source out of training.

    Parameters
    ----------
    validation : SourceValidation
        Results.
    width : int, default=None
        Available columns, or None for no limit. Intervals that do not fit are omitted.

    Returns
    -------
    str
        Metrics by source, the summary over sources, and what each family of columns adds.
    """
    table = validation.table
    rows = []
    for _, row in table.iterrows():
        counts = (row["source"], f"{row['n']:,}", f"{row['n_malignant']:,}")
        names = ("home_auc", "auc", "sensitivity", "specificity", "calibration_in_the_large")
        rows.append((*counts, *(_cell(row, name) for name in names)))
    counted = ("source left out", "images", "malignant", "auc if trained on")
    head = (*counted, "auc left out", "sensitivity", "specificity", "observed/expected")
    short = ("source left out", "images", "malignant", "auc in", "auc out", "sens.", "spec.", "o/e")
    lines = [_fit_width(rows, head, short, width, "--json")]
    lines.append(format_sources(validation.summary))
    if len(validation.gains):
        gains = [("source left out", "auc gained by", "difference", "95 % interval")]
        for row in validation.gains.itertuples():
            ends = "" if math.isnan(row.low) else f"{row.low:+.3f} to {row.high:+.3f}"
            gains.append((row.source, row.without, _number(row.difference, "+.3f"), ends))
        lines.append(align(gains))
    return "\n\n".join(lines)


def format_comparison(
    comparison: pd.DataFrame, names: tuple[str, str], width: int | None = None
) -> str:
    """Format the differences between two scores as a table.

    Parameters
    ----------
    comparison : DataFrame
        Result of `hybridlesion.metrics.compare_scores`.
    names : tuple of str
        Names of the score and of the score that it is compared with.
    width : int, default=None
        Available columns, or None for no limit. If the table does not fit, the value for the other
        score is omitted, which equals the value minus the difference.

    Returns
    -------
    str
        One line per metric, with both values, the difference, its 95 % interval and p; followed by
        notes on their interpretation.
    """
    from hybridlesion._formatting import measure_words
    from hybridlesion.metrics import LOWER_IS_BETTER

    rows = [("metric", "value", "against", "difference", "95 % interval", "p")]
    for row in comparison.itertuples():
        known = not math.isnan(row.low)
        value, _ = measure_words(row.metric, row.value)
        against, _ = measure_words(row.metric, row.against)
        interval = f"{row.low:+.4f} to {row.high:+.4f}" if known else ""
        p = ("< 0.001" if row.p < 0.001 else _number(row.p, ".3f")) if known else ""
        rows.append((row.metric, value, against, _number(row.difference, "+.4f"), interval, p))
    table = align(rows)
    if width is not None and max(map(len, table.splitlines())) > width:
        table = align([(*row[:2], *row[3:]) for row in rows])
    return (
        f"{table}\ndifference = {names[0]} minus {names[1]}, on the same patients.\n"
        f"Lower is better for {' and '.join(LOWER_IS_BETTER)}; 1 is best for calibration_slope and "
        "calibration_in_the_large; otherwise higher is better.\n"
        "p is not corrected for multiple metrics: choose one beforehand."
    )


def print_diagnoses(diagnoses: pd.DataFrame) -> None:
    """Print the diagnoses that count as malignant or benign on standard error.

    There is one line for each diagnosis and side, with the number of rows and the spellings.

    Parameters
    ----------
    diagnoses : DataFrame of shape (m, 4)
        Table with columns diagnosis, side, n_rows and words, as in
        `hybridlesion.metadata.Records`.
    """
    if not diagnoses.empty:
        echo_err(format_diagnoses(diagnoses))


def format_diagnoses(diagnoses: pd.DataFrame, width: int | None = None) -> str:
    """Format the diagnoses that count as malignant or benign as a table.

    Parameters
    ----------
    diagnoses : DataFrame of shape (m, 4)
        Table with columns diagnosis, side, n_rows and words, as in
        `hybridlesion.metadata.Records`.
    width : int or None, default=None
        Available columns, or None for no limit. Spellings that do not fit are cut off.

    Returns
    -------
    str
        One line for each diagnosis and side, and the number of lines left out, if any.
    """
    rows = [("diagnosis", "counts as", "rows", "written")]
    for one in diagnoses.head(_MAX_DIAGNOSES).itertuples():
        spellings = ", ".join(one.words[:_MAX_SPELLINGS])
        spellings += " ..." if one.words[_MAX_SPELLINGS:] else ""
        side = _SIDES.get(one.side, one.side)
        rows.append((one.diagnosis or "(none)", side, f"{one.n_rows:,}", spellings))
    more = len(diagnoses) - _MAX_DIAGNOSES
    lines = align(rows).splitlines()
    if width is not None:
        lines = [line if len(line) <= width else f"{line[: width - 3]}..." for line in lines]
    return "\n".join([*lines, *([f"and {more:,} more."] if more > 0 else [])])


def format_metrics(metrics: pd.DataFrame, rule: str | None = None) -> str:
    """Format metrics as a table.

    Parameters
    ----------
    metrics : DataFrame
        Table with columns metric, value, low and high.
    rule : str or None, default=None
        Rule that determined the threshold; see `hybridlesion._formatting.threshold_words`.

    Returns
    -------
    str
        One line per metric, with name, value, and 95 % interval (if any); followed by notes on the
        metrics.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"metric": ["auc"], "value": [0.9], "low": [0.85], "high": [0.94]}
    >>> print(format_metrics(pd.DataFrame(row)))
    metric  value  95 % interval
    auc     0.900  0.850 to 0.940
    """
    from hybridlesion._formatting import explain_measures, measure_words

    names = ["metric", *metrics["metric"]]
    cells = [("value", "95 % interval")]
    cells += [measure_words(r.metric, r.value, r.low, r.high) for r in metrics.itertuples()]
    width = max(map(len, names))
    digits = max(len(value) for value, interval in cells if interval)
    lines = [
        f"{name:<{width}}  {value:<{digits}}  {interval}".rstrip()
        for name, (value, interval) in zip(names, cells, strict=True)
    ]
    threshold = dict(zip(metrics["metric"], metrics["value"], strict=True)).get("threshold")
    return "\n".join([*lines, *explain_measures(metrics["metric"], threshold, rule)])


def threshold_facts(model: BaseEstimator) -> dict[str, object]:
    """Collect the operating points of a fitted model for JSON.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model.

    Returns
    -------
    dict of str to object
        ``threshold``, ``threshold_rule``, and ``thresholds`` by sensitivity, with intervals.
    """
    from hybridlesion.pipeline import split_steps, threshold_rule

    _, classifier = split_steps(model)
    intervals = classifier.threshold_intervals_.items()
    return {
        "threshold": float(classifier.threshold_),
        "threshold_rule": threshold_rule(classifier),
        "thresholds": {at: attributes(one, "value", "low", "high") for at, one in intervals},
    }


def format_thresholds(model: BaseEstimator) -> str:
    """Format the operating points of a fitted model.

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
    lines = [f"a lesion is classified as malignant at or above {used}"]
    for at, one in classifier.threshold_intervals_.items():
        interval = f"({one.low:.4f} to {one.high:.4f})"
        lines.append(f"  {100 * at:.4g} % sensitivity from {one.value:.4f} {interval}")
    return "\n".join(lines)


def _fit_width(rows: list[_Row], head: _Row, short: _Row, width: int | None, file: str) -> str:
    """Align a table, with a short head and without intervals if it would be too wide."""
    table = align([head, *rows])
    if width is None or max(map(len, table.splitlines())) <= width:
        return table
    brief = [(name, *(cell.partition(" (")[0] for cell in cells)) for name, *cells in rows]
    return f"{align([short, *brief])}\nFor intervals see {file}, or widen the window."


def _cell(row: pd.Series, name: str, digits: int = 2) -> str:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    text = _number(value, f".{digits}f")
    if math.isnan(value) or math.isnan(low):
        return text
    return f"{text} ({low:.{digits}f}-{high:.{digits}f})"


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)


def align(rows: Sequence[_Row]) -> str:
    """Align the columns of a table.

    Parameters
    ----------
    rows : sequence of tuple of str
        Cells by row, equally many in each.

    Returns
    -------
    str
        One line per row.

    Examples
    --------
    >>> print(align([("metric", "value"), ("auc", "0.9")]))
    metric  value
    auc     0.9
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = [map(str.ljust, row, widths) for row in rows]
    return "\n".join("  ".join(cells).rstrip() for cells in padded)
