"""Refiner: a small network that corrects the classical mask; torch is imported on first use."""

from __future__ import annotations

from hybridlesion.segmentation.refiner.refine import (
    SHIPPED_WEIGHTS,
    Refiner,
    check_refiner,
    load_refiner,
    save_refiner,
    segment_refined,
)
from hybridlesion.segmentation.refiner.samples import (
    STRUCTURES,
    Sample,
    read_sample,
    read_unsquashed,
)
from hybridlesion.segmentation.refiner.training import Recipe, train_network

__all__ = [
    "SHIPPED_WEIGHTS",
    "STRUCTURES",
    "Recipe",
    "Refiner",
    "Sample",
    "check_refiner",
    "load_refiner",
    "read_sample",
    "read_unsquashed",
    "save_refiner",
    "segment_refined",
    "train_network",
]
