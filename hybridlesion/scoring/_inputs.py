"""Whatever a user names, images or feature tables, to a score file."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion._steps import split_steps
from hybridlesion.exceptions import TableError
from hybridlesion.extraction import ExtractionResult
from hybridlesion.metadata import read_records, read_table
from hybridlesion.scoring._files import check_score_file, write_scores
from hybridlesion.scoring._images import find_images
from hybridlesion.scoring._records import score_records
from hybridlesion.scoring._table import score_table
from hybridlesion.training import keep_measured, note_seen

__all__ = ["score_inputs"]

_TABLE_SUFFIXES = (".csv", ".parquet", ".pq", ".tsv", ".txt")


def score_inputs(
    model: BaseEstimator,
    inputs: Sequence[str | os.PathLike],
    out: str | os.PathLike,
    *,
    metadata: Sequence[str | os.PathLike] = (),
    id_column: str | None = None,
    training: Mapping[str, object] | None = None,
    device: str | None = None,
    n_jobs: int = 1,
    restart: bool = False,
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
    training : mapping, default=None
        What the manifest says of the training; None cannot tell rows that were learned from.
    device : {"auto", "cpu", "cuda"}, default=None
        Where the network runs; None keeps the model's own setting.
    n_jobs : int, default=1
        Processes that measure images; -1 takes every core.
    restart : bool, default=False
        Whether to throw away what an interrupted run left.
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
        If a table lacks what the model needs.
    SourceError
        If `out` cannot be written or there are no images.

    Warns
    -----
    UserWarning
        If the model uses metadata and none is known, rows were left out of a join, images have
        no record, or images or patients were in the training.
    """
    started = time.monotonic()
    out = check_score_file(out)
    featurizer, _ = split_steps(model)
    tables = [source for source in inputs if _is_table(source, with_images=featurizer is not None)]
    if tables and len(tables) < len(inputs):
        raise TableError(
            f"score takes images or feature tables, not both at once: {tables[0]} is a table. "
            "Run it once for each, or give metadata with --metadata."
        )
    if tables:
        rows = _read_rows(tables, metadata, id_column)
        _warn(note_seen(training or {}, rows))
        scores = score_table(model, rows, explain=explain)
        write_scores(scores, out)
        return ExtractionResult(out, len(scores), 0, None, time.monotonic() - started)
    if featurizer is None:
        raise TableError(
            "this model was fitted on tables alone and cannot measure images. Give a table, or "
            "fit a model on the output of `hybridlesion features`."
        )
    images, notes = find_images(inputs, metadata, id_column)
    _warn((*notes, *note_seen(training or {}, images)))
    return score_records(
        model,
        images,
        out,
        device=device,
        n_jobs=n_jobs,
        restart=restart,
        explain=explain,
        progress=progress,
    )


def _read_rows(
    tables: Sequence[str | os.PathLike],
    metadata: Sequence[str | os.PathLike],
    id_column: str | None,
) -> pd.DataFrame:
    """Put tables below one another, each with the metadata of its rows."""
    rows = []
    for table in tables:
        records = read_records([table, *metadata], id_column=id_column)
        measured, notes = keep_measured(records.frame)
        _warn((*records.warnings, *notes))
        rows.append(measured)
    return pd.concat(rows, ignore_index=True)


def _warn(texts: Sequence[str]) -> None:
    for text in texts:
        warnings.warn(text, UserWarning, stacklevel=4)


def _is_table(source: str | os.PathLike, *, with_images: bool) -> bool:
    """Whether a source is rows to score; a table of image paths counts as images."""
    if Path(source).suffix.lower() not in _TABLE_SUFFIXES:
        return False
    columns = [str(name) for name in read_table(source).columns]
    measured = any(name.startswith(("abcd__", "emb__", "cnn__", "meta__")) for name in columns)
    return measured or not with_images
