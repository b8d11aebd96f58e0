"""Fine-tuning of a backbone in grouped folds, with out-of-fold scores for every image."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hybridlesion._validation import check_number
from hybridlesion.batch import check_errors, write_errors
from hybridlesion.cnn import FinetuneRecipe, allowed_classes, resolve_device, truths
from hybridlesion.exceptions import TableError
from hybridlesion.io.discovery import find_records, scan_sources
from hybridlesion.metadata import read_table, refuse_unknown
from hybridlesion.model_selection import grouped_folds
from hybridlesion.training._finetune_folds import WHOLE, FoldWork, run_folds
from hybridlesion.training._finetune_results import (
    check_results,
    name_curve,
    name_sources,
    write_results,
    write_whole,
)
from hybridlesion.training._image_training import (
    LONG_SIDE,
    EpochLog,
    Progress,
    as_paths,
    check_run_dir,
    digest_data,
    digest_file,
    group_images,
    open_run_dir,
    read_facts,
    read_store,
)


@dataclass(frozen=True)
class Finetuning:
    """Result of a fine-tuning run.

    Parameters
    ----------
    path : Path
        Folder with the weights of each fold.
    n_images, n_malignant : int
        Numbers of training images and of malignant training images.
    n_failed : int
        Number of images that could not be read.
    metrics : DataFrame
        Table with columns metric, value, low and high, for the out-of-fold scores of melanoma and
        of any malignancy, and for the balanced accuracy over the diagnoses.
    errors_path : Path or None
        Path of the list of failures, or None if nothing failed.
    notes : tuple of str
        Notes on excluded images and assumptions.
    diagnoses : DataFrame of shape (m, 4)
        Diagnoses that were counted as malignant or benign, with columns ``diagnosis, side,
        n_rows, words``; see `hybridlesion.metadata.count_diagnoses`.
    """

    path: Path
    n_images: int
    n_malignant: int
    n_failed: int
    metrics: pd.DataFrame
    errors_path: Path | None
    notes: tuple[str, ...]
    diagnoses: pd.DataFrame


def finetune(
    images: str | os.PathLike | Sequence[str],
    out: str | os.PathLike,
    *,
    metadata: Sequence[str] = (),
    backbone: str = "tf_efficientnet_lite0",
    weights: str | os.PathLike | None = None,
    n_folds: int = 5,
    recipe: FinetuneRecipe | None = None,
    whole: bool = False,
    target_column: str | None = None,
    malignant: Sequence[str] | None = None,
    benign: Sequence[str] | None = None,
    labels_from_folders: bool = False,
    roots: Sequence[str | os.PathLike] = (),
    columns: Mapping[str, str] | None = None,
    device: str = "auto",
    n_jobs: int = 1,
    restart: bool = False,
    progress: Progress | None = None,
    log: EpochLog | None = None,
) -> Finetuning:
    """Fine-tune a timm backbone on eight diagnoses, one network per fold.

    Parameters
    ----------
    images : str, path-like or sequence of str
        Folders, archives or tables of images. Each is a separate source, which is sampled with a
        probability proportional to the square root of its size; the loss corrects for its class
        frequencies.
    out : str or path-like
        Output folder for ``fold_K.safetensors``, ``finetuned.json``, ``seen.npz`` (id hashes and
        perceptual hashes of the training images), ``CARD.md``, ``out_of_fold.csv``,
        ``curves.csv``, and ``training/`` with images and checkpoints, which can be deleted
        afterwards.
    metadata : sequence of str, default=()
        Tables in any ISIC layout with the target or the diagnosis. An image without a target is
        used if its diagnosis is one of the eight; if the diagnosis is unknown, the target is used.
    backbone : str, default="tf_efficientnet_lite0"
        Name of a timm model.
    weights : str or path-like, default=None
        Pretrained weights of the backbone. If None, the weights from timm are used.
    n_folds : int, default=5
        Number of folds and networks, at least 2.
    recipe : FinetuneRecipe, default=None
        Training settings. If None, the default settings are used.
    whole : bool, default=False
        Whether to train an additional network on all images. It is saved to ``whole.zip`` with the
        out-of-fold scores of the training images, and is smaller and faster than all folds.
    target_column : str, default=None
        Column of the tables with the target. If None, it is detected automatically.
    malignant, benign : sequence of str, default=None
        Diagnoses to count as malignant if the tables only contain diagnoses, and unknown diagnoses
        to count as benign.
    labels_from_folders : bool, default=False
        Whether the name of an image's folder is the class: ``benign``, ``malignant`` or a
        diagnosis.
    roots : sequence of str or path-like, default=()
        Additional folders to search for the images listed in a table of paths.
    columns : mapping of str to str, default=None
        Mapping from record columns to the column names in the tables.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Device used to train the networks.
    n_jobs : int, default=1
        Number of processes that read images and, on a CPU, train folds; -1 means using all cores.
    restart : bool, default=False
        Whether to discard the results of an interrupted run.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``, first with the number of images, then with the
        number of training steps over all folds.
    log : callable, default=None
        Called as ``log(training, row)`` after each epoch of each network; `row` has the columns of
        ``curves.csv``, which is kept for each network in ``training/``, too.

    Returns
    -------
    Finetuning
        Path, counts and metrics.

    Raises
    ------
    TableError
        If there is no target, a diagnosis is unknown, or there are too few images for the folds.
    SourceError
        If `out` cannot be written or contains other files with the same names, or if images or
        weights are missing.
    HybridLesionError
        If `out` contains a run with other settings.
    ValueError
        If a parameter is out of range.

    Notes
    -----
    Images of the same patient or lesion, and near-duplicates, share a fold. An interrupted
    fine-tuning resumes after the last finished epoch.
    """
    recipe = recipe or FinetuneRecipe()
    sources = as_paths(images)
    check_number("n_folds", n_folds, low=2, integer=True)
    out = Path(out)
    check_results(out, [*metadata, weights])
    check_run_dir(out / "training")
    check_errors(out)
    device = resolve_device(device)
    # Imported here because scoring imports this module and does not need torch.
    from hybridlesion.cnn import create_network

    # Reject an unknown backbone or unsuitable weights before reading images.
    weights = None if weights is None else os.fspath(weights)
    create_network(backbone, weights)
    labels = {"target_column": target_column, "malignant": malignant, "benign": benign}
    places = {"labels_from_folders": labels_from_folders, "columns": columns, "roots": roots}
    records, notes, diagnoses = _gather(sources, metadata, labels | places)
    # Check before reading the images, which can only reduce their number.
    _assign_folds(records, np.arange(len(records)), n_folds, recipe.seed)
    work = out / "training"
    data = records[["image_id", "target", "diagnosis", "aspect"]].astype(str)
    described = {
        "recipe": asdict(recipe),
        "images": {"long_side": LONG_SIDE},
        "data": digest_data(data, records["path"]),
        "backbone": backbone,
        "folds": n_folds,
        "weights": digest_file(weights),
    }
    open_run_dir(work, described, restart=restart)
    store = read_store(records, work, n_jobs=n_jobs, progress=progress)
    failed = {failure.image_id for failure in store.failures}
    rows = np.flatnonzero(~records["image_id"].isin(failed).to_numpy())
    records = records.iloc[rows].reset_index(drop=True)
    group = group_images(records, store.images(rows))
    folds = FoldWork(
        folder=work,
        rows=rows,
        allowed=_allowed(records),
        source=records["source"].to_numpy(int),
        lesion=_number_lesions(records),
        group=group,
        fold=_assign_folds(records, group, n_folds, recipe.seed),
        recipe=recipe,
        backbone=backbone,
        weights=weights,
        device=device,
    )
    # The network trained on all images takes longest, so start with it.
    numbers = [*([WHOLE] if whole else []), *range(n_folds)]
    tell = None if log is None else partial(_log_named, log, name_sources(sources))
    logits = run_folds(folds, numbers, n_jobs=n_jobs, progress=progress, log=tell)
    metrics = write_results(out, records, folds, logits, store.hashes[rows], sources)
    if whole:
        write_whole(out)
    return Finetuning(
        path=out,
        n_images=len(records),
        n_malignant=int((truths(folds.allowed)["any malignancy"] == 1).sum()),
        n_failed=len(store.failures),
        metrics=metrics,
        errors_path=write_errors(out, store.failures),
        notes=notes,
        diagnoses=diagnoses,
    )


def _log_named(log: EpochLog, sources: Sequence[str], name: str, row: Mapping[str, float]) -> None:
    log(name, {name_curve(column, sources): value for column, value in row.items()})


def _gather(
    sources: Sequence[str], metadata: Sequence[str], options: Mapping[str, Any]
) -> tuple[pd.DataFrame, tuple[str, ...], pd.DataFrame]:
    """Read the records of all sources, with label, source number and original aspect ratio."""
    found = find_records(sources, metadata=metadata, **options)
    records, notes = found.frame, tuple(found.warnings)
    absent = {n: v for n, v in {"target": np.nan, "diagnosis": None}.items() if n not in records}
    records = records.assign(**absent)
    if records[["target", "diagnosis"]].isna().all(axis=None):
        raise TableError(
            "no targets for the images were found. Pass a table as `metadata`; its column is "
            "detected, or passed as `target_column`, or derived from the `malignant` diagnoses. "
            "Folders named by class give labels with `labels_from_folders`."
        )
    refuse_unknown(records)
    known = records["target"].notna() | _has_class(records["diagnosis"])
    if not known.all():
        notes += (f"{(~known).sum():,} of {len(records):,} images have no target; left out.",)
    records = records[known].reset_index(drop=True)
    listed = scan_sources(sources, roots=options["roots"]).images
    number = dict(zip(listed["path"], listed["source"], strict=True))
    records = records.assign(
        source=records["path"].map(number),
        aspect=records["image_id"].map(_read_aspects(metadata)).astype(float),
    )
    side = found.diagnoses["side"]
    used = side.isin(("undecided", "")) & _has_class(found.diagnoses["diagnosis"])
    return records, notes, found.diagnoses.assign(side=side.mask(used, "its class"))


def _has_class(diagnosis: pd.Series) -> np.ndarray:
    """Check which diagnoses are among the eight classes."""
    return allowed_classes(diagnosis, np.zeros(len(diagnosis), int)).sum(axis=1) == 1


def _read_aspects(metadata: Sequence[str]) -> pd.Series:
    """Read the original width-to-height ratio of squashed photographs, by image id."""
    squashed = [t for t in metadata if {"orig_width", "orig_height"} <= set(read_table(t))]
    known = [read_facts(table)[["image_id", "aspect"]] for table in squashed]
    return pd.concat(known).groupby("image_id")["aspect"].first() if known else pd.Series()


def _allowed(records: pd.DataFrame) -> np.ndarray:
    # A record without a target has a diagnosis, which then determines the class.
    return allowed_classes(records["diagnosis"], records["target"].fillna(0).to_numpy(int))


def _number_lesions(records: pd.DataFrame) -> np.ndarray:
    """Number the lesions; an image without a lesion id counts as a separate lesion."""
    own = pd.Series("image " + records.index.astype(str), index=records.index)
    if "lesion_id" in records:
        own = ("lesion " + records["lesion_id"].astype("string")).fillna(own)
    return pd.factorize(own)[0]


def _assign_folds(records: pd.DataFrame, group: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    malignant = truths(_allowed(records))["any malignancy"] == 1
    try:
        return grouped_folds(malignant, group, n_splits=n_folds, random_state=seed)
    except ValueError as error:
        raise TableError(str(error)) from error
