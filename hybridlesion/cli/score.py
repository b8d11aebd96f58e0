"""``hybridlesion score``: a model over images or feature tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridlesion.cli._options import (
    AsJson,
    Columns,
    Device,
    DeviceName,
    IdColumn,
    Jobs,
    Key,
    Metadata,
    Restart,
    Roots,
    split_columns,
)
from hybridlesion.cli._outputs import OutScores
from hybridlesion.cli._runner import Dask, DaskResource, TimeLimit, check_resources, choose_runner

__all__ = ["score"]


def _check_prevalence(value: float | None) -> float | None:
    if value is not None and not 0 < value < 1:
        raise typer.BadParameter(f"a prevalence lies between 0 and 1, as 0.02; got {value:g}.")
    return value


def score(
    model: Annotated[Path, typer.Argument(metavar="MODEL.joblib", help="File from `fit`.")],
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Image sources of any kind, or feature tables."),
    ],
    out: OutScores,
    metadata: Metadata = None,
    device: Device = DeviceName.auto,
    jobs: Jobs = -1,
    dask: Dask = None,
    dask_resource: DaskResource = None,
    time_limit: TimeLimit = 120.0,
    restart: Restart = False,
    id_column: IdColumn = None,
    root: Roots = None,
    column: Columns = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Keep measurements there, by image content; what is there is not measured again.",
        ),
    ] = None,
    cache_limit: Annotated[
        float | None,
        typer.Option(
            metavar="GB",
            min=0.001,
            help="Gigabytes of --cache; what was not used for longest is removed.",
        ),
    ] = None,
    append: Annotated[
        bool, typer.Option("--append", help="Keep the rows of --out; score new and changed images.")
    ] = False,
    prevalence: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            callback=_check_prevalence,
            help="Share of malignant lesions where the scores are used, as 0.02.",
        ),
    ] = None,
    key: Key = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Add the reasons of each score, in words and shares.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Score new lesions: calibrated probability of malignancy.

    Exit codes: 0 done, also if nothing was new; 1 refused, or not one image usable; 2 wrong usage.
    """
    from hybridlesion.batch import check_output
    from hybridlesion.cli._outputs import outcome, print_json
    from hybridlesion.cli._print import idle_device, print_notes, print_result
    from hybridlesion.cli._progress import show_progress

    check_resources(dask_resource, dask)
    columns = split_columns(column)
    if cache_limit is not None and cache is None:
        raise typer.BadParameter("--cache-limit needs the cache that it is for: --cache DIR.")
    check_output(out)

    from hybridlesion._formatting import threshold_words
    from hybridlesion.inference import score_inputs, threshold_in_use
    from hybridlesion.persistence import load_artifact, read_key, read_manifest
    from hybridlesion.pipeline import split_steps

    secret = None if key is None else read_key(key)
    fitted = load_artifact(model, key=secret)
    manifest = read_manifest(model, key=secret)
    featurizer, _ = split_steps(fitted)
    print_notes(idle_device(str(device), "none" if featurizer is None else featurizer.embedder))
    with show_progress("scoring") as progress:
        result = score_inputs(
            fitted,
            inputs,
            out,
            metadata=metadata or (),
            id_column=id_column,
            roots=root or (),
            columns=columns,
            training=manifest.get("training"),
            device=str(device),
            runner=choose_runner(jobs, dask, dask_resource, time_limit),
            restart=restart,
            cache=cache,
            cache_limit=cache_limit,
            append=append,
            model_id=manifest["digest"][:16],
            prevalence=prevalence,
            explain=explain,
            progress=progress,
        )
    used = threshold_in_use(fitted, manifest.get("training") or {}, prevalence)
    if as_json:
        print_json(outcome(result) | used)
    elif append and not (result.n_rows or result.n_failed):
        typer.echo(f"nothing new: {out} has every image already, {result.seconds:.1f} s")
    else:
        at = threshold_words(used["threshold"], used["threshold_rule"])
        typer.echo(f"label 1 is a score at or above {at}")
        print_result(result)
