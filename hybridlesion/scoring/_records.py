"""Records with images to a score file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from sklearn.base import BaseEstimator, clone

from hybridlesion._steps import split_steps
from hybridlesion.exceptions import HybridLesionError, TableError
from hybridlesion.extraction import ExtractionResult, errors_path, extract_features, read_features
from hybridlesion.scoring._files import check_score_file, write_scores
from hybridlesion.scoring._table import score_table
from hybridlesion.table import LesionFeaturizer

__all__ = ["score_records"]


def score_records(
    model: BaseEstimator,
    records: pd.DataFrame,
    out: str | os.PathLike,
    *,
    device: str | None = None,
    n_jobs: int = 1,
    restart: bool = False,
    masks: str | os.PathLike | None = None,
    explain: bool = False,
    progress: Callable[[int, int, int], None] | None = None,
) -> ExtractionResult:
    """Measure and score the images of records, and write the scores.

    Parameters
    ----------
    model : Pipeline
        Fitted pipeline of `make_hybrid_pipeline`.
    records : DataFrame of shape (n, columns)
        Records with ``image_id`` and ``path``.
    out : str or path-like
        CSV or Parquet file to write. Images that failed go to ``OUT.errors.csv``.
    device : {"auto", "cpu", "cuda"}, default=None
        Where the network runs; None keeps the model's own setting.
    n_jobs : int, default=1
        Processes that measure images; -1 takes every core.
    restart : bool, default=False
        Whether to throw away what an interrupted run left.
    masks : str or path-like, default=None
        Folder that receives every mask as ``IMAGEID_segmentation.png``; None keeps none.
    explain : bool, default=False
        Whether to write the reasons of each score beside it.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    ExtractionResult
        What was written, and how much failed.

    Raises
    ------
    HybridLesionError
        If not one image could be used.
    """
    started = time.monotonic()
    out = check_score_file(out)
    featurizer = _featurizer_for(model, device)
    # Visible beside the output until the run is whole, so that an interrupted one goes on.
    features = out.with_name(f"{out.stem}.features.parquet")
    try:
        measured = extract_features(
            records,
            features,
            featurizer=featurizer,
            n_jobs=n_jobs,
            restart=restart,
            masks=masks,
            progress=progress,
        )
    except HybridLesionError as error:
        if not errors_path(features).exists():
            raise
        errors_path(features).replace(errors_path(out))
        message = str(error).replace(str(errors_path(features)), str(errors_path(out)))
        raise HybridLesionError(message) from error
    scores = score_table(model, read_features(features)[0], explain=explain)
    write_scores(scores, out)
    features.unlink()
    errors = _take_over_errors(features, out)
    seconds = time.monotonic() - started
    return ExtractionResult(out, len(scores), measured.n_failed, errors, seconds, measured.n_reused)


def _featurizer_for(model: BaseEstimator, device: str | None) -> LesionFeaturizer:
    featurizer, _ = split_steps(model)
    if featurizer is None:
        raise TableError(
            "this model was fitted on tables alone and cannot measure images; score_table scores "
            "its tables."
        )
    featurizer = clone(featurizer)
    return featurizer if device is None else featurizer.set_params(device=device)


def _take_over_errors(features: Path, out: Path) -> Path | None:
    source, destination = errors_path(features), errors_path(out)
    return source.replace(destination) if source.exists() else None
