"""Synthetic lesions with known ground truth, and loaders for local copies of public data sets.

`make_lesions` writes a synthetic set in the ISIC 2020 layout; `load_ph2`, `load_derm7pt`,
`load_isic2017`, `load_isic2018_task1`, `load_isic2018_task2`, `load_isic2020` and `load_ham10000`
read downloaded folders as records, and `load_folder` does the same for any folder of images with a
table. These functions never download anything.
"""

from __future__ import annotations

from hybridlesion.datasets.loaders import (
    load_derm7pt,
    load_folder,
    load_ham10000,
    load_isic2017,
    load_isic2018_task1,
    load_isic2018_task2,
    load_isic2020,
    load_ph2,
)
from hybridlesion.datasets.synthetic import (
    ARTIFACTS,
    PATTERNS,
    LesionTraits,
    auc_ceiling,
    draw_lesion,
    make_lesions,
    malignancy_risk,
)

__all__ = [
    "ARTIFACTS",
    "PATTERNS",
    "LesionTraits",
    "auc_ceiling",
    "draw_lesion",
    "load_derm7pt",
    "load_folder",
    "load_ham10000",
    "load_isic2017",
    "load_isic2018_task1",
    "load_isic2018_task2",
    "load_isic2020",
    "load_ph2",
    "make_lesions",
    "malignancy_risk",
]
