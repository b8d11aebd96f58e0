"""``hybridlesion evaluate``, ``report`` and ``inspect``: describe scores and models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import EXPERT, argument, flag, option
from hybridlesion.cli._progress import show_progress, show_waiting

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
            (row.by, f"{100 * row.error_left_out:.1f} %", f"{100 * row.error:.1f} %")
            for row in tenth.itertuples()
        ]
        output.echo(f"{output.align(rows)}\n")
    if report.comparison is not None:
        names = (report.content["scores"], report.content["against"])
        output.echo(f"{output.format_comparison(report.comparison, names, width)}\n")
    files, rows = ", ".join(path.name for path in report.paths), len(report.cases)
    seconds = output.elapsed_seconds()
    output.echo(f"wrote {out}: {files}, {count_words(rows, 'row')}, 0 failed, {seconds:.1f} s")


_SCORES = "Table written by `score`, best with --explain."
_REPORT_TRUTH = "Diagnosis, age, sex, site; repeat to join."
_OTHERS = "Other scores of these lesions, to compare with."
_IMAGES = "Image sources; default: the paths in SCORES."
_MASKS = "Folder of masks; default: images are segmented."
_ABLATION = "Metrics of models without a component."
_CASES = "Maximum number of lesions in the gallery."
_SHEETS = "Maximum number of ABCD sheets and CNN attribution maps."


def report(
    model: options.Model,
    out: options.OutFolder,
    scores: Annotated[str | None, option("SCORES", _SCORES)] = None,
    truth: Annotated[list[str] | None, option("TABLE", _REPORT_TRUTH)] = None,
    against: Annotated[list[str] | None, option("SCORES", _OTHERS)] = None,
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
    key: options.Key = None,
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
            key=options.read_key(key),
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

    from hybridlesion.persistence import describe_manifest, read_manifest

    manifest = read_manifest(model, key=options.read_key(key))
    typer.echo(json.dumps(manifest, indent=2) if as_json else describe_manifest(manifest))
