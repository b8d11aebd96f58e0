"""The refiner: a small network that corrects the classical mask.

It sees the image and the evidence behind the classical mask. torch is loaded when it first works.
"""

from __future__ import annotations

from hybridlesion.segmentation.refiner.recipe import Recipe
from hybridlesion.segmentation.refiner.refine import Refiner, segment_batch, segment_refined
from hybridlesion.segmentation.refiner.samples import Sample, read_sample, read_unsquashed
from hybridlesion.segmentation.refiner.weights import (
    SHIPPED_WEIGHTS,
    check_refiner,
    load_refiner,
    save_refiner,
)

__all__ = [
    "SHIPPED_WEIGHTS",
    "Recipe",
    "Refiner",
    "Sample",
    "check_refiner",
    "load_refiner",
    "read_sample",
    "read_unsquashed",
    "save_refiner",
    "segment_batch",
    "segment_refined",
]
