"""Images to embeddings by a timm backbone; importing this package does not import torch."""

from __future__ import annotations

from hybridlesion.embedding.crop import Window, cut, frame_window, lesion_window
from hybridlesion.embedding.timm_embedder import CROPS, TimmEmbedder, embed

__all__ = ["CROPS", "TimmEmbedder", "Window", "cut", "embed", "frame_window", "lesion_window"]
