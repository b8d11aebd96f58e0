"""Which network scores which image, and that nothing around an image changes its score."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from hybridlesion.cnn import CNNScorer, Finetuned, write_note
from hybridlesion.exceptions import ArtifactError, SourceError


@pytest.fixture(scope="module")
def scorer(tuned):
    """Fitted on the folder of three folds."""
    return CNNScorer(tuned, device="cpu").fit()


@pytest.fixture(scope="module")
def odds(tuned, images, tmp_path_factory):
    """Log odds of every image by each of the three networks alone."""
    columns = []
    for fold in range(3):
        folder = tmp_path_factory.mktemp("alone") / "network"
        shutil.copytree(tuned, folder)
        _note(folder, networks=[f"fold_{fold}.safetensors"], folds=False)
        columns.append(_odds(CNNScorer(folder, device="cpu").fit().transform(*images)[:, 0]))
    return np.stack(columns, axis=1)


def _note(folder, **changes):
    facts = Finetuned.read(folder).note
    write_note(folder, {name: facts[name] for name in facts} | changes)


def _odds(scores):
    return np.log(scores.astype(float) / (1 - scores.astype(float)))


def test_new_images_get_the_mean_and_seen_ones_the_fold_that_did_not_see_them(scorer, images, odds):
    scores = scorer.transform(*images)
    assert scores.dtype == np.float32
    assert scores[:, 1].tolist() == [1] * 6 + [0] * 5
    np.testing.assert_allclose(_odds(scores[6:, 0]), odds[6:].mean(axis=1), atol=1e-4)
    # alone, a network that learned from everything keeps the out-of-fold scores of its folder
    kept = np.linspace(-3, 2, 6)
    np.testing.assert_allclose(odds[:6], np.repeat(kept[:, None], 3, axis=1), atol=1e-4)


def test_names_and_patients_lead_to_their_fold(scorer, images, odds):
    frames, masks = images
    records = pd.DataFrame({"image_id": ["c", "y"], "patient_id": [None, "R"]})
    scores = scorer.transform(frames[7:9], masks[7:9], records=records)
    assert scores[:, 1].tolist() == [1, 1]
    np.testing.assert_allclose(_odds(scores[:, 0]), [odds[7, 1], odds[8, 2]], atol=1e-4)


def test_without_folds_a_name_alone_is_told_as_optimistic(tuned, images, tmp_path):
    folder = tmp_path / "network"
    shutil.copytree(tuned, folder)
    _note(folder, networks=["fold_1.safetensors"], folds=False)
    frames, masks = images
    records = pd.DataFrame({"image_id": ["a", "c", "y"], "patient_id": ["P", None, "R"]})
    scorer = CNNScorer(folder, device="cpu").fit()
    scores = scorer.transform([frames[0], *frames[7:9]], [masks[0], *masks[7:9]], records=records)
    assert scores[:, 1].tolist() == [1, 2, 2]


def test_a_score_depends_on_its_own_image_alone(scorer, images):
    frames, masks = images
    together = scorer.transform(frames, masks)
    for start, stop in ((0, 3), (3, 11)):
        part = scorer.transform(frames[start:stop], masks[start:stop])
        np.testing.assert_array_equal(part, together[start:stop])


def test_it_survives_clone_and_pickle_without_its_networks(scorer, images):
    assert clone(scorer).fit().weights_digest_ == scorer.weights_digest_
    data = pickle.dumps(scorer)
    assert len(data) < 2_000
    frames, masks = images
    again = pickle.loads(data).transform(frames[:2], masks[:2])
    np.testing.assert_array_equal(again, scorer.transform(frames[:2], masks[:2]))


def test_changed_networks_are_refused(tuned, images, tmp_path):
    folder = tmp_path / "network"
    shutil.copytree(tuned, folder)
    scorer = CNNScorer(folder, device="cpu").fit()
    _note(folder, margin=0.5)
    with pytest.raises(ArtifactError, match="not those this scorer was fitted with"):
        scorer.transform(*images)


def test_what_cannot_be_scored_is_told(scorer, images, tmp_path):
    frames, masks = images
    with pytest.raises(ValueError, match="3 images and 2 masks"):
        scorer.transform(frames[:3], masks[:2])
    with pytest.raises(ValueError, match="3 images and 1 records"):
        scorer.transform(frames[:3], masks[:3], records=pd.DataFrame({"image_id": ["a"]}))
    with pytest.raises(SourceError, match="hybridlesion finetune"):
        CNNScorer(tmp_path).fit()


def test_no_images_no_scores(scorer):
    assert scorer.transform([]).shape == (0, 2)
    assert list(scorer.get_feature_names_out()) == ["cnn__score", "qa__cnn_seen"]
