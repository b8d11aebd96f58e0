"""``hybridlesion score``: apply a model to images or feature tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import argument, flag, option
from hybridlesion.cli._progress import show_progress

_INPUTS = "Image sources of any kind, or feature tables."
_CACHE = "Folder that keeps features by image content, for later runs."
_CACHE_LIMIT = "Size of --cache in gigabytes; the least recently used features are removed."
_APPEND = "Keep the rows of --out; score new and changed images."
_PREVALENCE = "Expected share of malignant lesions, such as 0.02; adjusts the scores."
_EXPLAIN = "Add the reasons for each score, as text and shares."
_COVERAGE = "Add conformal sets that contain the truth for this share of new, similar lesions."
_ABSTAIN = "Leave out scores that do not decide at this error, such as 0.1, with the reason."
_DIAGNOSES = "Add the probabilities of eight diagnoses, and the predicted one."

_check_prevalence, _check_coverage, _check_abstain = (
    options.check_range(lambda share: 0 < share < 1, f"it must be between 0 and 1, such as {like}")
    for like in (0.02, 0.9, 0.1)
)


def score(
    model: options.Model,
    inputs: Annotated[list[str], argument("INPUT...", _INPUTS)],
    out: options.OutScores,
    metadata: options.Metadata = None,
    device: options.Device = options.DeviceName.auto,
    jobs: options.Jobs = -1,
    dask: options.Dask = None,
    dask_resource: options.DaskResource = None,
    time_limit: options.TimeLimit = 120.0,
    restart: options.Restart = False,
    id_column: options.IdColumn = None,
    root: options.Roots = None,
    column: options.Columns = None,
    mapping: options.MappingFile = None,
    cache: Annotated[Path | None, option("DIR", _CACHE)] = None,
    cache_limit: Annotated[float | None, option("GB", _CACHE_LIMIT, min=0.001)] = None,
    append: Annotated[bool, flag("--append", _APPEND)] = False,
    prevalence: Annotated[float | None, option("SHARE", _PREVALENCE, _check_prevalence)] = None,
    key: options.Key = None,
    explain: Annotated[bool, flag("--explain", _EXPLAIN)] = False,
    diagnoses: Annotated[bool, flag("--diagnoses", _DIAGNOSES)] = False,
    coverage: Annotated[float | None, option("SHARE", _COVERAGE, _check_coverage)] = None,
    abstain: Annotated[float | None, option("ERROR", _ABSTAIN, _check_abstain)] = None,
    as_json: options.AsJson = False,
) -> None:
    """Score new lesions: calibrated probability of malignancy.

    --coverage and --abstain hold in each class for lesions like those of the training site or,
    after `recalibrate`, of yours. Rows without a score remain, with applicability_reason.
    Exit codes: 0 done, even if nothing was new; 1 refused, or no usable image; 2 wrong usage.
    """
    from hybridlesion.batch import check_output
    from hybridlesion.io import is_table_name

    runner = options.choose_runner(jobs, dask, dask_resource, time_limit)
    chosen = options.merge_mapping(
        mapping,
        [*(metadata or ()), *filter(is_table_name, inputs)],
        labels=False,
        columns=options.split_columns(column),
        id_column=id_column,
        roots=root,
    )
    if cache_limit is not None and cache is None:
        raise typer.BadParameter("--cache-limit needs a cache: --cache DIR.")
    check_output(out)

    from hybridlesion._formatting import threshold_words
    from hybridlesion.inference import score_inputs, threshold_in_use
    from hybridlesion.persistence import load_artifact, read_key, read_manifest
    from hybridlesion.pipeline import split_steps

    secret = None if key is None else read_key(key)
    fitted = load_artifact(model, key=secret)
    manifest = read_manifest(model, key=secret)
    featurizer, _ = split_steps(fitted)
    output.check_device(str(device), "none" if featurizer is None else featurizer.embedder)
    with show_progress("scoring") as progress:
        result = score_inputs(
            *(fitted, inputs, out),
            metadata=metadata or (),
            id_column=id_column,
            roots=chosen.roots,
            columns=chosen.columns or None,
            training=manifest.get("training"),
            device=str(device),
            runner=runner,
            restart=restart,
            cache=cache,
            cache_limit=cache_limit,
            append=append,
            model_id=manifest["digest"][:16],
            prevalence=prevalence,
            explain=explain,
            diagnoses=diagnoses,
            coverage=coverage,
            abstain=abstain,
            progress=progress,
        )
    used = threshold_in_use(fitted, manifest.get("training") or {}, prevalence)
    if as_json:
        unscored = output.attributes(result, "n_unscored", "reasons")
        output.print_json(output.run_facts(result) | unscored | used)
    elif append and not (result.n_rows or result.n_failed):
        typer.echo(f"nothing new: {out} contains every image already, {result.seconds:.1f} s")
    else:
        at = threshold_words(used["threshold"], used["threshold_rule"])
        typer.echo(f"label 1 is a score at or above {at}")
        output.print_result(result)
