"""Training images are known again by name, by patient and by look, and only so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.exceptions import ArtifactError
from hybridlesion.leakage import Match, Seen, fingerprint


@pytest.fixture(scope="module")
def pictures():
    """Six pictures of smooth noise."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (6, 12, 16, 3), dtype=np.uint8)
    return [cv2.resize(picture, (320, 240), interpolation=cv2.INTER_CUBIC) for picture in noise]


@pytest.fixture(scope="module")
def looks(pictures):
    """Their fingerprints."""
    return np.stack([fingerprint(picture) for picture in pictures])


@pytest.fixture(scope="module")
def seen(looks):
    """The first four of them, learned from."""
    records = pd.DataFrame(
        {
            "image_id": ["ISIC_1.jpg", "ISIC_2", "ISIC_3", "ISIC_4"],
            "patient_id": ["P", None, "Q", None],
            "lesion_id": [None, "L", None, None],
        }
    )
    return Seen.of(records, np.array([2, 0, 1, 1]), np.array([0.5, -1.0, 2.0, -2.0]), looks[:4])


def test_ids_patients_and_lesions_are_found(seen, looks):
    records = pd.DataFrame(
        {
            "image_id": ["ISIC_1", "new", "new", "new", "P"],
            "patient_id": [None, "Q", None, "L", None],
            "lesion_id": [None, None, "L", None, None],
        }
    )
    match, fold, odds = seen.match(records, looks[[4] * 5])
    assert match.tolist() == [Match.NAME, Match.GROUP, Match.GROUP, Match.NEW, Match.NEW]
    assert fold.tolist() == [2, 1, 0, -1, -1]
    assert np.isnan(odds).all()


def test_a_picture_is_known_under_any_name(seen, looks):
    records = pd.DataFrame({"image_id": ["other", "ISIC_1"], "patient_id": ["P", None]})
    match, fold, odds = seen.match(records, looks[[1, 5]])
    assert match.tolist() == [Match.PICTURE, Match.NAME]
    assert fold.tolist() == [0, 2]
    assert odds[0] == -1.0
    assert np.isnan(odds[1])


def test_a_small_squashed_darker_copy_is_known(seen, pictures):
    copies = [cv2.resize(p, (128, 128), interpolation=cv2.INTER_AREA) // 4 * 3 for p in pictures]
    match, _, _ = seen.match(None, np.stack([fingerprint(copy) for copy in copies]))
    assert match.tolist() == [Match.PICTURE] * 4 + [Match.NEW] * 2


def test_missing_ids_match_nothing(seen, looks):
    records = pd.DataFrame({"image_id": ["x"], "patient_id": [None], "lesion_id": [np.nan]})
    assert seen.match(records, looks[[4]])[0].tolist() == [Match.NEW]


def test_it_comes_back_from_bytes(seen, looks):
    again = Seen.from_bytes(seen.to_bytes())
    for one, other in zip(vars(seen).values(), vars(again).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_names_nobody(seen):
    data = seen.to_bytes()
    assert b"ISIC_1" not in data
    assert seen.names.tolist() == sorted(seen.names.tolist())


@pytest.mark.parametrize("data", [b"", b"no archive"])
def test_damaged_bytes_are_refused(data):
    with pytest.raises(ArtifactError, match="list of training images"):
        Seen.from_bytes(data)
