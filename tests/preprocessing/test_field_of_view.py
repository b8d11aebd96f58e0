"""The field of view on drawn frames."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.exceptions import ImageError
from hybridlesion.preprocessing import field_of_view

SKIN = (215, 170, 150)


def frame(shape=(120, 160)):
    return np.full((*shape, 3), SKIN, np.uint8)


def test_plain_skin_is_usable_everywhere():
    assert field_of_view(frame()).all()


@pytest.mark.parametrize("scale", [1, 3])
def test_black_corners_are_left_out_at_any_size(scale):
    image = frame((120 * scale, 160 * scale))
    rows, columns = np.mgrid[: 120 * scale, : 160 * scale]
    disc = np.hypot(rows - 60 * scale, columns - 80 * scale) < 85 * scale
    image[~disc] = 4
    usable = field_of_view(image)
    assert usable.shape == image.shape[:2]
    assert not usable[0, 0]
    assert not usable[-1, -1]
    # The corners are blurred before they are cut, which may keep a pixel of their very edge.
    assert usable[~disc].mean() < 0.01
    assert usable[disc].mean() > 0.9


def test_a_black_lesion_inside_stays():
    image = frame()
    image[50:70, 70:90] = 8
    assert field_of_view(image).all()


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (30, 2), (200, 300)])
def test_uniform_frames_are_kept(value, shape):
    assert field_of_view(np.full((*shape, 3), value, np.uint8)).all()


def test_a_float_image_is_refused():
    with pytest.raises(ImageError, match="uint8"):
        field_of_view(np.zeros((4, 4, 3)))
