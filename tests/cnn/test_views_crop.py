from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.cnn import Window, cut, frame_window, lesion_window


def _mask(shape, top, left, height, width):
    mask = np.zeros(shape, dtype=bool)
    mask[top : top + height, left : left + width] = True
    return mask


def test_square_is_centred_on_the_lesion_with_the_margin_on_each_side():
    mask = _mask((100, 200), 40, 80, 10, 20)
    assert lesion_window(mask, margin=0.5) == Window(25, 70, 40, 40)


def test_square_is_moved_inside_the_frame():
    mask = _mask((100, 200), 0, 190, 10, 10)
    assert lesion_window(mask, margin=0.5) == Window(0, 180, 20, 20)


def test_square_longer_than_the_frame_reaches_evenly_beyond_it():
    mask = _mask((100, 200), 10, 20, 80, 160)
    window = lesion_window(mask, margin=1.0)
    assert window == Window(-50, 0, 200, 200)


def test_empty_mask_has_no_window():
    assert lesion_window(np.zeros((5, 5), dtype=bool)) is None


@pytest.mark.parametrize(
    ("mode", "window"),
    [
        ("center", Window(0, 100, 200, 200)),
        ("squash", Window(0, 0, 200, 400)),
        ("border", Window(-100, 0, 400, 400)),
    ],
)
def test_frame_window_follows_the_crop_mode(mode, window):
    assert frame_window((200, 400), crop_pct=1.0, crop_mode=mode) == window


def test_frame_window_keeps_the_share_of_crop_pct():
    assert frame_window((200, 200), crop_pct=0.5) == Window(50, 50, 100, 100)


def test_cut_inside_is_a_view():
    image = np.zeros((10, 10, 3), dtype=np.uint8)
    assert np.shares_memory(cut(image, Window(2, 3, 4, 5)), image)


def test_cut_beyond_mirrors_the_frame():
    image = np.arange(4, dtype=np.uint8).reshape(2, 2, 1).repeat(3, axis=2)
    expected = [[3, 2, 3, 2], [1, 0, 1, 0], [3, 2, 3, 2], [1, 0, 1, 0]]
    assert cut(image, Window(-1, -1, 4, 4))[..., 0].tolist() == expected
