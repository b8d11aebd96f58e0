"""``hybridlesion report``: one page on a model, its measures and its cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridlesion.cli._options import IdColumn, Jobs, Malignant, OutFolder, Target, split_words

__all__ = ["report"]


def report(
    model: Annotated[Path, typer.Argument(metavar="MODEL.joblib", help="File from `fit`.")],
    out: OutFolder,
    scores: Annotated[
        str | None,
        typer.Option(metavar="SCORES", help="Table from `score`, best with --explain."),
    ] = None,
    truth: Annotated[
        list[str] | None,
        typer.Option(metavar="TABLE", help="Who is malignant, age, sex, site; repeat to join."),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(metavar="IMAGES", help="Where the pictures are; else the paths in SCORES."),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Masks to outline; else each image is segmented."),
    ] = None,
    ablation: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="Measures of models without a part.")
    ] = None,
    cases: Annotated[int, typer.Option(min=1, help="Most lesions in the gallery.")] = 600,
    sheets: Annotated[
        int,
        typer.Option(min=0, help="Most lesions with a drawn ABCD sheet and the network's map."),
    ] = 100,
    target: Target = None,
    malignant: Malignant = None,
    id_column: IdColumn = None,
    jobs: Jobs = -1,
) -> None:
    """Write report.html: what a model learned, how well it does, where it errs, and why."""
    if truth and scores is None:
        raise typer.BadParameter("--truth needs --scores: the truth of which lesions?")

    from hybridlesion._words import count_words
    from hybridlesion.cli._print import print_notes
    from hybridlesion.cli._progress import show_progress
    from hybridlesion.report import write_page

    with show_progress("reading and drawing pictures") as progress:
        page = write_page(
            *(model, out),
            scores=scores,
            truth=truth or (),
            images=images or (),
            masks=masks,
            ablation=ablation,
            target=target,
            malignant=split_words(malignant),
            id_column=id_column,
            n_cases=cases,
            n_sheets=sheets,
            n_jobs=jobs,
            progress=progress,
        )
    print_notes(page.warnings)
    typer.echo(
        f"wrote {page.path}: {count_words(page.n_cases, 'case')}, {page.n_failed:,} failed, "
        f"{page.seconds:.1f} s"
    )
