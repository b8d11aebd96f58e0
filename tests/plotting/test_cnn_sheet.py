"""Maps of a network as pictures and words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridlesion.exceptions import ImageError
from hybridlesion.explain import CnnMap
from hybridlesion.plotting import cnn_words, draw_cnn_sheet, paint_cnn_map


@pytest.fixture
def found():
    """Strong for malignancy on the left, half as strong against it on the right."""
    values = np.zeros((60, 90), np.float32)
    values[20:40, 10:30], values[20:40, 60:80] = 0.2, -0.1
    return CnnMap(values, 2.0, -1.0)


def test_colours_tell_for_from_against_and_strength(found):
    painted = paint_cnn_map(found)
    assert painted.shape == (60, 90, 4)
    assert painted.dtype == np.uint8
    for_it, against, nothing = painted[30, 20], painted[30, 70], painted[5, 5]
    assert for_it[0] > for_it[2]
    assert against[2] > against[0]
    assert (for_it[3], against[3], nothing[3]) == (204, 102, 0)


def test_the_scale_is_that_of_the_image(found):
    weak = CnnMap(found.values / 1000, 0.0, 0.0)
    np.testing.assert_array_equal(paint_cnn_map(weak), paint_cnn_map(found))


def test_it_shrinks_but_never_grows(found):
    assert paint_cnn_map(found, 45).shape == (30, 45, 4)
    assert paint_cnn_map(found, 900).shape == (60, 90, 4)


def test_a_map_of_nothing_is_clear():
    nothing = CnnMap(np.zeros((8, 8), np.float32), 0.0, 0.0)
    assert not paint_cnn_map(nothing)[..., 3].any()
    words = cnn_words(nothing, np.ones((8, 8), bool))
    assert words == "The network attributes its score to no region."


def test_without_a_lesion_the_words_say_so(found):
    words = cnn_words(found, np.zeros((60, 90), bool))
    assert words == "No lesion was found in the image."


def test_words_tell_how_much_lies_on_the_lesion(found):
    left = np.zeros((60, 90), bool)
    left[:, :45] = True
    assert cnn_words(found, left) == "67 % of the attribution for malignancy lies on the lesion."


def test_the_sheet_shows_photograph_and_map(found):
    image = np.full((60, 90, 3), 150, np.uint8)
    figure = draw_cnn_sheet(image, found.values > 0, found, title="a $name$")
    assert [len(axes.images) for axes in figure.axes] == [1, 2]
    assert figure.get_suptitle() == "a $name$"
    assert "CNN score for malignancy 0.881, of the whole network." in figure.get_supxlabel()
    assert "not a medical device" in figure.get_supxlabel()
    melanoma = draw_cnn_sheet(image, found.values > 0, replace(found, outcome="melanoma"))
    assert "CNN score for melanoma 0.881" in melanoma.get_supxlabel()
    assert draw_cnn_sheet(image, np.zeros((60, 90), bool), found) is not None
    with pytest.raises(ImageError):
        draw_cnn_sheet(image, np.ones((4, 4), bool), found)
