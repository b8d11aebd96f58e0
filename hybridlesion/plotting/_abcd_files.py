"""CNN attribution maps, and files with the ABCD sheets and maps of images."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator, clone

from hybridlesion import batch
from hybridlesion._atomic import check_writable
from hybridlesion._optional_imports import cv2
from hybridlesion._validation import as_pandas, check_image, check_mask
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
    FINETUNED_EMBEDDERS,
    Failure,
    LesionFeaturizer,
    attempt,
    read_segmented,
)
from hybridlesion.inference import LesionAnswer, measure_image, score_image
from hybridlesion.io import find_masks, image_size, read_mask
from hybridlesion.metadata import MEASUREMENT_PREFIXES
from hybridlesion.pipeline import split_steps
from hybridlesion.plotting._abcd_layout import add_score, percent
from hybridlesion.plotting._abcd_sheet import draw_abcd_sheet
from hybridlesion.plotting._style import (
    INK,
    MALIGNANT,
    MODEL,
    NOTE,
    RESEARCH_ONLY,
    plain_text,
    save_figure,
)
from hybridlesion.segmentation import (
    Segmentation,
    check_segmenter,
    draw_overlay,
    flag_words,
    replace_mask,
)

MAP_KEY = "Orange regions raise the score, blue regions lower it."
"""Meaning of the colours of a map."""

_STRONGEST = 0.995  # quantile of the attributions with full opacity
# Number of opacity levels; more would only make files larger.
_LEVELS = 20
_COVER = 0.8  # highest opacity


def paint_cnn_map(found: CnnMap, long_side: int | None = None) -> np.ndarray:
    """Convert a map to an overlay for the grey photograph.

    Parameters
    ----------
    found : CnnMap
        Result of `hybridlesion.explain.cnn_map`.
    long_side : int, default=None
        Long side in pixels, at most that of the map. If None, the size of the map is kept.

    Returns
    -------
    ndarray of shape (h, w, 4), uint8
        RGBA: orange where the score is raised, blue where it is lowered; the opacity is relative
        to the strongest attributions of the image.

    Examples
    --------
    >>> values = np.zeros((40, 60), np.float32)
    >>> values[10:20, 10:20], values[10:20, 40:50] = 1, -1
    >>> painted = paint_cnn_map(CnnMap(values, 1.0, 1.0))
    >>> painted[15, [15, 45, 55]].tolist()
    [[213, 94, 0, 204], [0, 114, 178, 204], [0, 114, 178, 0]]
    """
    values = found.values
    scale = 1.0 if long_side is None else min(1.0, long_side / max(values.shape))
    if scale < 1:
        size = tuple(max(1, round(scale * side)) for side in values.shape[::-1])
        values = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    strength = np.abs(values)
    # The quantile is 0 if fewer than one pixel in 200 has an attribution.
    top = float(np.quantile(strength, _STRONGEST)) or float(strength.max()) or 1.0
    painted = np.empty((*values.shape, 4), np.uint8)
    painted[..., :3] = np.where(values[..., None] > 0, _rgb(MALIGNANT), _rgb(MODEL))
    painted[..., 3] = np.round(_COVER * np.minimum(strength / top, 1) * _LEVELS) * (255 / _LEVELS)
    return painted


def cnn_words(found: CnnMap, mask: np.ndarray) -> str:
    """Describe what share of the attribution lies on the lesion.

    Parameters
    ----------
    found : CnnMap
        Attribution map.
    mask : ndarray of shape (H, W), bool
        Mask of the lesion.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> cnn_words(CnnMap(np.eye(2, dtype=np.float32), 0.0, -1.0), np.eye(2) > 0)
    '100 % of the attribution for malignancy lies on the lesion.'
    """
    if not mask.any():
        return "No lesion was found in the image."
    inside = found.share_inside(mask)
    if math.isnan(inside):
        return "The network attributes its score to no region."
    return f"{percent(inside)} of the attribution for {found.outcome} lies on the lesion."


def draw_cnn_sheet(
    image: np.ndarray, mask: np.ndarray, found: CnnMap, *, title: str = "CNN attribution map"
) -> Figure:
    """Draw a photograph and the attribution map of fine-tuned networks.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB photograph.
    mask : ndarray of shape (H, W), bool
        True inside the lesion.
    found : CnnMap
        Result of `hybridlesion.explain.cnn_map`.
    title : str, default="CNN attribution map"
        Title, which may be any text.

    Returns
    -------
    Figure
        1200 x 600 pixels at 100 dpi.

    Raises
    ------
    ImageError
        If the image is not a (H, W, 3) uint8 array, or the mask has a different size.

    Examples
    --------
    >>> import numpy as np
    >>> from hybridlesion.explain import cnn_map
    >>> from hybridlesion.plotting import draw_cnn_sheet
    >>> y, x = np.mgrid[-60:60, -80:80]
    >>> disc = x**2 + y**2 <= 40**2
    >>> image = np.where(disc[..., None], (120, 80, 60), (225, 190, 170)).astype(np.uint8)
    >>> figure = draw_cnn_sheet(image, disc, cnn_map(image, disc, n_steps=2))
    >>> figure.get_size_inches() * figure.dpi
    array([1200.,  600.])
    """
    image = check_image(image)
    mask = check_mask(mask, image.shape[:2])
    figure = Figure(figsize=(12, 6), dpi=100, facecolor="white", layout="constrained")
    photograph, seen = figure.subplots(1, 2)
    photograph.imshow(draw_overlay(image, mask) if mask.any() else image)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    seen.imshow(grey, cmap="gray", vmin=0, vmax=255)
    seen.imshow(paint_cnn_map(found))
    if mask.any():
        seen.contour(mask.astype(np.uint8), levels=[0.5], colors="white", linewidths=1.2)
    for axes, words in ((photograph, "Photograph"), (seen, "CNN attribution map")):
        axes.set_axis_off()
        axes.set_title(words, fontsize=12, fontweight="bold", color=INK)
    figure.suptitle(plain_text(title), fontsize=15, fontweight="bold", color=INK, parse_math=False)
    score = 1 / (1 + math.exp(-found.log_odds))
    said = (
        f"CNN score for {found.outcome} {score:.3f}, of the whole network. {cnn_words(found, mask)}"
    )
    key = f"{MAP_KEY} Opacities are relative to this image. {RESEARCH_ONLY}"
    figure.supxlabel(f"{said}\n{key}", fontsize=10, color=NOTE)
    return figure


def _rgb(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color.removeprefix("#")))


def draw_segmented_sheet(
    image: np.ndarray, details: Segmentation, color_constancy: str, *, title: str, notes: str
) -> Figure:
    """Draw the ABCD sheet of a segmented image.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        Image at the scale of the analysis.
    details : Segmentation
        Its segmentation.
    color_constancy : str
        Colour constancy of the features, as in `hybridlesion.featurizer.LesionFeaturizer`.
    title, notes : str
        As for `draw_abcd_sheet`.

    Returns
    -------
    Figure
        The sheet.
    """
    correct = COLOR_CONSTANCY[color_constancy]
    return draw_abcd_sheet(
        image if correct is None else correct(image, mask=details.field_of_view),
        details.mask,
        field_of_view=details.field_of_view,
        hair=details.hair,
        raw=image,
        structures=details.structures,
        title=title,
        notes=notes,
    )


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
    score : callable or None, default=None
        Called as ``score(image_id, image, details)`` for the `LesionAnswer` that is added to the
        sheet.
    model_name : str, default="the model"
        Name of the model that scores.
    """

    featurizer: LesionFeaturizer
    masks: dict[str, str] | None = None
    column: str | None = None
    score: Callable[[str, np.ndarray, Segmentation], LesionAnswer] | None = None
    model_name: str = "the model"

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
        featurizer = self.featurizer
        segmenter = f"{Path(featurizer.segmenter).name} segmenter"
        if self.score is not None:
            segmenter = "segmenter of the model"
        notes = f"Mask: {segmenter}, confidence {details.confidence:.2f}."
        notes = f"{notes} {flag_words(details.flags)}"
        if self.masks is not None:
            if image_id not in self.masks:
                raise ImageError(f"there is no mask of {image_id}.")
            own = self.masks[image_id]
            try:
                details = replace_mask(details, read_mask(own), image_size(path))
            except ImageError as error:
                raise ImageError(f"{own}: {error}") from error
            notes = f"Mask: {Path(own).name}."
        words = {"title": image_id, "notes": notes}
        sheet = draw_segmented_sheet(image, details, featurizer.color_constancy, **words)
        if self.score is not None:
            add_score(sheet, self.score(image_id, image, details), self.model_name)
        seen = None
        if featurizer.embedder in FINETUNED_EMBEDDERS:
            settings = {"column": self.column, "device": featurizer.device}
            seen = cnn_map(image, details.mask, featurizer.weights, **settings)
        return DrawnSheet(sheet, image, details.mask, seen)


SHEET_SUFFIXES = (".png", ".pdf", ".svg")
_DPI = 100


def write_abcd_sheets(
    records: pd.DataFrame,
    out: str | os.PathLike | None = None,
    *,
    segmenter: str = "refined",
    masks: str | os.PathLike | None = None,
    network: str | os.PathLike | None = None,
    model: BaseEstimator | None = None,
    training: Mapping[str, object] | None = None,
    model_name: str = "the model",
    progress: Callable[[int, int, int], None] | None = None,
) -> batch.ExtractionResult:
    """Draw the ABCD sheet of every record, with the values of the feature table.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records with ``image_id`` and ``path`` and, for a model, age, sex, site and patient.
    out : str or path-like, default=None
        For one record, a file ending in .png, .pdf or .svg, or a folder for ``IMAGEID_abcd.png``.
        If None, this file is written to the current folder. For several records, a folder; failures
        are then listed in ``OUT.errors.csv``.
    segmenter : str, default="refined"
        One of `hybridlesion.segmentation.SEGMENTERS`, or the weight file of a refiner.
    masks : str or path-like, default=None
        Mask that replaces the segmentation, with the size of the image; for several records, a
        folder of masks, named as by ``hybridlesion segment``.
    network : str or path-like, default=None
        Fine-tuned network whose attribution map is also drawn, as ``IMAGEID_cnn.png``:
        ``"finetuned"`` for the bundled network, or a folder written by ``hybridlesion finetune``,
        packed or not. If None, no map is drawn.
    model : Pipeline, default=None
        Fitted model whose score and reasons are added to each sheet; it also determines how images
        are segmented. If None, the sheets have no score.
    training : mapping, default=None
        Description of the training data of the model, from its manifest. If None, training images
        of the model are not detected.
    model_name : str, default="the model"
        Name of the model on the sheets.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    ExtractionResult
        The output, and the numbers of sheets and failures.

    Raises
    ------
    TableError
        If there are no records, or the model cannot measure images.
    OptionError
        If `out` or `masks` is a file and there are several records, or `segmenter` is not that of
        the model.
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
    featurizer = LesionFeaturizer(segmenter=check_segmenter(segmenter))
    if model is not None:
        featurizer = clone(_own_featurizer(model, segmenter))
    featurizer.set_params(embedder="none", weights=None)
    if network is not None:
        weights = None if network == FINETUNED else os.fspath(network)
        # Fail before any image is read if the network cannot be used.
        CNNScorer(weights).fit()
        featurizer.set_params(embedder=FINETUNED, weights=weights)
    image_ids, paths = list(records["image_id"]), list(records["path"])
    rows = list(zip(image_ids, paths, strict=True))
    targets = _targets(image_ids, out)
    maps = [] if network is None else [_network_target(target) for target in targets]
    _check_targets(targets, maps, paths, masks)
    if len(rows) > 1:
        batch.check_errors(out)
    facts, mask_paths = _facts(records), _mask_paths(image_ids, masks)

    def score(image_id: str, image: np.ndarray, details: Segmentation) -> LesionAnswer:
        measured = measure_image(model, image, mask=details, image_id=image_id)
        return score_image(model, measured, metadata=facts[image_id], training=training)

    settings = {"score": None if model is None else score, "model_name": model_name}
    drawing = SheetDrawing(featurizer, mask_paths, **settings)
    failures = []
    found = read_segmented(rows, long_side=featurizer.long_side, segmenter=featurizer.segmenter)
    for done, (target, (row, answer)) in enumerate(zip(targets, found, strict=True), start=1):
        if not isinstance(answer, Failure):
            answer = attempt(row, "features", partial(drawing, row, *answer))
        if isinstance(answer, Failure):
            failures.append(answer)
        else:
            _save(answer, target, row[0])
        if progress is not None:
            progress(done, len(failures), len(rows))
    path, errors = targets[0], None
    if len(rows) == 1 and failures:
        raise HybridLesionError(failures[0].reason)
    if len(rows) > 1:
        path, errors = Path(out), batch.write_errors(out, failures)
        batch.check_usable(failures, len(rows), errors)
    n_failed, seconds = len(failures), time.monotonic() - started
    return batch.ExtractionResult(path, len(rows) - n_failed, n_failed, errors, seconds)


def _own_featurizer(model: BaseEstimator, segmenter: str) -> LesionFeaturizer:
    featurizer, _ = split_steps(model)
    if featurizer is None:
        raise TableError("the model was fitted on tables alone and cannot measure images.")
    if segmenter not in ("refined", featurizer.segmenter):
        raise OptionError(
            f"the model measures masks of the segmenter {featurizer.segmenter!r}, got "
            f"{segmenter!r}. Leave out `segmenter`."
        )
    return featurizer


def _facts(records: pd.DataFrame) -> dict[str, dict[str, object]]:
    """Age, sex, site, ids and measurements of each image."""
    known = ("age", "sex", "site", "patient_id", "lesion_id", *MEASUREMENT_PREFIXES)
    columns = [name for name in records if str(name).startswith(known)]
    rows = records[[name for name in columns if not str(name).endswith("_raw")]]
    return dict(zip(records["image_id"], rows.to_dict("records"), strict=True))


def _save(drawn: DrawnSheet, target: Path, image_id: str) -> None:
    save_figure(drawn.sheet, target, dpi=_DPI)
    if drawn.seen is not None:
        figure = draw_cnn_sheet(drawn.image, drawn.mask, drawn.seen, title=image_id)
        save_figure(figure, _network_target(target), dpi=_DPI)


def _network_target(target: Path) -> Path:
    return target.with_stem(f"{target.stem.removesuffix('_abcd')}_cnn")


def _check_targets(
    targets: list[Path], maps: list[Path], paths: list[str], masks: str | os.PathLike | None
) -> None:
    """Refuse to replace an image, a mask, or a file not written by an earlier run."""
    used = [] if masks is None or Path(masks).is_dir() else [os.fspath(masks)]
    batch.check_originals([*targets, *maps], [*paths, *used])
    for target, other in zip(targets, maps, strict=False):
        if other.exists() and not target.exists():
            raise SourceError(
                f"{other} already exists and would be replaced by an attribution map. Move it, or "
                "choose another output."
            )


def _targets(image_ids: list[str], out: str | os.PathLike | None) -> list[Path]:
    """Return the file of each sheet, after checking that it can be written."""
    if len(image_ids) > 1 and (out is None or Path(out).suffix.lower() in SHEET_SUFFIXES):
        n = len(image_ids)
        raise OptionError(f"{n} images need a folder to write into: set `out` to a folder.")
    folder = Path() if out is None else Path(out)
    if len(image_ids) == 1 and folder.suffix and not folder.is_dir():
        if folder.suffix.lower() not in SHEET_SUFFIXES:
            allowed = f"end in {', '.join(SHEET_SUFFIXES)}, or be a folder"
            raise OptionError(f"`out` must {allowed}; got {folder.name!r}.")
        return [check_writable(folder)]
    paths = [folder / f"{image_id}_abcd.png" for image_id in image_ids]
    check_writable(paths[0])
    return paths


def _mask_paths(image_ids: list[str], masks: str | os.PathLike | None) -> dict[str, str] | None:
    if masks is None:
        return None
    masks = Path(masks)
    if masks.is_dir():
        return find_masks(masks, image_ids)
    if not masks.exists():
        raise SourceError(f"{masks} does not exist; give a mask, or a folder of masks.")
    if len(image_ids) > 1:
        others = f"there are {len(image_ids)} images: set `masks` to a folder of masks"
        raise OptionError(f"{masks} is one mask, but {others}.")
    return {image_ids[0]: str(masks)}
