"""``hybridlesion drift``: compare batches with the training rows of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import argument, option
from hybridlesion.cli._progress import show_waiting

if TYPE_CHECKING:
    import pandas as pd

_TABLES = "Score files of this model, or feature tables, which allow more checks."
_DATE = "Column of dates; rows are compared by day. Default: scored_at, if there is one."
_RATE = "Highest probability of any false alarm in this run."

_ALARM = 3


def drift(
    model: options.Model,
    tables: Annotated[list[str], argument("TABLE...", _TABLES)],
    date: Annotated[str | None, option("COLUMN", _DATE)] = None,
    rate: Annotated[float, option("RATE", _RATE, min=0.0001, max=0.5)] = 0.05,
    key: options.Key = None,
    as_json: options.AsJson = False,
) -> None:
    """Compare scores or features with the training rows.

    Exit codes: 0 no alarm, 1 refused, 2 wrong usage, 3 alarm.
    """
    from hybridlesion._formatting import count_words
    from hybridlesion.persistence import load_artifact, read_key
    from hybridlesion.reporting import detect_drift

    with show_waiting("comparing"):
        fitted = load_artifact(Path(model), key=None if key is None else read_key(key))
        result = detect_drift(fitted, tables, date=date, rate=rate)
    output.print_notes(result.notes)
    if as_json:
        facts = {
            "alarm": result.alarm,
            "rate": rate,
            "batches": result.batches.to_dict("records"),
            "checks": result.checks.to_dict("records"),
        }
        output.print_json(facts)
    else:
        output.echo(_format_batches(result.batches))
        if result.alarm:
            output.echo(f"\n{_format_alarms(result.checks)}")
        alarms = count_words(int(result.checks["alarm"].sum()), "alarm")
        checks = count_words(len(result.checks), "check")
        output.echo(f"{alarms} in {checks}; probability of any false alarm at most {rate:g}")
    if result.alarm:
        raise typer.Exit(_ALARM)


def _format_batches(batches: pd.DataFrame) -> str:
    head = ("batch", "rows", "patients", "alarms")
    rows = [
        (row.batch, f"{row.n_rows:,}", f"{row.n_groups:,}", f"{row.n_alarms:,}")
        for row in batches.itertuples()
    ]
    return output.align([head, *rows])


def _format_alarms(checks: pd.DataFrame) -> str:
    """Format the alarms, the largest first."""
    head = ("batch", "alarm", "training", "here", "distance", "p")
    alarms = checks[checks["alarm"]].sort_values(["batch", "distance"], ascending=[True, False])
    rows = []
    for row in alarms.itertuples():
        missing = row.kind == "missing"
        values = [f"{v:.0%}" if missing else f"{v:.3g}" for v in (row.training, row.observed)]
        name = f"{row.check} missing" if missing else row.check
        rows.append((row.batch, name, *values, f"{row.distance:.2f}", f"{row.p_value:.1g}"))
    return output.align([head, *rows])
