"""``hybridlesion report`` and ``hybridlesion inspect``: describe a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import EXPERT, flag, option
from hybridlesion.cli._progress import show_progress

_SCORES = "Table written by `score`, best with --explain."
_TRUTH = "Diagnosis, age, sex, site; repeat to join."
_AGAINST = "Other scores of these lesions, to compare with."
_IMAGES = "Image sources; default: the paths in SCORES."
_MASKS = "Folder of masks; default: images are segmented."
_ABLATION = "Metrics of models without a component."
_CASES = "Maximum number of lesions in the gallery."
_SHEETS = "Maximum number of ABCD sheets and CNN attribution maps."


def report(
    model: options.Model,
    out: options.OutFolder,
    scores: Annotated[str | None, option("SCORES", _SCORES)] = None,
    truth: Annotated[list[str] | None, option("TABLE", _TRUTH)] = None,
    against: Annotated[list[str] | None, option("SCORES", _AGAINST)] = None,
    images: Annotated[list[str] | None, option("IMAGES", _IMAGES)] = None,
    masks: Annotated[Path | None, option("DIR", _MASKS)] = None,
    ablation: Annotated[Path | None, option("TABLE", _ABLATION, group=EXPERT)] = None,
    cases: Annotated[int, option("N", _CASES, min=1, group=EXPERT)] = 600,
    sheets: Annotated[int, option("N", _SHEETS, min=0, group=EXPERT)] = 100,
    target: options.Target = None,
    malignant: options.Malignant = None,
    benign: options.Benign = None,
    id_column: options.IdColumn = None,
    column: options.Columns = None,
    source: options.Source = None,
    jobs: options.Jobs = -1,
    as_json: options.AsJson = False,
) -> None:
    """Write report.html on a model, its performance and errors."""
    on_scores = {"--truth": truth, "--images": images, "--masks": masks}
    if scores is None and (idle := [name for name, value in on_scores.items() if value]):
        raise typer.BadParameter(
            f"{idle[0]} needs --scores SCORES; without scores the report covers only the model."
        )
    of_truth: dict[str, object] = {"--target": target, "--malignant": malignant}
    of_truth |= {"--benign": benign, "--id-column": id_column, "--column": column}
    of_truth |= {"--against": against, "--source": source}
    if not truth and (idle := [name for name, value in of_truth.items() if value]):
        raise typer.BadParameter(f"{idle[0]} needs --truth TABLE.")

    from hybridlesion._formatting import count_words
    from hybridlesion.reporting import write_page

    with show_progress("reading images and drawing figures") as progress:
        page = write_page(
            *(model, out),
            scores=scores,
            truth=truth or (),
            against=against or (),
            images=images or (),
            masks=masks,
            ablation=ablation,
            target=target,
            malignant=options.split_words(malignant),
            benign=options.split_words(benign),
            id_column=id_column,
            columns=options.split_columns(column),
            source=source,
            n_cases=cases,
            n_sheets=sheets,
            n_jobs=jobs,
            progress=progress,
        )
    warnings = output.print_notes(page.warnings)
    if as_json:
        found = output.attributes(page, "path", "n_cases", "n_failed", "warnings", "seconds")
        output.print_json(found | {"warnings": warnings})
        return
    made = count_words(page.n_cases, "case")
    output.print_written(page.path, made, page.n_failed, seconds=page.seconds)


def inspect(
    model: options.Model,
    as_json: Annotated[bool, flag("--json", "Print the whole manifest.")] = False,
    key: options.Key = None,
) -> None:
    """Show the training data and the performance of a model.

    No code of the model is run.
    """
    import json

    from hybridlesion.persistence import describe_manifest, read_key, read_manifest

    manifest = read_manifest(model, key=None if key is None else read_key(key))
    typer.echo(json.dumps(manifest, indent=2) if as_json else describe_manifest(manifest))
