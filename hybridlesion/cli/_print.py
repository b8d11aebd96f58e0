"""What commands say on standard output."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import typer

from hybridlesion.cli._lines import note, say

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.base import BaseEstimator

    from hybridlesion.extraction import ExtractionResult

__all__ = [
    "format_metrics",
    "format_thresholds",
    "idle_device",
    "print_diagnoses",
    "print_notes",
    "print_result",
    "print_set_aside",
]


def print_result(result: ExtractionResult, noun: str = "row") -> None:
    """Say in one line what was written, how much failed and how long it took.

    Parameters
    ----------
    result : ExtractionResult
        Outcome of the run.
    noun : str, default="row"
        What is counted, in the singular.
    """
    from hybridlesion._words import count_words

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
    from hybridlesion.cli._tables import format_diagnoses

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
        How the threshold was chosen, see `hybridlesion._words.threshold_words`.

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
    from hybridlesion._words import explain_measures, measure_words

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
    from hybridlesion._steps import split_steps, threshold_rule
    from hybridlesion._words import threshold_words

    _, classifier = split_steps(model)
    used = threshold_words(classifier.threshold_, threshold_rule(classifier))
    lines = [f"calls a lesion malignant from {used} on"]
    for sensitivity, found in classifier.threshold_intervals_.items():
        lines.append(
            f"  {sensitivity:.0%} sensitivity from {found.value:.4f} on "
            f"({found.low:.4f} to {found.high:.4f})"
        )
    return "\n".join(lines)
