"""``hybridlesion report``: present a model, its performance and its cases on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._progress import show_progress


def report(
    model: options.Model,
    out: options.OutFolder,
    scores: Annotated[
        str | None, options.option("SCORES", "Table written by `score`, best with --explain.")
    ] = None,
    truth: Annotated[
        list[str] | None, options.option("TABLE", "Diagnosis, age, sex, site; repeat to join.")
    ] = None,
    images: Annotated[
        list[str] | None, options.option("IMAGES", "Image sources; default: the paths in SCORES.")
    ] = None,
    masks: Annotated[
        Path | None, options.option("DIR", "Folder of masks; default: images are segmented.")
    ] = None,
    ablation: Annotated[
        Path | None, options.option("TABLE", "Metrics of models without a component.")
    ] = None,
    cases: Annotated[
        int, options.option("N", "Maximum number of lesions in the gallery.", min=1)
    ] = 600,
    sheets: Annotated[
        int, options.option("N", "Maximum number of ABCD sheets and CNN attribution maps.", min=0)
    ] = 100,
    target: options.Target = None,
    malignant: options.Malignant = None,
    benign: options.Benign = None,
    id_column: options.IdColumn = None,
    jobs: options.Jobs = -1,
    as_json: options.AsJson = False,
) -> None:
    """Write report.html on a model, its performance and errors."""
    on_scores = {"--truth": truth, "--images": images, "--masks": masks}
    if scores is None and (idle := [name for name, value in on_scores.items() if value]):
        raise typer.BadParameter(
            f"{idle[0]} needs --scores SCORES; without scores the report covers only the model."
        )
    of_truth = {"--target": target, "--malignant": malignant, "--benign": benign}
    of_truth["--id-column"] = id_column
    if not truth and (idle := [name for name, value in of_truth.items() if value]):
        raise typer.BadParameter(f"{idle[0]} needs --truth TABLE.")

    from hybridlesion._formatting import count_words
    from hybridlesion.reporting import write_page

    with show_progress("reading images and drawing figures") as progress:
        page = write_page(
            *(model, out),
            scores=scores,
            truth=truth or (),
            images=images or (),
            masks=masks,
            ablation=ablation,
            target=target,
            malignant=options.split_words(malignant),
            benign=options.split_words(benign),
            id_column=id_column,
            n_cases=cases,
            n_sheets=sheets,
            n_jobs=jobs,
            progress=progress,
        )
    output.print_notes(page.warnings)
    if as_json:
        found = output.attributes(page, "path", "n_cases", "n_failed", "warnings", "seconds")
        output.print_json(
            found | {"warnings": [output.name_options(text) for text in page.warnings]}
        )
        return
    typer.echo(
        f"wrote {page.path}: {count_words(page.n_cases, 'case')}, {page.n_failed:,} failed, "
        f"{page.seconds:.1f} s"
    )
