"""Draw ABCD sheets and CNN maps of images to files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hybridlesion._atomic import check_writable
from hybridlesion._optional_imports import cv2
from hybridlesion._validation import as_pandas
from hybridlesion.batch import ExtractionResult, check_errors, check_originals, write_errors
from hybridlesion.cnn import CNNScorer
from hybridlesion.exceptions import (
    HybridLesionError,
    ImageError,
    OptionError,
    SourceError,
    TableError,
)
from hybridlesion.explain import CnnMap, cnn_map
from hybridlesion.featurizer import (
    COLOR_CONSTANCY,
    FINETUNED,
    Failure,
    LesionFeaturizer,
    attempt,
    read_segmented,
)
from hybridlesion.io import find_masks, image_size, read_mask
from hybridlesion.plotting._abcd_layout import flag_words
from hybridlesion.plotting._abcd_sheet import draw_abcd_sheet
from hybridlesion.plotting._cnn_sheet import draw_cnn_sheet
from hybridlesion.plotting._style import save_figure
from hybridlesion.segmentation import Segmentation, check_segmenter


@dataclass(frozen=True)
class DrawnSheet:
    """Figures drawn for one image.

    Parameters
    ----------
    sheet : Figure
        ABCD sheet.
    image : ndarray of shape (H, W, 3), uint8
        Image at the scale of the analysis.
    mask : ndarray of shape (H, W), bool
        Mask of the lesion.
    seen : CnnMap or None
        Attribution map; None without a network.
    """

    sheet: Figure
    image: np.ndarray
    mask: np.ndarray
    seen: CnnMap | None


@dataclass(frozen=True)
class SheetDrawing:
    """Draw segmented images with the settings of a featurizer.

    Parameters
    ----------
    featurizer : LesionFeaturizer
        Featurizer, fitted or not; with ``embedder="finetuned"``, attribution maps of its networks
        are also drawn.
    masks : dict of str to str, default=None
        Mask files that replace the segmentation, by image id. Masks must have the size of the
        image, or the size at which it is analysed.
    column : str or None, default=None
        Score whose attribution is mapped; see `hybridlesion.explain.cnn_map`.
    """

    featurizer: LesionFeaturizer
    masks: dict[str, str] | None = None
    column: str | None = None

    def __call__(
        self, row: tuple[str, str], image: np.ndarray, details: Segmentation
    ) -> DrawnSheet:
        """Draw one image.

        Parameters
        ----------
        row : tuple of image_id and path
            Id and path of the image.
        image : ndarray of shape (H, W, 3), uint8
            Image at the scale of the analysis.
        details : Segmentation
            Segmentation of the image.

        Returns
        -------
        DrawnSheet
            The figures.

        Raises
        ------
        ImageError
            If the image has no mask, or the mask has a different size.
        """
        image_id, path = row
        segmenter = Path(self.featurizer.segmenter).name
        notes = f"Mask: {segmenter} segmenter, confidence {details.confidence:.2f}."
        notes = f"{notes} {flag_words(details.flags)}"
        if self.masks is not None:
            mask, name = self._read_mask(image_id, path, image.shape[:2])
            details, notes = replace(details, mask=mask, flags=()), f"Mask: {name}."
        correct = COLOR_CONSTANCY[self.featurizer.color_constancy]
        sheet = draw_abcd_sheet(
            image if correct is None else correct(image, mask=details.field_of_view),
            details.mask,
            field_of_view=details.field_of_view,
            hair=details.hair,
            raw=image,
            title=image_id,
            notes=notes,
        )
        seen, featurizer = None, self.featurizer
        if featurizer.embedder == FINETUNED:
            options = {"column": self.column, "device": featurizer.device}
            seen = cnn_map(image, details.mask, featurizer.weights, **options)
        return DrawnSheet(sheet, image, details.mask, seen)

    def _read_mask(
        self, image_id: str, path: str | os.PathLike, shape: tuple[int, int]
    ) -> tuple[np.ndarray, str]:
        if image_id not in self.masks:
            raise ImageError(f"there is no mask of {image_id}.")
        own = self.masks[image_id]
        mask, size = read_mask(own), image_size(path)
        # Masks of a segmentation have the size of the image; those of a feature run, that of the
        # analysis.
        if mask.shape not in (size, shape):
            raise ImageError(
                f"{own}: mask and image must have the same size, got mask {mask.shape} and image "
                f"{size}."
            )
        grey = mask.astype(np.uint8) * np.uint8(255)
        small = cv2.resize(grey, shape[::-1], interpolation=cv2.INTER_AREA)
        return small > 127, Path(own).name


SHEET_SUFFIXES = (".png", ".pdf", ".svg")
_DPI = 100


def write_abcd_sheets(
    records: pd.DataFrame,
    out: str | os.PathLike | None = None,
    *,
    segmenter: str = "classical",
    masks: str | os.PathLike | None = None,
    network: str | os.PathLike | None = None,
    progress: Callable[[int, int, int], None] | None = None,
) -> ExtractionResult:
    """Draw the ABCD sheet of every record, with the values of the feature table.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records with ``image_id`` and ``path``.
    out : str or path-like, default=None
        For one record, a file ending in .png, .pdf or .svg, or a folder for ``IMAGEID_abcd.png``.
        If None, this file is written to the current folder. For several records, a folder; failures
        are then listed in ``OUT.errors.csv``.
    segmenter : str, default="classical"
        One of `hybridlesion.segmentation.SEGMENTERS`, or the weight file of a refiner.
    masks : str or path-like, default=None
        Mask that replaces the segmentation, with the size of the image; for several records, a
        folder of masks, named as by ``hybridlesion segment``.
    network : str or path-like, default=None
        Fine-tuned network whose attribution map is also drawn, as ``IMAGEID_cnn.png``:
        ``"finetuned"`` for the bundled network, or a folder written by ``hybridlesion finetune``,
        packed or not. If None, no map is drawn.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    ExtractionResult
        The output, and the numbers of sheets and failures.

    Raises
    ------
    TableError
        If there are no records.
    OptionError
        If `out` or `masks` is a file and there are several records.
    SourceError
        If `out` cannot be written, `masks` contains no mask, or the network does not exist.
    ArtifactError
        If the network is damaged.
    HybridLesionError
        If no image could be used.
    """
    started = time.monotonic()
    if len(records) == 0:
        raise TableError("`records` is empty: there is nothing to explain.")
    records = as_pandas(records)
    parameters = {"segmenter": check_segmenter(segmenter)}
    if network is not None:
        weights = None if network == FINETUNED else os.fspath(network)
        # Fail before any image is read if the network cannot be used.
        CNNScorer(weights).fit()
        parameters |= {"embedder": FINETUNED, "weights": weights}
    featurizer = LesionFeaturizer(**parameters)
    image_ids, paths = list(records["image_id"]), list(records["path"])
    rows = list(zip(image_ids, paths, strict=True))
    targets = _targets(image_ids, out)
    _check_targets(targets, paths, masks, with_network=network is not None)
    if len(rows) > 1:
        check_errors(out)
    drawing = SheetDrawing(featurizer, _mask_paths(image_ids, masks))
    failures = []
    found = read_segmented(rows, long_side=featurizer.long_side, segmenter=segmenter)
    for done, (target, (row, answer)) in enumerate(zip(targets, found, strict=True), start=1):
        if not isinstance(answer, Failure):
            answer = attempt(row, "features", partial(drawing, row, *answer))
        if isinstance(answer, Failure):
            failures.append(answer)
        else:
            _save(answer, target, row[0])
        if progress is not None:
            progress(done, len(failures), len(rows))
    path = targets[0] if len(rows) == 1 else Path(out)
    return _outcome(path, len(rows), failures, time.monotonic() - started)


def _save(drawn: DrawnSheet, target: Path, image_id: str) -> None:
    save_figure(drawn.sheet, target, dpi=_DPI)
    if drawn.seen is not None:
        figure = draw_cnn_sheet(drawn.image, drawn.mask, drawn.seen, title=image_id)
        save_figure(figure, _network_target(target), dpi=_DPI)


def _network_target(target: Path) -> Path:
    return target.with_stem(f"{target.stem.removesuffix('_abcd')}_cnn")


def _check_targets(
    targets: list[Path], paths: list[str], masks: str | os.PathLike | None, *, with_network: bool
) -> None:
    """Refuse to replace an image, a mask, or a file not written by an earlier run."""
    maps = [_network_target(target) for target in targets] if with_network else []
    used = [] if masks is None or Path(masks).is_dir() else [os.fspath(masks)]
    check_originals([*targets, *maps], [*paths, *used])
    for target, other in zip(targets, maps, strict=False):
        if other.exists() and not target.exists():
            raise SourceError(
                f"{other} already exists and would be replaced by an attribution map. Move it, or "
                "choose another output."
            )


def _outcome(path: Path, n_rows: int, failures: list[Failure], seconds: float) -> ExtractionResult:
    """Raise the failure of a single image, or list the failures of several images."""
    if n_rows == 1 and failures:
        raise HybridLesionError(failures[0].reason)
    errors = None if n_rows == 1 else write_errors(path, failures)
    if len(failures) == n_rows:
        raise HybridLesionError(
            f"none of the {n_rows} images could be used; the reasons are in {errors}. "
            f"The first: {failures[0].reason}"
        )
    return ExtractionResult(path, n_rows - len(failures), len(failures), errors, seconds)


def _targets(image_ids: list[str], out: str | os.PathLike | None) -> list[Path]:
    """Return the file of each sheet, after checking that it can be written."""
    if len(image_ids) > 1 and (out is None or Path(out).suffix.lower() in SHEET_SUFFIXES):
        raise OptionError(
            f"{len(image_ids)} images need a folder to write into: set `out` to a folder."
        )
    folder = Path() if out is None else Path(out)
    if len(image_ids) == 1 and folder.suffix and not folder.is_dir():
        if folder.suffix.lower() not in SHEET_SUFFIXES:
            raise OptionError(
                f"`out` must end in {', '.join(SHEET_SUFFIXES)}, or be a folder; got "
                f"{folder.name!r}."
            )
        return [check_writable(folder)]
    paths = [folder / f"{image_id}_abcd.png" for image_id in image_ids]
    check_writable(paths[0])
    return paths


def _mask_paths(image_ids: list[str], masks: str | os.PathLike | None) -> dict[str, str] | None:
    if masks is None:
        return None
    if Path(masks).is_dir():
        return find_masks(masks, image_ids)
    if not Path(masks).exists():
        raise SourceError(f"{os.fspath(masks)} does not exist; give a mask, or a folder of masks.")
    if len(image_ids) > 1:
        raise OptionError(
            f"{os.fspath(masks)} is one mask, but there are {len(image_ids)} images: set `masks` "
            "to a folder of masks."
        )
    return {image_ids[0]: os.fspath(masks)}
