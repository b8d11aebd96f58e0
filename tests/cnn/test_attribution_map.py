"""Where networks see evidence, on the pixels of the image."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest

from hybridlesion.cnn import CNNScorer
from hybridlesion.cnn import attribution as module
from hybridlesion.cnn.views import ImageView, InputSpec, lesion_window
from hybridlesion.exceptions import ImageError, OptionError, SourceError
from hybridlesion.explain import CnnMap, cnn_map
from hybridlesion.io import read_image, read_mask

SPEC = InputSpec((80, 80), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), 1.0, "center", "bilinear")


VIEWS = {
    "lesion": (ImageView("lesion", 0.25), ImageView("lesion", 0.25, True)),
    "frame": (ImageView("frame", 1.0), ImageView("frame", 1.0, True)),
    "both": (ImageView("lesion", 0.25), ImageView("frame", 1.0, True)),
}


def _redness(views):
    """Log odds: how much red exceeds green."""
    return 0.01 * (views[:, 0] - views[:, 1]).clamp(min=0).sum(dim=(1, 2)).mean()


@pytest.fixture
def plant(monkeypatch):
    """Let `cnn_map` use the planted network: plant(crop)."""

    def plant_network(crop):
        seer = module._Seer(_redness, SPEC, VIEWS[crop], "cpu", "malignancy")
        monkeypatch.setattr(module, "_load", lambda *_: seer)

    return plant_network


def _lesion(spot):
    """A brown disc on skin of 240 x 320 pixels, with one spot of red."""
    y, x = np.mgrid[:240, :320]
    mask = (y - 120) ** 2 + (x - 200) ** 2 < 60**2
    image = np.where(mask[..., None], (90, 90, 60), (200, 200, 170)).astype(np.uint8)
    row, column = spot
    image[row - 6 : row + 6, column - 6 : column + 6] = (220, 40, 40)
    return image, mask


@pytest.mark.parametrize("crop", ["lesion", "frame", "both"])
@pytest.mark.parametrize("spot", [(100, 180), (150, 230)])
def test_the_planted_spot_is_found(plant, crop, spot):
    plant(crop)
    found = cnn_map(*_lesion(spot))
    assert found.values.shape == (240, 320)
    assert found.values.dtype == np.float32
    peak = np.unravel_index(found.values.argmax(), found.values.shape)
    assert np.hypot(*np.subtract(peak, spot)) < 10
    assert found.values.sum() == pytest.approx(found.log_odds - found.blurred, rel=0.05)


def test_nothing_beyond_what_the_network_sees(plant):
    image, mask = _lesion((100, 180))
    plant("lesion")
    window = lesion_window(mask)
    seen = np.zeros(mask.shape, bool)
    seen[window.top : window.top + window.height, window.left : window.left + window.width] = True
    image[10:20, 10:20] = (255, 0, 0)
    found = cnn_map(image, mask)
    assert not found.values[~seen].any()
    assert found.values[seen].any()


@pytest.mark.parametrize("mask", [None, np.zeros((240, 320), bool)])
def test_without_a_lesion_the_frame_is_mapped(plant, mask):
    plant("lesion")
    image, _ = _lesion((60, 90))
    found = cnn_map(image, mask)
    assert np.unravel_index(found.values.argmax(), found.values.shape)[1] == pytest.approx(
        90, abs=9
    )
    # The frame of 320 columns is cut to its middle 240.
    assert not found.values[:, :40].any()


def test_a_window_beyond_the_frame_stays_on_the_image(plant):
    plant("lesion")
    image, mask = _lesion((120, 160))
    mask[2:238, 2:318] = True
    found = cnn_map(image, mask)
    assert found.values.shape == (240, 320)
    assert np.isfinite(found.values).all()
    peak = np.unravel_index(found.values.argmax(), found.values.shape)
    assert np.hypot(*np.subtract(peak, (120, 160))) < 10


def test_the_share_inside():
    assert CnnMap(np.eye(4, dtype=np.float32), 0, 0).share_inside(np.eye(4) > 0) == 1
    assert np.isnan(CnnMap(np.zeros((2, 2), np.float32), 0, 0).share_inside(np.eye(2) > 0))


def test_the_shipped_network_says_what_its_scorer_says(lesions):
    row = lesions.iloc[0]
    image, mask = read_image(row["path"]), read_mask(row["mask_path"])
    found = cnn_map(image, mask, n_steps=32)
    again = cnn_map(image, mask, n_steps=32)
    np.testing.assert_array_equal(found.values, again.values)
    scorer = CNNScorer(device="cpu").fit()
    column = scorer.get_feature_names_out().tolist().index("cnn__melanoma")
    score = scorer.transform([image], [mask])[0, column]
    assert 1 / (1 + np.exp(-found.log_odds)) == pytest.approx(score, abs=1e-3)
    assert found.values.sum() == pytest.approx(found.log_odds - found.blurred, rel=0.15)


def test_wrong_input_is_told(tmp_path):
    image, mask = _lesion((100, 180))
    with pytest.raises(ImageError):
        cnn_map(image[..., 0])
    with pytest.raises(ImageError):
        cnn_map(image, mask[:100])
    with pytest.raises(OptionError, match="n_steps"):
        cnn_map(image, n_steps=0)
    with pytest.raises(SourceError, match="hybridlesion finetune"):
        cnn_map(image, weights=tmp_path)


@pytest.mark.real
def test_blurring_what_the_map_points_at_lowers_real_scores(real_data):
    """The deletion test of benchmarks/cnn_map.py, on a few melanomas."""
    folder = real_data / "isic2017"
    index = pd.read_csv(folder / "index.csv")
    falls = []
    for image_id in index.loc[index["melanoma"] == 1, "image_id"].head(6):
        image = read_image(str(folder / "images" / f"{image_id}.jpg"))
        mask = read_mask(str(folder / "masks" / f"{image_id}_segmentation.png"))
        found = cnn_map(image, mask)
        blurred = cv2.GaussianBlur(image, (0, 0), 0.1 * len(image))
        values = cv2.GaussianBlur(found.values, (0, 0), 4)
        for limit, side in ((np.quantile(values, 0.9), 1), (np.quantile(values, 0.1), -1)):
            chosen = (side * values > side * limit).astype(np.float32)
            weight = cv2.GaussianBlur(chosen, (0, 0), 4)[..., None]
            changed = (image + weight * (blurred.astype(np.float32) - image)).astype(np.uint8)
            falls.append(found.log_odds - cnn_map(changed, mask, n_steps=1).log_odds)
    for_it, against = np.reshape(falls, (-1, 2)).mean(axis=0)
    assert for_it > 1 > 0 > against
