"""The weights of one fine-tuned network as a file, in half precision."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from hybridlesion._files import atomic_path
from hybridlesion._optional import import_timm
from hybridlesion.embedding.finetuning.network import LesionNetwork
from hybridlesion.embedding.hub import check_model_name
from hybridlesion.exceptions import ArtifactError

__all__ = ["load_network_state", "save_network"]


def save_network(path: Path, network: LesionNetwork) -> None:
    """Write the weights of one network as float16, whole or not at all.

    Parameters
    ----------
    path : Path
        File to write.
    network : LesionNetwork
        The network.
    """
    # The diagnosis head only helped in training; counters of steps are of no use.
    state = {
        name: value.detach().cpu().to(torch.float16).contiguous()
        for name, value in network.state_dict().items()
        if value.dtype.is_floating_point and not name.startswith("diagnosis.")
    }
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(state))


def load_network_state(data: bytes, backbone: str, name: str) -> LesionNetwork:
    """Build the network whose weights `save_network` wrote.

    Parameters
    ----------
    data : bytes
        The file.
    backbone : str
        Its timm model name.
    name : str
        How messages call the file.

    Returns
    -------
    LesionNetwork
        In evaluation mode, float32, on the CPU, without the diagnosis head.

    Raises
    ------
    ArtifactError
        If it does not fit the backbone.
    """
    timm = import_timm()
    model = timm.create_model(check_model_name(backbone), pretrained=False, num_classes=0)
    network = LesionNetwork(model, 0)
    try:
        state = {key: value.float() for key, value in load(data).items()}
        network.load_state_dict(_counters(network) | state)
    except (RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ArtifactError(f"{name} does not fit {backbone}: {reason}") from error
    return network.eval()


def _counters(network: LesionNetwork) -> dict[str, torch.Tensor]:
    return {k: v for k, v in network.state_dict().items() if not v.dtype.is_floating_point}
