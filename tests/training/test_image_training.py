"""Small copies of images keep their shape, their lesion and their place."""

from __future__ import annotations

import os
import signal

import numpy as np
import pandas as pd
import pytest

from hybridlesion.io import write_image
from hybridlesion.training import _image_training as module
from hybridlesion.training._image_training import ImageStore, read_store


@pytest.fixture
def records(tmp_path, rng):
    """A large image, a squashed one, a tiny one, and one that cannot be read."""
    shapes = {"large": (300, 400), "squashed": (200, 200), "tiny": (84, 84)}
    for name, shape in shapes.items():
        image = np.full((*shape, 3), (222, 178, 158)) + rng.normal(0, 4, (*shape, 3))
        height, width = shape
        image[height // 4 : height // 2, width // 4 : width // 2] = (70, 45, 40)
        write_image(tmp_path / f"{name}.png", image.clip(0, 255).astype(np.uint8))
    (tmp_path / "broken.png").write_bytes(b"no image")
    names = ["large", "squashed", "broken", "tiny"]
    paths = [str(tmp_path / f"{name}.png") for name in names]
    return pd.DataFrame({"image_id": names, "path": paths, "aspect": [np.nan, 1.5, np.nan, np.nan]})


def test_copies_are_small_in_the_true_aspect_with_a_box_about_the_lesion(records, tmp_path):
    store = read_store(records, tmp_path / "run")
    large, squashed, tiny = store.images(np.array([0, 1, 3]))
    assert large.shape == (192, 256, 3)
    assert squashed.shape[1] / squashed.shape[0] == pytest.approx(1.5, abs=0.02)
    assert tiny.shape == (84, 84, 3)
    np.testing.assert_allclose(store.boxes[0], [64, 48, 64, 48], atol=12)
    np.testing.assert_allclose(store.boxes[3], [21, 21, 21, 21], atol=6)
    assert [failure.image_id for failure in store.failures] == ["broken"]


def _read_or_die(record):
    if record["image_id"] == "squashed":
        os.kill(os.getpid(), signal.SIGKILL)
    return record["image_id"]


def test_an_image_that_kills_its_process_is_a_failure(records):
    found = {}
    failures = module.read_images(_read_or_die, records, found.__setitem__, n_jobs=2, progress=None)
    assert found == {0: "large", 2: "broken", 3: "tiny"}
    assert [failure.image_id for failure in failures] == ["squashed"]
    assert "SIGKILL" in failures[0].reason


def test_a_second_call_reads_nothing(records, tmp_path):
    first = read_store(records, tmp_path / "run")
    again = read_store(records.assign(path="gone"), tmp_path / "run")
    assert np.array_equal(first.places, again.places)
    assert again.failures == first.failures


def test_an_interrupted_reading_continues(records, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_IMAGES_BETWEEN_NOTES", 1)
    whole = read_store(records, tmp_path / "whole")

    def interrupt(done: int, failed: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        read_store(records, tmp_path / "run", progress=interrupt)
    seen = []
    read_store(records, tmp_path / "run", progress=lambda *counts: seen.append(counts))
    # the last one is read again
    assert seen[-1] == (3, 1, 3)
    store = ImageStore.open(tmp_path / "run")
    rows = np.array([0, 1, 3])
    for one, other in zip(store.images(rows), whole.images(rows), strict=True):
        assert np.array_equal(one, other)
    assert np.array_equal(store.boxes, whole.boxes)
    assert np.array_equal(store.hashes, whole.hashes)
