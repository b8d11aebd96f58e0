"""``hybridlesion fit``: fit a model to feature and metadata tables."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import EXPERT, argument, ending_in, flag, option
from hybridlesion.cli._progress import show_waiting

if TYPE_CHECKING:
    import pandas as pd

    from hybridlesion.training import TrainedModel

_CnnSeen = StrEnum("_CnnSeen", ["blank", "drop", "keep"])
_Rule = StrEnum("_Rule", ["f1", "youden"])

_TABLES = "Feature and metadata tables, joined by image id."
_SEEN = "What to do with scores of a CNN trained on the row."
_SIGN = "Sign the model with the key in this file."
_OOF = "CSV for the out-of-fold scores; `evaluate` reads it."
_SPLITS = "Saved folds, or train and test parts; instead of --folds and --seeds."
_SAVE_SPLITS = "CSV or Parquet for the folds used; --splits reads it."
_AUDIT = "JSON for the leakage audit, by row."
_SENSITIVITY = "Out-of-fold sensitivity at the label threshold; default: 0.9."
_THRESHOLD = "Threshold with the highest F1 or Youden index instead of a sensitivity."
_ALLOW_LEAKS = "Fit even if the leakage audit fails."
_LEADING_SCORES = {
    "cnn__score": "diagnoses other than melanoma count as malignant, too",
    "cnn__melanoma": "no diagnosis other than melanoma counts as malignant",
}
_check_sensitivity = options.check_range(
    lambda share: 0 < share <= 1, "it must be above 0 and at most 1, such as 0.95"
)


def fit(
    tables: Annotated[list[str], argument("TABLE...", _TABLES)],
    out: options.OutModel,
    target: options.Target = None,
    groups: options.Groups = "patient_id",
    folds: Annotated[int, option("N", "Folds, grouped by patient.", min=2)] = 5,
    seeds: Annotated[
        int, option("N", "Repetitions of the cross-validation.", min=1, group=EXPERT)
    ] = 1,
    malignant: options.Malignant = None,
    benign: options.Benign = None,
    id_column: options.IdColumn = None,
    column: options.Columns = None,
    mapping: options.MappingFile = None,
    jobs: options.Jobs = -1,
    seed: options.Seed = 0,
    cnn_seen: Annotated[_CnnSeen, option("blank|drop|keep", _SEEN, group=EXPERT)] = _CnnSeen.blank,
    sign: Annotated[Path | None, option("KEYFILE", _SIGN, group=EXPERT)] = None,
    oof: Annotated[Path | None, option("FILE", _OOF, ending_in(".csv"))] = None,
    splits: Annotated[Path | None, option("FILE", _SPLITS, group=EXPERT)] = None,
    save_splits: Annotated[
        Path | None, option("FILE", _SAVE_SPLITS, options.TABLES, group=EXPERT)
    ] = None,
    audit: Annotated[Path | None, option("FILE", _AUDIT, ending_in(".json"), group=EXPERT)] = None,
    sensitivity: Annotated[float | None, option("X", _SENSITIVITY, _check_sensitivity)] = None,
    threshold: Annotated[_Rule | None, option("f1|youden", _THRESHOLD, group=EXPERT)] = None,
    cost_ratio: options.CostRatio = None,
    source: options.Source = None,
    allow_leaks: Annotated[bool, flag("--allow-leaks", _ALLOW_LEAKS, group=EXPERT)] = False,
    as_json: options.AsJson = False,
) -> None:
    """Fit a calibrated model with patient-grouped folds."""
    from hybridlesion._atomic import atomic_path, check_writable

    given = {"--sensitivity": sensitivity, "--threshold": threshold, "--cost-ratio": cost_ratio}
    rules = [name for name, value in given.items() if value is not None]
    if len(rules) > 1:
        raise typer.BadParameter(f"{' and '.join(rules)} both set the threshold: give one of them.")
    chosen = options.merge_mapping(
        mapping,
        tables,
        columns=options.split_columns(column),
        id_column=id_column,
        target_column=target,
        malignant=options.split_words(malignant),
        benign=options.split_words(benign),
    )
    for path in filter(None, (out, oof, save_splits, audit)):
        check_writable(path)

    from hybridlesion.model_selection import write_splits
    from hybridlesion.persistence import save_artifact
    from hybridlesion.training import fit_tables

    key = options.read_key(sign)
    with show_waiting("auditing for leakage, then fitting"):
        trained = fit_tables(
            tables,
            target=target,
            groups=groups,
            id_column=id_column,
            **chosen.record_options,
            n_splits=folds,
            n_seeds=seeds,
            n_jobs=jobs,
            random_state=seed,
            cnn_seen=str(cnn_seen),
            splits=splits,
            **({} if sensitivity is None else {"sensitivity": sensitivity}),
            threshold=None if threshold is None else str(threshold),
            cost_ratio=cost_ratio,
            allow_leaks=allow_leaks,
            audit=audit,
            source=source,
        )
    output.print_excluded(trained.set_aside)
    output.print_diagnoses(trained.diagnoses)
    warnings = output.print_notes(trained.warnings)
    output.echo_err("\n".join(trained.audit.lines()))
    leading = trained.facts["leading_score"]
    if leading is not None:
        why = _LEADING_SCORES[leading]
        output.echo_err(f"leading score of the network: {leading} ({why})")
    save_artifact(out, trained.model, training=trained.facts, metrics=trained.metrics, key=key)
    if oof is not None:
        with atomic_path(oof) as temporary:
            trained.out_of_fold.to_csv(temporary, index=False)
    if save_splits is not None:
        write_splits(save_splits, trained.splits)
    if as_json:
        output.print_json({"path": out, **_json_facts(trained, warnings)})
    else:
        _print_fit(trained, out)


def _json_facts(trained: TrainedModel, warnings: list[str]) -> dict[str, object]:
    from dataclasses import asdict

    return {
        **{name: trained.facts[name] for name in ("n_rows", "n_groups", "n_positive")},
        "metrics": output.metrics_by_name(trained.metrics),
        **output.threshold_facts(trained.model),
        "set_aside": trained.set_aside,
        "columns": [asdict(use) for use in trained.columns],
        "leading_score": trained.facts["leading_score"],
        "baselines": trained.facts["baselines"],
        "diagnoses": trained.diagnoses.to_dict("records"),
        "warnings": warnings,
        "audit": trained.audit.facts(),
        "sources": None if trained.sources is None else trained.sources.facts(),
    }


def _print_fit(trained: TrainedModel, out: Path) -> None:
    from hybridlesion._formatting import count_words
    from hybridlesion.pipeline import threshold_rule

    facts = trained.facts
    typer.echo(
        f"Out-of-fold scores of {count_words(facts['n_rows'], 'lesion')} in "
        f"{count_words(facts['n_groups'], 'group')}, {facts['n_positive']:,} malignant:"
    )
    output.echo(output.format_metrics(trained.metrics, threshold_rule(trained.model)))
    output.echo(output.format_thresholds(trained.model))
    output.echo(_format_baselines(trained.baselines))
    if trained.sources is not None:
        output.echo(f"\n{output.format_validation(trained.sources, output.table_width())}\n")
    output.print_written(out, f"fitted on {count_words(facts['n_rows'], 'row')}")


_BASELINES = {
    "metadata": "age, sex and site alone",
    "logistic": "logistic regression",
    "cnn": "CNN alone",
}


def _format_baselines(baselines: pd.DataFrame) -> str:
    lines = []
    for row in baselines.itertuples():
        interval = f"{row.low:+.3f} to {row.high:+.3f}"
        lines.append(
            f"  auc {row.auc_baseline:.3f} by {_BASELINES[row.baseline]}: the model's "
            f"{row.auc:.3f} is {row.difference:+.3f} ({interval})"
        )
    return "\n".join(["baselines in the same folds:", *lines]) if lines else ""
