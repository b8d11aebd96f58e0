"""``hybridlesion recalibrate`` and ``hybridlesion drift``: a model at another site, or later."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import EXPERT, argument, option
from hybridlesion.cli._progress import show_waiting

if TYPE_CHECKING:
    import pandas as pd

    from hybridlesion.model import Recalibration
    from hybridlesion.reporting import DriftResult

_SCORES = "Scores of the lesions, written by `score` with this model."
_TRUTH = "Diagnoses; repeat to join more."
_SIGN = "Sign the new model with the key in this file."
_WIDTH = "Wanted width of the interval of the sensitivity."


def recalibrate(
    model: options.Model,
    scores: Annotated[str, argument("SCORES", _SCORES)],
    truth: Annotated[list[str], option("TABLE", _TRUTH)],
    out: options.OutModel,
    width: Annotated[float, option("X", _WIDTH, min=0.01, max=1, group=EXPERT)] = 0.2,
    target: options.Target = None,
    malignant: options.Malignant = None,
    benign: options.Benign = None,
    id_column: options.IdColumn = None,
    column: options.Columns = None,
    key: options.Key = None,
    sign: Annotated[Path | None, option("KEYFILE", _SIGN, group=EXPERT)] = None,
    as_json: options.AsJson = False,
) -> None:
    """Recalibrate a model on labelled lesions of another site.

    Takes 50 to 500 lesions, moves the thresholds and keeps the ranking. The new file also contains
    the original calibration; MODEL is not changed.
    """
    from hybridlesion._formatting import count_words
    from hybridlesion.model import malignant_for_width
    from hybridlesion.pipeline import split_steps
    from hybridlesion.reporting import recalibrate_model

    with show_waiting("recalibrating"):
        result = recalibrate_model(
            *(model, scores, truth, out),
            id_column=id_column,
            columns=options.split_columns(column),
            target=target,
            malignant=options.split_words(malignant),
            benign=options.split_words(benign),
            key=options.read_key(key),
            sign=options.read_key(sign),
        )
    output.print_diagnoses(result.diagnoses)
    output.print_notes(result.warnings)
    classifier = split_steps(result.model)[1]
    recalibration = classifier.recalibration_
    sensitivity = classifier.sensitivity
    needed = malignant_for_width(width, sensitivity=sensitivity)
    n_rows, n_positive = recalibration.n_rows, recalibration.n_positive
    lesions = -(-needed * n_rows // n_positive)
    if as_json:
        facts = {
            "path": result.path,
            "recalibration": recalibration.facts(),
            **output.threshold_facts(classifier),
            "needed": {"width": width, "n_positive": needed, "n_rows": lesions},
        }
        output.print_json(facts)
        return
    output.echo("\n".join(_lines(recalibration)))
    output.echo(output.format_thresholds(classifier))
    output.echo(
        f"For a 95 % interval of a sensitivity of {100 * sensitivity:.4g} % no wider than "
        f"{width:g}, {count_words(needed, 'malignant lesion')} are needed, about {lesions:,} "
        f"lesions at this share; these are {n_positive:,} of {n_rows:,}."
    )
    output.echo("Evaluate the new model on other lesions than these.")
    output.print_written(out, f"recalibrated on {count_words(n_rows, 'lesion')}")


def _lines(recalibration: Recalibration) -> list[str]:
    """Describe the choice, and the scores before."""
    from hybridlesion._formatting import count_words, measure_words

    r, found = recalibration, recalibration.before.set_index("metric")
    names = {"auc": "AUC", "recall": "sensitivity", "specificity": "specificity"}
    cells = {name: measure_words(name, *found.loc[name]) for name in names}
    measured = [f"{names[name]} {value} ({low})" for name, (value, low) in cells.items()]
    return [
        f"{count_words(r.n_rows, 'lesion')} in {count_words(r.n_groups, 'group')}, "
        f"{r.n_positive:,} malignant. At the threshold before ({r.threshold:.4g}): "
        f"{', '.join(measured)}",
        "map        log loss, cross-validated",
        *(
            f"{name:<9}  {loss:.4f}{'  chosen' if name == r.method else ''}"
            for name, loss in r.log_loss.items()
        ),
        *_explain_choice(recalibration),
    ]


def _explain_choice(recalibration: Recalibration) -> list[str]:
    """Say why the map of lowest loss was not chosen, if so."""
    lowest = min(recalibration.log_loss, key=recalibration.log_loss.__getitem__)
    if lowest == recalibration.method:
        return []
    return [
        f"{lowest} has a lower loss, but is not chosen: it gains less than two standard errors "
        "over the intercept, or would flatten scores that do not rank these lesions."
    ]


_TABLES = "Score files of this model, or feature tables, which allow more checks."
_DATE = "Column of dates; compares each day, or as many as 50 rows take. Default: scored_at."
_FALSE_ALARMS = "Highest probability of any false alarm in this run."

_ALARM = 3


def drift(
    model: options.Model,
    tables: Annotated[list[str], argument("TABLE...", _TABLES)],
    date: Annotated[str | None, option("COLUMN", _DATE)] = None,
    rate: Annotated[float, option("RATE", _FALSE_ALARMS, min=0.0001, max=0.5)] = 0.05,
    key: options.Key = None,
    as_json: options.AsJson = False,
) -> None:
    """Compare scores or features with the training rows.

    Exit codes: 0 no alarm, 1 refused, 2 wrong usage, 3 alarm.
    """
    from hybridlesion._formatting import count_words
    from hybridlesion.persistence import load_artifact
    from hybridlesion.reporting import detect_drift

    with show_waiting("comparing"):
        fitted = load_artifact(model, key=options.read_key(key))
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
        output.echo(_format_batches(result))
        if result.alarm:
            output.echo(f"\n{_format_alarms(result.checks)}")
        alarms = count_words(int(result.checks["alarm"].sum()), "alarm")
        checks = count_words(len(result.checks), "check")
        output.echo(f"{alarms} in {checks}; probability of any false alarm at most {rate:g}")
    if result.alarm:
        raise typer.Exit(_ALARM)


def _format_batches(result: DriftResult) -> str:
    head = ("batch", "rows", result.unit, "alarms")
    rows = [
        (row.batch, f"{row.n_rows:,}", f"{row.n_groups:,}", f"{row.n_alarms:,}")
        for row in result.batches.itertuples()
    ]
    return output.align([head, *rows])


def _format_alarms(checks: pd.DataFrame) -> str:
    """Format the alarms, the largest first."""
    head = ("batch", "alarm", "training", "here", "distance", "p")
    alarms = checks[checks["alarm"]].sort_values(["batch", "distance"], ascending=[True, False])
    rows = []
    for row in alarms.itertuples():
        missing = row.kind == "missing"
        values = [
            f"{100 * v:.0f} %" if missing else f"{v:.3g}" for v in (row.training, row.observed)
        ]
        name = f"{row.check} missing" if missing else row.check
        rows.append((row.batch, name, *values, f"{row.distance:.2f}", f"{row.p_value:.1g}"))
    return output.align([head, *rows])
