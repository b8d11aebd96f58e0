"""Out-of-fold scores of fine-tuned networks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
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
from hybridlesion.cnn.diagnosis import CLASSES, class_scores
from hybridlesion.cnn.onnx_network import OnnxNetwork, has_graph
from hybridlesion.cnn.views import ImageView
from hybridlesion.exceptions import ArtifactError
from hybridlesion.leakage import Match, TrainingMembership, perceptual_hash

if TYPE_CHECKING:
    import pandas as pd

_SEEN = "qa__cnn_seen"

SHIPPED = Path(__file__).with_name("lesion_cnn.zip")

_NEW, _OUT_OF_FOLD, _OPTIMISTIC = 0.0, 1.0, 2.0


class CNNScorer(TransformerMixin, BaseEstimator):
    """Score images with fine-tuned networks, on a CPU or a GPU.

    Parameters
    ----------
    weights : str, path-like or None, default=None
        Folder written by `hybridlesion finetune`, or its packed file. If None, the network that
        ships with the package is used.
    device : {"auto", "cpu", "cuda"} or "cuda:N", default="auto"
        Device used to run the networks.
    batch_size : int, default=32
        Number of images per forward pass on a GPU.

    Attributes
    ----------
    columns_ : tuple of str
        Names of the columns.
    n_features_out_ : int
        Number of columns.
    weights_digest_ : str
        SHA-256 digest of the networks and of the list of their training images.

    See Also
    --------
    hybridlesion.cnn.TimmEmbedder : Embed images with a network that is not fine-tuned.

    Notes
    -----
    For networks that distinguish diagnoses, the following columns are computed from the mean logits
    over several views and the class frequencies stored with the networks:

    - ``cnn__score``: probability of any malignancy (melanoma, basal cell or squamous cell
      carcinoma).
    - ``cnn__melanoma``: probability of melanoma, equal to ``cnn__p_mel``.
    - ``cnn__p_mel``, ``cnn__p_nv``, ``cnn__p_bcc``, ``cnn__p_ak``, ``cnn__p_scc``, ``cnn__p_bkl``,
      ``cnn__p_df``, ``cnn__p_vasc``: probability of melanoma, nevus, basal cell carcinoma, actinic
      keratosis, squamous cell carcinoma, benign keratosis, dermatofibroma and vascular lesion.

    For networks of protocol 1, only ``cnn__score`` is computed, as the sigmoid of the mean log odds
    over two views of the lesion, one of them mirrored. It ranks lesions but is not a probability,
    since these networks were trained on balanced classes. ``qa__cnn_seen`` gives the origin of the
    scores:

    - 0: no network was trained on the image; the score is the mean over all networks.
    - 1: the image, its patient or its lesion is in the training data; the score is out-of-fold.
    - 2: the image, its patient or its lesion is in the training data of every network; the score is
      optimistic.

    Training images are also recognised by their perceptual hash, regardless of the file name.

    On a CPU, networks that distinguish diagnoses run on ONNX Runtime if the package contains the
    graph of their backbone (``tf_efficientnet_lite0``, ``mobilenetv2_100``), and torch is not
    imported. In all other cases, including on a GPU, torch is used.

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
        """Check the parameters and files, without building the networks.

        Parameters
        ----------
        X : object, default=None
            Ignored.
        y : object, default=None
            Ignored.

        Returns
        -------
        CNNScorer
            The fitted scorer.

        Raises
        ------
        OptionError
            If a parameter is invalid, or the device cannot be used.
        SourceError
            If the folder does not exist.
        ArtifactError
            If the folder is damaged.
        """
        check_number("batch_size", self.batch_size, low=1, integer=True)
        if self.device not in ("auto", "cpu"):
            resolve_device(self.device)
        # Do not import torch: a process that delegates the images to workers needs no network.
        tuned = Finetuned.read(self._path())
        self.weights_digest_ = tuned.digest
        self.columns_ = (*tuned.score_columns, _SEEN)
        self.n_features_out_ = len(self.columns_)
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
            One lesion mask per image, or None for an image without a mask.
        records : DataFrame of shape (n_images, columns), default=None
            Records with ``image_id``, ``patient_id`` and ``lesion_id``, if known. If None, only
            perceptual hashes are compared.

        Returns
        -------
        ndarray of shape (n_images, n_features_out_), float32
            Columns as listed by `get_feature_names_out`.

        Raises
        ------
        ImageError
            If an image or mask is invalid, or their sizes differ.
        ValueError
            If the number of masks or records differs from the number of images.
        ArtifactError
            If the weights do not fit the backbone, or have changed since `fit`.
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
        n_outputs = loaded.network.n_features // loaded.n_networks
        shape = (len(images), len(loaded.views), loaded.n_networks, n_outputs)
        logits = rows.reshape(shape).mean(axis=1)
        looks = np.stack([perceptual_hash(image) for image in images]) if images else _NO_LOOKS
        chosen, seen = _choose(logits, loaded.folds, *loaded.seen.match(records, looks))
        return np.column_stack([_scores(chosen, loaded.shares), seen]).astype(np.float32)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of the columns.

        Parameters
        ----------
        input_features : object, default=None
            Ignored, since images have no feature names.

        Returns
        -------
        ndarray of shape (n_features_out_,), object
            Names of the score columns, followed by ``qa__cnn_seen``.
        """
        # Scorers saved by earlier releases lack the names.
        return np.array(getattr(self, "columns_", ("cnn__score", _SEEN)), dtype=object)

    def _path(self) -> Path:
        return SHIPPED if self.weights is None else Path(self.weights).expanduser().absolute()

    def _load(self) -> _Loaded:
        path = self._path()
        return _load(path, _stamp(path), resolve_device(self.device))

    def _blocks(self, images: list, masks: list, loaded: _Loaded) -> Iterator[np.ndarray]:
        def views_of_all() -> Iterator[np.ndarray]:
            for image, mask in zip(images, masks, strict=True):
                mask = None if mask is None else check_mask(mask, image.shape[:2])
                for view in loaded.views:
                    yield view.prepare(image, mask, loaded.network.spec)

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
    """Networks that are ready for inference, and their metadata."""

    network: Network | OnnxNetwork
    n_networks: int
    seen: TrainingMembership
    digest: str
    views: tuple[ImageView, ...]
    folds: bool
    shares: Sequence[float] | None


def _choose(
    logits: np.ndarray, folds: bool, match: np.ndarray, fold: np.ndarray, kept: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Choose the out-of-fold network or the stored out-of-fold logits for training images."""
    chosen = logits.mean(axis=1)
    seen = np.full(len(logits), _NEW, np.float32)
    known = match != Match.NEW
    if folds:
        chosen[known] = logits[known, fold[known]]
        seen[known] = _OUT_OF_FOLD
    else:
        kept = kept.reshape(chosen.shape)
        pictures = (match == Match.IMAGE) & np.isfinite(kept).all(axis=1)
        chosen[pictures] = kept[pictures]
        seen[known] = _OPTIMISTIC
        seen[pictures] = _OUT_OF_FOLD
    return chosen, seen


def _scores(logits: np.ndarray, shares: Sequence[float] | None) -> np.ndarray:
    return 1 / (1 + np.exp(-logits)) if shares is None else class_scores(logits, shares)


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Return the names, times and sizes of the files, which are used to detect changes."""
    files = [path] if path.is_file() else sorted(path.glob("*.*"))
    return tuple((f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in files if f.is_file())


@lru_cache(maxsize=2)
def _load(path: Path, stamp: tuple, device: str) -> _Loaded:
    tuned = Finetuned.read(path)
    names = tuned.note["networks"]
    return _Loaded(
        _engine(tuned, device),
        len(names),
        tuned.seen,
        tuned.digest,
        tuned.views,
        bool(tuned.note["folds"]),
        tuned.note["shares"] if tuned.tells_diagnoses else None,
    )


def _engine(tuned: Finetuned, device: str) -> Network | OnnxNetwork:
    backbone, names = str(tuned.note["backbone"]), tuned.note["networks"]
    if device == "cpu" and tuned.tells_diagnoses and has_graph(backbone):
        return OnnxNetwork(backbone, [tuned.files[name] for name in names], tuned.spec([]))
    from hybridlesion.cnn.network import NetworkEnsemble

    networks = tuned.networks()
    n_outputs = len(CLASSES) if tuned.tells_diagnoses else 1
    return Network(
        NetworkEnsemble(networks),
        device,
        spec=tuned.spec(networks),
        n_features=n_outputs * len(networks),
    )
