"""Masks on disk: size of the image, 0/255, failures listed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridlesion import read_image
from hybridlesion.batch import segment_images
from hybridlesion.exceptions import HybridLesionError
from hybridlesion.io import image_size, read_mask, write_image
from hybridlesion.segmentation import segment


def test_masks_have_the_size_of_the_image(lesions, tmp_path):
    records = lesions.head(3)
    result = segment_images(records, tmp_path / "masks", overlay=True)
    assert (result.n_rows, result.n_failed) == (3, 0)
    for image_id, path in zip(records["image_id"], records["path"], strict=True):
        mask = read_mask(tmp_path / "masks" / f"{image_id}_segmentation.png")
        assert mask.shape == image_size(path)
        np.testing.assert_array_equal(mask, segment(read_image(path)))
        assert (tmp_path / "masks" / f"{image_id}_overlay.jpg").exists()


def test_overlay_differs_from_the_image_along_the_contour_only(lesions, tmp_path):
    records = lesions.head(1)
    segment_images(records, tmp_path, overlay=True)
    image = read_image(records["path"].iloc[0]).astype(int)
    drawn = read_image(tmp_path / f"{records['image_id'].iloc[0]}_overlay.jpg").astype(int)
    changed = np.abs(drawn - image).max(axis=2) > 60
    assert 0 < changed.mean() < 0.2


def test_bad_image_is_listed_and_the_others_go_on(lesions, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no png")
    records = lesions.head(3)[["image_id", "path"]].reset_index(drop=True)
    records.loc[1] = ["bad", str(tmp_path / "bad.png")]
    result = segment_images(records, tmp_path / "masks", n_jobs=2)
    assert (result.n_rows, result.n_failed) == (2, 1)
    assert "bad" in result.errors_path.read_text()
    with pytest.raises(HybridLesionError, match="none of the 1 images"):
        segment_images(records.iloc[[1]], tmp_path / "masks")


def test_an_image_that_kills_workers_is_listed_and_the_others_go_on(lesions, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    import quick_featurizer

    # A worker unpickles this function by name, and dies over one image.
    deadly = quick_featurizer.segment_block_but_for_the_deadly
    monkeypatch.setattr("hybridlesion.batch._masks._segment_block", deadly)
    records = lesions.head(3)[["image_id", "path"]].reset_index(drop=True)
    records.loc[1, "image_id"] = "deadly"
    result = segment_images(records, tmp_path / "masks", n_jobs=2)
    assert (result.n_rows, result.n_failed) == (2, 1)
    assert "deadly" in result.errors_path.read_text()
    assert 'worker,"the worker process died of SIGKILL' in result.errors_path.read_text()


def test_unknown_segmenter_is_refused_before_work(lesions, tmp_path):
    with pytest.raises(ValueError, match="segmenter must be one of"):
        segment_images(lesions, tmp_path, segmenter="best")


def test_large_photographs_get_smooth_masks_and_overlays_of_their_own_size(tmp_path):
    y, x = np.mgrid[:1500, :2000]
    lesion = np.hypot(x - 1000, y - 750) < 400
    image = np.where(lesion[..., None], (110, 70, 52), (222, 178, 158)).astype(np.uint8)
    write_image(tmp_path / "a.png", image)
    records = pd.DataFrame({"image_id": ["a"], "path": [str(tmp_path / "a.png")]})
    segment_images(records, tmp_path / "out", overlay=True)
    assert read_image(tmp_path / "out" / "a_overlay.jpg").shape == image.shape
    mask = read_mask(tmp_path / "out" / "a_segmentation.png")
    assert mask.shape == image.shape[:2]
    # The boundary advances evenly from row to row, without the steps of the lower resolution.
    starts = mask[500:1000].argmax(axis=1)
    assert np.abs(np.diff(starts, 2)).mean() < 1.2  # 2 with steps of four pixels
