"""Refiner training on images with reference masks, with out-of-fold evaluation."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hybridlesion._atomic import check_apart, check_writable
from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_number
from hybridlesion.batch import check_errors, check_side_table, write_errors
from hybridlesion.cnn import resolve_device
from hybridlesion.cnn.backbone import read_state_dict
from hybridlesion.exceptions import SourceError, TableError
from hybridlesion.io import find_masks, list_images, read_mask, write_mask
from hybridlesion.metrics import measure_overlap, summarize_overlaps
from hybridlesion.model_selection import grouped_folds
from hybridlesion.segmentation import refiner
from hybridlesion.training._image_training import (
    EpochLog,
    Progress,
    as_paths,
    check_run_dir,
    digest_data,
    digest_file,
    digest_ids,
    group_images,
    list_records,
    open_run_dir,
    read_facts,
    read_images,
    write_file,
)


def list_pairs(
    images: Sequence[str],
    masks: Sequence[str],
    metadata: Sequence[str] = (),
    structures: str | os.PathLike | None = None,
) -> pd.DataFrame:
    """List the images that have a reference mask.

    Parameters
    ----------
    images : sequence of str
        Folders, archives or tables of images.
    masks : sequence of str
        Mask folder for each source, in the layout expected by `hybridlesion.io.find_masks`.
    metadata : sequence of str, default=()
        Tables with ``orig_width`` and ``orig_height`` of squashed images, or with patient and
        lesion ids.
    structures : str or path-like, default=None
        Folder of ``IMAGEID_attribute_STRUCTURE.png``.

    Returns
    -------
    DataFrame of shape (n, columns)
        Table with columns image_id, path, mask_path, structures (a mapping from name to mask for
        the images of sources with any such mask, otherwise None), aspect (original width over
        height for squashed photographs, otherwise missing), and patient_id and lesion_id if
        available. If several sources contain the same image id, the first source is used.

    Raises
    ------
    ValueError
        If the numbers of mask folders and image sources differ.
    TableError
        If no image has a mask, or a table has no image ids.
    """
    parts = []
    outlined = _find_structures(structures)
    for source, folder in zip(images, masks, strict=True):
        part = list_images(source)
        part["mask_path"] = part["image_id"].map(find_masks(folder, part["image_id"]))
        known = not outlined.keys().isdisjoint(part["image_id"])
        found = [outlined.get(one, {}) if known else None for one in part["image_id"]]
        parts.append(part.assign(structures=pd.Series(found, part.index, dtype=object)))
    records = pd.concat(parts).dropna(subset="mask_path").drop_duplicates("image_id")
    if records.empty:
        raise TableError(
            f"no image in {', '.join(images)} has a mask in {', '.join(masks)}; masks are named "
            "IMAGEID_segmentation."
        )
    nothing = pd.DataFrame({"image_id": [], "aspect": []}, dtype=object)
    known = pd.concat([nothing, *map(read_facts, metadata)])
    known = known.groupby("image_id", as_index=False).first()
    return records.merge(known, on="image_id", how="left").astype({"aspect": float})


def _find_structures(folder: str | os.PathLike | None) -> dict[str, dict[str, str]]:
    """Masks of structures, by image id and name."""
    found: dict[str, dict[str, str]] = {}
    if folder is None:
        return found
    for name in refiner.STRUCTURES:
        end = f"_attribute_{name}.png"
        for path in sorted(Path(folder).glob(f"*{end}")):
            found.setdefault(path.name.removesuffix(end), {})[name] = str(path)
    if not found:
        raise SourceError(
            f"no masks of structures in {folder}; their names are IMAGEID_attribute_STRUCTURE.png, "
            f"with {', '.join(refiner.STRUCTURES)}."
        )
    return found


def measure_out_of_fold(records: pd.DataFrame, weights: Path, out: Path) -> pd.DataFrame:
    """Segment images with a trained network, write the masks and measure their overlap.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records with columns image_id, path, mask_path and aspect, which must not include training
        images.
    weights : Path
        Weight file of the trained network.
    out : Path
        Output folder for ``IMAGEID_segmentation.png``, with the size of the reference mask.

    Returns
    -------
    DataFrame of shape (n, columns)
        Table with columns image_id, the overlap measures, confidence and flags.
    """
    rows = []
    for record in list_records(records):
        image = refiner.read_unsquashed(record["path"], record["aspect"])
        details = refiner.segment_refined(image, weights=weights)
        truth = read_mask(record["mask_path"])
        grey = details.mask.astype("uint8") * 255
        mask = cv2.resize(grey, truth.shape[::-1], interpolation=cv2.INTER_LINEAR) > 127
        write_mask(out / f"{record['image_id']}_segmentation.png", mask)
        found = {"image_id": record["image_id"], **measure_overlap(mask, truth)}
        flags = " ".join(details.flags)
        rows.append({**found, "confidence": details.confidence, "flags": flags})
    return pd.DataFrame(rows)


# Samples are larger than the network input, so that views can be rotated and scaled.
_SAMPLE_SCALE = 4 / 3

# Suffixes of the tables written next to the weights -> first columns of their headers.
_TABLES = {".curve.csv": ("training", "epoch", "loss"), ".out_of_fold.csv": ("image_id", "jaccard")}


@dataclass(frozen=True)
class RefinerTraining:
    """Result of training the refiner.

    Parameters
    ----------
    path : Path
        Weight file.
    n_images : int
        Number of training images.
    n_failed : int
        Number of image-mask pairs that could not be used.
    losses : tuple of float
        Mean loss in each epoch of the final training.
    metrics : DataFrame or None
        Overlap of the out-of-fold masks with the reference masks, with columns metric, value, low
        and high, or None without folds.
    errors_path : Path or None
        Path of the list of failures, or None if nothing failed.
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
    structures: str | os.PathLike | None = None,
    weights: str | os.PathLike | None = None,
    n_folds: int = 0,
    recipe: refiner.Recipe | None = None,
    device: str = "auto",
    n_jobs: int = 1,
    restart: bool = False,
    progress: Progress | None = None,
    log: EpochLog | None = None,
) -> RefinerTraining:
    """Train the refiner on images with reference masks.

    Parameters
    ----------
    images : str, path-like or sequence of str
        Folders, archives or tables of images.
    masks : str, path-like or sequence of str
        Folders of ``IMAGEID_segmentation`` files, one for each image source.
    out : str or path-like
        Weight file to write, with suffix ``.safetensors``. Also written are ``OUT.curve.csv`` (a
        row per epoch; the command line draws ``OUT.curve.png``), ``OUT.training/`` (checkpoints)
        and, with folds, ``OUT.out_of_fold.csv`` and
        the masks in ``OUT.out_of_fold/``.
    metadata : sequence of str, default=()
        Tables with ``orig_width, orig_height`` of squashed images, or with patient or lesion ids.
        Images that share an id are put into the same fold.
    structures : str or path-like, default=None
        Folder of ``IMAGEID_attribute_STRUCTURE.png``, as in ISIC 2018, task 2: outlines of pigment
        network, negative network, streaks, globules and milia-like cysts. The network then also
        maps these. A missing mask counts as weak evidence of absence only.
    weights : str or path-like, default=None
        Weight file of the timm model ``mobilenetv2_100`` for the encoder. If None, the encoder is
        initialised at random.
    n_folds : int, default=0
        Number of folds. If 0, a single network is trained on all images. If 2 or more, a network
        is also trained for each fold and evaluated on the images of that fold.
    recipe : Recipe, default=None
        Training settings. If None, the default settings are used.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Device used for training.
    n_jobs : int, default=1
        Number of processes that read images; -1 means using all cores.
    restart : bool, default=False
        Whether to discard the results of an interrupted training.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``, first with the number of images, then with the
        number of steps in each training.
    log : callable, default=None
        Called as ``log(training, row)`` after each epoch; `row` has the columns of
        ``OUT.curve.csv``, which is written at the same time.

    Returns
    -------
    RefinerTraining
        Path, counts, losses and metrics.

    Raises
    ------
    TableError
        If no image has a mask, or there are too few images for the batches or the folds.
    SourceError
        If `out` cannot be written or has another suffix, unrelated files have the names of the
        side files, or a folder is missing.
    HybridLesionError
        If `out` contains a training with other settings, or no image can be read.
    ValueError
        If a parameter is out of range.

    Notes
    -----
    An interrupted training resumes after the last finished epoch. Images of the same patient or
    lesion, and near-duplicates, share a fold.
    """
    recipe = recipe or refiner.Recipe()
    out = Path(out)
    if out.suffix != ".safetensors":
        raise SourceError(f"a weight file must end in .safetensors, got {out.name!r}.")
    check_number("n_folds", n_folds, low=0, integer=True)
    if n_folds == 1:
        raise ValueError(
            "n_folds must be 0 or at least 2, got 1: one fold leaves no training data."
        )
    _check_outputs(out, [*metadata, weights])
    device = resolve_device(device)
    encoder = None if weights is None else read_state_dict(weights)
    records = list_pairs(as_paths(images), as_paths(masks), metadata, structures)
    # Check before reading the images, which can only reduce their number.
    _check_count(len(records), n_folds, recipe)
    read = partial(_read_pair, round(_SAMPLE_SCALE * recipe.image_size))
    pairs = records[["image_id", "path", "mask_path", "aspect", "structures"]]
    found: dict[int, refiner.Sample] = {}
    options = {"n_jobs": n_jobs, "progress": progress, "noun": "pairs of image and mask"}
    failures = read_images(read, pairs, found.__setitem__, **options)
    records = records.iloc[sorted(found)].reset_index(drop=True)
    samples = [found[position] for position in sorted(found)]
    _check_count(len(samples), n_folds, recipe)
    folds = np.full(len(samples), -1)
    if n_folds:
        groups = group_images(records, (sample.image for sample in samples))
        ones = np.ones(len(samples))
        folds = grouped_folds(ones, groups, n_splits=n_folds, random_state=recipe.seed)
    folder = _with_suffix(out, ".training")
    curve = _with_suffix(out, ".curve.csv")
    work = _RefinerWork(
        folder, curve, records, samples, folds, recipe, encoder, device, progress, log
    )
    rows = records[["image_id", "aspect"]].assign(fold=folds)
    settings = {
        "recipe": asdict(recipe),
        "data": digest_data(rows, _list_files(records)),
        "encoder": digest_file(weights),
    }
    open_run_dir(folder, settings, restart=restart)
    metrics = _cross_validate(work, out, n_folds) if n_folds else None
    losses = work.train(-1, out, metrics)
    work.write_curve()
    return RefinerTraining(
        path=out,
        n_images=len(records),
        n_failed=len(failures),
        losses=tuple(losses),
        metrics=metrics,
        errors_path=write_errors(out, failures),
    )


def _read_pair(side: int, record: Mapping[str, Any]) -> refiner.Sample:
    paths, outlined = (record["path"], record["mask_path"]), record["structures"]
    return refiner.read_sample(*paths, side=side, aspect=record["aspect"], structures=outlined)


def _list_files(records: pd.DataFrame) -> list[str]:
    outlined = [path for found in records["structures"] if found for path in found.values()]
    return [*records["path"], *records["mask_path"], *outlined]


@dataclass
class _RefinerWork:
    """Data and settings shared by all trainings of a call."""

    folder: Path
    curve_path: Path
    records: pd.DataFrame
    samples: list[refiner.Sample]
    folds: np.ndarray
    recipe: refiner.Recipe
    encoder: dict | None
    device: str
    progress: Progress | None
    log: EpochLog | None
    curves: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def train(self, fold: int, path: Path, metrics: pd.DataFrame | None = None) -> list[float]:
        """Train on all images outside `fold`, write the weights and return the losses."""
        chosen = np.flatnonzero(self.folds != fold) if fold >= 0 else np.arange(len(self.samples))
        part = "all" if fold < 0 else f"without_fold_{fold}"
        unseen = np.flatnonzero(self.folds == fold) if fold >= 0 else ()

        def keep(curve: list[dict[str, float]]) -> None:
            self.curves[part] = curve
            self.write_curve()
            if self.log is not None:
                self.log(part, curve[-1])

        done = refiner.train_network(
            [self.samples[i] for i in chosen],
            # Use different seeds, so that the errors of the folds do not share an initialisation.
            replace(self.recipe, seed=self.recipe.seed + 1 + fold),
            encoder=self.encoder,
            device=self.device,
            checkpoint=self.folder / f"{part}.pt",
            progress=self._report,
            held_out=[self.samples[i] for i in unseen],
            log=keep,
        )
        self.curves[part] = done.curve
        measured = None if metrics is None else metrics.set_index("metric")["value"].to_dict()
        facts = {
            "recipe": asdict(self.recipe),
            "n_images": len(chosen),
            "image_ids_sha256": digest_ids(self.records["image_id"].iloc[chosen]),
            "pretrained_encoder": self.encoder is not None,
            "out_of_fold": measured,
        }
        refiner.save_refiner(path, done.average, size=self.recipe.image_size, facts=facts)
        return done.losses

    def write_curve(self) -> None:
        """Write the rows of all epochs so far."""
        rows = [{"training": part} | row for part, curve in self.curves.items() for row in curve]
        write_file(self.curve_path, pd.DataFrame(rows).to_csv(index=False))

    def _report(self, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(done, 0, total)


def _cross_validate(work: _RefinerWork, out: Path, n_folds: int) -> pd.DataFrame:
    parts = []
    for fold in range(n_folds):
        path = work.folder / f"without_fold_{fold}.safetensors"
        work.train(fold, path)
        unseen = work.records[work.folds == fold]
        found = measure_out_of_fold(unseen, path, _with_suffix(out, ".out_of_fold"))
        parts.append(found.assign(fold=fold))
    overlaps = pd.concat(parts).sort_values("image_id")
    write_file(_with_suffix(out, ".out_of_fold.csv"), overlaps.to_csv(index=False))
    return summarize_overlaps(overlaps)


def _check_outputs(out: Path, inputs: Sequence[str | os.PathLike | None]) -> None:
    """Check, before a long run, that all outputs can be written without replacing other files."""
    check_writable(out)
    tables = {_with_suffix(out, end): columns for end, columns in _TABLES.items()}
    check_apart([out, *tables], inputs)
    check_errors(out)
    for table, columns in tables.items():
        check_side_table(table, columns)
    former = check_run_dir(_with_suffix(out, ".training"))
    masks, figure = (_with_suffix(out, end) for end in (".out_of_fold", ".curve.png"))
    for path, table in ((masks, ".out_of_fold.csv"), (figure, ".curve.csv")):
        if former is None and path.exists() and not _with_suffix(out, table).exists():
            raise SourceError(
                f"{path} is in the way: masks or curves of the training have that name, and this "
                "was not written by one. Move it, or choose another output."
            )


def _check_count(n_images: int, n_folds: int, recipe: refiner.Recipe) -> None:
    # The smallest training set is obtained by leaving out the largest fold.
    smallest = n_images if n_folds == 0 else n_images - -(-n_images // n_folds)
    if smallest < recipe.batch_size or n_images < n_folds:
        raise TableError(
            f"{n_images} images with masks are too few for batches of {recipe.batch_size}"
            f"{f' and {n_folds} folds' if n_folds else ''}. Use more images"
            f"{', or fewer folds' if n_folds else ''}."
        )


def _with_suffix(out: Path, suffix: str) -> Path:
    return out.with_name(out.name + suffix)
