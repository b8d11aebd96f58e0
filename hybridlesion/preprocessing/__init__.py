"""Preprocessing of dermoscopic images.

Each step is a function from arrays to an array: the usable field of view, hair and its removal,
ink and stickers, colour constancy.
"""

from __future__ import annotations

from hybridlesion.preprocessing._color_constancy import max_rgb, shades_of_gray
from hybridlesion.preprocessing._occlusions import (
    field_of_view,
    hair_mask,
    marker_mask,
    remove_hair,
)

__all__ = ["field_of_view", "hair_mask", "marker_mask", "max_rgb", "remove_hair", "shades_of_gray"]
