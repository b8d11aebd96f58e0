"""Fine-tuning of a timm backbone on lesions. torch is loaded when a network is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridlesion.embedding.finetuning.examples import Examples
from hybridlesion.embedding.finetuning.folder import (
    is_finetuned,
    load_fold,
    read_note,
    save_fold,
    write_note,
)
from hybridlesion.embedding.finetuning.recipe import FinetuneRecipe

if TYPE_CHECKING:
    from hybridlesion.embedding.finetuning.network import create_network
    from hybridlesion.embedding.finetuning.optimization import optimize, predict

__all__ = [
    "Examples",
    "FinetuneRecipe",
    "create_network",
    "is_finetuned",
    "load_fold",
    "optimize",
    "predict",
    "read_note",
    "save_fold",
    "write_note",
]

_LAZY = {"create_network": "network", "optimize": "optimization", "predict": "optimization"}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
