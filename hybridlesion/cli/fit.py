"""``hybridlesion fit``: fit a model to feature and metadata tables."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._progress import show_waiting

if TYPE_CHECKING:
    from hybridlesion.training import TrainedModel

_CnnSeen = StrEnum("_CnnSeen", ["blank", "drop", "keep"])
_Rule = StrEnum("_Rule", ["f1", "youden"])


def fit(
    tables: Annotated[
        list[str],
        typer.Argument(metavar="TABLE...", help="Feature and metadata tables, joined by image id."),
    ],
    out: options.OutModel,
    target: options.Target = None,
    groups: options.Groups = "patient_id",
    folds: Annotated[int, options.option("N", "Folds, grouped by patient.", min=2)] = 5,
    seeds: Annotated[int, options.option("N", "Repetitions of the cross-validation.", min=1)] = 1,
    malignant: options.Malignant = None,
    benign: options.Benign = None,
    id_column: options.IdColumn = None,
    column: options.Columns = None,
    jobs: options.Jobs = -1,
    random_state: options.Seed = 0,
    cnn_seen: Annotated[
        _CnnSeen,
        options.option("blank|drop|keep", "What to do with scores of a CNN trained on the row."),
    ] = _CnnSeen.blank,
    sign: Annotated[
        Path | None, options.option("KEYFILE", "Sign the model with the key in this file.")
    ] = None,
    oof: Annotated[
        Path | None,
        options.option(
            "FILE",
            "CSV for the out-of-fold scores; `evaluate` reads it.",
            callback=options.ending_in(".csv"),
        ),
    ] = None,
    splits: Annotated[
        Path | None,
        options.option(
            "FILE", "Saved folds, or train and test parts; instead of --folds and --seeds."
        ),
    ] = None,
    save_splits: Annotated[
        Path | None,
        options.option(
            "FILE",
            "CSV or Parquet for the folds used; --splits reads it.",
            callback=options.ending_in(".csv", ".parquet"),
        ),
    ] = None,
    audit: Annotated[
        Path | None,
        options.option(
            "FILE", "JSON for the leakage audit, by row.", callback=options.ending_in(".json")
        ),
    ] = None,
    sensitivity: Annotated[
        float | None,
        options.option(
            "X",
            "Out-of-fold sensitivity at the label threshold; default: 0.9.",
            callback=options.check_share("0.95", one=True),
        ),
    ] = None,
    threshold: Annotated[
        _Rule | None,
        options.option(
            "f1|youden", "Threshold with the highest F1 or Youden index instead of a sensitivity."
        ),
    ] = None,
    cost_ratio: options.CostRatio = None,
    allow_leaks: Annotated[
        bool, typer.Option("--allow-leaks", help="Fit even if the leakage audit fails.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Fit a calibrated model with patient-grouped folds."""
    import time

    from hybridlesion._atomic import atomic_path, check_writable

    started = time.monotonic()
    given = {"--sensitivity": sensitivity, "--threshold": threshold, "--cost-ratio": cost_ratio}
    rules = [name for name, value in given.items() if value is not None]
    if len(rules) > 1:
        raise typer.BadParameter(f"{' and '.join(rules)} both set the threshold: give one of them.")
    columns = options.split_columns(column)
    for path in (out, oof, save_splits, audit):
        if path is not None:
            check_writable(path)

    from hybridlesion.model_selection import write_splits
    from hybridlesion.persistence import read_key, save_artifact
    from hybridlesion.training import fit_tables

    key = None if sign is None else read_key(sign)
    with show_waiting("auditing for leakage, then fitting"):
        trained = fit_tables(
            tables,
            target=target,
            groups=groups,
            malignant=options.split_words(malignant),
            benign=options.split_words(benign),
            id_column=id_column,
            columns=columns,
            n_splits=folds,
            n_seeds=seeds,
            n_jobs=jobs,
            random_state=random_state,
            cnn_seen=str(cnn_seen),
            splits=splits,
            **({} if sensitivity is None else {"sensitivity": sensitivity}),
            threshold=None if threshold is None else str(threshold),
            cost_ratio=cost_ratio,
            allow_leaks=allow_leaks,
            audit=audit,
        )
    output.print_excluded(trained.set_aside)
    output.print_diagnoses(trained.diagnoses)
    output.print_notes(trained.warnings)
    output.echo_err("\n".join(trained.audit.lines()))
    _print_leading(trained)
    save_artifact(out, trained.model, training=trained.facts, metrics=trained.metrics, key=key)
    if oof is not None:
        with atomic_path(oof) as temporary:
            trained.out_of_fold.to_csv(temporary, index=False)
    if save_splits is not None:
        write_splits(save_splits, trained.splits)
    seconds = time.monotonic() - started
    _print_fit(trained, out, seconds, as_json)


def _print_leading(trained: TrainedModel) -> None:
    leading = trained.facts["leading_score"]
    if leading is not None:
        counted = {
            "cnn__score": "diagnoses other than melanoma count as malignant, too",
            "cnn__melanoma": "no diagnosis other than melanoma counts as malignant",
        }
        output.echo_err(f"Leading score of the network: {leading} ({counted[leading]}).")


def _print_fit(trained: TrainedModel, out: Path, seconds: float, as_json: bool) -> None:
    from dataclasses import asdict

    from hybridlesion._formatting import count_words
    from hybridlesion.pipeline import split_steps, threshold_rule

    facts, rule = trained.facts, threshold_rule(trained.model)
    if as_json:
        _, classifier = split_steps(trained.model)
        content = {
            "path": out,
            **{name: facts[name] for name in ("n_rows", "n_groups", "n_positive")},
            "metrics": output.metrics_by_name(trained.metrics),
            "threshold": float(classifier.threshold_),
            "threshold_rule": rule,
            "thresholds": {
                sensitivity: output.attributes(found, "value", "low", "high")
                for sensitivity, found in classifier.threshold_intervals_.items()
            },
            "set_aside": trained.set_aside,
            "columns": [asdict(use) for use in trained.columns],
            "leading_score": facts["leading_score"],
            "diagnoses": trained.diagnoses.to_dict("records"),
            "warnings": [output.name_options(text) for text in trained.warnings],
            "audit": trained.audit.facts(),
            "seconds": seconds,
        }
        output.print_json(content)
        return
    typer.echo(
        f"Out-of-fold scores of {count_words(facts['n_rows'], 'lesion')} in "
        f"{count_words(facts['n_groups'], 'group')}, {facts['n_positive']:,} malignant:"
    )
    output.echo(output.format_metrics(trained.metrics, rule))
    output.echo(output.format_thresholds(trained.model))
    rows = count_words(facts["n_rows"], "row")
    typer.echo(f"wrote {out}: fitted on {rows}, 0 failed, {seconds:.1f} s")
