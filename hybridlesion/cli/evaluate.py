"""``hybridlesion evaluate``: scores against the truth."""

from __future__ import annotations

from typing import Annotated

import typer

from hybridlesion.cli._options import IdColumn, Malignant, OutFolder, Target, split_words

__all__ = ["evaluate"]


def evaluate(
    scores: Annotated[str, typer.Argument(metavar="SCORES", help="Table from `score`.")],
    truth: Annotated[
        list[str], typer.Option(metavar="TABLE", help="Who is malignant; repeat to join more.")
    ],
    out: OutFolder,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Operating point; else the one stored in SCORES."),
    ] = None,
    target: Target = None,
    malignant: Malignant = None,
    id_column: IdColumn = None,
) -> None:
    """Measure scores, by patient where known; writes metrics.csv, .json and .png."""
    import time

    started = time.monotonic()

    from hybridlesion._words import count_words
    from hybridlesion.cli._print import format_metrics, print_notes
    from hybridlesion.report import report_scores

    report = report_scores(
        scores,
        truth,
        out,
        threshold=threshold,
        id_column=id_column,
        target=target,
        malignant=split_words(malignant),
    )
    print_notes(report.warnings)
    typer.echo(format_metrics(report.metrics))
    names = ", ".join(path.name for path in report.paths)
    seconds = time.monotonic() - started
    rows = count_words(len(report.cases), "row")
    typer.echo(f"wrote {out}: {names}, {rows}, 0 failed, {seconds:.1f} s")
