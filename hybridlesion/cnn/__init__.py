"""Convolutional networks: timm embeddings, fine-tuning and the bundled network.

Importing this package does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from hybridlesion._former_names import look_up
from hybridlesion.cnn.backbone import resolve_device
from hybridlesion.cnn.checkpoints import NOTE, SEEN, Finetuned, is_finetuned, note_bytes, write_note
from hybridlesion.cnn.dataset import CLASS_SHARES, SCORED_VIEWS, Examples, FinetuneRecipe, truths
from hybridlesion.cnn.diagnosis import (
    CLASSES,
    SCORE_COLUMNS,
    allowed_classes,
    class_scores,
    name_classes,
)
from hybridlesion.cnn.scorer import SHIPPED, CNNScorer
from hybridlesion.cnn.timm_embedder import CROPS, TimmEmbedder, embed
from hybridlesion.cnn.views import Window, cut, frame_window, lesion_window

if TYPE_CHECKING:
    from hybridlesion.cnn.network import create_network, input_spec, save_network
    from hybridlesion.cnn.trainer import predict, train

__all__ = [
    "CLASSES",
    "CLASS_SHARES",
    "CROPS",
    "NOTE",
    "SCORED_VIEWS",
    "SCORE_COLUMNS",
    "SEEN",
    "SHIPPED",
    "CNNScorer",
    "Examples",
    "FinetuneRecipe",
    "Finetuned",
    "TimmEmbedder",
    "Window",
    "allowed_classes",
    "class_scores",
    "create_network",
    "cut",
    "embed",
    "frame_window",
    "input_spec",
    "is_finetuned",
    "lesion_window",
    "name_classes",
    "note_bytes",
    "predict",
    "resolve_device",
    "save_network",
    "train",
    "truths",
    "write_note",
]

# These functions need torch, which takes seconds to import.
_LAZY = {
    "network": ("create_network", "input_spec", "save_network"),
    "trainer": ("predict", "train"),
}

# Former names, kept for one release.
_FORMER = {"LesionScorer": "CNNScorer", "optimize": "train"}


def __getattr__(name: str) -> object:
    for module, names in _LAZY.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    return look_up(__name__, name, _FORMER)
