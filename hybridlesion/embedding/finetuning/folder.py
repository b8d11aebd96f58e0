"""The folder that a fine-tuning leaves: half-precision weights, and what they are."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from hybridlesion._files import atomic_path
from hybridlesion.exceptions import ArtifactError, SourceError

if TYPE_CHECKING:
    from hybridlesion.embedding.finetuning.network import LesionNetwork

__all__ = ["NOTE", "PROTOCOL", "is_finetuned", "load_fold", "read_note", "save_fold", "write_note"]

# Raised when a folder of this number would no longer be read rightly.
PROTOCOL = 1

NOTE = "finetuned.json"

_KIND = "hybridlesion-finetuned"


def is_finetuned(path: str | os.PathLike) -> bool:
    """Whether a path is a folder that `hybridlesion finetune` wrote.

    Parameters
    ----------
    path : str or path-like
        Any path.

    Returns
    -------
    bool
        True if so.

    Examples
    --------
    >>> is_finetuned("mobilenetv2_100")
    False
    """
    return (Path(path) / NOTE).is_file()


def write_note(folder: Path, facts: dict[str, object]) -> None:
    """Say what the weights in a folder are.

    Parameters
    ----------
    folder : Path
        The folder.
    facts : dict
        Backbone, size, crop, folds, recipe and figures: anything that JSON can hold.
    """
    with atomic_path(folder / NOTE) as temporary:
        text = json.dumps({"kind": _KIND, "protocol": PROTOCOL} | facts, indent=1)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_note(folder: str | os.PathLike) -> dict[str, object]:
    """Read what the weights in a folder are.

    Parameters
    ----------
    folder : str or path-like
        Folder from `hybridlesion finetune`.

    Returns
    -------
    dict
        What `write_note` was given.

    Raises
    ------
    SourceError
        If there is none.
    ArtifactError
        If it cannot be read, or was written for another protocol.
    """
    note = Path(folder) / NOTE
    if not note.is_file():
        raise SourceError(f"{os.fspath(folder)} has no {NOTE}; `hybridlesion finetune` writes one.")
    try:
        facts = json.loads(note.read_text(encoding="utf-8"))
        kind, protocol = facts["kind"], facts["protocol"]
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{note} cannot be read: {error}.") from error
    if kind != _KIND or protocol != PROTOCOL:
        raise ArtifactError(
            f"{note} is of kind {kind!r}, protocol {protocol!r}; this version reads {_KIND!r}, "
            f"protocol {PROTOCOL}. Fine-tune again, or install the version it is for."
        )
    return facts


def save_fold(path: Path, network: LesionNetwork) -> None:
    """Write the weights of one network as float16, whole or not at all.

    Parameters
    ----------
    path : Path
        File to write.
    network : LesionNetwork
        The network.
    """
    import torch
    from safetensors.torch import save

    # The diagnosis head only helped in training; counters of steps are of no use.
    state = {
        name: value.detach().cpu().to(torch.float16).contiguous()
        for name, value in network.state_dict().items()
        if value.dtype.is_floating_point and not name.startswith("diagnosis.")
    }
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(state))


def load_fold(path: str | os.PathLike, backbone: str) -> LesionNetwork:
    """Read the network of one fold.

    Parameters
    ----------
    path : str or path-like
        File from `save_fold`.
    backbone : str
        Its timm model name.

    Returns
    -------
    LesionNetwork
        In evaluation mode, float32, on the CPU, without the diagnosis head.

    Raises
    ------
    SourceError
        If there is no such file.
    ArtifactError
        If it does not fit the backbone.
    """
    from hybridlesion._optional import import_timm
    from hybridlesion.embedding.finetuning.network import LesionNetwork
    from hybridlesion.embedding.hub import check_model_name
    from hybridlesion.embedding.weights import read_state_dict

    timm = import_timm()
    model = timm.create_model(check_model_name(backbone), pretrained=False, num_classes=0)
    network = LesionNetwork(model, 0)
    state = {name: value.float() for name, value in read_state_dict(path).items()}
    counters = {k: v for k, v in network.state_dict().items() if not v.dtype.is_floating_point}
    try:
        network.load_state_dict(counters | state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise ArtifactError(f"{os.fspath(path)} does not fit {backbone}: {reason}") from error
    return network.eval()
