"""Shared parts of network training: reading and storing images, and run directories."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path
from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_number
from hybridlesion.batch import map_images
from hybridlesion.cnn import SCORED_VIEWS, FinetuneRecipe, allowed_classes
from hybridlesion.cnn.dataset import draw_view, read_copy, scored_view
from hybridlesion.cnn.views import InputSpec
from hybridlesion.exceptions import HybridLesionError, ImageError, SourceError, TableError
from hybridlesion.featurizer import Failure
from hybridlesion.leakage import HASH_BYTES, cluster_near_duplicates, crop_hashes, perceptual_hash
from hybridlesion.metadata import (
    ID_COLUMNS,
    normalise_ids,
    normalise_image_id,
    normalise_records,
    read_table,
)
from hybridlesion.model_selection import GROUP_COLUMNS, connected_groups
from hybridlesion.segmentation import segment
from hybridlesion.segmentation.refiner import read_unsquashed

_BONDS = ("patient_id", "lesion_id")

# File that identifies a run directory.
_NOTE = "settings.json"

Progress = Callable[[int, int, int], None]
EpochLog = Callable[[str, Mapping[str, float]], None]


def write_file(path: Path, content: str | bytes) -> None:
    """Write a file atomically.

    Parameters
    ----------
    path : Path
        File to write.
    content : str or bytes
        Content; text is encoded in UTF-8.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(content if isinstance(content, bytes) else content.encode())


def as_paths(sources: str | os.PathLike | Sequence[str | os.PathLike]) -> list[str]:
    """Convert one or more sources into a list of paths.

    Parameters
    ----------
    sources : str, path-like or sequence of these
        One or more sources.

    Returns
    -------
    list of str
        Paths of the sources.

    Examples
    --------
    >>> as_paths("images")
    ['images']
    """
    several = [sources] if isinstance(sources, (str, os.PathLike)) else sources
    return [os.fspath(source) for source in several]


def read_facts(table: str | os.PathLike) -> pd.DataFrame:
    """Read the aspect ratios and ids of images from a table.

    Parameters
    ----------
    table : str or path-like
        CSV or Parquet file with a column of image ids.

    Returns
    -------
    DataFrame of shape (n, columns)
        ``image_id``, and ``aspect``, ``patient_id`` and ``lesion_id`` if available.

    Raises
    ------
    TableError
        If the table has no image ids.
    """
    raw = read_table(table)
    id_column = next((name for name in ID_COLUMNS if name in raw), None)
    if id_column is None:
        raise TableError(f"{table} has no column of image ids: {', '.join(ID_COLUMNS)}.")
    ids = normalise_ids(raw[id_column]).fillna("")
    facts = pd.DataFrame({"image_id": ids.map(normalise_image_id)})
    for name in _BONDS:
        if name in raw:
            facts[name] = normalise_ids(raw[name])
    if {"orig_width", "orig_height"} <= set(raw):
        facts["aspect"] = pd.to_numeric(raw["orig_width"]) / pd.to_numeric(raw["orig_height"])
    return facts


def list_records(records: pd.DataFrame) -> list[dict[str, Any]]:
    """List records as mappings from columns to values, with None for unknown aspect ratios.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records with ``aspect``.

    Returns
    -------
    list of dict
        Records.
    """
    aspect = records["aspect"].astype(float).astype(object)
    return records.assign(aspect=aspect.where(aspect.notna(), None)).to_dict("records")


def read_images(
    read: Callable[[Mapping[str, Any]], Any],
    records: pd.DataFrame,
    keep: Callable[[int, Any], None],
    *,
    n_jobs: int,
    progress: Progress | None,
    noun: str = "images",
) -> list[Failure]:
    """Read the images of all records in several processes.

    Parameters
    ----------
    read : callable
        Picklable function of a record, which is passed as a mapping from its columns to values.
    records : DataFrame of shape (n, columns)
        Records with ``image_id``, ``path`` and ``aspect``.
    keep : callable
        Called as ``keep(position, what_was_read)``, in order of completion.
    n_jobs : int
        Number of processes; -1 means using all cores.
    progress : callable or None
        Called as ``progress(done, failed, total)``.
    noun : str, default="images"
        Name of the items in the error message.

    Returns
    -------
    list of Failure
        Failures, in record order.

    Raises
    ------
    HybridLesionError
        If nothing can be read.
    """
    pieces = [(one["image_id"], one["path"], one) for one in list_records(records)]
    failures: dict[int, Failure] = {}
    answers = map_images(partial(_attempt, read), pieces, n_jobs)
    for done, (position, answer) in enumerate(answers, start=1):
        if isinstance(answer, Failure):
            failures[position] = answer
        else:
            keep(position, answer)
        if progress is not None:
            progress(done, len(failures), len(pieces))
    if len(failures) == len(pieces):
        first = next(iter(failures.values()))
        raise HybridLesionError(
            f"none of {len(pieces)} {noun} could be read; {first.image_id}: {first.reason}"
        )
    return [failures[position] for position in sorted(failures)]


def _attempt(read: Callable[[Mapping[str, Any]], Any], record: Mapping[str, Any]) -> Any:
    try:
        return read(record)
    except (ImageError, SourceError) as error:
        return Failure(str(record["image_id"]), str(record["path"]), "read", str(error))


def group_images(records: pd.DataFrame, images: Iterable[np.ndarray]) -> np.ndarray:
    """Group images of the same patient or lesion, and near-duplicates.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records.
    images : iterable of ndarray of shape (height, width, 3), uint8
        Images of the records.

    Returns
    -------
    ndarray of shape (n,), int
        Group numbers.
    """
    pairs = [(perceptual_hash(image), crop_hashes(image)) for image in images]
    clusters = cluster_near_duplicates(*map(np.stack, zip(*pairs, strict=True)))
    return connected_groups(clusters, *(records[n] for n in GROUP_COLUMNS if n in records))


def digest_ids(image_ids: pd.Series) -> str:
    """Compute the SHA-256 digest of image ids, independent of their order.

    Parameters
    ----------
    image_ids : Series of str
        Image ids.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> import pandas as pd
    >>> digest_ids(pd.Series(["b", "a"])) == digest_ids(pd.Series(["a", "b"]))
    True
    """
    return hashlib.sha256("\n".join(sorted(image_ids)).encode()).hexdigest()


def digest_file(path: str | os.PathLike | None) -> str | None:
    """Compute the SHA-256 digest of a file.

    Parameters
    ----------
    path : str, path-like or None
        Path of the file, or None.

    Returns
    -------
    str or None
        64 hexadecimal digits, or None if `path` is None.
    """
    return None if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()


def digest_data(rows: pd.DataFrame, paths: Iterable[str]) -> str:
    """Compute the SHA-256 digest of table rows, and of the paths and sizes of image files.

    Parameters
    ----------
    rows : DataFrame of shape (n, columns)
        Table rows.
    paths : iterable of str
        Paths of the files. The size is only used for local files.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    data = hashlib.sha256(pd.util.hash_pandas_object(rows, index=False).to_numpy("<u8").tobytes())
    for path in paths:
        file = Path(path)
        data.update(f"{path} {file.stat().st_size if file.is_file() else ''}\n".encode())
    return data.hexdigest()


def check_run_dir(folder: Path) -> dict | None:
    """Check, before a long run, that a run directory is absent or was written by a training.

    Parameters
    ----------
    folder : Path
        Run directory.

    Returns
    -------
    dict or None
        Settings of the training in the directory, or None if the directory does not exist.

    Raises
    ------
    SourceError
        If a file or another folder with that name exists.
    """
    if not os.path.lexists(folder):
        return None
    try:
        former = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        former = None
    if not (isinstance(former, dict) and {"recipe", "data"} <= set(former)):
        raise SourceError(
            f"{folder} is in the way: checkpoints go into a folder of that name, and this one was "
            f"not written by a training (it lacks a valid {_NOTE}). Move it, or choose another "
            "output."
        )
    return former


def open_run_dir(folder: Path, settings: Mapping[str, object], *, restart: bool) -> None:
    """Create a run directory, or open an existing directory with the same settings.

    Parameters
    ----------
    folder : Path
        Run directory.
    settings : mapping
        Settings and data that determine the result; must be JSON-serialisable.
    restart : bool
        Whether to empty the directory first.

    Raises
    ------
    HybridLesionError
        If the directory belongs to a training with other settings.
    """
    former = check_run_dir(folder)
    if former is None or restart:
        if former is not None:
            shutil.rmtree(folder)
        write_file(folder / _NOTE, json.dumps(settings, indent=1))
    elif former != settings:
        changed = [name for name in settings if former.get(name) != settings[name]]
        raise HybridLesionError(
            f"{folder} contains a run with another {' and '.join(changed)}. Pass the same settings "
            "to resume it, choose another `out`, or pass `restart` to start over."
        )


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
        for place in self.places[rows]:
            yield read_copy(self.pixels, place)


def read_store(
    records: pd.DataFrame, folder: Path, *, n_jobs: int = 1, progress: Progress | None = None
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
        store = ImageStore.open(folder)
        if progress is not None:
            progress(len(records), len(store.failures), len(records))
        return store
    folder.mkdir(parents=True, exist_ok=True)
    shapes = {"places": (3, np.int64), "boxes": (4, np.int64), "hashes": (HASH_BYTES, np.uint8)}
    facts = {name: np.zeros((len(records), n), kind) for name, (n, kind) in shapes.items()}
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

        pending = records.iloc[rest][["image_id", "path", "aspect"]]
        failures = read_images(_read_small, pending, keep, n_jobs=n_jobs, progress=progress)
    _save(folder / _FACTS, facts)
    table = pd.DataFrame(failures, columns=["image_id", "path", "stage", "reason"])
    write_file(folder / _FAILURES, table.to_csv(index=False))
    return ImageStore.open(folder)


def _save(path: Path, facts: dict[str, np.ndarray]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **facts)


def _read_small(record: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    image = read_unsquashed(record["path"], record["aspect"])
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


class LesionDataset:
    """Map-style dataset of views and labels for ``torch.utils.data.DataLoader``.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records with ``path``, ``image_id`` and ``target`` or ``diagnosis``, as returned by
        `hybridlesion.read_records`. For squashed photographs, an optional column ``aspect`` gives
        the original ratio of width to height.
    cache : str or path-like
        Folder for small copies of the images and the bounding boxes of the lesions, which are
        only computed once.
    size : int, default=160
        Side of the views, at most 256 pixels.
    recipe : FinetuneRecipe, default=None
        Strength of the random augmentation, as in `finetune`. If None, views are not augmented, as
        in scoring.
    seed : int, default=0
        Seed of the random views, which differ between epochs and rows.
    n_jobs : int, default=1
        Number of processes that read the images; -1 means using all cores.

    Attributes
    ----------
    records : DataFrame of shape (len(self), columns)
        Records whose images could be read, in order.
    allowed : ndarray of shape (len(self), 8), bool
        Classes that are compatible with each label; all classes if nothing is known.
    failures : list of Failure
        Images that could not be read.

    Raises
    ------
    HybridLesionError
        If `cache` contains other images, or no image can be read.

    Examples
    --------
    >>> from torch.utils.data import DataLoader  # doctest: +SKIP
    >>> views = LesionDataset(records, "copies", recipe=FinetuneRecipe())  # doctest: +SKIP
    >>> for pixels, allowed in DataLoader(views, batch_size=32, shuffle=True):  # doctest: +SKIP
    ...     logits = network((pixels - 0.5) / 0.5)
    """

    def __init__(
        self,
        records: pd.DataFrame,
        cache: str | os.PathLike,
        *,
        size: int = 160,
        recipe: FinetuneRecipe | None = None,
        seed: int = 0,
        n_jobs: int = 1,
    ):
        check_number("size", size, low=16, high=LONG_SIDE, integer=True)
        self.size, self.recipe, self.seed, self.epoch = size, recipe, seed, 0
        self._cache = Path(cache)
        check_run_dir(self._cache)
        records = normalise_records(records)[0].reset_index(drop=True)
        images = records.reindex(columns=["image_id", "path", "aspect"])
        described = {
            "recipe": {"long_side": LONG_SIDE},
            "data": digest_data(images[["image_id", "aspect"]].astype(str), images["path"]),
        }
        open_run_dir(self._cache, described, restart=False)
        store = read_store(images, self._cache, n_jobs=n_jobs)
        self._rows = np.flatnonzero(store.places[:, 1] > 0)
        self.failures = store.failures
        self.records = records.iloc[self._rows].reset_index(drop=True)
        target = self.records.get("target", pd.Series(np.nan, self.records.index)).astype(float)
        known = target.fillna(0).to_numpy(int)
        self.allowed = allowed_classes(self.records.get("diagnosis"), known)
        self.allowed[target.isna().to_numpy() & (self.allowed.sum(axis=1) > 1)] = True
        self._store: ImageStore | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a view and its label.

        Parameters
        ----------
        row : int
            Row of `records`.

        Returns
        -------
        pixels : ndarray of shape (3, size, size), float32
            RGB values, 0 to 1, before normalisation with the mean and standard deviation of a
            network.
        allowed : ndarray of shape (8,), bool
            Classes that are compatible with the label.
        """
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        if self._store is None:
            self._store = ImageStore.open(self._cache)
        place = self._rows[row]
        image = read_copy(self._store.pixels, self._store.places[place])
        box = self._store.boxes[place]
        if self.recipe is None:
            spec = InputSpec((self.size,) * 2, (0.5,) * 3, (0.5,) * 3, 1.0, "center", "bilinear")
            view = scored_view(image, box, SCORED_VIEWS[0], spec)
        else:
            rng = np.random.default_rng((self.seed, self.epoch, row))
            view = draw_view(image, box, self.size, self.recipe, rng)
        return view.transpose(2, 0, 1).astype(np.float32) / 255, self.allowed[row]

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which selects the random views, before the data loader starts workers.

        Parameters
        ----------
        epoch : int
            Number of the epoch, starting at 0.
        """
        self.epoch = epoch

    def __getstate__(self) -> dict[str, object]:
        # Each worker opens its own memory map of the images.
        return self.__dict__ | {"_store": None}
