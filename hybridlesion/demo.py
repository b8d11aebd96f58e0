"""The whole road on synthetic lesions, in a few minutes and one folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

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

# One patient in so many is held out from the fit.
_HELD_OUT = 3

# The first line of the summary, by which the folder of a demo is known.
_TITLE = "# hybridlesion on synthetic lesions"

# What the names in a demo's folder begin with, those of an interrupted one included.
_OWN_FILES = (
    *("data", "features.parquet", "model.joblib", "masks", "scores.csv", "evaluation"),
    *("cases.png", "report.html", "summary.md", "."),
)


@dataclass(frozen=True)
class DemoResult:
    """What the demo found and wrote.

    Parameters
    ----------
    trained : TrainedModel
        Model of the training patients.
    held_out : ScoreReport
        Measures on patients that the model never saw.
    ceiling : float
        Highest AUC that can be expected on the lesions held out, their truth being drawn from a
        known risk.
    n_images : int
        Images drawn.
    paths : dict of str to Path
        Files worth opening, by what they are.
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
    """Draw lesions, measure them, fit, score patients held out, evaluate, and write a report.

    Parameters
    ----------
    out : str or path-like
        Folder for everything.
    n_patients : int, default=40
        Patients, at least 12; each has one to five lesions.
    n_jobs : int, default=1
        Processes; -1 takes every core.
    random_state : int, default=0
        Seed of the lesions, the folds and the bootstrap.
    step : callable, default=None
        Called with a few words before each step.
    progress : callable, default=None
        Called as ``progress(done, failed, total)`` while images are measured.

    Returns
    -------
    DemoResult
        Measures and files.

    Raises
    ------
    SourceError
        If the folder cannot be written, or holds what no demo wrote.
    """
    started = time.monotonic()
    out = Path(out)
    summary = check_writable(out / "summary.md")
    _refuse_other_files(out)
    with atomic_path(summary) as temporary:
        temporary.write_text(f"{_TITLE}\n\nThis demo is not finished.\n")
    step = step or (lambda words: None)
    step("drawing lesions")
    drawn = make_lesions(
        out / "data",
        n_patients=n_patients,
        lesions_per_patient=(1, 5),
        malignant_share=0.2,
        n_jobs=n_jobs,
        random_state=random_state,
    )
    records, training, held_out = _split(out, drawn, random_state)
    step("measuring the training patients' images")
    features = extract_features(
        records[training], out / "features.parquet", n_jobs=n_jobs, progress=progress
    )
    step("fitting")
    trained = fit_tables([features.path], n_splits=4, n_jobs=n_jobs, random_state=random_state)
    model = out / "model.joblib"
    save_artifact(model, trained.model, training=trained.facts, metrics=trained.metrics)
    step("scoring the patients held out")
    fitted, unseen, scores = load_artifact(model), records[held_out], out / "scores.csv"
    score_records(
        *(fitted, unseen, scores),
        n_jobs=n_jobs,
        masks=out / "masks",
        explain=True,
        progress=progress,
    )
    step("evaluating")
    report, sheet = _judge(out, scores, random_state)
    step("writing the report")
    page = write_page(
        *(model, out),
        scores=scores,
        truth=[out / "data" / "metadata.csv"],
        masks=out / "masks",
        n_jobs=n_jobs,
    )
    paths = {
        "the report": page.path,
        "the summary": summary,
        "the picture sheet": sheet,
        "the curves": report.paths[2],
        "the scores": scores,
        "the model": model,
    }
    risk = drawn.loc[drawn["image_id"].isin(report.cases["image_id"]), "risk"]
    seconds = time.monotonic() - started
    result = DemoResult(trained, report, auc_ceiling(risk.to_numpy()), len(drawn), paths, seconds)
    with atomic_path(summary) as temporary:
        temporary.write_text(_summarise(result))
    return result


def _refuse_other_files(out: Path) -> None:
    """Keep somebody's own model, scores and images from being overwritten."""
    names = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    other = [name for name in names if not name.startswith(_OWN_FILES)]
    summary = out / "summary.md"
    if names and not (summary.is_file() and summary.read_bytes().startswith(_TITLE.encode())):
        other = other or names
    if other:
        raise SourceError(
            f"{out} holds files of other origin, the first is {other[0]}. The demo writes a model, "
            "scores and images of its own: name a new folder, or that of an earlier demo."
        )


def _judge(out: Path, scores: Path, random_state: int) -> tuple[ScoreReport, Path]:
    """Measure the scores against the truth, and draw the cases."""
    report = report_scores(
        scores, [out / "data" / "metadata.csv"], out / "evaluation", random_state=random_state
    )
    sheet = case_sheet(
        report.cases,
        out / "cases.png",
        masks=out / "masks",
        threshold=report.threshold,
        threshold_rule=report.threshold_rule,
        title="Lesions of patients the model never saw, highest score first",
    )
    return report, sheet


def _split(
    out: Path, drawn: pd.DataFrame, random_state: int
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Read the drawn set as a user would, and hold out a third of the patients."""
    located = drawn[["image_id", "path"]]
    records = read_records([out / "data" / "metadata.csv"], images=located).frame
    folds = grouped_folds(
        records["target"].to_numpy(dtype=int),
        records["patient_id"].to_numpy(),
        n_splits=_HELD_OUT,
        random_state=random_state,
    )
    return records, folds != 0, folds == 0


def _summarise(result: DemoResult) -> str:
    facts, cases = result.trained.facts, result.held_out.cases
    rows = [
        f"| {row.metric} | {' | '.join(measure_words(row.metric, row.value, row.low, row.high))} |"
        for row in result.held_out.metrics.itertuples()
    ]
    folder = result.paths["the summary"].parent
    files = [f"- {what}: `{path.relative_to(folder)}`" for what, path in result.paths.items()]
    return "\n".join(
        [
            _TITLE,
            "",
            f"{result.n_images} lesions were drawn, with the truth from a known rule on asymmetry, "
            f"border and colour. The model learned from {facts['n_rows']} lesions of "
            f"{facts['n_patients']} patients ({facts['n_positive']} malignant) and was measured on "
            f"{len(cases)} lesions of {cases['patient_id'].nunique()} patients it never saw "
            f"({int(cases['target'].sum())} malignant).",
            "",
            f"No score can be expected to exceed an AUC of {result.ceiling:.3f} on them, since the "
            "truth was drawn by chance from the rule. With so few lesions the intervals are wide.",
            "",
            f"A lesion is called malignant from {_threshold(result.held_out)} on, by the scores of "
            "the training patients out of fold.",
            "",
            "| measure on the patients held out | value | 95 % interval |",
            "|---|---|---|",
            *rows,
            "",
            "Files in this folder:",
            "",
            *files,
            "",
            INTENDED_USE,
            "",
        ]
    )


def _threshold(report: ScoreReport) -> str:
    return threshold_words(report.threshold, report.threshold_rule)
