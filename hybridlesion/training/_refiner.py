"""Train the refiner on images with true masks, and measure it on those it did not see."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path, check_apart, check_writable
from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_number
from hybridlesion.batch import check_errors, check_side_table, write_errors
from hybridlesion.cnn import resolve_device
from hybridlesion.cnn.backbone import read_state_dict
from hybridlesion.exceptions import SourceError, TableError
from hybridlesion.io import read_mask, write_mask
from hybridlesion.leakage import cluster_near_duplicates, crop_hashes, perceptual_hash
from hybridlesion.metrics import measure_overlap, summarize_overlaps
from hybridlesion.model_selection import connected_groups, grouped_folds
from hybridlesion.segmentation.refiner import (
    Recipe,
    Sample,
    read_unsquashed,
    save_refiner,
    segment_refined,
)
from hybridlesion.training._lesion_masks import list_pairs, read_samples
from hybridlesion.training._run_dir import (
    check_run_dir,
    describe_settings,
    digest_ids,
    open_run_dir,
)

__all__ = ["RefinerTraining", "measure_out_of_fold", "train_refiner"]


def measure_out_of_fold(records: pd.DataFrame, weights: Path, out: Path) -> pd.DataFrame:
    """Segment images as a user would, write the masks and measure them.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Columns image_id, path, mask_path, aspect, of images that the network did not see.
    weights : Path
        Weight file.
    out : Path
        Folder that receives ``IMAGEID_segmentation.png``, of the true mask's size.

    Returns
    -------
    DataFrame of shape (n, columns)
        Columns image_id, the overlaps, confidence and flags.
    """
    rows = []
    for record in records.itertuples():
        aspect = float(record.aspect) if pd.notna(record.aspect) else None
        details = segment_refined(read_unsquashed(record.path, aspect), weights=weights)
        truth = read_mask(record.mask_path)
        grey = details.mask.astype("uint8") * 255
        mask = cv2.resize(grey, truth.shape[::-1], interpolation=cv2.INTER_LINEAR) > 127
        write_mask(out / f"{record.image_id}_segmentation.png", mask)
        rows.append(
            {
                "image_id": record.image_id,
                **measure_overlap(mask, truth),
                "confidence": details.confidence,
                "flags": " ".join(details.flags),
            }
        )
    return pd.DataFrame(rows)


# Samples are larger than the input of the network, so that views can be rotated and scaled.
_SAMPLE_SCALE = 4 / 3

# Tables next to the weights, by suffix, with the first columns of their headers.
_TABLES = {
    ".curve.csv": ("training", "epoch", "loss"),
    ".out_of_fold.csv": ("image_id", "jaccard"),
}


@dataclass(frozen=True)
class RefinerTraining:
    """Result of a training of the refiner.

    Parameters
    ----------
    path : Path
        The weight file.
    n_images : int
        Number of training images.
    n_failed : int
        Pairs of image and mask that could not be used.
    losses : tuple of float
        Mean loss of each epoch of the final training.
    metrics : DataFrame or None
        Columns metric, value, low, high: overlap of the out-of-fold masks with the truth; None
        without folds.
    errors_path : Path or None
        List of failures; None if there are none.
    """

    path: Path
    n_images: int
    n_failed: int
    losses: tuple[float, ...]
    metrics: pd.DataFrame | None
    errors_path: Path | None


def train_refiner(
    images: str | os.PathLike | Sequence[str],
    masks: str | os.PathLike | Sequence[str],
    out: str | os.PathLike,
    *,
    metadata: Sequence[str] = (),
    weights: str | os.PathLike | None = None,
    n_folds: int = 0,
    recipe: Recipe | None = None,
    device: str = "auto",
    n_jobs: int = 1,
    restart: bool = False,
    progress: Callable[[int, int, int], None] | None = None,
) -> RefinerTraining:
    """Train the refiner on images with true masks.

    Parameters
    ----------
    images : str, path-like or sequence of str
        Folder of images, or several.
    masks : str, path-like or sequence of str
        Folder of ``IMAGEID_segmentation`` files, one for each folder of images.
    out : str or path-like
        Weight file to write, ending in ``.safetensors``. Also written are ``OUT.curve.csv`` (loss
        of each epoch), ``OUT.training/`` (checkpoints) and, with folds, ``OUT.out_of_fold.csv`` and
        the masks in ``OUT.out_of_fold/``.
    metadata : sequence of str, default=()
        Tables with ``orig_width, orig_height`` of images that were squashed, and with patient or
        lesion ids, whose images share a fold.
    weights : str or path-like, default=None
        Weight file of timm's ``mobilenetv2_100`` for the encoder; None initialises at random.
    n_folds : int, default=0
        0 trains on all images; 2 or more train as many networks first, each measured on the images
        that it did not see.
    recipe : Recipe, default=None
        Settings; None takes the defaults of `Recipe`.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where the network learns.
    n_jobs : int, default=1
        Processes that gather the classical evidence; -1 takes every core.
    restart : bool, default=False
        Whether to forget what an earlier training into `out` left.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``, with images while they are read and then with
        steps of each training.

    Returns
    -------
    RefinerTraining
        Path, counts, losses and figures.

    Raises
    ------
    TableError
        If no image has a mask, or there are too few for the batches or the folds.
    SourceError
        If `out` cannot be written or has another suffix, files of other origin have the names of
        those beside it, or a folder is not there.
    HybridLesionError
        If an earlier training into `out` had other settings, or nothing could be read.
    ValueError
        If a setting is out of range.

    Notes
    -----
    An interrupted training goes on at the epoch where it stopped. Images that look the same, or
    that share a patient or lesion, stay in one fold.
    """
    recipe = recipe or Recipe()
    out = Path(out)
    if out.suffix != ".safetensors":
        raise SourceError(f"a weight file must end in .safetensors, got {out.name!r}.")
    check_number("n_folds", n_folds, low=0, integer=True)
    if n_folds == 1:
        raise ValueError(
            "n_folds must be 0 or at least 2, got 1: one fold leaves nothing to learn."
        )
    _check_outputs(out, [*metadata, weights])
    device = resolve_device(device)
    encoder = None if weights is None else read_state_dict(weights)
    records = list_pairs(_as_list(images), _as_list(masks), metadata)
    # Refused before long work: reading can only lose images.
    _check_count(len(records), n_folds, recipe)
    side = round(_SAMPLE_SCALE * recipe.image_size)
    samples, failures = read_samples(records, side=side, n_jobs=n_jobs, progress=progress)
    kept = np.array([sample is not None for sample in samples])
    records = records[kept].reset_index(drop=True)
    samples = [sample for sample in samples if sample is not None]
    _check_count(len(samples), n_folds, recipe)
    folds = _deal_folds(records, samples, n_folds, recipe.seed)
    work = _Work(
        _beside(out, ".training"), records, samples, folds, recipe, encoder, device, progress
    )
    settings = describe_settings(records, folds, recipe, weights)
    open_run_dir(work.folder, settings, restart=restart)
    metrics = _cross_validate(work, out, n_folds) if n_folds else None
    losses = work.train(-1, out, metrics)
    work.write_curve(_beside(out, ".curve.csv"))
    return RefinerTraining(
        path=out,
        n_images=len(records),
        n_failed=len(failures),
        losses=tuple(losses),
        metrics=metrics,
        errors_path=write_errors(out, failures),
    )


@dataclass
class _Work:
    """Everything that the trainings of one call share."""

    folder: Path
    records: pd.DataFrame
    samples: list[Sample]
    folds: np.ndarray
    recipe: Recipe
    encoder: dict | None
    device: str
    progress: Callable[[int, int, int], None] | None

    def __post_init__(self):
        self.curve: list[dict[str, object]] = []

    def train(self, fold: int, path: Path, metrics: pd.DataFrame | None = None) -> list[float]:
        """Train on all images outside `fold`, write the weights, return the losses."""
        from hybridlesion.segmentation.refiner import train_network

        chosen = np.flatnonzero(self.folds != fold) if fold >= 0 else np.arange(len(self.samples))
        part = "all" if fold < 0 else f"without_fold_{fold}"
        done = train_network(
            [self.samples[i] for i in chosen],
            # Another seed for every fold, so that their errors are not those of one beginning.
            replace(self.recipe, seed=self.recipe.seed + 1 + fold),
            encoder=self.encoder,
            device=self.device,
            checkpoint=self.folder / f"{part}.pt",
            progress=self._report,
        )
        facts = {
            "recipe": asdict(self.recipe),
            "n_images": len(chosen),
            "image_ids_sha256": digest_ids(self.records["image_id"].iloc[chosen]),
            "pretrained_encoder": self.encoder is not None,
            "out_of_fold": _as_facts(metrics),
        }
        save_refiner(path, done.average, size=self.recipe.image_size, facts=facts)
        self.curve += [
            {"training": part, "epoch": epoch, "loss": loss}
            for epoch, loss in enumerate(done.losses, start=1)
        ]
        return done.losses

    def write_curve(self, path: Path) -> None:
        """Write the loss of every epoch of every training."""
        with atomic_path(path) as temporary:
            pd.DataFrame(self.curve).to_csv(temporary, index=False)

    def _report(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(done, 0, total)


def _cross_validate(work: _Work, out: Path, n_folds: int) -> pd.DataFrame:
    parts = []
    for fold in range(n_folds):
        path = work.folder / f"without_fold_{fold}.safetensors"
        work.train(fold, path)
        unseen = work.records[work.folds == fold]
        found = measure_out_of_fold(unseen, path, _beside(out, ".out_of_fold"))
        parts.append(found.assign(fold=fold))
    overlaps = pd.concat(parts).sort_values("image_id")
    with atomic_path(_beside(out, ".out_of_fold.csv")) as temporary:
        overlaps.to_csv(temporary, index=False)
    return summarize_overlaps(overlaps)


def _check_outputs(out: Path, inputs: Sequence[str | os.PathLike | None]) -> None:
    """Make sure, before long work, that everything can be written and replaces nothing."""
    check_writable(out)
    tables = {_beside(out, end): columns for end, columns in _TABLES.items()}
    check_apart([out, *tables], inputs)
    check_errors(out)
    for table, columns in tables.items():
        check_side_table(table, columns)
    former = check_run_dir(_beside(out, ".training"))
    masks = _beside(out, ".out_of_fold")
    if former is None and masks.exists() and not _beside(out, ".out_of_fold.csv").exists():
        raise SourceError(
            f"{masks} is in the way: masks go into a folder of that name, and this one was left by "
            "no training. Move it, or name another output."
        )


def _check_count(n_images: int, n_folds: int, recipe: Recipe) -> None:
    # The smallest training set is that without the largest fold.
    smallest = n_images if n_folds == 0 else n_images - -(-n_images // n_folds)
    if smallest < recipe.batch_size or n_images < n_folds:
        raise TableError(
            f"{n_images} images with masks are too few for batches of {recipe.batch_size}"
            f"{f' and {n_folds} folds' if n_folds else ''}. Bring more, or lower these."
        )


def _deal_folds(
    records: pd.DataFrame, samples: list[Sample], n_folds: int, seed: int
) -> np.ndarray:
    if n_folds == 0:
        return np.full(len(records), -1)
    known = [records[name] for name in ("patient_id", "lesion_id") if name in records]
    hashes = np.stack([perceptual_hash(sample.image) for sample in samples])
    cropped = np.stack([crop_hashes(sample.image) for sample in samples])
    groups = connected_groups(cluster_near_duplicates(hashes, cropped), *known)
    return grouped_folds(np.ones(len(records)), groups, n_splits=n_folds, random_state=seed)


def _as_facts(metrics: pd.DataFrame | None) -> dict[str, float] | None:
    return None if metrics is None else dict(zip(metrics["metric"], metrics["value"], strict=True))


def _as_list(sources: str | os.PathLike | Sequence[str]) -> list[str]:
    if isinstance(sources, (str, os.PathLike)):
        return [os.fspath(sources)]
    return [os.fspath(source) for source in sources]


def _beside(out: Path, end: str) -> Path:
    return out.with_name(out.name + end)
