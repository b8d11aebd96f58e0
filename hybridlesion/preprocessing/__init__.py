"""Preprocessing of dermoscopic images.

Each step is a function that takes and returns arrays. The steps are detection of the usable field
of view, hair, ink and stickers, removal of hair, and colour constancy.
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
