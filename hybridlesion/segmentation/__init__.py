"""From an image to the mask of its lesion.

`segment` gives the mask, `segment_details` also says how sure it is and why, and `segment_many`
lets a network see several images at once. The two morphological
snakes stand on their own.
"""

from __future__ import annotations

from hybridlesion.segmentation._chan_vese import morphological_chan_vese
from hybridlesion.segmentation._result import Segmentation
from hybridlesion.segmentation._segment import (
    SEGMENTERS,
    check_segmenter,
    draw_overlay,
    segment,
    segment_details,
    segment_many,
    segmenter_digest,
)
from hybridlesion.segmentation._snakes import morphological_geodesic_active_contour

__all__ = [
    "SEGMENTERS",
    "Segmentation",
    "check_segmenter",
    "draw_overlay",
    "morphological_chan_vese",
    "morphological_geodesic_active_contour",
    "segment",
    "segment_details",
    "segment_many",
    "segmenter_digest",
]
