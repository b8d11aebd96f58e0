"""Whatever a user names, images or feature tables, to a score file."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion._atomic import check_apart, check_writable
from hybridlesion._formatting import count_words
from hybridlesion.batch import ExtractionResult, Runner
from hybridlesion.batch._lock import locked
from hybridlesion.batch._output import Target, check_originals
from hybridlesion.exceptions import OptionError
from hybridlesion.inference._append import GrowingScores
from hybridlesion.inference._cache import check_cache_limit, hash_images
from hybridlesion.inference._features import Measured
from hybridlesion.inference._inputs import find_rows
from hybridlesion.inference._output import (
    check_score_file,
    refuse_names,
    write_failures,
    write_scores,
)
from hybridlesion.inference._score_records import measure_records
from hybridlesion.inference._score_table import (
    move_scores,
    score_table,
    trained_prevalence,
    uses_context,
)
from hybridlesion.leakage import membership_warning
from hybridlesion.pipeline import split_steps

__all__ = ["score_inputs"]


def score_inputs(
    model: BaseEstimator,
    inputs: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    metadata: Sequence[str | os.PathLike] = (),
    id_column: str | None = None,
    roots: Sequence[str | os.PathLike] = (),
    columns: Mapping[str, str] | None = None,
    training: Mapping[str, object] | None = None,
    device: str | None = None,
    n_jobs: int = 1,
    runner: Runner | None = None,
    restart: bool = False,
    cache: str | os.PathLike | None = None,
    cache_limit: float | None = None,
    append: bool = False,
    model_id: str | None = None,
    prevalence: float | None = None,
    explain: bool = False,
    progress: Callable[[int, int, int], None] | None = None,
) -> ExtractionResult:
    """Score images, or the rows of feature tables, and write the scores.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model, for example from `load_artifact`.
    inputs : sequence of str or path-like
        Image sources of any kind, or feature tables; not both at once.
    out : str or path-like
        CSV or Parquet file to write. Images that failed go to ``OUT.errors.csv``.
    metadata : sequence of str or path-like, default=()
        Tables with age, sex, site and patient; an image without a record is scored all the same.
    id_column : str, default=None
        Column of the tables that names the image; None finds it.
    roots : sequence of str or path-like, default=()
        Folders, besides that of a table of paths, in which its images may lie.
    columns : mapping of str to str, default=None
        Names that the tables use, by the record column that each stands for.
    training : mapping, default=None
        What the manifest says of the training; None cannot tell rows that were learned from.
    device : {"auto", "cpu", "cuda"}, default=None
        Where the network runs; None keeps the model's own setting.
    n_jobs : int, default=1
        Processes that measure images; -1 takes every core.
    runner : Runner, default=None
        Who measures images, for example `DaskRunner`; None starts `n_jobs` processes.
    restart : bool, default=False
        Whether to throw away what an interrupted run left.
    cache : str or path-like, default=None
        Folder of measurements by image content, read and added to; None keeps none.
    cache_limit : float, default=None
        Gigabytes that the cache may take; what was not used for longest goes. None sets no limit.
    append : bool, default=False
        Whether `out` keeps the rows it has, and only images that are new or changed are scored.
    model_id : str, default=None
        What tells this model from others, for example the digest of its file; `append` needs it.
    prevalence : float, default=None
        Share of malignant lesions where the scores are used, 0 to 1; None keeps that of the
        training.
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
    TableError
        If a table lacks what the model needs, or `out` holds scores of another model, schema or
        prevalence.
    OptionError
        If the prevalence cannot be used, `append` lacks a model id, or `cache_limit` a cache.
    SourceError
        If `out` cannot be written or is an input, another run is writing it, a file of other
        origin is called ``OUT.errors.csv``, ``OUT.lock`` or ``OUT.shards``, or there are no images.

    Warns
    -----
    UserWarning
        If the model uses metadata and none is known, rows were left out of a join, images have
        no record, or images or patients were in the training.
    """
    started = time.monotonic()
    check_cache_limit(cache_limit, cache)
    target = Target(check_score_file(out))
    out = target.path
    check_apart(target.local_files(), [*inputs, *metadata])
    if cache is not None:
        check_writable(Path(cache) / "measured")
    training = training or {}
    trained = None if prevalence is None else trained_prevalence(training)
    if append and model_id is None:
        raise OptionError("append needs a model_id, so that no file mixes two models.")
    if explain and prevalence is not None:
        raise OptionError(
            "reasons add up to the score of the training's prevalence: give explain or prevalence."
        )
    growing = GrowingScores(out, str(model_id), prevalence) if append else None
    work = _Work(model, out, growing, training, trained, prevalence, explain, started)
    options = {"device": device, "n_jobs": n_jobs, "runner": runner}
    options |= {"restart": restart, "cache": cache, "cache_limit": cache_limit}
    rows, from_table, notes = find_rows(model, inputs, metadata, id_column, roots, columns)
    check_originals(target.local_files(), rows.get("path", ()))
    # After the inputs: those that cannot be used leave no folder.
    target.make_folder()
    with locked(target.place, target.name):
        # An old file that new rows do not belong into is refused before long work.
        old = growing.read() if growing else None
        _warn(notes)
        digests = hash_images(rows["path"]) if growing and not from_table else [None] * len(rows)
        wanted = np.ones(len(rows), dtype=bool)
        if growing:
            is_new, changed = growing.compare(old, rows, digests)
            wanted = is_new | changed
            _warn(_note_changed(rows["image_id"][changed]))
        if not wanted.any():
            write_failures(out, [], 0)
            return ExtractionResult(out, 0, 0, None, time.monotonic() - started)
        by_id = dict(zip(rows["image_id"][wanted], np.array(digests, object)[wanted], strict=True))
        taken = wanted | _same_patients(model, rows, wanted)
        rows, digests = rows[taken], [d for d, take in zip(digests, taken, strict=True) if take]
        _warn(membership_warning(training, rows))
        if from_table:
            table, failures = refuse_names(rows, out)
            measured = Measured(table, failures, 0)
        else:
            measured = measure_records(
                model,
                rows,
                out,
                progress=progress,
                digests=digests if growing else None,
                **options,
            )
        return work.finish(old, measured, by_id, n_known=int((~wanted).sum()))


@dataclass(frozen=True)
class _Work:
    """What stays the same over a run, whatever its inputs are."""

    model: BaseEstimator
    out: Path
    growing: GrowingScores | None
    training: Mapping[str, object]
    trained: float | None
    prevalence: float | None
    explain: bool
    started: float

    def finish(
        self,
        old: pd.DataFrame | None,
        measured: Measured,
        digests: Mapping[str, str | None],
        *,
        n_known: int,
    ) -> ExtractionResult:
        """Score what was measured, and write it."""
        n_rows, failures = len(measured.table), measured.failures
        # Where former rows are good, a broken image is no reason to call the run a failure.
        errors = write_failures(self.out, failures, n_rows + n_known)
        if len(measured.table):
            scores = score_table(self.model, measured.table, explain=self.explain)
            scores = scores[scores["image_id"].isin(list(digests))].reset_index(drop=True)
            n_rows = len(scores)
            if self.trained is not None:
                scores = move_scores(scores, trained=self.trained, wanted=self.prevalence)
            if self.growing is not None:
                own = [digests.get(name) for name in scores["image_id"]]
                scores = self.growing.merge(old, self.growing.stamp(scores, own))
            write_scores(scores, self.out)
        seconds = time.monotonic() - self.started
        return ExtractionResult(self.out, n_rows, len(failures), errors, seconds, measured.n_reused)


def _same_patients(model: BaseEstimator, rows: pd.DataFrame, wanted: np.ndarray) -> np.ndarray:
    """Tell the other lesions of these patients, if the model compares a lesion with them."""
    if not uses_context(split_steps(model)[1]) or "patient_id" not in rows:
        return np.zeros(len(rows), dtype=bool)
    patients = rows["patient_id"][wanted].dropna()
    return rows["patient_id"].isin(patients).to_numpy()


def _note_changed(ids: pd.Series) -> list[str]:
    if ids.empty:
        return []
    return [
        f"{count_words(len(ids), 'image')} changed since the last run, the first is "
        f"{ids.iloc[0]!r}; scored anew."
    ]


def _warn(texts: Sequence[str]) -> None:
    for text in texts:
        warnings.warn(text, UserWarning, stacklevel=4)
