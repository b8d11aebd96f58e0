from __future__ import annotations

import numpy as np
import pytest

from hybridlesion._optional_imports import import_timm
from hybridlesion.cnn.views import ImageView, InputSpec, frame_window

SPEC = InputSpec((8, 8), (0.5,) * 3, (0.5,) * 3, 1.0, "center", "bicubic")


def test_lesion_crop_shows_the_lesion_only():
    image = np.zeros((100, 100, 3), dtype=np.uint8)
    image[40:60, 40:60] = (200, 100, 50)
    mask = image[..., 0] > 0
    shown = ImageView("lesion", 0.0).prepare(image, mask, SPEC)
    assert (shown == (200, 100, 50)).all()


def test_empty_or_absent_mask_shows_the_frame(rng):
    image = rng.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    lesion, frame = ImageView("lesion", 0.25), ImageView("frame", 1.0)
    shown = lesion.prepare(image, None, SPEC)
    assert np.array_equal(shown, lesion.prepare(image, np.zeros((40, 60), dtype=bool), SPEC))
    assert np.array_equal(shown, frame.prepare(image, np.eye(40, 60, dtype=bool), SPEC))


def test_shrinking_averages_pixels():
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    image[::2] = 200
    assert (ImageView("frame", 1.0).prepare(image, None, SPEC) == 100).all()


def test_frame_crop_agrees_with_timm(rng):
    timm = import_timm()
    from PIL import Image

    config = timm.data.resolve_model_data_config(timm.create_model("test_efficientnet"))
    # The fraction differs between releases of timm, which round the side to whole pixels before
    # they crop: 160 / 0.8 = 200 needs no rounding.
    config["crop_pct"] = 0.8
    spec = InputSpec.of(config)
    coarse = rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC))
    theirs = timm.data.create_transform(**config)(Image.fromarray(image)).numpy()
    ours = ImageView("frame", spec.crop_pct).prepare(image, None, spec).transpose(2, 0, 1) / 255
    ours = (ours - np.reshape(spec.mean, (3, 1, 1))) / np.reshape(spec.std, (3, 1, 1))
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).mean() == pytest.approx(0, abs=0.01)


def test_views_of_a_network():
    image = np.arange(40 * 60 * 3, dtype=np.uint32).reshape(40, 60, 3).astype(np.uint8)
    mask = np.zeros((40, 60), dtype=bool)
    mask[10:20, 30:40] = True
    frame, lesion = ImageView("frame", 0.5), ImageView("lesion", 0.2)
    assert frame.window((40, 60), mask, SPEC) == (10, 20, 20, 20)
    assert lesion.window((40, 60), mask, SPEC) == (8, 28, 14, 14)
    assert lesion.window((40, 60), None, SPEC) == frame_window(
        (40, 60), size=SPEC.size, crop_pct=SPEC.crop_pct
    )
    mirrored = ImageView("lesion", 0.2, True).prepare(image, mask, SPEC)
    np.testing.assert_array_equal(mirrored, lesion.prepare(image, mask, SPEC)[:, ::-1])
