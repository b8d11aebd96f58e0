"""Dataset of records for training loops in torch."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._validation import check_number
from hybridlesion.cnn import SCORED_VIEWS, FinetuneRecipe, allowed_classes
from hybridlesion.cnn.dataset import draw_view, scored_view
from hybridlesion.cnn.views import InputSpec
from hybridlesion.metadata import normalise_records
from hybridlesion.training._image_store import LONG_SIDE, ImageStore, read_store
from hybridlesion.training._image_training import check_run_dir, digest_data, open_run_dir


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
        self.allowed = _allowed(self.records)
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
        image, box = next(self._store.images(np.array([place]))), self._store.boxes[place]
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


def _allowed(records: pd.DataFrame) -> np.ndarray:
    target = records.get("target", pd.Series(np.nan, records.index)).astype(float)
    allowed = allowed_classes(records.get("diagnosis"), target.fillna(0).to_numpy(int))
    allowed[target.isna().to_numpy() & (allowed.sum(axis=1) > 1)] = True
    return allowed
