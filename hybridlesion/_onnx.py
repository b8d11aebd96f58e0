"""ONNX Runtime graphs with weights from safetensors files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hybridlesion.exceptions import ArtifactError

# End of the name of the scale of a weight that is stored in eight bits.
SCALE = ":scale"


def read_weights(data: bytes) -> dict[str, np.ndarray]:
    """Read a safetensors file without torch.

    Parameters
    ----------
    data : bytes
        Contents of the file. Weights in eight bits come with a tensor of the same name followed by
        ``:scale``, by which they are multiplied.

    Returns
    -------
    dict of str to ndarray, float32
        Weights by name.

    Raises
    ------
    ArtifactError
        If the file is damaged, or contains data types that NumPy lacks.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        weights = {name: np.asarray(value, np.float32) for name, value in load(data).items()}
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ArtifactError(f"the weights cannot be read as safetensors: {error}.") from error
    for name in [name for name in weights if name.endswith(SCALE)]:
        weights[name.removesuffix(SCALE)] *= weights.pop(name)
    return weights


class Graph:
    """Network that runs on a single CPU thread.

    Parameters
    ----------
    path : Path
        Graph without weights, written by ``docs/make_graphs.py``.
    weights : mapping of str to ndarray, float32
        Weights by their names in the graph.

    Raises
    ------
    ArtifactError
        If the weights do not match the graph.
    """

    def __init__(self, path: Path, weights: Mapping[str, np.ndarray]):
        # Read by ONNX Runtime when it is imported; otherwise it would report usage.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors are raised, so they need not be printed
        # The session refers to these arrays, so they must be kept.
        self._weights = [onnxruntime.OrtValue.ortvalue_from_numpy(w) for w in weights.values()]
        options.add_external_initializers(list(weights), self._weights)
        providers = ["CPUExecutionProvider"]
        try:
            self._session = onnxruntime.InferenceSession(path.read_bytes(), options, providers)
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
            First output, in which each row is independent of the number of rows.
        """
        return self.run_all(**inputs)[0]

    def run_all(self, **inputs: np.ndarray) -> list[np.ndarray]:
        """Evaluate the network and return all its outputs.

        Parameters
        ----------
        **inputs : ndarray
            Inputs by name.

        Returns
        -------
        list of ndarray
            Outputs, in which each row is independent of the number of rows.
        """
        return self._session.run(None, inputs)
