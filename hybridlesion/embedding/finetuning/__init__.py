"""Fine-tuning of a timm backbone on lesions. torch is loaded when a network is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridlesion.embedding.finetuning.examples import Examples
from hybridlesion.embedding.finetuning.fingerprint import (
    FINGERPRINT_BYTES,
    LOOK_COLUMNS,
    SAME_LOOK,
    fingerprint,
    fingerprint_numbers,
    fingerprints_of,
    small_grey,
)
from hybridlesion.embedding.finetuning.folder import (
    NOTE,
    SEEN,
    Finetuned,
    is_finetuned,
    note_bytes,
    write_note,
)
from hybridlesion.embedding.finetuning.optimistic import leave_out_optimistic, optimistic_rows
from hybridlesion.embedding.finetuning.recipe import FinetuneRecipe
from hybridlesion.embedding.finetuning.scorer import SHIPPED, LesionScorer
from hybridlesion.embedding.finetuning.seen import Match, Seen, hash_ids

if TYPE_CHECKING:
    from hybridlesion.embedding.finetuning.network import create_network
    from hybridlesion.embedding.finetuning.optimization import optimize, predict
    from hybridlesion.embedding.finetuning.state import save_network

__all__ = [
    "FINGERPRINT_BYTES",
    "LOOK_COLUMNS",
    "NOTE",
    "SAME_LOOK",
    "SEEN",
    "SHIPPED",
    "Examples",
    "FinetuneRecipe",
    "Finetuned",
    "LesionScorer",
    "Match",
    "Seen",
    "create_network",
    "fingerprint",
    "fingerprint_numbers",
    "fingerprints_of",
    "hash_ids",
    "is_finetuned",
    "leave_out_optimistic",
    "note_bytes",
    "optimistic_rows",
    "optimize",
    "predict",
    "save_network",
    "small_grey",
    "write_note",
]

_LAZY = {
    "create_network": "network",
    "optimize": "optimization",
    "predict": "optimization",
    "save_network": "state",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
