"""``hybridlesion fit``: feature and metadata tables to a model file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
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


class CnnSeen(StrEnum):
    """Words of ``--cnn-seen``."""

    blank = "blank"
    drop = "drop"
    keep = "keep"


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
    cnn_seen: Annotated[
        CnnSeen, typer.Option(help="Scores of a CNN that learned from the row: what to do.")
    ] = CnnSeen.blank,
    sign: Annotated[
        Path | None,
        typer.Option(metavar="KEYFILE", help="Sign the model with the key in this file."),
    ] = None,
    oof: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="CSV for the out-of-fold scores; `evaluate` reads it."),
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
        typer.Option(metavar="FILE", help="CSV or Parquet for the folds used; --splits reads it."),
    ] = None,
    audit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON for the leak audit, row by row.")
    ] = None,
    cost_ratio: Annotated[
        float | None,
        typer.Option(
            min=1e-6, metavar="X", help="Call where one miss costs as much as X needless calls."
        ),
    ] = None,
    allow_leaks: Annotated[
        bool, typer.Option("--allow-leaks", help="Fit although the audit says: void.")
    ] = False,
) -> None:
    """Fit a calibrated classifier, measured on patients it did not see."""
    import time

    from hybridlesion._files import atomic_path, check_writable

    started = time.monotonic()
    check_writable(out)
    outputs = {
        "--oof": (oof, (".csv",)),
        "--save-splits": (save_splits, (".csv", ".parquet")),
        "--audit": (audit, (".json",)),
    }
    for option, (path, suffixes) in outputs.items():
        if path is None:
            continue
        if path.suffix not in suffixes or path == out:
            raise typer.BadParameter(
                f"{option} must end in {' or '.join(suffixes)} and differ from --out, got "
                f"{path.name!r}."
            )
        check_writable(path)

    from hybridlesion._words import count_words
    from hybridlesion.artifact import read_key, save_artifact
    from hybridlesion.cli._print import (
        format_metrics,
        format_thresholds,
        print_notes,
        print_set_aside,
    )
    from hybridlesion.splits import write_splits
    from hybridlesion.training import fit_tables

    key = None if sign is None else read_key(sign)
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
        cnn_seen=str(cnn_seen),
        splits=splits,
        cost_ratio=cost_ratio,
        allow_leaks=allow_leaks,
        audit=audit,
    )
    print_set_aside(trained.set_aside)
    print_notes(trained.warnings)
    typer.echo("\n".join(trained.audit.lines()), err=True)
    save_artifact(out, trained.model, training=trained.facts, metrics=trained.metrics, key=key)
    if oof is not None:
        with atomic_path(oof) as temporary:
            trained.out_of_fold.to_csv(temporary, index=False)
    if save_splits is not None:
        write_splits(save_splits, trained.splits)
    facts = trained.facts
    typer.echo(
        f"Out-of-fold scores of {count_words(facts['n_rows'], 'lesion')} in "
        f"{count_words(facts['n_groups'], 'group')}, "
        f"{facts['n_positive']:,} malignant:"
    )
    typer.echo(format_metrics(trained.metrics))
    typer.echo(format_thresholds(trained.model))
    seconds = time.monotonic() - started
    rows = count_words(facts["n_rows"], "row")
    typer.echo(f"wrote {out}: fitted on {rows}, 0 failed, {seconds:.1f} s")
