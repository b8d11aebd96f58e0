"""Square crops of images on disk, the input of a fine-tuning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path
from hybridlesion._optional_imports import cv2
from hybridlesion.cnn.views import VIEWS, cut, frame_window, lesion_window
from hybridlesion.featurizer import Failure
from hybridlesion.leakage import HASH_BYTES, perceptual_hash
from hybridlesion.segmentation import segment
from hybridlesion.training._image_training import read_images, read_recorded


@dataclass(frozen=True)
class CropSettings:
    """Settings of the crops.

    Parameters
    ----------
    side : int
        Side of the square, in pixels.
    crop : {"lesion", "frame", "both"}
        A square around the lesion, the centre of the frame, or both.
    margin : float
        Skin on each side of the lesion, as a share of its longer side.
    """

    side: int
    crop: str
    margin: float


class Crops(NamedTuple):
    """Crops of many images.

    Parameters
    ----------
    crops : ndarray of shape (n, v, side, side, 3), uint8
        One or two views of each image, mapped from disk; black where an image failed.
    hashes : ndarray of shape (n, 32), uint8
        Perceptual hashes of the whole images.
    failures : list of Failure
        The failures, in order.
    """

    crops: np.ndarray
    hashes: np.ndarray
    failures: list[Failure]


def read_crops(
    records: pd.DataFrame,
    settings: CropSettings,
    folder: Path,
    *,
    n_jobs: int = 1,
    progress: Callable[[int, int, int], None] | None = None,
) -> Crops:
    """Read every image once and store its crop.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Columns image_id, path and aspect.
    settings : CropSettings
        Settings of the crops.
    folder : Path
        Run directory; crops of an earlier call are reused.
    n_jobs : int, default=1
        Processes; -1 uses every core.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    Crops
        Crops, hashes and failures.

    Raises
    ------
    HybridLesionError
        If not one image could be read.
    """
    shape = (len(records), len(VIEWS[settings.crop]), settings.side, settings.side, 3)
    crop_file, hash_file, failure_file = (
        folder / f"crops.{name}" for name in ("npy", "looks.npy", "failures.csv")
    )
    if crop_file.is_file() and failure_file.is_file():
        failures = [Failure(*row) for row in pd.read_csv(failure_file, dtype=str).to_numpy()]
        return Crops(np.load(crop_file, mmap_mode="r"), np.load(hash_file), failures)
    hashes = np.zeros((len(records), HASH_BYTES), np.uint8)
    with atomic_path(crop_file) as temporary:
        crops = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)

        def keep(position: int, answer: tuple[np.ndarray, np.ndarray]) -> None:
            crops[position], hashes[position] = answer

        failures = read_images(
            partial(_read_crop, settings),
            records[["image_id", "path", "aspect"]],
            keep,
            n_jobs=n_jobs,
            progress=progress,
        )
        crops.flush()
    with atomic_path(hash_file) as temporary:
        np.save(temporary, hashes)
    with atomic_path(failure_file) as temporary:
        table = pd.DataFrame(failures, columns=["image_id", "path", "stage", "reason"])
        table.to_csv(temporary, index=False)
    return Crops(np.load(crop_file, mmap_mode="r"), hashes, failures)


def _read_crop(settings: CropSettings, record: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    image = read_recorded(record)
    crops = [_cut_out(image, view, settings) for view in VIEWS[settings.crop]]
    return np.stack(crops), perceptual_hash(image)


def _cut_out(image: np.ndarray, view: str, settings: CropSettings) -> np.ndarray:
    size = (settings.side, settings.side)
    window = None
    if view == "lesion":
        window = lesion_window(segment(image), margin=settings.margin)
    if window is None:
        window = frame_window(image.shape[:2], size=size, crop_pct=1.0)
    pixels = cut(image, window)
    method = cv2.INTER_AREA if window.height >= settings.side else cv2.INTER_CUBIC
    return cv2.resize(pixels, size, interpolation=method)
