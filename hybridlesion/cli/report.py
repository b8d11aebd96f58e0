"""``hybridlesion report``: one page on a model, its measures and its cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridlesion.cli._options import AsJson, Benign, IdColumn, Jobs, Malignant, Target, split_words
from hybridlesion.cli._outputs import OutFolder

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
    cases: Annotated[
        int, typer.Option(min=1, metavar="N", help="Most lesions in the gallery.")
    ] = 600,
    sheets: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="Most lesions with a drawn ABCD sheet and the network's map."
        ),
    ] = 100,
    target: Target = None,
    malignant: Malignant = None,
    benign: Benign = None,
    id_column: IdColumn = None,
    jobs: Jobs = -1,
    as_json: AsJson = False,
) -> None:
    """Write report.html: what a model learned and where it errs."""
    _refuse_idle(
        scores is None,
        {"--truth": truth, "--images": images, "--masks": masks},
        "--scores SCORES, which says of which lesions; without it the report shows the model alone",
    )
    _refuse_idle(
        not truth,
        {
            "--target": target,
            "--malignant": malignant,
            "--benign": benign,
            "--id-column": id_column,
        },
        "--truth TABLE, which has that column",
    )

    from hybridlesion._formatting import count_words
    from hybridlesion.cli._outputs import print_json
    from hybridlesion.cli._print import print_notes
    from hybridlesion.cli._progress import show_progress
    from hybridlesion.reporting import write_page

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
            benign=split_words(benign),
            id_column=id_column,
            n_cases=cases,
            n_sheets=sheets,
            n_jobs=jobs,
            progress=progress,
        )
    print_notes(page.warnings)
    if as_json:
        names = ("path", "n_cases", "n_failed", "warnings", "seconds")
        print_json({name: getattr(page, name) for name in names})
        return
    typer.echo(
        f"wrote {page.path}: {count_words(page.n_cases, 'case')}, {page.n_failed:,} failed, "
        f"{page.seconds:.1f} s"
    )


def _refuse_idle(missing: bool, given: dict[str, object], needed: str) -> None:
    """Refuse options that would do nothing without another one."""
    idle = [option for option, value in given.items() if value]
    if missing and idle:
        raise typer.BadParameter(f"{idle[0]} needs {needed}.")
