"""Planted copies are found, different images are not, and no close pair is missed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.leakage import (
    HASH_COLUMNS,
    MAX_HAMMING,
    HashIndex,
    cluster_near_duplicates,
    crop_hashes,
    encode_hash,
    perceptual_hash,
    read_hashes,
)


def _flip(image_hash, n_bits):
    bits = np.unpackbits(image_hash)
    bits[:: 256 // n_bits][:n_bits] ^= 1
    return np.packbits(bits)


def _jpeg(image):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], 1)


def _resize(image, width, height):
    size = (round(width * image.shape[1]), round(height * image.shape[0]))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _crop(image, share):
    dy, dx = (round(share / 2 * side) for side in image.shape[:2])
    return image[dy : image.shape[0] - dy, dx : image.shape[1] - dx]


COPIES = {
    "JPEG": (_jpeg, 0.95),
    "smaller": (lambda image: _resize(image, 0.4, 0.4), 0.95),
    "squashed": (lambda image: _resize(image, 0.5, 1.0), 0.95),
    "darker": (lambda image: image // 5 * 3, 0.95),
    "recoloured": (lambda image: np.uint8(image * [0.9, 1.0, 0.95]), 0.95),
    "cropped": (lambda image: _crop(image, 0.01), 0.9),
}


@pytest.fixture(scope="module")
def images():
    """Smooth noise, 320 x 240 pixels."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 12, 16, 3), dtype=np.uint8)
    return [cv2.resize(image, (320, 240), interpolation=cv2.INTER_CUBIC) for image in noise]


@pytest.fixture(scope="module")
def hashes(images):
    return np.stack([perceptual_hash(image) for image in images])


@pytest.mark.parametrize("kind", COPIES)
def test_planted_copies_are_found(images, hashes, kind):
    change, share = COPIES[kind]
    copies = np.stack([perceptual_hash(change(image)) for image in images])
    nearest = HashIndex(hashes).nearest(copies)
    assert (nearest == np.arange(len(images))).mean() >= share
    assert np.isin(nearest, [-1, *range(len(images))]).all()
    cluster = cluster_near_duplicates(np.vstack([hashes, copies]))
    together = cluster[: len(images)].to_numpy() == cluster[len(images) :].to_numpy()
    np.testing.assert_array_equal(together, nearest == np.arange(len(images)))


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1])
def test_cropped_copies_are_found_by_the_hashes_of_crops(images, hashes, share):
    copies = [_crop(image, share) for image in images]
    cropped = np.stack([crop_hashes(image) for image in [*images, *copies]])
    both = np.vstack([hashes, [perceptual_hash(copy) for copy in copies]])
    cluster = cluster_near_duplicates(both, cropped).to_numpy()
    assert (cluster[:40] == cluster[40:]).mean() >= 0.95
    assert len(np.unique(cluster[:40])) == 40


def test_different_images_are_no_near_duplicates(hashes):
    assert cluster_near_duplicates(hashes).isna().all()


def test_pairs_are_found_up_to_the_largest_distance(rng):
    hashes = rng.integers(0, 256, (300, 32), dtype=np.uint8)
    hashes[100], hashes[200], hashes[250] = _flip(hashes[0], 12), _flip(hashes[1], 13), hashes[2]
    hashes[[50, 51]] = 0
    cluster = cluster_near_duplicates(hashes)
    assert cluster.dropna().index.tolist() == [0, 2, 100, 250]
    assert cluster[0] == cluster[100] != cluster[2] == cluster[250]


def test_the_index_agrees_with_all_distances(rng):
    centres = rng.integers(0, 256, (20, 32), dtype=np.uint8)
    noise = np.packbits(rng.random((400, 256)) < 0.03, axis=1)
    hashes = centres[rng.integers(0, 20, 400)] ^ noise
    distance = np.unpackbits(hashes[:, None] ^ hashes, axis=2).sum(axis=2)
    expected = {tuple(pair) for pair in np.argwhere(np.triu(distance <= MAX_HAMMING, 1)).tolist()}
    found = {tuple(sorted(pair)) for pair in HashIndex(hashes).pairs().tolist()}
    assert found == expected
    assert 100 < len(expected) < 4000
    known, queries = distance[:200, 200:], HashIndex(hashes[:200]).nearest(hashes[200:])
    nearest = np.where(known.min(axis=0) <= MAX_HAMMING, known.argmin(axis=0), -1)
    np.testing.assert_array_equal(queries, nearest)


def test_images_of_one_colour_have_no_near_duplicates():
    hashes = np.zeros((4, 32), np.uint8)
    hashes[0], hashes[1] = _flip(hashes[0], 10), ~hashes[1]
    assert cluster_near_duplicates(hashes).isna().all()
    assert HashIndex(hashes).nearest(np.zeros((2, 32), np.uint8)).tolist() == [-1, -1]


def test_chains_of_near_duplicates_are_one_cluster(rng):
    first = rng.integers(0, 256, 32, dtype=np.uint8)
    second = _flip(first, 12)
    third = second ^ np.packbits(np.arange(256) % 21 == 20)
    assert np.unpackbits(first ^ third).sum() > MAX_HAMMING
    assert cluster_near_duplicates(np.stack([first, third, second])).nunique() == 1


def test_hashes_survive_a_table(rng, tmp_path):
    hashes = rng.integers(0, 256, (20, 32), dtype=np.uint8)
    table = pd.DataFrame([encode_hash(one) for one in hashes], columns=HASH_COLUMNS)
    table.to_csv(tmp_path / "t.csv", index=False)
    assert (read_hashes(pd.read_csv(tmp_path / "t.csv")) == hashes).all()
    table.loc[3] = np.nan
    assert not read_hashes(table)[3].any()
    assert read_hashes(table[["qa__look_00"]]) is None


def test_no_hashes_are_no_pairs():
    assert cluster_near_duplicates(np.empty((0, 32), np.uint8)).empty
    assert HashIndex(np.empty((0, 32), np.uint8)).nearest(np.ones((1, 32), np.uint8)).tolist() == [
        -1
    ]
