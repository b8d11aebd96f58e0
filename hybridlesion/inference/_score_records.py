"""Records with images to a score file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from sklearn.base import BaseEstimator, clone

from hybridlesion.batch import ExtractionResult, Runner
from hybridlesion.batch._lock import locked
from hybridlesion.batch._output import Target, check_originals
from hybridlesion.exceptions import TableError
from hybridlesion.featurizer import LesionFeaturizer, check_records
from hybridlesion.inference._cache import check_cache_limit
from hybridlesion.inference._features import Measured, Measuring
from hybridlesion.inference._output import (
    check_score_file,
    refuse_names,
    write_failures,
    write_scores,
)
from hybridlesion.inference._score_table import score_table
from hybridlesion.pipeline import split_steps

__all__ = ["measure_records", "score_records"]

Progress = Callable[[int, int, int], None]


def score_records(
    model: BaseEstimator,
    records: pd.DataFrame,
    out: str | os.PathLike,
    *,
    device: str | None = None,
    n_jobs: int = 1,
    runner: Runner | None = None,
    restart: bool = False,
    masks: str | os.PathLike | None = None,
    cache: str | os.PathLike | None = None,
    cache_limit: float | None = None,
    explain: bool = False,
    progress: Progress | None = None,
) -> ExtractionResult:
    """Measure and score the images of records, and write the scores.

    Parameters
    ----------
    model : Pipeline
        Fitted pipeline of `make_hybrid_pipeline`.
    records : DataFrame of shape (n, columns)
        Records with ``image_id`` and ``path``, of pandas or polars; read as by `LesionFeaturizer`.
    out : str or path-like
        CSV or Parquet file to write. Images that failed go to ``OUT.errors.csv``.
    device : {"auto", "cpu", "cuda"}, default=None
        Where the network runs; None keeps the model's own setting.
    n_jobs : int, default=1
        Processes that measure images; -1 takes every core.
    runner : Runner, default=None
        Who measures images, for example `DaskRunner`; None starts `n_jobs` processes.
    restart : bool, default=False
        Whether to throw away what an interrupted run left.
    masks : str or path-like, default=None
        Folder that receives every mask as ``IMAGEID_segmentation.png``; None keeps none.
    cache : str or path-like, default=None
        Folder of measurements by image content, read and added to; None keeps none.
    cache_limit : float, default=None
        Gigabytes that the cache may take; what was not used for longest goes. None sets no limit.
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
    SourceError
        If `out` cannot be written, is one of the images, or another run is writing it; or if a
        file of other origin is called ``OUT.errors.csv``, ``OUT.lock`` or ``OUT.shards``.
    HybridLesionError
        If not one image could be used.
    """
    started = time.monotonic()
    check_cache_limit(cache_limit, cache)
    target = Target(check_score_file(out))
    out = target.path
    check_originals(target.local_files(), records.get("path", ()))
    target.make_folder()
    with locked(target.place, target.name):
        measured = measure_records(
            model,
            records,
            out,
            device=device,
            n_jobs=n_jobs,
            runner=runner,
            restart=restart,
            masks=masks,
            cache=cache,
            cache_limit=cache_limit,
            progress=progress,
        )
        errors = write_failures(out, measured.failures, len(measured.table))
        scores = score_table(model, measured.table, explain=explain)
        write_scores(scores, out)
    seconds = time.monotonic() - started
    n_failed = len(measured.failures)
    return ExtractionResult(out, len(scores), n_failed, errors, seconds, measured.n_reused)


def measure_records(
    model: BaseEstimator,
    records: pd.DataFrame,
    out: Path,
    *,
    device: str | None = None,
    n_jobs: int = 1,
    runner: Runner | None = None,
    restart: bool = False,
    masks: str | os.PathLike | None = None,
    cache: str | os.PathLike | None = None,
    cache_limit: float | None = None,
    progress: Progress | None = None,
    digests: Sequence[str | None] | None = None,
) -> Measured:
    """Measure records as a model wants them.

    Parameters
    ----------
    model : Pipeline
        Fitted pipeline.
    records : DataFrame of shape (n, columns)
        Records with ``image_id`` and ``path``.
    out : Path
        The score file to come; measurements wait in ``OUT.shards`` beside it.
    device, n_jobs, runner, restart, masks, cache, cache_limit, progress : object, optional
        See `score_records`.
    digests : sequence of str or None, default=None
        SHA-256 of each image, if it is known.

    Returns
    -------
    Measured
        Measurements and failures, ids that would do harm among them.
    """
    harmless, refused = refuse_names(check_records(records), out)
    if digests is not None:
        kept = records.index.isin(harmless.index)
        digests = [digest for digest, keep in zip(digests, kept, strict=True) if keep]
    if harmless.empty:
        return Measured(harmless, refused, 0)
    measuring = Measuring(
        _featurizer_for(model, device),
        out,
        cache=None if cache is None else Path(cache),
        cache_limit=cache_limit,
        n_jobs=n_jobs,
        runner=runner,
        restart=restart,
        masks=masks,
        progress=progress,
    )
    measured = measuring.measure(harmless, digests)
    return Measured(measured.table, [*refused, *measured.failures], measured.n_reused)


def _featurizer_for(model: BaseEstimator, device: str | None) -> LesionFeaturizer:
    featurizer, _ = split_steps(model)
    if featurizer is None:
        raise TableError(
            "this model was fitted on tables alone and cannot measure images; score_table scores "
            "its tables."
        )
    featurizer = clone(featurizer)
    return featurizer if device is None else featurizer.set_params(device=device)
