"""Data sets: drawn lesions whose truth is known, and local copies of the public ones.

`make_lesions` writes a synthetic set in the ISIC 2020 layout; `load_ph2`, `load_derm7pt`,
`load_isic2017`, `load_isic2018_task1`, `load_isic2018_task2`, `load_isic2020` and `load_ham10000`
turn folders that the user has downloaded into records, and `load_folder` does so with any folder
of images and one table. Nothing here uses a network.
"""

from __future__ import annotations

from hybridlesion.datasets._derm7pt import load_derm7pt
from hybridlesion.datasets._drawing import draw_lesion
from hybridlesion.datasets._folder import load_folder
from hybridlesion.datasets._ham10000 import load_ham10000
from hybridlesion.datasets._isic import (
    load_isic2017,
    load_isic2018_task1,
    load_isic2018_task2,
    load_isic2020,
)
from hybridlesion.datasets._make_lesions import make_lesions
from hybridlesion.datasets._ph2 import load_ph2
from hybridlesion.datasets._rule import auc_ceiling, malignancy_risk
from hybridlesion.datasets._traits import ARTIFACTS, PATTERNS, LesionTraits

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
