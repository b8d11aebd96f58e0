"""Demo that runs every stage on synthetic lesions in about a minute."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hybridlesion._atomic import atomic_path, check_writable
from hybridlesion._formatting import measure_words, threshold_words
from hybridlesion.batch import extract_features
from hybridlesion.datasets import auc_ceiling, make_lesions
from hybridlesion.exceptions import SourceError
from hybridlesion.inference import score_records
from hybridlesion.metadata import read_records
from hybridlesion.model_selection import grouped_folds
from hybridlesion.persistence import INTENDED_USE, load_artifact, save_artifact
from hybridlesion.plotting import case_sheet
from hybridlesion.reporting import ScoreReport, report_scores, write_page
from hybridlesion.training import TrainedModel, fit_tables

__all__ = ["DemoResult", "run_demo"]

# One in three patients is held out from the fit.
_HELD_OUT = 3

# First line of the summary, by which the folder of a demo is recognised.
_TITLE = "# hybridlesion on synthetic lesions"

# Prefixes of the file names in the folder of a complete or interrupted demo.
_OWN_FILES = (
    *("data", "features.parquet", "model.joblib", "masks", "scores.csv", "evaluation"),
    *("cases.png", "report.html", "summary.md", "."),
)


@dataclass(frozen=True)
class DemoResult:
    """Result of `run_demo`.

    Parameters
    ----------
    trained : TrainedModel
        Model fitted to the training patients.
    held_out : ScoreReport
        Metrics on held-out patients.
    ceiling : float
        Highest AUC that can be expected on the held-out lesions, whose labels are sampled from a
        known risk.
    n_images : int
        Number of images.
    paths : dict of str to Path
        Main output files, by description.
    seconds : float
        Wall time.
    """

    trained: TrainedModel
    held_out: ScoreReport
    ceiling: float
    n_images: int
    paths: dict[str, Path]
    seconds: float


def run_demo(
    out: str | os.PathLike,
    *,
    n_patients: int = 40,
    n_jobs: int = 1,
    random_state: int = 0,
    step: Callable[[str], None] | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> DemoResult:
    """Create and measure lesions, fit and evaluate a model, and write a report.

    Parameters
    ----------
    out : str or path-like
        Output folder.
    n_patients : int, default=40
        Number of patients, at least 12; each has one to five lesions.
    n_jobs : int, default=1
        Number of processes; -1 means all cores.
    random_state : int, default=0
        Seed for the lesions, the folds and the bootstrap.
    step : callable, default=None
        Called with a description before each step.
    progress : callable, default=None
        Called as ``progress(done, failed, total)`` while images are measured.

    Returns
    -------
    DemoResult
        Metrics and files.

    Raises
    ------
    SourceError
        If the folder cannot be written to, or contains files that are not from a demo.
    """
    started = time.monotonic()
    out = Path(out)
    summary = check_writable(out / "summary.md")
    _refuse_other_files(out)
    with atomic_path(summary) as temporary:
        temporary.write_text(f"{_TITLE}\n\nThis demo is not finished.\n")
    step = step or (lambda words: None)
    step("creating synthetic lesions")
    run = {"n_jobs": n_jobs, "random_state": random_state}
    lesions = make_lesions(
        out / "data",
        n_patients=n_patients,
        lesions_per_patient=(1, 5),
        malignant_share=0.2,
        **run,
    )
    truth, masks, scores = [out / "data" / "metadata.csv"], out / "masks", out / "scores.csv"
    records = read_records(truth, images=lesions[["image_id", "path"]]).frame
    target, patient = records["target"].to_numpy(dtype=int), records["patient_id"].to_numpy()
    folds = grouped_folds(target, patient, n_splits=_HELD_OUT, random_state=random_state)
    held_out = folds == 0
    step("measuring images of the training patients")
    table = out / "features.parquet"
    extract_features(records[~held_out], table, n_jobs=n_jobs, progress=progress)
    step("fitting")
    trained = fit_tables([table], n_splits=4, **run)
    model = out / "model.joblib"
    save_artifact(model, trained.model, training=trained.facts, metrics=trained.metrics)
    step("scoring held-out patients")
    fitted, options = load_artifact(model), {"n_jobs": n_jobs, "masks": masks}
    score_records(fitted, records[held_out], scores, explain=True, progress=progress, **options)
    step("evaluating")
    report = report_scores(scores, truth, out / "evaluation", random_state=random_state)
    title = "Lesions of held-out patients, highest score first"
    rule = {"threshold": report.threshold, "threshold_rule": report.threshold_rule}
    sheet = case_sheet(report.cases, out / "cases.png", masks=masks, title=title, **rule)
    step("writing the report")
    page = write_page(model, out, scores=scores, truth=truth, **options)
    paths = {
        "the report": page.path,
        "the summary": summary,
        "the contact sheet": sheet,
        "the curves": report.paths[2],
        "the scores": scores,
        "the model": model,
    }
    risk = lesions.loc[lesions["image_id"].isin(report.cases["image_id"]), "risk"]
    ceiling, seconds = auc_ceiling(risk.to_numpy()), time.monotonic() - started
    result = DemoResult(trained, report, ceiling, len(lesions), paths, seconds)
    with atomic_path(summary) as temporary:
        temporary.write_text(_summarise(result))
    return result


def _refuse_other_files(out: Path) -> None:
    """Raise an error if a folder contains files that are not from a demo."""
    names = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    other = [name for name in names if not name.startswith(_OWN_FILES)]
    summary = out / "summary.md"
    if names and not (summary.is_file() and summary.read_bytes().startswith(_TITLE.encode())):
        other = other or names
    if other:
        raise SourceError(
            f"{out} contains unrelated files, such as {other[0]}, which the demo could replace. "
            "Choose a new folder, or one from an earlier demo."
        )


def _summarise(result: DemoResult) -> str:
    facts, held_out = result.trained.facts, result.held_out
    cases, folder = held_out.cases, result.paths["the summary"].parent
    rows = ["| metric on held-out patients | value | 95 % interval |", "|---|---|---|"]
    for row in held_out.metrics.itertuples():
        value, interval = measure_words(row.metric, row.value, row.low, row.high)
        rows.append(f"| {row.metric} | {value} | {interval} |")
    files = [f"- {what}: `{path.relative_to(folder)}`" for what, path in result.paths.items()]
    paragraphs = [
        _TITLE,
        f"The {result.n_images} lesions are synthetic; their truth is sampled from a known "
        "risk that depends on asymmetry, border and colour. The model was trained on "
        f"{facts['n_rows']} lesions of {facts['n_patients']} patients "
        f"({facts['n_positive']} malignant) and evaluated on {len(cases)} lesions of "
        f"{cases['patient_id'].nunique()} held-out patients "
        f"({int(cases['target'].sum())} malignant).",
        f"No score can be expected to exceed an AUC of {result.ceiling:.3f} on them, since the "
        "truth is random given the risk. With so few lesions the intervals are wide.",
        "Lesions are classified as malignant at or above "
        f"{threshold_words(held_out.threshold, held_out.threshold_rule)}, chosen on out-of-fold "
        "scores of the training patients.",
        "\n".join(rows),
        "Files in this folder:",
        "\n".join(files),
        f"{INTENDED_USE}\n",
    ]
    return "\n\n".join(paragraphs)
