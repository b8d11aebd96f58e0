"""Small copies of the training images, with bounding boxes of the lesions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path
from hybridlesion._optional_imports import cv2
from hybridlesion.featurizer import Failure
from hybridlesion.leakage import HASH_BYTES, perceptual_hash
from hybridlesion.segmentation import segment
from hybridlesion.training._image_training import read_images, read_recorded

# Longest side of a copy in pixels; views of up to this size are cut from the copies.
LONG_SIDE = 256

# Number of images between saves; an interrupted call continues after the last save.
_IMAGES_BETWEEN_NOTES = 500

_PIXELS, _FACTS, _FAILURES = "images.u8", "images.npz", "images.failures.csv"


@dataclass(frozen=True)
class ImageStore:
    """Small copies of many images.

    Parameters
    ----------
    pixels : ndarray of shape (bytes,), uint8
        Pixels of all images, memory-mapped from disk.
    places : ndarray of shape (n, 3), int
        First byte, height and width of each image; 0 for images that could not be read.
    boxes : ndarray of shape (n, 4), int
        Left, top, width and height of the lesion; 0 if no lesion was found.
    hashes : ndarray of shape (n, 32), uint8
        Perceptual hashes of the images.
    failures : list of Failure
        Failures, in record order.
    """

    pixels: np.ndarray
    places: np.ndarray
    boxes: np.ndarray
    hashes: np.ndarray
    failures: list[Failure]

    @classmethod
    def open(cls, folder: Path) -> ImageStore:
        """Open a store written by `read_store`.

        Parameters
        ----------
        folder : Path
            Run directory.

        Returns
        -------
        ImageStore
            Stored images.
        """
        table = pd.read_csv(folder / _FAILURES, dtype=str)
        with np.load(folder / _FACTS) as facts:
            return cls(
                pixels=np.memmap(folder / _PIXELS, np.uint8, "r"),
                failures=[Failure(*row) for row in table.to_numpy()],
                **facts,
            )

    def images(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Iterate over stored images.

        Parameters
        ----------
        rows : ndarray of int
            Row numbers.

        Yields
        ------
        ndarray of shape (height, width, 3), uint8
            RGB image.
        """
        for start, height, width in self.places[rows].tolist():
            data = np.asarray(self.pixels[start : start + 3 * height * width])
            yield data.reshape(height, width, 3)


def read_store(
    records: pd.DataFrame,
    folder: Path,
    *,
    n_jobs: int = 1,
    progress: Callable[[int, int, int], None] | None = None,
) -> ImageStore:
    """Read every image once and store a small copy.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records with columns image_id, path and aspect.
    folder : Path
        Run directory, in which an interrupted call is resumed.
    n_jobs : int, default=1
        Number of processes; -1 means using all cores.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    ImageStore
        Stored images.

    Raises
    ------
    HybridLesionError
        If no image can be read.
    """
    # The table of failures is written last.
    if (folder / _FAILURES).is_file():
        return ImageStore.open(folder)
    folder.mkdir(parents=True, exist_ok=True)
    facts: dict[str, np.ndarray] = {
        "places": np.zeros((len(records), 3), np.int64),
        "boxes": np.zeros((len(records), 4), np.int64),
        "hashes": np.zeros((len(records), HASH_BYTES), np.uint8),
    }
    if (folder / _FACTS).is_file():
        with np.load(folder / _FACTS) as saved:
            facts = dict(saved)
        # Read the last image again, so that the call succeeds even if no other image can be read.
        facts["places"][facts["places"][:, 0].argmax()] = 0
    places = facts["places"]
    rest = np.flatnonzero(places[:, 1] == 0)
    with (folder / _PIXELS).open("ab") as file:
        file.truncate(int((places[:, 0] + 3 * places[:, 1] * places[:, 2]).max()))
        file.seek(0, os.SEEK_END)

        def keep(position: int, answer: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
            row = rest[position]
            image, facts["boxes"][row], facts["hashes"][row] = answer
            places[row] = file.tell(), *image.shape[:2]
            file.write(image.tobytes())
            if np.count_nonzero(places[:, 1]) % _IMAGES_BETWEEN_NOTES == 0:
                file.flush()
                _save(folder / _FACTS, facts)

        failures = read_images(
            _read_small,
            records.iloc[rest][["image_id", "path", "aspect"]],
            keep,
            n_jobs=n_jobs,
            progress=progress,
        )
    _save(folder / _FACTS, facts)
    with atomic_path(folder / _FAILURES) as temporary:
        table = pd.DataFrame(failures, columns=["image_id", "path", "stage", "reason"])
        table.to_csv(temporary, index=False)
    return ImageStore.open(folder)


def _save(path: Path, facts: dict[str, np.ndarray]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **facts)


def _read_small(record: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    image = read_recorded(record)
    box = np.array(cv2.boundingRect(segment(image).view(np.uint8)))
    scale = min(1.0, LONG_SIDE / max(image.shape[:2]))
    small = image
    if scale < 1:
        size = [max(1, round(scale * side)) for side in image.shape[1::-1]]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        start = np.floor(scale * box[:2])
        end = np.minimum(np.ceil(scale * (box[:2] + box[2:])), size)
        box = np.concatenate([start, end - start]) * (box[2] > 0)
    return small, box.astype(int), perceptual_hash(image)
