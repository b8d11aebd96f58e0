"""Out-of-fold scores of fine-tuned networks, which run on ONNX Runtime or torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.utils.validation import check_is_fitted

from hybridlesion._onnx import Graph, read_weights
from hybridlesion._validation import check_number
from hybridlesion.cnn.backbone import (
    ImageTransformer,
    Network,
    file_stamp,
    resolve_device,
)
from hybridlesion.cnn.checkpoints import Finetuned
from hybridlesion.cnn.diagnosis import CLASSES, class_scores
from hybridlesion.cnn.views import ImageView, InputSpec
from hybridlesion.exceptions import ArtifactError
from hybridlesion.leakage import Match, TrainingMembership, perceptual_hash

if TYPE_CHECKING:
    import pandas as pd

# The network that ships with the package.
SHIPPED = Path(__file__).with_name("lesion_cnn.zip")


def network_path(weights: str | os.PathLike[str] | None) -> Path:
    """Return the path of fine-tuned networks.

    Parameters
    ----------
    weights : str, path-like or None
        Folder written by `hybridlesion finetune`, or its packed file. If None, the network that
        ships with the package is used.

    Returns
    -------
    Path
        Absolute path.
    """
    return SHIPPED if weights is None else Path(weights).expanduser().absolute()


_SEEN = "qa__cnn_seen"

# Start of the names of the columns of an embedding.
EMBEDDING = "emb__lesion_"

_NEW, _OUT_OF_FOLD, _OPTIMISTIC = 0.0, 1.0, 2.0


class CNNScorer(ImageTransformer):
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
    embedding : bool, default=False
        Whether to also return the embedding of the first network, the input of its last layer. The
        networks must distinguish diagnoses.

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

    The embedding consists of the columns ``emb__lesion_0000``, ``emb__lesion_0001`` and so on, of
    networks that distinguish diagnoses: the mean over the views. Since it cannot be computed out of
    fold, ``qa__cnn_seen`` is then 2 for every image that the first network was trained on.

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
        embedding: bool = False,
    ):
        self.weights = weights
        self.device = device
        self.batch_size = batch_size
        self.embedding = embedding

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
        tuned = Finetuned.read(network_path(self.weights))
        self.weights_digest_ = tuned.digest
        self.columns_ = (*tuned.score_columns, _SEEN)
        if self.embedding:
            width = tuned.embedding_width()
            self.columns_ += tuple(f"{EMBEDDING}{i:04d}" for i in range(width))
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
        path = network_path(self.weights)
        # Scorers saved by earlier releases lack the parameter.
        embeds = getattr(self, "embedding", False)
        loaded = _load(path, file_stamp(path), resolve_device(self.device), embeds)
        if loaded.digest != self.weights_digest_:
            raise ArtifactError(
                f"the networks in {self.weights} are not those this scorer was fitted with. "
                "Restore the old ones, or fit again."
            )
        images = list(X)
        masks = [None] * len(images) if masks is None else list(masks)
        for name, other in (("masks", masks), ("records", records)):
            if other is not None and len(other) != len(images):
                raise ValueError(f"got {len(images)} images and {len(other)} {name}.")
        blocks = self._blocks(zip(images, masks, strict=True), loaded.views, loaded.network)
        rows = loaded.network.rows(blocks, batch_size=self.batch_size)
        rows = rows.reshape(len(images), len(loaded.views), loaded.network.n_features).mean(axis=1)
        n_logits = loaded.n_networks * loaded.n_outputs
        logits = rows[:, :n_logits].reshape(-1, loaded.n_networks, loaded.n_outputs)
        hashes = np.array(list(map(perceptual_hash, images)), np.uint8).reshape(-1, 32)
        match, fold, kept = loaded.seen.match(records, hashes)
        chosen, seen = _choose(logits, loaded.folds, match, fold, kept)
        is_binary = loaded.shares is None
        scores = 1 / (1 + np.exp(-chosen)) if is_binary else class_scores(chosen, loaded.shares)
        if embeds:
            seen[(seen != _NEW) & ((fold != 0) | (not loaded.folds))] = _OPTIMISTIC
        return np.column_stack([scores, seen, rows[:, n_logits:]]).astype(np.float32)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of the columns.

        Parameters
        ----------
        input_features : object, default=None
            Ignored, since images have no feature names.

        Returns
        -------
        ndarray of shape (n_features_out_,), object
            Names of the score columns, followed by ``qa__cnn_seen`` and the embedding.
        """
        # Scorers saved by earlier releases lack the names.
        return np.array(getattr(self, "columns_", ("cnn__score", _SEEN)), dtype=object)


class _Loaded(NamedTuple):
    """Networks that are ready for inference, and their metadata."""

    network: Network | OnnxNetwork
    n_networks: int
    n_outputs: int
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


@lru_cache(maxsize=2)
def _load(path: Path, stamp: tuple, device: str, embeds: bool) -> _Loaded:
    tuned = Finetuned.read(path)
    names, backbones = tuned.note["networks"], tuned.backbones
    shares = tuned.note["shares"] if tuned.tells_diagnoses else None
    n_outputs = len(CLASSES) if shares else 1
    network: Network | OnnxNetwork
    if device == "cpu" and shares and all(map(has_graph, backbones)):
        files = [tuned.files[name] for name in names]
        network = OnnxNetwork(backbones, files, tuned.spec([]), embedding=embeds)
    else:
        from hybridlesion.cnn.network import NetworkEnsemble

        networks = tuned.networks()
        ensemble = NetworkEnsemble(networks, embedding=embeds)
        n_features = n_outputs * len(names) + (tuned.embedding_width() if embeds else 0)
        network = Network(ensemble, device, spec=tuned.spec(networks), n_features=n_features)
    facts = (tuned.seen, tuned.digest, tuned.views, bool(tuned.note["folds"]), shares)
    return _Loaded(network, len(names), n_outputs, *facts)


def has_graph(backbone: str) -> bool:
    """Check whether the package contains the graph of a backbone.

    Parameters
    ----------
    backbone : str
        Name of a timm model, with or without a tag.

    Returns
    -------
    bool
        True if `OnnxNetwork` can run it.

    Examples
    --------
    >>> has_graph("tf_efficientnet_lite0.in1k"), has_graph("resnet18")
    (True, False)
    """
    return _graph_file(backbone).is_file()


def _graph_file(backbone: str) -> Path:
    return Path(__file__).with_name(f"{backbone.partition('.')[0]}.onnx")


class OnnxNetwork:
    """Classifiers evaluated on the same images in a single CPU thread.

    Parameters
    ----------
    backbones : sequence of str
        Name of the timm model of each classifier; see `has_graph`.
    files : sequence of bytes
        Weights of each classifier, as a timm state dict in safetensors format.
    spec : InputSpec
        Input of the networks.
    embedding : bool, default=False
        Whether rows end with the embedding of the first network.

    Attributes
    ----------
    spec : InputSpec
        Input of the networks.
    n_features : int
        Length of a row, with 8 logits per network.
    digest : str
        SHA-256 digest of the weights.
    device : str
        ``"cpu"``.

    Raises
    ------
    ArtifactError
        If the weights do not fit a backbone.

    Notes
    -----
    The logits agree with those from torch up to rounding errors of about 1e-6.
    """

    def __init__(
        self,
        backbones: Sequence[str],
        files: Sequence[bytes],
        spec: InputSpec,
        *,
        embedding: bool = False,
    ):
        self.spec = spec
        self.embedding = embedding
        self.digest = hashlib.sha256(b"".join(files)).hexdigest()
        self.device = "cpu"
        pixels = {
            name: np.array(values, np.float32).reshape(1, 3, 1, 1) * np.float32(255)
            for name, values in (("input_mean", spec.mean), ("input_std", spec.std))
        }
        weights = list(map(read_weights, files))
        self._graphs = [
            Graph(_graph_file(backbone), state | pixels)
            for backbone, state in zip(backbones, weights, strict=True)
        ]
        width = len(weights[0]["classifier.weight"].T) if embedding else 0
        self.n_features = len(CLASSES) * len(files) + width

    def block_size(self, batch_size: int) -> int:
        """Return the number of images per forward pass.

        Parameters
        ----------
        batch_size : int
            Batch size requested by the user, which has no effect on a CPU.

        Returns
        -------
        int
            1.
        """
        # More images per pass take as long per image, and a single photograph would be padded.
        return 1

    def rows(self, blocks: Iterable[np.ndarray], *, batch_size: int = 32) -> np.ndarray:
        """Classify blocks of prepared images.

        Parameters
        ----------
        blocks : iterable of ndarray of shape (n, height, width, 3), uint8
            Prepared images; n may differ between blocks.
        batch_size : int, default=32
            Has no effect on a CPU.

        Returns
        -------
        ndarray of shape (n_images, n_features), float32
            Logits of the first network, followed by those of the second, and so on, and by the
            embedding.
        """
        parts = [np.empty((0, self.n_features), np.float32)]
        for pixels in chain.from_iterable(blocks):
            found = [graph.run_all(pixels=pixels[None]) for graph in self._graphs]
            row = [logits for logits, _ in found] + [found[0][1]] * self.embedding
            parts.append(np.hstack(row))
        return np.concatenate(parts)
