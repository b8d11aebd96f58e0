"""``hybridlesion fit``: feature and metadata tables to a model file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridlesion.cli._options import (
    AsJson,
    Benign,
    Columns,
    CostRatio,
    Groups,
    IdColumn,
    Jobs,
    Malignant,
    Target,
    split_columns,
    split_words,
)
from hybridlesion.cli._outputs import OutModel, ending_in
from hybridlesion.cli._print import say, show

if TYPE_CHECKING:
    from hybridlesion.training import TrainedModel

__all__ = ["fit"]


def _check_sensitivity(value: float | None) -> float | None:
    if value is not None and not 0 < value <= 1:
        raise typer.BadParameter(f"a sensitivity is above 0 and up to 1, as 0.95; got {value:g}.")
    return value


class CnnSeen(StrEnum):
    """Words of ``--cnn-seen``."""

    blank = "blank"
    drop = "drop"
    keep = "keep"


class Rule(StrEnum):
    """Words of ``--threshold``."""

    f1 = "f1"
    youden = "youden"


def fit(
    tables: Annotated[
        list[str],
        typer.Argument(metavar="TABLE...", help="Feature and metadata tables, joined by image id."),
    ],
    out: OutModel,
    target: Target = None,
    groups: Groups = "patient_id",
    folds: Annotated[int, typer.Option(min=2, metavar="N", help="Folds, grouped by patient.")] = 5,
    seeds: Annotated[
        int, typer.Option(min=1, metavar="N", help="How often folds are drawn anew.")
    ] = 1,
    malignant: Malignant = None,
    benign: Benign = None,
    id_column: IdColumn = None,
    column: Columns = None,
    jobs: Jobs = -1,
    random_state: Annotated[int, typer.Option(min=0, metavar="N", help="Seed.")] = 0,
    cnn_seen: Annotated[
        CnnSeen,
        typer.Option(
            metavar="blank|drop|keep",
            help="Scores of a CNN that learned from the row: what to do.",
        ),
    ] = CnnSeen.blank,
    sign: Annotated[
        Path | None,
        typer.Option(metavar="KEYFILE", help="Sign the model with the key in this file."),
    ] = None,
    oof: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            callback=ending_in(".csv"),
            help="CSV for the out-of-fold scores; `evaluate` reads it.",
        ),
    ] = None,
    splits: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Saved folds, or parts of which test is left out; instead of --folds, --seeds.",
        ),
    ] = None,
    save_splits: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            callback=ending_in(".csv", ".parquet"),
            help="CSV or Parquet for the folds used; --splits reads it.",
        ),
    ] = None,
    audit: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            callback=ending_in(".json"),
            help="JSON for the leak audit, row by row.",
        ),
    ] = None,
    sensitivity: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            callback=_check_sensitivity,
            help="Share of malignant lesions that the label finds out of fold; 0.9 if not given.",
        ),
    ] = None,
    threshold: Annotated[
        Rule | None,
        typer.Option(
            metavar="f1|youden",
            help="Label at the highest F1 or Youden index instead of a sensitivity.",
        ),
    ] = None,
    cost_ratio: CostRatio = None,
    allow_leaks: Annotated[
        bool, typer.Option("--allow-leaks", help="Fit although the audit says: void.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fit a calibrated model, measured on patients it never saw."""
    import time

    from hybridlesion._atomic import atomic_path, check_writable

    started = time.monotonic()
    given = {"--sensitivity": sensitivity, "--threshold": threshold, "--cost-ratio": cost_ratio}
    rules = [name for name, value in given.items() if value is not None]
    if len(rules) > 1:
        raise typer.BadParameter(
            f"{' and '.join(rules)} each set the threshold of the labels: give one of them."
        )
    columns = split_columns(column)
    for path in (out, oof, save_splits, audit):
        if path is not None:
            check_writable(path)

    from hybridlesion.cli._outputs import print_json
    from hybridlesion.cli._print import print_diagnoses, print_notes, print_set_aside
    from hybridlesion.cli._progress import show_waiting
    from hybridlesion.model import SENSITIVITY
    from hybridlesion.model_selection import write_splits
    from hybridlesion.persistence import read_key, save_artifact
    from hybridlesion.training import fit_tables

    key = None if sign is None else read_key(sign)
    with show_waiting("looking for leaks, then fitting"):
        trained = fit_tables(
            tables,
            target=target,
            groups=groups,
            malignant=split_words(malignant),
            benign=split_words(benign),
            id_column=id_column,
            columns=columns,
            n_splits=folds,
            n_seeds=seeds,
            n_jobs=jobs,
            random_state=random_state,
            cnn_seen=str(cnn_seen),
            splits=splits,
            sensitivity=SENSITIVITY if sensitivity is None else sensitivity,
            threshold=None if threshold is None else str(threshold),
            cost_ratio=cost_ratio,
            allow_leaks=allow_leaks,
            audit=audit,
        )
    print_set_aside(trained.set_aside)
    print_diagnoses(trained.diagnoses)
    print_notes(trained.warnings)
    say("\n".join(trained.audit.lines()))
    save_artifact(out, trained.model, training=trained.facts, metrics=trained.metrics, key=key)
    if oof is not None:
        with atomic_path(oof) as temporary:
            trained.out_of_fold.to_csv(temporary, index=False)
    if save_splits is not None:
        write_splits(save_splits, trained.splits)
    seconds = time.monotonic() - started
    if as_json:
        print_json(_content(trained, out, seconds))
    else:
        _print_fit(trained, out, seconds)


def _content(trained: TrainedModel, out: Path, seconds: float) -> dict[str, object]:
    from dataclasses import asdict

    from hybridlesion.cli._outputs import measures
    from hybridlesion.pipeline import split_steps, threshold_rule

    _, classifier = split_steps(trained.model)
    return {
        "path": out,
        **{name: trained.facts[name] for name in ("n_rows", "n_groups", "n_positive")},
        "metrics": measures(trained.metrics),
        "threshold": float(classifier.threshold_),
        "threshold_rule": threshold_rule(classifier),
        "thresholds": {
            sensitivity: {"value": found.value, "low": found.low, "high": found.high}
            for sensitivity, found in classifier.threshold_intervals_.items()
        },
        "set_aside": trained.set_aside,
        "columns": [asdict(use) for use in trained.columns],
        "diagnoses": trained.diagnoses.to_dict("records"),
        "warnings": trained.warnings,
        "audit": trained.audit.facts(),
        "seconds": seconds,
    }


def _print_fit(trained: TrainedModel, out: Path, seconds: float) -> None:
    from hybridlesion._formatting import count_words
    from hybridlesion.cli._print import format_metrics, format_thresholds
    from hybridlesion.pipeline import threshold_rule

    facts = trained.facts
    typer.echo(
        f"Out-of-fold scores of {count_words(facts['n_rows'], 'lesion')} in "
        f"{count_words(facts['n_groups'], 'group')}, "
        f"{facts['n_positive']:,} malignant:"
    )
    show(format_metrics(trained.metrics, threshold_rule(trained.model)))
    show(format_thresholds(trained.model))
    rows = count_words(facts["n_rows"], "row")
    typer.echo(f"wrote {out}: fitted on {rows}, 0 failed, {seconds:.1f} s")
