"""``hybridlesion score``: apply a model to images or feature tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import RUNNING, argument, flag, option
from hybridlesion.cli._progress import show_progress

if TYPE_CHECKING:
    from hybridlesion.inference import LesionAnswer

_INPUTS = "Image sources of any kind, or feature tables."
_OUT = "Table of scores, .csv or .parquet; without it, one image is scored and explained."
_OF_ONE = "if one image is scored without --out."
_CACHE = "Folder that keeps features by image content, for later runs."
_CACHE_LIMIT = "Size of --cache in gigabytes; the least recently used features are removed."
_APPEND = "Keep the rows of --out; score new and changed images."
_PREVALENCE = "Expected share of malignant lesions, such as 0.02; adjusts the scores."
_EXPLAIN = "Add the reasons for each score, as text and shares."
_COVERAGE = "Add conformal sets that contain the truth for this share of new, similar lesions."
_ABSTAIN = "Withhold undecided scores at this error rate, such as 0.1, and give the reason."
_DIAGNOSES = "Add the probabilities of eight diagnoses, and the predicted one."

_FACTS = ("age", "sex", "site")
# Options that need a table of scores.
_OF_TABLES = (
    *("metadata", "id_column", "root", "column", "mapping", "cache", "cache_limit", "append"),
    *("restart", "dask", "dask_resource", "prevalence", "coverage", "abstain"),
)

_check_prevalence, _check_coverage, _check_abstain = (
    options.check_range(lambda share: 0 < share < 1, f"it must be between 0 and 1, such as {like}")
    for like in (0.02, 0.9, 0.1)
)


def score(
    context: typer.Context,
    model: options.Model,
    inputs: Annotated[list[str], argument("INPUT...", _INPUTS)],
    out: Annotated[Path | None, option("FILE", _OUT, options.TABLES)] = None,
    metadata: options.Metadata = None,
    age: Annotated[str | None, option("YEARS", f"Age of the patient, {_OF_ONE}")] = None,
    sex: Annotated[str | None, option("NAME", f"Sex of the patient, {_OF_ONE}")] = None,
    site: Annotated[str | None, option("NAME", f"Body site of the lesion, {_OF_ONE}")] = None,
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
    cache: Annotated[Path | None, option("DIR", _CACHE, group=RUNNING)] = None,
    cache_limit: Annotated[
        float | None, option("GB", _CACHE_LIMIT, min=0.001, group=RUNNING)
    ] = None,
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

    given = {name for name, value in context.params.items() if value}
    if out is None:
        _check_one(inputs, given, is_table_name)
        facts = dict(zip(_FACTS, (age, sex, site), strict=True))
        _score_one(model, inputs[0], facts, str(device), key, diagnoses, as_json)
        return
    if of_one := [f"--{name}" for name in _FACTS if name in given]:
        raise typer.BadParameter(
            f"{', '.join(of_one)} describes one image, without --out. Give a table: --metadata."
        )
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
    from hybridlesion.pipeline import split_steps

    fitted, manifest = options.load_model(model, key)
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
        typer.echo(
            f"nothing new: {out} contains every image already, and no image file has changed, "
            f"{result.seconds:.1f} s. Other age, sex or site need another --out."
        )
    else:
        at = threshold_words(used["threshold"], used["threshold_rule"])
        typer.echo(f"label 1 is a score at or above {at}")
        output.print_result(result)


def _check_one(inputs: list[str], given: set[str], is_table_name) -> None:
    if len(inputs) > 1 or is_table_name(inputs[0]):
        what = "several inputs" if len(inputs) > 1 else "a table"
        raise typer.BadParameter(f"{what} needs a table of scores to write: --out FILE.")
    if of_tables := [name for name in _OF_TABLES if name in given]:
        name = of_tables[0].replace("_", "-")
        cure = " For age, sex and site use --age, --sex and --site." if name == "metadata" else ""
        raise typer.BadParameter(f"--{name} needs --out FILE.{cure}")


def _score_one(
    model: Path,
    image: str,
    facts: dict,
    device: str,
    key: Path | None,
    diagnoses: bool,
    as_json: bool,
) -> None:
    from hybridlesion.inference import check_extras, score_image

    fitted, manifest = options.load_model(model, key)
    check_extras(fitted, diagnoses, None, None)
    answer = score_image(
        *(fitted, image), metadata=facts, training=manifest.get("training"), device=device
    )
    output.print_notes(answer.warnings)
    if as_json:
        facts = answer.to_dict() | {"model": model}
        output.print_json(facts | {"fields": list(facts)})
    else:
        output.echo(format_answer(answer, model.name))


def format_answer(answer: LesionAnswer, model: str) -> str:
    """Format the score of one lesion as text.

    Parameters
    ----------
    answer : LesionAnswer
        Result of `hybridlesion.inference.score_image`.
    model : str
        Name of the model.

    Returns
    -------
    str
        Score and threshold, reasons, similar lesions, diagnoses, applicability and the origin of
        the CNN score.
    """
    lines = [f"{answer.lesion.image_id}: score {answer.score:.3g}, {answer.verdict} of {model}"]
    if answer.reasons:
        lines += ["Reasons:", *(f"  {reason}" for reason in answer.reasons)]
    return "\n".join([*lines, *answer.details, "Research software, not a medical device."])
