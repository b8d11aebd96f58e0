"""Colour, palette and skin tone on painted arrays."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.features import COLORS, DEFAULT_PALETTE, Palette, abcd, cut_out
from hybridlesion.features.color import classify_colors, color, skin_tone


def _rgb(lab: tuple[float, float, float]) -> np.ndarray:
    pixel = np.array([[lab]], np.float32)
    return (cv2.cvtColor(pixel, cv2.COLOR_LAB2RGB)[0, 0] * 255).round().astype(np.uint8)


@pytest.mark.parametrize("name", COLORS)
def test_each_reference_is_its_own_color(name, disc, plain):
    image = plain(disc, _rgb(DEFAULT_PALETTE.references[name][0]), DEFAULT_PALETTE.skin)
    values = abcd(image, disc)
    assert values[f"abcd__color_share_{name}"] > 0.95
    assert values["abcd__color_count"] == 1.0
    assert values[f"abcd__color_has_{name}"] == 1.0


def test_uniform_lesion_has_no_variety(disc, plain):
    values = color(cut_out(plain(disc), disc))
    assert values["entropy"] < 0.6
    assert values["spread_first"] < 8.0  # the blended rim only
    assert values["palette_entropy"] < 0.4


def test_two_halves_have_two_colors(disc, plain):
    brown = _rgb(DEFAULT_PALETTE.references["dark_brown"][0])
    image = plain(disc, brown, DEFAULT_PALETTE.skin)
    right = disc & (np.indices(disc.shape)[1] > 100)
    image[right] = _rgb(DEFAULT_PALETTE.references["blue_gray"][0])
    values = color(cut_out(image, disc))
    assert values["share_dark_brown"] == pytest.approx(0.5, abs=0.03)
    assert values["share_blue_gray"] == pytest.approx(0.5, abs=0.03)
    # the centre of a half disc lies 4 r / (3 pi) from the middle
    assert values["centroid_distance"] == pytest.approx(4 / (3 * np.pi) / 2, abs=0.02)


def test_contrast_against_skin(disc, plain):
    values = color(cut_out(plain(disc, inside=(100, 100, 100), skin=(200, 200, 200)), disc))
    assert values["red_delta"] == pytest.approx(-100, abs=2)
    assert values["skin_contrast"] == pytest.approx(-values["lightness_delta"], abs=0.5)
    assert values["chroma_mean"] == pytest.approx(0.0, abs=0.1)


def test_palette_can_be_replaced(disc, plain):
    purple = Palette(dict(DEFAULT_PALETTE.references) | {"red": ((40.0, 60.0, -60.0),)})
    image = plain(disc, _rgb((40.0, 60.0, -60.0)), DEFAULT_PALETTE.skin)
    lesion, red = cut_out(image, disc), COLORS.index("red")
    assert np.mean(classify_colors(lesion, purple) == red) > 0.9
    assert np.mean(classify_colors(lesion) == red) < 0.1


def test_colored_light_does_not_rename_colors(disc, plain):
    image = plain(disc, (120, 80, 60), DEFAULT_PALETTE.skin)
    bluish = (image * np.array([0.7, 0.85, 1.0])).astype(np.uint8)
    for name in COLORS:
        before, after = (abcd(i, disc)[f"abcd__color_share_{name}"] for i in (image, bluish))
        assert after == pytest.approx(before, abs=0.1), name


def test_palette_is_checked():
    with pytest.raises(ValueError, match="must name exactly"):
        Palette({"white": ((90, 0, 0),)})


@pytest.mark.parametrize(("lightness", "b", "band"), [(75, 14, 0), (65, 15, 1), (45, 15, 4)])
def test_ita_of_known_skin(lightness, b, band):
    image = np.broadcast_to(_rgb((lightness, 10.0, b)), (60, 60, 3)).copy()
    lesion = np.zeros((60, 60), bool)
    lesion[25:35, 25:35] = True
    tone = skin_tone(image, lesion, np.ones((60, 60), bool))
    assert tone["ita"] == pytest.approx(np.degrees(np.arctan((lightness - 50) / b)), abs=1.5)
    assert tone["band"] == band


def test_ita_comes_from_the_raw_image(disc, plain):
    corrected, raw = plain(disc), plain(disc, skin=(120, 80, 60))
    told = abcd(corrected, disc, raw=raw)["abcd__skin_ita"]
    assert told == abcd(raw, disc)["abcd__skin_ita"]
    assert told < abcd(corrected, disc)["abcd__skin_ita"]


def test_skin_is_nan_when_the_lesion_fills_the_frame(plain):
    full = np.ones((40, 40), bool)
    values = abcd(plain(full), full)
    assert np.isnan(values["abcd__skin_ita"])
    assert np.isnan(values["abcd__color_lightness_delta"])
    assert np.isfinite(values["perceived__color"])
