"""Outline and axes of a lesion against scikit-image's."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import perimeter_crofton, regionprops

from hybridlesion.features._context import cut_out, trace_outline


def test_outline_agrees_with_regionprops(draw_lesion):
    _, mask = draw_lesion(400)
    outline, props = trace_outline(mask, smooth=2.5), regionprops(mask.astype(np.uint8))[0]
    assert outline.area == pytest.approx(props.area, rel=0.01)
    assert outline.area / outline.hull_area == pytest.approx(props.solidity, abs=0.01)
    assert outline.perimeter == pytest.approx(perimeter_crofton(mask, 4), rel=0.03)


def test_axes_agree_with_regionprops(draw_lesion):
    image, mask = draw_lesion(400)
    lesion = cut_out(image, mask)
    props = regionprops(lesion.mask.astype(np.uint8))[0]
    _, major, minor = lesion.axes
    assert (major, minor) == pytest.approx(
        (props.axis_major_length, props.axis_minor_length), rel=1e-3
    )
