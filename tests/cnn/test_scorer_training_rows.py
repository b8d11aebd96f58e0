"""Scores that a network gave to what it learned from do not reach a model's training."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hybridlesion import LesionFeaturizer
from hybridlesion.cnn import SEEN, CNNScorer, Finetuned, write_note
from hybridlesion.io import write_image
from hybridlesion.leakage import perceptual_hash

TUNED = {"embedder": "finetuned", "device": "cpu", "passthrough": ["qa__cnn_seen"]}


@pytest.fixture
def records(images, tmp_path):
    """A picture that was learned from, another of its name, and a new one."""
    frames = [images[0][0], images[0][8], images[0][10]]
    paths = [tmp_path / f"{position}.png" for position in range(3)]
    for path, frame in zip(paths, frames, strict=True):
        write_image(path, frame)
    return pd.DataFrame({"image_id": ["x", "c", "y"], "path": [str(path) for path in paths]})


def test_optimistic_scores_are_left_out_in_training_alone(tuned, records, tmp_path):
    folder = tmp_path / "network"
    shutil.copytree(tuned, folder)
    note = Finetuned.read(folder).note
    write_note(folder, note | {"networks": ["fold_1.safetensors"], "folds": False})
    featurizer = LesionFeaturizer(**TUNED, weights=str(folder))
    with pytest.warns(UserWarning, match="1 of 3 rows have CNN scores"):
        learned = featurizer.fit_transform(records)
    scored = featurizer.transform(records)
    assert scored["qa__cnn_seen"].tolist() == [1, 2, 0]
    assert scored["cnn__score"].notna().all()
    assert learned["cnn__score"].isna().tolist() == [False, True, False]
    same = [0, 2]
    np.testing.assert_array_equal(learned["cnn__score"].iloc[same], scored["cnn__score"].iloc[same])


def test_images_without_an_out_of_fold_score_count_as_optimistic(tuned, images, tmp_path):
    folder = tmp_path / "network"
    shutil.copytree(tuned, folder)
    tuned = Finetuned.read(folder)
    write_note(folder, tuned.note | {"networks": ["fold_1.safetensors"], "folds": False})
    logits = tuned.seen.oof_logit.astype(float)
    logits[(tuned.seen.hashes == perceptual_hash(images[0][0])).all(axis=1)] = np.nan
    (folder / SEEN).write_bytes(replace(tuned.seen, oof_logit=logits).to_bytes())
    found = CNNScorer(folder, device="cpu").fit().transform(images[0][:2])
    assert found[:, 1].tolist() == [2, 1]
    assert np.isfinite(found).all()


def test_folds_leave_nothing_out(tuned, records):
    featurizer = LesionFeaturizer(**TUNED, weights=str(tuned))
    table = featurizer.fit_transform(records)
    assert table["qa__cnn_seen"].tolist() == [1, 1, 0]
    assert table["cnn__score"].notna().all()
