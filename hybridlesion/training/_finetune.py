"""Fine-tuning of a backbone in grouped folds, with out-of-fold scores of every image."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hybridlesion._validation import check_choice, check_number
from hybridlesion.batch import check_errors, write_errors
from hybridlesion.cnn import FinetuneRecipe, resolve_device
from hybridlesion.cnn.views import VIEWS
from hybridlesion.exceptions import TableError
from hybridlesion.io.discovery import find_records, scan_sources
from hybridlesion.metadata import read_table, refuse_unknown
from hybridlesion.model_selection import grouped_folds
from hybridlesion.training._crops import CropSettings, read_crops
from hybridlesion.training._finetune_folds import WHOLE, FoldWork, run_folds
from hybridlesion.training._finetune_results import check_results, write_results, write_whole
from hybridlesion.training._image_training import (
    as_paths,
    check_run_dir,
    digest_data,
    digest_file,
    group_images,
    open_run_dir,
    read_facts,
)

# Crops are larger than the input of the network, so that views can be rotated and enlarged.
_CROP_SCALE = 1.15

# Minimum number of images for a diagnosis to be a class of the auxiliary head.
_LEAST_DIAGNOSIS = 20


@dataclass(frozen=True)
class Finetuning:
    """Result of a fine-tuning.

    Parameters
    ----------
    path : Path
        Folder with the weights of each fold.
    n_images, n_malignant : int
        Training images, and the number of malignant ones.
    n_failed : int
        Images that could not be read.
    metrics : DataFrame
        Columns metric, value, low, high: of the out-of-fold scores.
    errors_path : Path or None
        List of failures; None if there are none.
    notes : tuple of str
        Notes on excluded images and assumptions.
    diagnoses : DataFrame of shape (m, 4)
        Which diagnoses counted as malignant and which as benign: columns ``diagnosis, side,
        n_rows, words``, see `hybridlesion.metadata.count_diagnoses`.
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
    backbone: str = "mobilenetv2_100",
    weights: str | os.PathLike | None = None,
    n_folds: int = 5,
    recipe: FinetuneRecipe | None = None,
    crop: str = "both",
    margin: float = 0.25,
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
    progress: Callable[[int, int, int], None] | None = None,
) -> Finetuning:
    """Fine-tune a timm backbone on malignancy, one network per fold.

    Parameters
    ----------
    images : str, path-like or sequence of str
        Folders, archives or tables of images. Each is a separate source:
        malignant lesions are drawn from every source at the same rate.
    out : str or path-like
        Folder to write: ``fold_K.safetensors``, ``finetuned.json``, ``seen.npz`` (id hashes
        and perceptual hashes of the training images), ``CARD.md``, ``out_of_fold.csv``,
        ``curves.csv``, and ``training/`` with crops and checkpoints, which may be deleted.
    metadata : sequence of str, default=()
        Tables in any ISIC layout with the target.
    backbone : str, default="mobilenetv2_100"
        A timm model name.
    weights : str or path-like, default=None
        Its pretrained weights; None uses timm's.
    n_folds : int, default=5
        Networks, at least 2.
    recipe : FinetuneRecipe, default=None
        Training settings; None uses the defaults.
    crop : {"lesion", "frame", "both"}, default="both"
        What the network sees; ``"both"`` learns from either and scores by the mean.
    margin : float, default=0.25
        Skin on each side of the lesion, as a share of its longer side, 0 to 4.
    whole : bool, default=False
        Whether one more network learns from every image. ``whole.zip`` then holds it alone, with
        the out-of-fold scores of the training images: smaller and quicker than all folds.
    target_column : str, default=None
        Column of the tables with the target; None detects it.
    malignant, benign : sequence of str, default=None
        Diagnoses that count as malignant where the tables give diagnoses only, and unknown
        diagnoses to count as benign.
    labels_from_folders : bool, default=False
        Whether the folder of an image names its class: ``benign`` and ``malignant``, or a
        diagnosis.
    roots : sequence of str or path-like, default=()
        Further folders to search for the images of a table of paths.
    columns : mapping of str to str, default=None
        Names of record columns in the tables, by record column.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Device that trains the networks.
    n_jobs : int, default=1
        Processes that read images and, on a CPU, train folds; -1 uses every core.
    restart : bool, default=False
        Whether to discard the results of an interrupted fine-tuning.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``: first counts images, then training steps of
        all folds.

    Returns
    -------
    Finetuning
        Path, counts and metrics.

    Raises
    ------
    TableError
        If there is no target, a diagnosis is unknown, or there are too few images for the folds.
    SourceError
        If `out` cannot be written or holds other files of the same names, or images or weights are
        missing.
    HybridLesionError
        If `out` holds a fine-tuning with other settings.
    ValueError
        If a parameter is out of range.

    Notes
    -----
    Images of one patient or lesion, and near-duplicates, share a fold. An interrupted fine-tuning
    resumes at the last finished epoch.
    """
    recipe = recipe or FinetuneRecipe()
    sources = as_paths(images)
    check_number("n_folds", n_folds, low=2, integer=True)
    check_choice("crop", crop, tuple(VIEWS))
    check_number("margin", margin, low=0, high=4)
    out = Path(out)
    check_results(out, [*metadata, weights])
    check_run_dir(out / "training")
    check_errors(out)
    device = resolve_device(device)
    # Imported here, since scoring imports this module and does not need torch.
    from hybridlesion.cnn import create_network

    # Reject an unknown backbone or unsuitable weights before reading images.
    create_network(backbone, weights, 0, dropout=0.0, seed=0)
    options: dict[str, Any] = {
        "target_column": target_column,
        "malignant": malignant,
        "benign": benign,
    }
    options |= {"labels_from_folders": labels_from_folders, "columns": columns, "roots": roots}
    records, notes, diagnoses = _gather(sources, metadata, options)
    # Check before long work: reading can only lose images.
    _assign_folds(records["target"].to_numpy(int), np.arange(len(records)), n_folds, recipe.seed)
    settings = CropSettings(round(_CROP_SCALE * recipe.image_size), crop, margin)
    work = out / "training"
    described = {
        "recipe": asdict(recipe),
        "crops": asdict(settings),
        "data": digest_data(records[["image_id", "target", "aspect"]].astype(str), records["path"]),
        "backbone": backbone,
        "folds": n_folds,
        "weights": digest_file(weights),
    }
    open_run_dir(work, described, restart=restart)
    crops, hashes, failures = read_crops(records, settings, work, n_jobs=n_jobs, progress=progress)
    failed = {failure.image_id for failure in failures}
    rows = np.flatnonzero(~records["image_id"].isin(failed).to_numpy())
    records = records.iloc[rows].reset_index(drop=True)
    group = group_images(records, crops[rows, 0])
    target = records["target"].to_numpy(int)
    folds = FoldWork(
        folder=work,
        rows=rows,
        target=target,
        source=records["source"].to_numpy(int),
        diagnosis=_number_diagnoses(records),
        group=group,
        fold=_assign_folds(target, group, n_folds, recipe.seed),
        recipe=recipe,
        backbone=backbone,
        weights=None if weights is None else os.fspath(weights),
        device=device,
    )
    numbers = [*range(n_folds), *([WHOLE] if whole else [])]
    odds = run_folds(folds, numbers, n_jobs=n_jobs, progress=progress)
    metrics = write_results(out, records, folds, odds, hashes[rows], settings, sources)
    if whole:
        write_whole(out)
    return Finetuning(
        path=out,
        n_images=len(records),
        n_malignant=int(target.sum()),
        n_failed=len(failures),
        metrics=metrics,
        errors_path=write_errors(out, failures),
        notes=notes,
        diagnoses=diagnoses,
    )


def _gather(
    sources: Sequence[str], metadata: Sequence[str], options: Mapping[str, Any]
) -> tuple[pd.DataFrame, tuple[str, ...], pd.DataFrame]:
    """Read the records of all sources, with target, number of the source and true aspect."""
    found = find_records(sources, metadata=metadata, **options)
    records, notes = found.frame, tuple(found.warnings)
    if "target" not in records:
        raise TableError(
            "no table says which images are malignant. Pass one as `metadata`; its column is "
            "detected, or passed as `target_column`, or derived from the `malignant` diagnoses. "
            "Folders named by class are labels with `labels_from_folders`."
        )
    refuse_unknown(records)
    known = records["target"].notna()
    if not known.all():
        notes += (f"{(~known).sum():,} of {len(records):,} images have no target; left out.",)
    records = records[known].reset_index(drop=True)
    listed = scan_sources(sources, roots=options["roots"]).images
    number = dict(zip(listed["path"], listed["source"], strict=True))
    records = records.assign(
        source=records["path"].map(number),
        aspect=records["image_id"].map(_read_aspects(metadata)).astype(float),
    )
    return records, notes, found.diagnoses


def _read_aspects(metadata: Sequence[str]) -> pd.Series:
    """Width over height, by image id, of photographs that were squashed afterwards."""
    squashed = [t for t in metadata if {"orig_width", "orig_height"} <= set(read_table(t))]
    known = [read_facts(table)[["image_id", "aspect"]] for table in squashed]
    return pd.concat(known).groupby("image_id")["aspect"].first() if known else pd.Series()


def _assign_folds(target: np.ndarray, group: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    try:
        return grouped_folds(target, group, n_splits=n_folds, random_state=seed)
    except ValueError as error:
        raise TableError(str(error)) from error


def _number_diagnoses(records: pd.DataFrame) -> np.ndarray:
    """Number the diagnoses that occur often enough; -1 for all others."""
    if "diagnosis" not in records:
        return np.full(len(records), -1)
    counts = records["diagnosis"].value_counts()
    classes = sorted(counts.index[counts >= _LEAST_DIAGNOSIS])
    return pd.Index(classes, dtype=object).get_indexer(records["diagnosis"])
