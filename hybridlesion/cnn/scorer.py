"""Out-of-fold scores of fine-tuned networks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from hybridlesion._validation import check_image, check_mask, check_number
from hybridlesion.cnn.backbone import Network, resolve_device
from hybridlesion.cnn.checkpoints import Finetuned
from hybridlesion.cnn.views import VIEWS, prepare, two_views
from hybridlesion.exceptions import ArtifactError
from hybridlesion.leakage import Match, TrainingMembership, perceptual_hash

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("cnn__score", "qa__cnn_seen")

SHIPPED = Path(__file__).with_name("lesion_cnn.zip")

_NEW, _OUT_OF_FOLD, _OPTIMISTIC = 0.0, 1.0, 2.0


class CNNScorer(TransformerMixin, BaseEstimator):
    """Score images by fine-tuned networks, on a CPU or a GPU.

    Parameters
    ----------
    weights : str, path-like or None, default=None
        Folder that `hybridlesion finetune` wrote, or such a folder packed. None takes the network
        that ships with the package.
    device : {"auto", "cpu", "cuda"} or "cuda:N", default="auto"
        Where the networks run.
    batch_size : int, default=32
        Images of one pass on a GPU.

    Attributes
    ----------
    n_features_out_ : int
        2.
    weights_digest_ : str
        SHA-256 of the networks and of the list of their training images.

    See Also
    --------
    hybridlesion.cnn.TimmEmbedder : Embeddings of a network without fine-tuning.

    Notes
    -----
    ``cnn__score`` is the sigmoid of the mean log odds over two views of the lesion, one of them
    mirrored. It ranks lesions but is not a probability, since the networks were trained on balanced
    classes. ``qa__cnn_seen`` gives its origin:

    - 0: no network was trained on the image; the mean over all networks.
    - 1: the image, its patient or its lesion is in the training data; the score is out-of-fold.
    - 2: it is in the training data of every network; the score is optimistic.

    Training images are also recognised by their perceptual hash, whatever their name.

    Examples
    --------
    >>> from hybridlesion.cnn import CNNScorer
    >>> scorer = CNNScorer("my_network").fit()  # doctest: +SKIP
    >>> scorer.transform(images, masks, records=records)  # doctest: +SKIP
    """

    def __init__(
        self,
        weights: str | os.PathLike[str] | None = None,
        *,
        device: str = "auto",
        batch_size: int = 32,
    ):
        self.weights = weights
        self.device = device
        self.batch_size = batch_size

    def fit(self, X: object = None, y: object = None) -> CNNScorer:
        """Check the parameters and files; the networks are built for the first image.

        Parameters
        ----------
        X : object, default=None
            Ignored.
        y : object, default=None
            Ignored.

        Returns
        -------
        CNNScorer
            Itself.

        Raises
        ------
        OptionError
            If a parameter is wrong, or the device cannot be used.
        SourceError
            If there is no such folder.
        ArtifactError
            If the folder is damaged.
        """
        check_number("batch_size", self.batch_size, low=1, integer=True)
        if self.device not in ("auto", "cpu"):
            resolve_device(self.device)
        # Without torch: a process that delegates the images to workers needs no network.
        self.weights_digest_ = Finetuned.read(self._path()).digest
        self.n_features_out_ = len(COLUMNS)
        return self

    def transform(
        self,
        X: Iterable[np.ndarray],
        masks: Iterable[np.ndarray | None] | None = None,
        *,
        records: pd.DataFrame | None = None,
    ) -> np.ndarray:
        """Score images.

        Parameters
        ----------
        X : iterable of ndarray of shape (H, W, 3), uint8
            RGB images.
        masks : iterable of ndarray of shape (H, W), bool, or None, default=None
            One lesion mask an image, or None for an image without.
        records : DataFrame of shape (n_images, columns), default=None
            ``image_id``, ``patient_id`` and ``lesion_id`` where known; None compares
            perceptual hashes only.

        Returns
        -------
        ndarray of shape (n_images, 2), float32
            ``cnn__score`` and ``qa__cnn_seen``.

        Raises
        ------
        ImageError
            If an image or mask is none, or their sizes differ.
        ValueError
            If there are not as many masks or records as images.
        ArtifactError
            If the weights do not fit, or changed since `fit`.
        """
        check_is_fitted(self)
        loaded = self._load()
        if loaded.digest != self.weights_digest_:
            raise ArtifactError(
                f"the networks in {self.weights} are not those this scorer was fitted with. "
                "Restore the old ones, or fit again."
            )
        images = [check_image(image) for image in X]
        masks = [None] * len(images) if masks is None else list(masks)
        for name, other in (("masks", masks), ("records", records)):
            if other is not None and len(other) != len(images):
                raise ValueError(f"got {len(images)} images and {len(other)} {name}.")
        rows = loaded.network.rows(self._blocks(images, masks, loaded), batch_size=self.batch_size)
        odds = rows.reshape(len(images), 2, loaded.network.n_features).mean(axis=1)
        looks = np.stack([perceptual_hash(image) for image in images]) if images else _NO_LOOKS
        return _choose(odds, loaded, *loaded.seen.match(records, looks))

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Names of the columns.

        Parameters
        ----------
        input_features : object, default=None
            Ignored; images have no names.

        Returns
        -------
        ndarray of shape (2,), object
            ``cnn__score`` and ``qa__cnn_seen``.
        """
        return np.array(COLUMNS, dtype=object)

    def _path(self) -> Path:
        return SHIPPED if self.weights is None else Path(self.weights).expanduser().absolute()

    def _load(self) -> _Loaded:
        path = self._path()
        return _load(path, _stamp(path), resolve_device(self.device))

    def _blocks(self, images: list, masks: list, loaded: _Loaded) -> Iterator[np.ndarray]:
        spec, margin = loaded.network.spec, loaded.margin

        def views_of_all() -> Iterator[np.ndarray]:
            for image, mask in zip(images, masks, strict=True):
                mask = None if mask is None else check_mask(mask, image.shape[:2])
                views = [
                    prepare(image, mask, spec, crop=view, margin=margin)
                    for view in VIEWS[loaded.crop]
                ]
                yield from two_views(np.stack(views))

        pictures = views_of_all()
        while block := list(islice(pictures, loaded.network.block_size(self.batch_size))):
            yield np.stack(block)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags


_NO_LOOKS = np.empty((0, 32), np.uint8)


class _Loaded(NamedTuple):
    """Networks that are ready, and what is known about them."""

    network: Network
    seen: TrainingMembership
    digest: str
    crop: str
    margin: float
    folds: bool


def _choose(
    odds: np.ndarray, loaded: _Loaded, match: np.ndarray, fold: np.ndarray, kept: np.ndarray
) -> np.ndarray:
    """Choose the out-of-fold network or the stored out-of-fold score of training images."""
    chosen = odds.mean(axis=1)
    seen = np.full(len(odds), _NEW, np.float32)
    known = match != Match.NEW
    if loaded.folds:
        chosen[known] = odds[known, fold[known]]
        seen[known] = _OUT_OF_FOLD
    else:
        pictures = match == Match.IMAGE
        chosen[pictures] = kept[pictures]
        seen[known] = _OPTIMISTIC
        seen[pictures] = _OUT_OF_FOLD
    return np.column_stack([1 / (1 + np.exp(-chosen)), seen]).astype(np.float32)


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Names, times and sizes of the files, by which a change is noticed."""
    files = [path] if path.is_file() else sorted(path.glob("*.*"))
    return tuple((f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in files if f.is_file())


@lru_cache(maxsize=2)
def _load(path: Path, stamp: tuple, device: str) -> _Loaded:
    from hybridlesion.cnn.network import NetworkEnsemble, input_spec

    tuned = Finetuned.read(path)
    networks = tuned.networks()
    spec = input_spec(networks[0], int(tuned.note["image_size"]))
    return _Loaded(
        Network(NetworkEnsemble(networks), device, spec=spec, n_features=len(networks)),
        tuned.seen,
        tuned.digest,
        str(tuned.note["crop"]),
        float(tuned.note["margin"]),
        bool(tuned.note["folds"]),
    )
