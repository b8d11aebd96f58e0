"""Which of the six colours each pixel has: the picture behind the shares."""

from __future__ import annotations

import numpy as np

from hybridlesion.features._lesion import Lesion
from hybridlesion.features.palette import DEFAULT_PALETTE, Palette, classify_colors

__all__ = ["NOT_MEASURED", "color_map"]

NOT_MEASURED = 255
"""Value outside the lesion and under hairs."""


def color_map(lesion: Lesion, palette: Palette = DEFAULT_PALETTE) -> np.ndarray:
    """Put the colour of every measured pixel where it belongs.

    Parameters
    ----------
    lesion : Lesion
        The lesion at measuring scale.
    palette : Palette, default=DEFAULT_PALETTE
        Reference colours.

    Returns
    -------
    ndarray of shape (h, w), uint8
        Index into `COLORS`, 6 for none of them, 255 where nothing was measured.
    """
    named = np.full(lesion.mask.shape, NOT_MEASURED, np.uint8)
    named[lesion.inside] = classify_colors(lesion, palette)
    return named
