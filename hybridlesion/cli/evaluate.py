"""``hybridlesion evaluate``: scores against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hybridlesion.cli._options import (
    AsJson,
    Benign,
    Columns,
    CostRatio,
    IdColumn,
    Malignant,
    Target,
    split_columns,
    split_words,
)
from hybridlesion.cli._outputs import OutFolder
from hybridlesion.cli._print import room, show

if TYPE_CHECKING:
    from hybridlesion.reporting import ScoreReport

__all__ = ["evaluate"]


def evaluate(
    scores: Annotated[str, typer.Argument(metavar="SCORES", help="Table from `score`.")],
    truth: Annotated[
        list[str],
        typer.Option(
            metavar="TABLE",
            help="Who is malignant; repeat to join more, as a feature table for skin tones.",
        ),
    ],
    out: OutFolder,
    against: Annotated[
        str | None,
        typer.Option(metavar="SCORES2", help="Other scores of the same images, to compare with."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="X", help="Operating point; else the one stored in SCORES."
        ),
    ] = None,
    cost_ratio: CostRatio = None,
    target: Target = None,
    malignant: Malignant = None,
    benign: Benign = None,
    id_column: IdColumn = None,
    column: Columns = None,
    bootstrap: Annotated[
        int, typer.Option(metavar="N", min=0, help="Random draws behind each interval.")
    ] = 2000,
    as_json: AsJson = False,
) -> None:
    """Measure scores against the truth: tables and figures.

    Intervals of 95 % are over patients, where patients are known. Written are
    metrics.csv, .json (all tables in one; --json prints it) and .png, operating_points.csv,
    subgroups.csv and .png, reliability.png, decision_curve.png; with --against also
    comparison.csv and .png.
    """
    import time

    started = time.monotonic()

    from hybridlesion.cli._outputs import print_json
    from hybridlesion.cli._print import print_diagnoses, print_notes
    from hybridlesion.cli._progress import show_waiting
    from hybridlesion.reporting import report_scores

    with show_waiting("measuring"):
        report = report_scores(
            scores,
            truth,
            out,
            against=against,
            threshold=threshold,
            cost_ratio=cost_ratio,
            id_column=id_column,
            columns=split_columns(column),
            target=target,
            malignant=split_words(malignant),
            benign=split_words(benign),
            n_bootstrap=bootstrap,
        )
    print_diagnoses(report.diagnoses)
    print_notes(report.warnings)
    if as_json:
        print_json(report.content)
        return
    _print_report(report)
    names = ", ".join(path.name for path in report.paths)
    seconds = time.monotonic() - started
    show(f"wrote {out}: {names}, {_rows(report)}, 0 failed, {seconds:.1f} s")


def _print_report(report: ScoreReport) -> None:
    from hybridlesion.cli._print import (
        format_comparison,
        format_metrics,
        format_operating_points,
        format_subgroups,
    )

    width = room()
    show(format_metrics(report.metrics, report.threshold_rule))
    show(f"\n{format_operating_points(report.operating_points, width)}")
    show(f"\n{format_subgroups(report.subgroups, width)}\n")
    if report.comparison is not None:
        names = (report.content["scores"], report.content["against"])
        show(f"{format_comparison(report.comparison, names, width)}\n")


def _rows(report: ScoreReport) -> str:
    from hybridlesion._formatting import count_words

    return count_words(len(report.cases), "row")
