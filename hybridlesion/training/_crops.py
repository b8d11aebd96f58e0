"""Square crops of images on disk, the input of a fine-tuning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path
from hybridlesion._optional_imports import cv2
from hybridlesion.batch import count_jobs, map_unordered
from hybridlesion.cnn.views import VIEWS, cut, frame_window, lesion_window
from hybridlesion.exceptions import HybridLesionError, ImageError, SourceError
from hybridlesion.featurizer import Failure
from hybridlesion.leakage import HASH_BYTES, perceptual_hash
from hybridlesion.segmentation import segment
from hybridlesion.segmentation.refiner import read_unsquashed

__all__ = ["CropSettings", "Crops", "read_crops"]


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
    looks : ndarray of shape (n, 32), uint8
        Fingerprints of the whole images.
    failures : list of Failure
        The failures, in order.
    """

    crops: np.ndarray
    looks: np.ndarray
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
        Crops, fingerprints and failures.

    Raises
    ------
    HybridLesionError
        If not one image could be read.
    """
    views = VIEWS[settings.crop]
    shape = (len(records), len(views), settings.side, settings.side, 3)
    kept, looked, told = (folder / f"crops.{name}" for name in ("npy", "looks.npy", "failures.csv"))
    if kept.is_file() and told.is_file():
        failures = [Failure(*row) for row in pd.read_csv(told, dtype=str).to_numpy()]
        return Crops(np.load(kept, mmap_mode="r"), np.load(looked), failures)
    failures: dict[int, Failure] = {}
    looks = np.zeros((len(records), HASH_BYTES), np.uint8)
    columns = ("image_id", "path", "aspect")
    rows = list(enumerate(zip(*(records[name] for name in columns), strict=True)))
    with atomic_path(kept) as temporary:
        crops = np.lib.format.open_memmap(temporary, "w+", np.uint8, shape)
        answers = map_unordered(_CropWork(settings), rows, n_jobs=count_jobs(n_jobs))
        for done, (position, answer) in enumerate(answers, start=1):
            if isinstance(answer, Failure):
                failures[position] = answer
            else:
                crops[position], looks[position] = answer
            if progress is not None:
                progress(done, len(failures), len(rows))
        crops.flush()
    if len(failures) == len(rows):
        first = next(iter(failures.values()))
        raise HybridLesionError(
            f"not one of {len(rows)} images could be read; {first.image_id}: {first.reason}"
        )
    with atomic_path(looked) as temporary:
        np.save(temporary, looks)
    found = [failures[position] for position in sorted(failures)]
    with atomic_path(told) as temporary:
        pd.DataFrame(
            [vars(failure) for failure in found], columns=["image_id", "path", "stage", "reason"]
        ).to_csv(temporary, index=False)
    return Crops(np.load(kept, mmap_mode="r"), looks, found)


@dataclass(frozen=True)
class _CropWork:
    """The picklable function that reads one image."""

    settings: CropSettings

    def __call__(self, piece: tuple[int, tuple]) -> tuple[int, tuple | Failure]:
        position, (image_id, path, aspect) = piece
        try:
            image = read_unsquashed(path, float(aspect) if pd.notna(aspect) else None)
            crops = [_cut_out(image, view, self.settings) for view in VIEWS[self.settings.crop]]
            return position, (np.stack(crops), perceptual_hash(image))
        except (ImageError, SourceError) as error:
            return position, Failure(str(image_id), str(path), "read", str(error))


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
