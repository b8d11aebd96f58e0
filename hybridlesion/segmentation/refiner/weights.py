"""The refiner's weight file: half-precision safetensors that say what they are."""

from __future__ import annotations

import json
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from hybridlesion._atomic import atomic_path
from hybridlesion.exceptions import ArtifactError, SourceError

if TYPE_CHECKING:
    from hybridlesion.segmentation.refiner.network import RefinerNetwork

__all__ = ["PROTOCOL", "SHIPPED_WEIGHTS", "check_refiner", "load_refiner", "save_refiner"]

# Raised when a file of this number would no longer be read rightly: other layers, other evidence,
# other encoding of the image.
PROTOCOL = 1

SHIPPED_WEIGHTS = Path(__file__).with_name("refiner.safetensors")

_KIND = "hybridlesion-refiner"


def save_refiner(
    path: str | os.PathLike, network: RefinerNetwork, *, size: int, facts: dict[str, object]
) -> None:
    """Write a network's weights as float16, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        File to write, ending in ``.safetensors``.
    network : RefinerNetwork
        The trained network.
    size : int
        Side of the square that the network works on, in pixels.
    facts : dict
        What is worth knowing about the training: anything that JSON can hold.

    Raises
    ------
    SourceError
        If the file cannot be written.
    """
    import torch
    from safetensors.torch import save

    # Counters of training steps are of no use here, and the only integers.
    state = {
        name: value.detach().cpu().to(torch.float16).contiguous()
        for name, value in network.state_dict().items()
        if value.dtype.is_floating_point
    }
    about = {
        "protocol": PROTOCOL,
        "size": size,
        "evidence": network.evidence,
        "facts": facts,
    }
    with atomic_path(path) as temporary:
        # One entry, since the order of several would differ from file to file.
        temporary.write_bytes(save(state, {_KIND: json.dumps(about, sort_keys=True)}))


def check_refiner(path: str | os.PathLike) -> None:
    """Make sure, before long work, that a file is a refiner's; only its head is read.

    Parameters
    ----------
    path : str or path-like
        File from `save_refiner`.

    Raises
    ------
    SourceError
        If there is no such file.
    ArtifactError
        If it is no refiner's, or made for another protocol.
    """
    if not Path(path).is_file():
        raise SourceError(f"there is no refiner at {os.fspath(path)}; `train-refiner` writes one.")
    found = os.stat(path)
    _check_head(os.fspath(path), found.st_mtime_ns, found.st_size)


# Asked before each image, while the file stays the same.
@lru_cache
def _check_head(path: str, *_: int) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            _read_about(path, file.metadata() or {})
    except SafetensorError as error:
        raise ArtifactError(f"{path} cannot be read as a refiner: {error}") from error


def load_refiner(
    path: str | os.PathLike = SHIPPED_WEIGHTS,
) -> tuple[RefinerNetwork, int, dict[str, object]]:
    """Read a weight file into a network.

    Parameters
    ----------
    path : str or path-like, default=SHIPPED_WEIGHTS
        File from `save_refiner`.

    Returns
    -------
    network : RefinerNetwork
        In evaluation mode, float32, on the CPU.
    size : int
        Side of the square that it works on, in pixels.
    facts : dict
        What was said about its training.

    Raises
    ------
    SourceError
        If there is no such file.
    ArtifactError
        If it is no refiner's, or made for another protocol.
    """
    from safetensors import SafetensorError, safe_open

    from hybridlesion.segmentation.refiner.network import RefinerNetwork

    if not Path(path).is_file():
        raise SourceError(f"there is no refiner at {os.fspath(path)}.")
    try:
        with safe_open(path, framework="pt") as file:
            about = _read_about(path, file.metadata() or {})
            state = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        network = RefinerNetwork(evidence=about["evidence"])
        # The counters that were left out keep their zeros.
        network.load_state_dict(
            {name: value for name, value in network.state_dict().items() if name not in state}
            | state
        )
        return network.eval(), about["size"], about["facts"]
    except (SafetensorError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ArtifactError(f"{os.fspath(path)} cannot be read as a refiner: {reason}") from error


def _read_about(path: str | os.PathLike, metadata: dict[str, str]) -> dict[str, object]:
    if _KIND not in metadata:
        raise ArtifactError(
            f"{os.fspath(path)} holds no refiner; `hybridlesion train-refiner` writes one."
        )
    about = json.loads(metadata[_KIND])
    if about["protocol"] != PROTOCOL:
        raise ArtifactError(
            f"{os.fspath(path)} was written for protocol {about['protocol']}, and this "
            f"version reads protocol {PROTOCOL}. Train it again, or install the version it is for."
        )
    return about
