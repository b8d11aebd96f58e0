"""Lesion segmentation: classical, optionally refined by a small network."""

from __future__ import annotations

from hybridlesion.segmentation._classical import Segmentation, segment_classical
from hybridlesion.segmentation._morphological_snakes import morphological_chan_vese
from hybridlesion.segmentation._segment import (
    SEGMENTERS,
    check_segmenter,
    draw_overlay,
    enlarge_mask,
    flag_words,
    replace_mask,
    segment,
    segment_details,
    segment_many,
    segmenter_digest,
    soft_mask,
    trace_outline,
)
from hybridlesion.segmentation.refiner import STRUCTURES

__all__ = [
    "SEGMENTERS",
    "STRUCTURES",
    "Segmentation",
    "check_segmenter",
    "draw_overlay",
    "enlarge_mask",
    "flag_words",
    "morphological_chan_vese",
    "replace_mask",
    "segment",
    "segment_classical",
    "segment_details",
    "segment_many",
    "segmenter_digest",
    "soft_mask",
    "trace_outline",
]
