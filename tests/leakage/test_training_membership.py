"""Training images are known again by id, by patient and by perceptual hash, and only so."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.exceptions import ArtifactError
from hybridlesion.leakage import Match, TrainingMembership, perceptual_hash


@pytest.fixture(scope="module")
def pictures():
    """Six pictures of smooth noise."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (6, 12, 16, 3), dtype=np.uint8)
    return [cv2.resize(picture, (320, 240), interpolation=cv2.INTER_CUBIC) for picture in noise]


@pytest.fixture(scope="module")
def hashes(pictures):
    """Their perceptual hashes."""
    return np.stack([perceptual_hash(picture) for picture in pictures])


@pytest.fixture(scope="module")
def membership(hashes):
    """The first four of them, learned from."""
    records = pd.DataFrame(
        {
            "image_id": ["ISIC_1.jpg", "ISIC_2", "ISIC_3", "ISIC_4"],
            "patient_id": ["P", None, "Q", None],
            "lesion_id": [None, "L", None, None],
        }
    )
    return TrainingMembership.of(
        records, np.array([2, 0, 1, 1]), np.array([0.5, -1.0, 2.0, -2.0]), hashes[:4]
    )


def test_ids_patients_and_lesions_are_found(membership, hashes):
    records = pd.DataFrame(
        {
            "image_id": ["ISIC_1", "new", "new", "new", "P"],
            "patient_id": [None, "Q", None, "L", None],
            "lesion_id": [None, None, "L", None, None],
        }
    )
    match, fold, oof_logit = membership.match(records, hashes[[4] * 5])
    assert match.tolist() == [Match.IMAGE_ID, Match.GROUP, Match.GROUP, Match.NEW, Match.NEW]
    assert fold.tolist() == [2, 1, 0, -1, -1]
    assert np.isnan(oof_logit).all()


def test_a_picture_is_known_under_any_name(membership, hashes):
    records = pd.DataFrame({"image_id": ["other", "ISIC_1"], "patient_id": ["P", None]})
    match, fold, oof_logit = membership.match(records, hashes[[1, 5]])
    assert match.tolist() == [Match.IMAGE, Match.IMAGE_ID]
    assert fold.tolist() == [0, 2]
    assert oof_logit[0] == -1.0
    assert np.isnan(oof_logit[1])


def test_a_small_squashed_darker_copy_is_known(membership, pictures):
    copies = [cv2.resize(p, (128, 128), interpolation=cv2.INTER_AREA) // 4 * 3 for p in pictures]
    match, _, _ = membership.match(None, np.stack([perceptual_hash(copy) for copy in copies]))
    assert match.tolist() == [Match.IMAGE] * 4 + [Match.NEW] * 2


def test_missing_ids_match_nothing(membership, hashes):
    records = pd.DataFrame({"image_id": ["x"], "patient_id": [None], "lesion_id": [np.nan]})
    assert membership.match(records, hashes[[4]])[0].tolist() == [Match.NEW]


def test_it_comes_back_from_bytes(membership, hashes):
    again = TrainingMembership.from_bytes(membership.to_bytes())
    for field in fields(membership):
        one, other = getattr(membership, field.name), getattr(again, field.name)
        np.testing.assert_array_equal(one, other)


def test_ids_cannot_be_read(membership):
    data = membership.to_bytes()
    assert b"ISIC_1" not in data
    assert membership.image_ids.tolist() == sorted(membership.image_ids.tolist())


@pytest.mark.parametrize("data", [b"", b"no archive"])
def test_damaged_bytes_are_refused(data):
    with pytest.raises(ArtifactError, match="list of training images"):
        TrainingMembership.from_bytes(data)


def test_logits_of_several_classes(hashes):
    logits = np.arange(32.0).reshape(4, 8) / 8
    records = pd.DataFrame({"image_id": list("abcd")})
    membership = TrainingMembership.of(records, np.zeros(4, int), logits, hashes[:4])
    again = TrainingMembership.from_bytes(membership.to_bytes())
    match, _, found = again.match(None, hashes[[2, 5]])
    assert match.tolist() == [Match.IMAGE, Match.NEW]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [logits[2], np.full(8, np.nan)])
