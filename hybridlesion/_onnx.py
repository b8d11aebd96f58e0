"""Graphs of ONNX Runtime whose weights come from safetensors files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hybridlesion.exceptions import ArtifactError


def read_weights(data: bytes) -> dict[str, np.ndarray]:
    """Read a safetensors file without torch.

    Parameters
    ----------
    data : bytes
        The file.

    Returns
    -------
    dict of str to ndarray, float32
        Weights by name.

    Raises
    ------
    ArtifactError
        If it is damaged, or holds types that numpy lacks.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return {name: np.asarray(value, np.float32) for name, value in load(data).items()}
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ArtifactError(f"the weights cannot be read as safetensors: {error}.") from error


class Graph:
    """A network on one thread of the CPU.

    Parameters
    ----------
    path : Path
        Graph without weights, written by ``docs/make_graphs.py``.
    weights : mapping of str to ndarray, float32
        Weights by the names of the graph.

    Raises
    ------
    ArtifactError
        If the weights are not those of the graph.
    """

    def __init__(self, path: Path, weights: Mapping[str, np.ndarray]):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors are raised, and need not be printed too
        # The session refers to these arrays.
        self._weights = [onnxruntime.OrtValue.ortvalue_from_numpy(w) for w in weights.values()]
        options.add_external_initializers(list(weights), self._weights)
        try:
            self._session = onnxruntime.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the errors of ONNX Runtime have no public base class
            reason = " ".join(str(error).split())[:300]
            raise ArtifactError(f"the weights do not fit {path.stem}: {reason}") from error

    def run(self, **inputs: np.ndarray) -> np.ndarray:
        """Evaluate the network.

        Parameters
        ----------
        **inputs : ndarray
            Inputs by name.

        Returns
        -------
        ndarray
            The first output; a row does not depend on the number of rows.
        """
        return self._session.run(None, inputs)[0]
