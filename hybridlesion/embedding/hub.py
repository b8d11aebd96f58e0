"""timm's model names and its own pretrained weights, with an early word where they fail."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from hybridlesion._optional import import_timm
from hybridlesion.exceptions import OptionError, SourceError

if TYPE_CHECKING:
    import torch

__all__ = ["check_model_name", "create_pretrained"]

TIMEOUT = 5.0  # seconds to wait for a hub's first answer
WEIGHT_NAMES = ("model.safetensors", "pytorch_model.bin")


def check_model_name(model: str) -> str:
    """Return a timm model name if timm has it, else name the nearest ones.

    Parameters
    ----------
    model : str
        Architecture, with or without a tag, for example ``"mobilenetv2_100"`` or
        ``"mobilenetv2_100.ra_in1k"``.

    Returns
    -------
    str
        `model`.

    Raises
    ------
    OptionError
        If timm has no such architecture or no such tag of it.
    """
    timm = import_timm()
    architecture, _, tag = str(model).partition(".")
    if not timm.is_model(architecture):
        near = get_close_matches(architecture, timm.list_models(), n=3, cutoff=0.4)
        hint = f" Nearest: {', '.join(near)}." if near else ""
        raise OptionError(
            f"the network must be the name of a timm model, got {model!r}.{hint} "
            "timm.list_models() lists all. A weight file is given beside the name, with weights "
            "(--weights on the command line)."
        )
    known = timm.list_models(f"{architecture}.*", pretrained=True)
    if tag and f"{architecture}.{tag}" not in known:
        raise OptionError(
            f"timm has no weights tagged {tag!r} for {architecture}; it has "
            f"{', '.join(known) or 'none at all'}."
        )
    return model


def create_pretrained(model: str) -> torch.nn.Module:
    """Create a backbone without classifier that carries timm's own pretrained weights.

    Weights that were downloaded before are used without touching the network.

    Parameters
    ----------
    model : str
        A timm model name.

    Returns
    -------
    torch.nn.Module
        The backbone.

    Raises
    ------
    SourceError
        If the weights are neither on this machine nor to be had; the message says how to pass a
        file instead.
    """
    timm = import_timm()
    config = timm.models.get_pretrained_cfg(model)
    address = _address(config)
    cached = _cached_file(config)
    # The hub's own client tries for most of a minute before it gives up; ask once, shortly.
    if cached is None and not _answers(address):
        raise SourceError(_offline_help(model, f"{address or 'a hub'} does not answer"))
    overlay = {"file": cached} if cached else None
    try:
        return timm.create_model(
            model, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise SourceError(_offline_help(model, str(error).split("\n", 1)[0])) from error


def _address(config) -> str | None:
    if config.hf_hub_id:
        from huggingface_hub import hf_hub_url

        return hf_hub_url(config.hf_hub_id.partition("@")[0], WEIGHT_NAMES[0])
    return config.url or None


def _cached_file(config) -> str | None:
    """Path of weights that an earlier download left on this machine."""
    if config.hf_hub_id:
        from huggingface_hub import try_to_load_from_cache

        found = (try_to_load_from_cache(config.hf_hub_id, name) for name in WEIGHT_NAMES)
        return next((file for file in found if isinstance(file, str)), None)
    if config.url:
        import torch

        file = Path(torch.hub.get_dir(), "checkpoints", os.path.basename(config.url))
        return str(file) if file.is_file() else None
    return None


def _answers(address: str | None) -> bool:
    if address is None:
        return False
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address, method="HEAD"), timeout=TIMEOUT
        ):
            return True
    except urllib.error.HTTPError:
        return True  # a refusal is an answer, and the hub's own client will say which
    except OSError:
        return False


def _offline_help(model: str, reason: str) -> str:
    return (
        f"The pretrained weights of {model!r} cannot be had: {reason}. Offline, pass a file: "
        f"TimmEmbedder({model!r}, weights='model.safetensors') (.safetensors or .pth, with or "
        "without classifier), or --weights FILE on the command line. On a machine with a network, "
        'python -c "import torch; from hybridlesion.embedding.hub import create_pretrained; '
        f"torch.save(create_pretrained({model!r}).state_dict(), 'model.pth')\" writes one. "
        "Features without a CNN need none: embedder='none'."
    )
