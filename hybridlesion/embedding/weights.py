"""Weight files: read them, fit their names to a backbone, and tell one from another."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hybridlesion.exceptions import ArtifactError, SourceError

if TYPE_CHECKING:
    import torch

__all__ = ["load_weight_file", "read_state_dict", "weights_digest"]

# What training loops put before a backbone's own names.
PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.", "encoder.")
# Where training loops keep the weights inside a checkpoint; averaged weights go first.
CONTAINERS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")
# The last layer's names where a model does not say how it calls it.
CLASSIFIERS = ("classifier", "fc", "head", "head.fc")
SHOWN = 5
# What torch's own reader raises, depending on where the bytes stop making sense to it.
UNREADABLE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RuntimeError,
    EOFError,
    OSError,
    pickle.UnpicklingError,
)


def load_weight_file(model: torch.nn.Module, path: str | os.PathLike[str]) -> None:
    """Load a local weight file into a backbone that has no classifier.

    Parameters
    ----------
    model : torch.nn.Module
        Backbone made by ``timm.create_model(..., num_classes=0)``; changed in place.
    path : str or path-like
        ``.safetensors``, or a ``.pth``, ``.pt``, ``.bin``, ``.ckpt`` that holds tensors only. The
        prefixes ``module.``, ``model.``, ``backbone.``, ``encoder.`` and ``_orig_mod.`` are taken
        off, and a classifier in the file is left out.

    Raises
    ------
    SourceError
        If there is no such file.
    ArtifactError
        If it cannot be read as weights, or if names or shapes differ from the model's; all
        differences are counted and the first few are named.
    """
    wanted = model.state_dict()
    found = {_bare_name(k, wanted): v for k, v in read_state_dict(path).items()}
    found = {k: v for k, v in found.items() if k in wanted or not _is_classifier(k, model)}
    # Counters of training steps, which older checkpoints lack and inference never reads.
    for name in wanted:
        if name.endswith("num_batches_tracked"):
            found.setdefault(name, wanted[name])
    problems = _differences(found, wanted)
    if problems:
        raise ArtifactError(
            f"The weights in {os.fspath(path)} are not those of this model:\n"
            + "\n".join(f"  - {problem}" for problem in problems)
            + "\nName the model that the file was made with, by its exact timm name."
        )
    model.load_state_dict(found)


def read_state_dict(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Read the tensors of a weight file onto the CPU, without running code from it.

    Parameters
    ----------
    path : str or path-like
        ``.safetensors``, or any file that ``torch.load(weights_only=True)`` accepts.

    Returns
    -------
    dict of str to torch.Tensor
        Names as in the file.

    Raises
    ------
    SourceError
        If there is no such file.
    ArtifactError
        If it holds anything but tensors, or nothing readable.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        kind = "a folder" if file.is_dir() else "not there"
        raise SourceError(f"the weight file {file} is {kind}; name a .safetensors or .pth file.")
    try:
        state = _read_safetensors(file) if file.suffix == ".safetensors" else _read_pickle(file)
    except UNREADABLE as error:
        raise ArtifactError(
            f"{file} cannot be read as weights. Accepted are .safetensors, and .pth files that "
            "hold a state dict and nothing but tensors, as written by "
            "torch.save(model.state_dict(), path)."
        ) from error
    return {name: value for name, value in state.items() if hasattr(value, "shape")}


def weights_digest(model: torch.nn.Module) -> str:
    """SHA-256 of a model's names, shapes and values, whatever file they came from.

    Parameters
    ----------
    model : torch.nn.Module
        Model on the CPU.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _read_safetensors(file: Path) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except SafetensorError as error:
        raise ValueError(error) from error


def _read_pickle(file: Path) -> Mapping[str, torch.Tensor]:
    import torch

    loaded = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(loaded, Mapping):
        raise ValueError(f"it holds a {type(loaded).__name__}")
    inner = (loaded[name] for name in CONTAINERS if isinstance(loaded.get(name), Mapping))
    return next(inner, loaded)


def _bare_name(name: str, wanted: Mapping[str, object]) -> str:
    while name not in wanted:
        prefix = next((prefix for prefix in PREFIXES if name.startswith(prefix)), None)
        if prefix is None:
            break
        name = name.removeprefix(prefix)
    return name


def _is_classifier(name: str, model: torch.nn.Module) -> bool:
    names = model.pretrained_cfg.get("classifier") or CLASSIFIERS
    names = (names,) if isinstance(names, str) else names
    return name.rpartition(".")[0] in names


def _differences(found: Mapping, wanted: Mapping) -> list[str]:
    reshaped = [
        f"{name} {tuple(found[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in wanted
        if name in found and found[name].shape != wanted[name].shape
    ]
    groups = {
        "missing from the file": [name for name in wanted if name not in found],
        "unknown to the model": [name for name in found if name not in wanted],
        "of another shape": reshaped,
    }
    return [
        f"{len(names)} {what}: {', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''}"
        for what, names in groups.items()
        if names
    ]
