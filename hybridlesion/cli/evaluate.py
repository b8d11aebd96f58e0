"""``hybridlesion evaluate``: compare scores with the truth."""

from __future__ import annotations

from typing import Annotated

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import EXPERT, argument, option
from hybridlesion.cli._progress import show_waiting

_TRUTH = "Diagnoses; repeat to join more, such as a feature table for skin tones."
_AGAINST = "Other scores of the same images, to compare with."
_THRESHOLD = "Threshold; default: the one in SCORES."


def evaluate(
    scores: Annotated[str, argument("SCORES", "Table written by `score`.")],
    truth: Annotated[list[str], option("TABLE", _TRUTH)],
    out: options.OutFolder,
    against: Annotated[str | None, option("SCORES2", _AGAINST)] = None,
    threshold: Annotated[float | None, option("X", _THRESHOLD, min=0, max=1)] = None,
    cost_ratio: options.CostRatio = None,
    target: options.Target = None,
    malignant: options.Malignant = None,
    benign: options.Benign = None,
    id_column: options.IdColumn = None,
    column: options.Columns = None,
    source: options.Source = None,
    bootstrap: Annotated[
        int, option("N", "Bootstrap samples for each interval.", min=0, group=EXPERT)
    ] = 2000,
    as_json: options.AsJson = False,
) -> None:
    """Measure scores against the truth: tables and figures.

    The 95 % intervals resample patients, if patients are known. Output:
    metrics.csv, .json (all tables in one; --json prints it) and .png, operating_points.csv,
    subgroups.csv and .png, reliability.png, decision_curve.png; with --against also
    comparison.csv and .png, for scores with diagnoses by_diagnosis.csv, confusion.csv and .png,
    with --source sources.csv: means over the sources and what to expect at a new one;
    for scores with applicability or confidence selective_risk.csv and .png.
    """
    from hybridlesion._formatting import count_words
    from hybridlesion.reporting import report_scores

    with show_waiting("evaluating"):
        report = report_scores(
            *(scores, truth, out),
            against=against,
            threshold=threshold,
            cost_ratio=cost_ratio,
            id_column=id_column,
            columns=options.split_columns(column),
            target=target,
            malignant=options.split_words(malignant),
            benign=options.split_words(benign),
            source=source,
            n_bootstrap=bootstrap,
        )
    output.print_diagnoses(report.diagnoses)
    output.print_notes(report.warnings)
    if as_json:
        output.print_json({"path": out, "files": list(report.paths), **report.content})
        return
    width = output.table_width()
    output.echo(output.format_metrics(report.metrics, report.threshold_rule))
    if report.by_diagnosis is not None:
        output.echo(f"\n{output.format_metrics(report.by_diagnosis)}")
    output.echo(f"\n{output.format_operating_points(report.operating_points, width)}")
    output.echo(f"\n{output.format_subgroups(report.subgroups, width)}\n")
    if report.sources is not None:
        output.echo(f"{output.format_sources(report.sources)}\n")
    if report.selective_risk is not None:
        tenth = report.selective_risk.query("coverage == 0.9")
        output.echo("wrong labels: in the tenth of lowest certainty, in the others")
        rows = [
            (row.by, f"{row.error_left_out:.1%}", f"{row.error:.1%}") for row in tenth.itertuples()
        ]
        output.echo(f"{output.align(rows)}\n")
    if report.comparison is not None:
        names = (report.content["scores"], report.content["against"])
        output.echo(f"{output.format_comparison(report.comparison, names, width)}\n")
    files, rows = ", ".join(path.name for path in report.paths), len(report.cases)
    seconds = output.elapsed_seconds()
    output.echo(f"wrote {out}: {files}, {count_words(rows, 'row')}, 0 failed, {seconds:.1f} s")
