"""Diagnosis classifiers that run on ONNX Runtime, without torch."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hybridlesion._onnx import Graph, read_weights
from hybridlesion.cnn.backbone import pad_block
from hybridlesion.cnn.diagnosis import CLASSES
from hybridlesion.cnn.views import InputSpec

# Number of images per forward pass. With a fixed shape, the same kernels are always chosen, so that
# a row does not depend on the other rows in a call. A pass with eight images takes just as long per
# image, and an image often has four views.
_BLOCK = 4


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
    """Classifiers with the same backbone, evaluated on the same images in a single CPU thread.

    Parameters
    ----------
    backbone : str
        Name of a timm model; see `has_graph`.
    files : sequence of bytes
        Weights of each classifier, as a timm state dict in safetensors format.
    spec : InputSpec
        Input of the networks.

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
        If the weights do not fit the backbone.

    Notes
    -----
    The logits agree with those from torch up to rounding errors of about 1e-6.
    """

    def __init__(self, backbone: str, files: Sequence[bytes], spec: InputSpec):
        self.spec = spec
        self.n_features = len(CLASSES) * len(files)
        self.digest = hashlib.sha256(b"".join(files)).hexdigest()
        self.device = "cpu"
        pixels = {
            name: np.array(values, np.float32).reshape(1, 3, 1, 1) * np.float32(255)
            for name, values in (("input_mean", spec.mean), ("input_std", spec.std))
        }
        graph = _graph_file(backbone)
        self._graphs = [Graph(graph, read_weights(data) | pixels) for data in files]

    def block_size(self, batch_size: int) -> int:
        """Return the number of images per forward pass.

        Parameters
        ----------
        batch_size : int
            Batch size requested by the user, which has no effect on a CPU.

        Returns
        -------
        int
            Fixed number of images.
        """
        return _BLOCK

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
            Logits of the first network, followed by those of the second, and so on.
        """
        parts = [np.empty((0, self.n_features), np.float32)]
        for block in blocks:
            for start in range(0, len(block), _BLOCK):
                part = block[start : start + _BLOCK]
                pixels = pad_block(part, _BLOCK)
                found = [graph.run(pixels=pixels) for graph in self._graphs]
                parts.append(np.hstack(found)[: len(part)])
        return np.concatenate(parts)
