"""``hybridlesion fit``: feature and metadata tables to a model file."""

from __future__ import annotations

from typing import Annotated

import typer

from hybridlesion.cli._options import (
    Groups,
    IdColumn,
    Jobs,
    Malignant,
    OutFile,
    Target,
    split_words,
)

__all__ = ["fit"]


def fit(
    tables: Annotated[
        list[str],
        typer.Argument(metavar="TABLE...", help="Feature and metadata tables, joined by image id."),
    ],
    out: OutFile,
    target: Target = None,
    groups: Groups = "patient_id",
    folds: Annotated[int, typer.Option(min=2, help="Folds, grouped by patient.")] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="How often folds are drawn anew.")] = 1,
    malignant: Malignant = None,
    id_column: IdColumn = None,
    jobs: Jobs = -1,
    random_state: Annotated[int, typer.Option(min=0, help="Seed.")] = 0,
) -> None:
    """Fit a calibrated classifier, measured on patients it did not see."""
    import time

    from hybridlesion._files import check_writable

    started = time.monotonic()
    check_writable(out)

    from hybridlesion.artifact import save_artifact
    from hybridlesion.cli._print import format_metrics, print_notes, print_set_aside
    from hybridlesion.training import fit_tables

    trained = fit_tables(
        tables,
        target=target,
        groups=groups,
        malignant=split_words(malignant),
        id_column=id_column,
        n_splits=folds,
        n_seeds=seeds,
        n_jobs=jobs,
        random_state=random_state,
    )
    print_set_aside(trained.set_aside)
    print_notes(trained.warnings)
    save_artifact(out, trained.model, training=trained.facts, metrics=trained.metrics)
    facts = trained.facts
    typer.echo(
        f"Out-of-fold scores of {facts['n_rows']:,} lesions in {facts['n_groups']:,} groups, "
        f"{facts['n_positive']:,} malignant:"
    )
    typer.echo(format_metrics(trained.metrics))
    seconds = time.monotonic() - started
    typer.echo(f"wrote {out}: fitted on {facts['n_rows']:,} rows, 0 failed, {seconds:.1f} s")
