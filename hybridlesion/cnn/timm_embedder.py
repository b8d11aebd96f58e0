"""Embeddings from a pretrained timm backbone, as a scikit-learn transformer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sized
from itertools import repeat

import numpy as np
from sklearn.utils.validation import check_is_fitted

from hybridlesion._validation import check_choice, check_number
from hybridlesion.cnn.backbone import ImageTransformer, load_network, resolve_device
from hybridlesion.cnn.views import ImageView
from hybridlesion.exceptions import ArtifactError

CROPS = ("lesion", "frame")


class TimmEmbedder(ImageTransformer):
    """Embed images with a timm backbone, on a CPU or a GPU.

    Parameters
    ----------
    model : str, default="mobilenetv2_100"
        Name of a timm model, with or without a tag.
    weights : str, path-like or None, default=None
        Local weight file of the model (.safetensors, .pth), with or without the classifier. If
        None, the pretrained timm weights are used, which are downloaded once.
    device : {"auto", "cpu", "cuda"} or "cuda:N", default="auto"
        Device of the network; ``auto`` uses a GPU if there is one.
    batch_size : int, default=32
        Number of images per batch on a GPU, at least 1; halved if the GPU runs out of memory. On a
        CPU, batches always have 8 images, which is fastest.
    crop : {"lesion", "frame"}, default="lesion"
        Whether to crop a square around the lesion mask, or the frame as in the model's evaluation.
        The frame is used if the mask is missing or empty.
    margin : float, default=0.25
        Skin on each side of the lesion, as a fraction of the lesion's longer side, 0 to 4.
    flips : bool, default=False
        Whether to average the embeddings of the image and its mirror image, which doubles the time.

    Attributes
    ----------
    n_features_out_ : int
        Length of an embedding.
    weights_digest_ : str
        SHA-256 digest of the network's parameter names, shapes and values, which does not depend on
        the file format.

    See Also
    --------
    embed : Embed images in a single call.

    Notes
    -----
    A row only depends on its image. On a CPU, all batches have the same shape (the last batch is
    padded), so a row is identical to the last bit for any batch, call and number of threads. On
    another type of CPU, or on a GPU, the last digits may differ.

    Pixels are cropped and scaled as uint8, and normalised on the device with the mean and standard
    deviation from the model's pretrained configuration. The network is not included in pickles or
    clones: each process loads it again, and raises an error if the weights have changed since
    `fit`.

    The input consists of images rather than a numeric table, so the scikit-learn estimator checks
    do not apply.

    References
    ----------
    .. [1] Wightman, "PyTorch Image Models", 2019, doi:10.5281/zenodo.4414861.
    .. [2] Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.

    Examples
    --------
    >>> from hybridlesion.cnn import TimmEmbedder
    >>> embedder = TimmEmbedder(weights="mobilenetv2_100.safetensors")
    >>> embedder.fit().transform(images, masks)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str = "mobilenetv2_100",
        *,
        weights: str | os.PathLike[str] | None = None,
        device: str = "auto",
        batch_size: int = 32,
        crop: str = "lesion",
        margin: float = 0.25,
        flips: bool = False,
    ):
        self.model = model
        self.weights = weights
        self.device = device
        self.batch_size = batch_size
        self.crop = crop
        self.margin = margin
        self.flips = flips

    def fit(self, X: object = None, y: object = None) -> TimmEmbedder:
        """Check the parameters and load the network.

        Parameters
        ----------
        X : object, default=None
            Ignored.
        y : object, default=None
            Ignored.

        Returns
        -------
        TimmEmbedder
            The fitted embedder.

        Raises
        ------
        OptionError
            If a parameter is invalid, the model does not exist, or the device cannot be used.
        SourceError
            If the weights cannot be found or downloaded.
        ArtifactError
            If the weights do not fit the model.
        """
        check_choice("crop", self.crop, CROPS)
        check_number("batch_size", self.batch_size, low=1, integer=True)
        check_number("margin", self.margin, low=0, high=4)
        check_choice("flips", self.flips, (False, True))
        network = load_network(self.model, self.weights, resolve_device(self.device))
        self.n_features_out_ = network.n_features
        self.weights_digest_ = network.digest
        return self

    def transform(
        self, X: Iterable[np.ndarray], masks: Iterable[np.ndarray | None] | None = None
    ) -> np.ndarray:
        """Embed images.

        Parameters
        ----------
        X : iterable of ndarray of shape (H, W, 3), uint8
            RGB images, which may have different sizes. Generators are consumed lazily.
        masks : iterable of ndarray of shape (H, W), bool, or None, default=None
            One lesion mask per image, or None for an image without a mask. Only used with
            ``crop="lesion"``.

        Returns
        -------
        ndarray of shape (n_images, n_features_out_), float32
            One row per image, in the given order.

        Raises
        ------
        ImageError
            If an image or mask is invalid, or their sizes differ.
        ValueError
            If the number of masks differs from the number of images.
        ArtifactError
            If the weights have changed since `fit`, or produce values that are not finite.
        """
        check_is_fitted(self)
        network = load_network(self.model, self.weights, resolve_device(self.device))
        if network.digest != self.weights_digest_:
            raise ArtifactError(
                f"The weights of {self.model!r} (weights={self.weights!r}) are not those this "
                "embedder was fitted with. Put the old file back, or fit again."
            )
        extent = self.margin if self.crop == "lesion" else network.spec.crop_pct
        orientations = (False, True) if self.flips else (False,)
        views = [ImageView(self.crop, extent, mirrored) for mirrored in orientations]
        blocks = self._blocks(_pairs(X, masks), views, network)
        rows = network.rows(blocks, batch_size=self.batch_size)
        if self.flips:
            rows = (rows[::2] + rows[1::2]) / 2
        if not np.isfinite(rows).all():
            raise ArtifactError(
                f"The network {self.model!r} gave values that are not finite: its weights are "
                "damaged, or too large for half precision on a GPU (then choose the device 'cpu')."
            )
        return rows

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of the columns.

        Parameters
        ----------
        input_features : object, default=None
            Ignored, since images have no feature names.

        Returns
        -------
        ndarray of shape (n_features_out_,), object
            ``emb__0000``, ``emb__0001``, and so on.
        """
        check_is_fitted(self)
        return np.array([f"emb__{i:04d}" for i in range(self.n_features_out_)], dtype=object)


def embed(
    images: Iterable[np.ndarray],
    masks: Iterable[np.ndarray | None] | None = None,
    *,
    model: str = "mobilenetv2_100",
    weights: str | os.PathLike[str] | None = None,
    device: str = "auto",
    batch_size: int = 32,
    crop: str = "lesion",
    margin: float = 0.25,
    flips: bool = False,
) -> np.ndarray:
    """Embed images in a single call.

    Parameters
    ----------
    images : iterable of ndarray of shape (H, W, 3), uint8
        RGB images.
    masks : iterable of ndarray of shape (H, W), bool, or None, default=None
        One lesion mask per image, or None for an image without a mask.
    model : str, default="mobilenetv2_100"
        Name of a timm model.
    weights : str, path-like or None, default=None
        Local weight file. If None, the pretrained timm weights are used.
    device : {"auto", "cpu", "cuda"} or "cuda:N", default="auto"
        Device used to run the network.
    batch_size : int, default=32
        Number of images per forward pass on a GPU.
    crop : {"lesion", "frame"}, default="lesion"
        Whether to crop a square around the lesion mask, or the frame.
    margin : float, default=0.25
        Skin on each side of the lesion, as a fraction of the lesion's longer side.
    flips : bool, default=False
        Whether to average the embeddings of the image and its mirror image.

    Returns
    -------
    ndarray of shape (n_images, n_features), float32
        One row per image.

    See Also
    --------
    TimmEmbedder : Equivalent transformer, whose documentation lists the errors raised.

    Examples
    --------
    >>> embed(images, masks, weights="mobilenetv2_100.safetensors")  # doctest: +SKIP
    """
    embedder = TimmEmbedder(
        model,
        weights=weights,
        device=device,
        batch_size=batch_size,
        crop=crop,
        margin=margin,
        flips=flips,
    )
    return embedder.fit().transform(images, masks)


def _pairs(images, masks):
    """Pair images with masks, and check the number of masks in advance if possible."""
    if masks is None:
        return zip(images, repeat(None), strict=False)
    if isinstance(images, Sized) and isinstance(masks, Sized) and len(images) != len(masks):
        raise ValueError(
            f"got {len(images)} images and {len(masks)} masks; pass None for an image without mask."
        )
    return zip(images, masks, strict=True)
