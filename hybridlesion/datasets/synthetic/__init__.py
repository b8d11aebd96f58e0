"""Synthetic lesions with true masks and a known risk of malignancy."""

from hybridlesion.datasets.synthetic._cohort import (
    ARTIFACTS,
    PATTERNS,
    LesionTraits,
    auc_ceiling,
    malignancy_risk,
)
from hybridlesion.datasets.synthetic._drawing import draw_lesion, make_lesions

__all__ = [
    "ARTIFACTS",
    "PATTERNS",
    "LesionTraits",
    "auc_ceiling",
    "draw_lesion",
    "make_lesions",
    "malignancy_risk",
]
