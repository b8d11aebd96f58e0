"""Score images, records or feature tables, and write a score file."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion._atomic import check_apart, check_writable
from hybridlesion._formatting import count_words, shorten
from hybridlesion._validation import as_pandas
from hybridlesion.batch import (
    ExtractionResult,
    FeatureResult,
    Output,
    RunOptions,
    check_originals,
    describe_featurizer,
    locked,
)
from hybridlesion.exceptions import OptionError, TableError
from hybridlesion.featurizer import LesionFeaturizer, check_records
from hybridlesion.inference._cache import hash_images, measure_cached
from hybridlesion.inference._score_file import (
    EMPTY,
    ScoreFile,
    check_score_file,
    reject_unsafe_ids,
    write_failures,
    write_scores,
)
from hybridlesion.inference._score_table import (
    adjust_prevalence,
    check_extras,
    count_unscored,
    find_featurizer,
    score_table,
    trained_prevalence,
    uses_context,
)
from hybridlesion.io import is_table_name
from hybridlesion.io.discovery import find_records
from hybridlesion.leakage import membership_warning
from hybridlesion.metadata import (
    MEASURED,
    Findings,
    Records,
    explain_near,
    normalise_image_id,
    read_records,
    read_table,
    rename_images,
)
from hybridlesion.pipeline import split_steps
from hybridlesion.training import keep_measured, read_configuration


def match_metadata(
    sources: Sequence[str | os.PathLike],
    metadata: Sequence[str | os.PathLike],
    roots: Sequence[str | os.PathLike],
    read: Callable[[Sequence[str | os.PathLike]], Records],
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """List images and join their metadata, keeping images without a record.

    Parameters
    ----------
    sources : sequence of str or path-like
        Image sources of any kind.
    metadata : sequence of str or path-like
        Tables in any ISIC layout. If empty, the images have no metadata.
    roots : sequence of str or path-like
        Additional folders to search for the images listed in a table of paths.
    read : callable
        `read_records`, with the options of the user.

    Returns
    -------
    records : DataFrame of shape (images, columns)
        One row per image, in the order of the sources, with missing values for unknown metadata.
    notes : tuple of str
        Notes for the user.

    Raises
    ------
    SourceError
        If there are no images, or two sources contain the same image id.
    TableError
        If the metadata cannot be used or do not match any image, or if two files share an id.

    Notes
    -----
    Fitting may drop images without a record, but scoring must not: a missing score goes unnoticed
    in a long list, and the model can handle unknown age, sex and site.
    """
    found = find_records(sources, roots=roots, labels_from_folders=None)
    if not metadata:
        return found.frame, found.warnings
    joined, notes = join_metadata(found.frame, read(list(metadata)))
    return joined, (*found.warnings, *notes)


def join_metadata(images: pd.DataFrame, records: Records) -> tuple[pd.DataFrame, list[str]]:
    """Join images and their metadata, keeping images without a record.

    Parameters
    ----------
    images : DataFrame of shape (n, columns)
        Images with ``image_id`` and ``path``.
    records : Records
        Metadata from `read_records`.

    Returns
    -------
    records : DataFrame of shape (n, columns)
        One row per image, with missing values for unknown metadata.
    notes : list of str
        Notes for the user.

    Raises
    ------
    TableError
        If the metadata do not match any image, or two files share an id.
    """
    images = images.assign(image_id=[normalise_image_id(str(name)) for name in images["image_id"]])
    findings = Findings()
    ids = images["image_id"]
    repeated = ids[ids.duplicated()]
    if len(repeated):
        raise TableError(
            f"{len(repeated)} images have the id of another, e.g. {repeated.iloc[0]!r}; keep one."
        )
    images = rename_images(images, records.frame, findings)
    ids, recorded = images["image_id"], records.frame["image_id"]
    if not ids.isin(recorded).any():
        near = "".join(f" {note}" for note in explain_near(list(ids), list(recorded)))
        raise TableError(
            f"the metadata has no record of these images. Images are called {ids.iloc[0]!r}, "
            f"records {recorded.iloc[0]!r}. Check that it is the right table; if another column "
            f"has the image ids, pass it as `id_column`.{near}"
        )
    known = records.frame.drop(columns="path", errors="ignore")
    joined = images.merge(known, "left", "image_id", suffixes=("_of_images", ""))
    for name in known.columns.intersection(images.columns).drop("image_id"):
        # A table of paths may contain values that are missing from the metadata.
        own = joined.pop(f"{name}_of_images")
        joined[name] = joined[name].where(joined[name].notna(), own)
    unmatched = _count_unmatched(ids, recorded)
    return joined, [*_notes(records), *findings.warnings, *unmatched]


def _notes(records: Records) -> list[str]:
    return [note for note in records.warnings if note not in records.target_notes]


def _count_unmatched(images: pd.Series, records: pd.Series) -> list[str]:
    notes = []
    without, unused = images[~images.isin(records)], records[~records.isin(images)]
    if len(without):
        notes.append(
            f"{len(without):,} of {len(images):,} images have no record; they are scored with age, "
            f"sex and site unknown, e.g. {without.iloc[0]}."
        )
    if len(unused):
        count, example = f"{len(unused):,} of {len(records):,}", unused.iloc[0]
        notes.append(f"{count} records have no image, e.g. {example}; left out.")
    return [*notes, *explain_near(list(unused), list(without))]


def find_rows(
    model: BaseEstimator,
    inputs: Sequence[str | os.PathLike],
    metadata: Sequence[str | os.PathLike],
    roots: Sequence[str | os.PathLike],
    read: Callable[[Sequence[str | os.PathLike]], Records],
) -> tuple[pd.DataFrame, bool, tuple[str, ...]]:
    """Read the rows to score.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model.
    inputs : sequence of str or path-like
        Image sources of any kind or feature tables, but not a mixture.
    metadata : sequence of str or path-like
        Tables with age, sex, site and patient.
    roots : sequence of str or path-like
        Additional folders to search for the images listed in a table of paths.
    read : callable
        `read_records`, with the options of the user.

    Returns
    -------
    rows : DataFrame of shape (n, columns)
        Image records or measured rows.
    measured : bool
        Whether the rows are already measured.
    notes : tuple of str
        Notes for the user.

    Raises
    ------
    TableError
        If images and tables are mixed, or the model cannot measure images; if the tables were
        measured in another way than the features of the model, or share images.
    """
    featurizer, _ = split_steps(model)
    tables = [source for source in inputs if _is_table(source, with_images=featurizer is not None)]
    if tables and len(tables) < len(inputs):
        raise TableError(
            f"score takes images or feature tables, not both at once: {tables[0]} is a table. "
            "Score them separately, or pass tables of metadata as `metadata`."
        )
    if tables:
        rows, notes = [], []
        for table in tables:
            records = read([table, *metadata])
            measured, unmeasured = keep_measured(records.frame)
            notes += [*_notes(records), *unmeasured]
            rows.append(measured)
        if featurizer is not None:
            _check_configuration(tables, featurizer)
        found = pd.concat(rows, ignore_index=True)
        repeated = found["image_id"][found["image_id"].duplicated()].unique()
        if len(repeated):
            raise TableError(
                f"{count_words(len(repeated), 'image id')} in more than one of the tables: "
                f"{shorten(repeated)}. Keep one row per image."
            )
        return found, True, tuple(notes)
    if featurizer is None:
        raise TableError(
            "this model was fitted on tables alone and cannot measure images. Pass a table, or "
            "fit a model on the output of `hybridlesion features`."
        )
    images, image_notes = match_metadata(inputs, metadata, roots, read)
    return images, False, image_notes


def _check_configuration(tables: Sequence[str | os.PathLike], featurizer: LesionFeaturizer) -> None:
    """Refuse features that were measured in another way than those of the model."""
    theirs = read_configuration(tables)
    if theirs is None:
        return
    ours = json.loads(json.dumps(describe_featurizer(featurizer)))
    for one in (ours, theirs):
        # Weights in a model file have another path than the same weights elsewhere; the digests
        # tell whether they are the same.
        one["segmenter"] = "classical" if one.get("segmenter") == "classical" else "refined"
        one["embedder"] = "none" if one.get("embedder") == "none" else "a network"
    keys = ({*ours} & {*theirs}) - {"weights"}
    differing = sorted(key for key in keys if ours[key] != theirs[key])
    if differing:
        raise TableError(
            "the feature tables were measured in another way than the features of the model: "
            f"{', '.join(differing)}. Score the images, or extract their features again with the "
            "options of the model, which `hybridlesion inspect` shows."
        )


def _is_table(source: str | os.PathLike, *, with_images: bool) -> bool:
    """Check whether a source is a table of rows to score, rather than of image paths."""
    if not is_table_name(str(source)):
        return False
    columns = [str(name) for name in read_table(source).columns]
    measured = any(name.startswith((*MEASURED, "meta__")) for name in columns)
    return measured or not with_images


def score_records(
    model: BaseEstimator,
    records: pd.DataFrame,
    out: str | os.PathLike,
    *,
    explain: bool = False,
    diagnoses: bool = False,
    coverage: float | None = None,
    abstain: float | None = None,
    **run_options: object,
) -> ExtractionResult:
    """Measure and score the images of records, and write the scores.

    Parameters
    ----------
    model : Pipeline
        Fitted pipeline, created by `make_hybrid_pipeline`.
    records : DataFrame of shape (n, columns)
        Records with ``image_id`` and ``path``, as a pandas or polars table, interpreted as by
        `LesionFeaturizer`.
    out : str or path-like
        CSV or Parquet file to write. Failures are listed in ``OUT.errors.csv``.
    explain : bool, default=False
        Whether to also write the reasons for each score.
    diagnoses : bool, default=False
        Whether to also write the probabilities of the diagnoses.
    coverage : float, default=None
        Coverage of conformal sets, between 0 and 1; see `score_table`. If None, none are written.
    abstain : float, default=None
        Promised error of the rows that get a score; see `score_table`. If None, all get one.
    **run_options : object
        Parameters of `hybridlesion.batch.RunOptions`, for example `n_jobs`, `device`, `masks`,
        `cache` or `progress`.

    Returns
    -------
    ExtractionResult
        Path of the score file, and the numbers of rows and failures.

    Raises
    ------
    SourceError
        If `out` cannot be written, is one of the images, or is being written by another run; or
        if ``OUT.errors.csv``, ``OUT.lock`` or ``OUT.shards`` exists but was not written by this
        program.
    OptionError
        If `cache_limit` is given without `cache`, or `cache` together with `masks`; if diagnoses
        are requested but the model did not learn any, or `coverage` or `abstain` is out of range.
    HybridLesionError
        If no image can be used.
    """
    started = time.monotonic()
    records = as_pandas(records)
    options = RunOptions(**run_options)
    output = Output(check_score_file(out))
    extras = {"diagnoses": diagnoses, "coverage": coverage, "abstain": abstain}
    check_extras(model, **extras)
    check_originals(output.local_files(), records.get("path", ()))
    output.make_folder()
    with locked(output.storage, output.name):
        found = _measure(model, records, output, options)
        errors = write_failures(output.path, found.failures, len(found.table))
        scores = score_table(model, found.table, explain=explain, **extras)
        write_scores(scores, output.path)
    seconds = time.monotonic() - started
    n_failed = len(found.failures)
    counts = count_unscored(scores)
    outcome = (output.path, len(scores), n_failed, errors, seconds, found.n_reused, *counts)
    return ExtractionResult(*outcome, columns=tuple(scores.columns))


def _measure(
    model: BaseEstimator,
    records: pd.DataFrame,
    output: Output,
    options: RunOptions,
    digests: pd.Series | None = None,
) -> FeatureResult:
    """Measure records with the featurizer of a model; records with unsafe ids are failures."""
    safe, rejected = reject_unsafe_ids(check_records(records), output.path)
    hashes = None if digests is None else list(digests[records.index.isin(safe.index)])
    if safe.empty:
        return FeatureResult(safe, rejected)
    found = measure_cached(safe, find_featurizer(model), output, options, hashes)
    return FeatureResult(found.table, [*rejected, *found.failures], found.n_reused)


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
    append: bool = False,
    model_id: str | None = None,
    prevalence: float | None = None,
    explain: bool = False,
    diagnoses: bool = False,
    coverage: float | None = None,
    abstain: float | None = None,
    **run_options: object,
) -> ExtractionResult:
    """Score images, or the rows of feature tables, and write the scores.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model, for example from `load_artifact`.
    inputs : sequence of str or path-like
        Image sources of any kind or feature tables, but not a mixture.
    out : str or path-like
        CSV or Parquet file to write. Failures are listed in ``OUT.errors.csv``.
    metadata : sequence of str or path-like, default=()
        Tables with age, sex, site and patient. Images without a record are also scored.
    id_column : str, default=None
        Column of the tables that contains the image ids. If None, it is detected automatically.
    roots : sequence of str or path-like, default=()
        Additional folders to search for the images listed in a table of paths.
    columns : mapping of str to str, default=None
        Mapping from record columns to the column names in the tables.
    training : mapping, default=None
        Description of the training data from the manifest. If None, training images are not
        detected.
    append : bool, default=False
        Whether to keep the rows of `out` and score only images that are new or changed.
    model_id : str, default=None
        Identifier of the model, for example the digest of its file. Required by `append`.
    prevalence : float, default=None
        Proportion of malignant lesions in the population to be scored, 0 to 1. If None, the scores
        keep the prevalence of the training data.
    explain : bool, default=False
        Whether to also write the reasons for each score.
    diagnoses : bool, default=False
        Whether to also write the probabilities of the diagnoses.
    coverage : float, default=None
        Coverage of conformal sets, between 0 and 1; see `score_table`. If None, none are written.
    abstain : float, default=None
        Promised error of the rows that get a score; see `score_table`. If None, all get one.
    **run_options : object
        Parameters of `hybridlesion.batch.RunOptions`, for example `n_jobs`, `device`, `cache` or
        `progress`.

    Returns
    -------
    ExtractionResult
        Path of the score file, and the numbers of new rows and failures.

    Raises
    ------
    TableError
        If a table lacks columns that the model needs, or rows cannot be appended to `out` because
        the model, schema, prevalence, coverage, abstention or use of diagnoses differs.
    OptionError
        If the prevalence or coverage cannot be used, `append` is given without `model_id`, or
        `cache_limit` without `cache`; or if diagnoses are requested but the model did not learn
        any.
    SourceError
        If there are no images; if `out` cannot be written, is an input, or is being written by
        another run; or if ``OUT.errors.csv``, ``OUT.lock`` or ``OUT.shards`` exists but was not
        written by this program.

    Warns
    -----
    UserWarning
        If the model uses metadata but none are known, rows were dropped in a join, images have
        no record, or images or patients were part of the training data.
    """
    started = time.monotonic()
    options = RunOptions(**run_options)
    output = Output(check_score_file(out))
    extras = {"diagnoses": diagnoses, "coverage": coverage, "abstain": abstain}
    check_extras(model, **extras)
    check_apart(output.local_files(), [*inputs, *metadata])
    if options.cache is not None:
        check_writable(Path(options.cache) / "measured")
    training = training or {}
    trained = None if prevalence is None else trained_prevalence(model, training)
    if append and model_id is None:
        raise OptionError("`append` needs a `model_id`, so that no file mixes two models.")
    if explain and prevalence is not None:
        raise OptionError(
            "reasons explain the score at the training prevalence; omit `explain` or `prevalence`."
        )
    file = ScoreFile(output.path, str(model_id), prevalence, **extras)
    read = partial(read_records, id_column=id_column, columns=columns)
    rows, from_table, notes = find_rows(model, inputs, metadata, roots, read)
    check_originals(output.local_files(), rows.get("path", ()))
    # Only after reading the inputs, so that invalid inputs do not leave an empty folder behind.
    output.make_folder()
    with locked(output.storage, output.name):
        # Refuse a file that cannot be appended to before the long computation.
        old = file.read() if append else EMPTY
        _warn(notes)
        hashes = hash_images(rows["path"]) if append and not from_table else [None] * len(rows)
        digests = pd.Series(hashes, rows.index, dtype=object)
        is_new, changed = file.compare(old, rows, digests)
        wanted = is_new | changed
        if changed.any():
            count, first = count_words(changed.sum(), "image"), rows["image_id"][changed].iloc[0]
            _warn([f"{count} changed since the last run (first: {first!r}); scored again."])
        if not wanted.any():
            write_failures(output.path, [], 0)
            seconds = time.monotonic() - started
            return ExtractionResult(output.path, 0, 0, None, seconds, columns=tuple(old.columns))
        by_id = dict(zip(rows["image_id"][wanted], digests[wanted], strict=True))
        taken = wanted | _same_patients(model, rows, wanted)
        rows, digests = rows[taken], digests[taken]
        _warn(membership_warning(training, rows))
        if from_table:
            found = FeatureResult(*reject_unsafe_ids(rows, output.path))
        else:
            found = _measure(model, rows, output, options, digests if append else None)
        n_rows, counts, columns = len(found.table), (), tuple(old.columns) if append else ()
        # If there are valid rows from earlier runs, the run may have nothing but failures.
        errors = write_failures(output.path, found.failures, n_rows + int((~wanted).sum()))
        if n_rows:
            scores = score_table(model, found.table, explain=explain, **extras)
            scores = scores[scores["image_id"].isin(list(by_id))].reset_index(drop=True)
            n_rows, counts = len(scores), count_unscored(scores)
            if trained is not None:
                scores = adjust_prevalence(model, scores, trained=trained, wanted=prevalence)
            if append:
                scores = file.merge(old, scores, [by_id.get(name) for name in scores["image_id"]])
            write_scores(scores, output.path)
            columns = tuple(scores.columns)
    seconds = time.monotonic() - started
    n_failed = len(found.failures)
    outcome = (output.path, n_rows, n_failed, errors, seconds, found.n_reused, *counts)
    return ExtractionResult(*outcome, columns=columns)


def _same_patients(model: BaseEstimator, rows: pd.DataFrame, wanted: np.ndarray) -> np.ndarray:
    """Mark all lesions of the patients to be scored if the model uses patient context."""
    if not uses_context(split_steps(model)[1]) or "patient_id" not in rows:
        return np.zeros(len(rows), dtype=bool)
    patients = rows["patient_id"][wanted].dropna()
    return rows["patient_id"].isin(patients).to_numpy()


def _warn(texts: Sequence[str]) -> None:
    for text in texts:
        warnings.warn(text, UserWarning, stacklevel=3)
