"""Refined masks of drawn lesions, of blank frames and through the featurizer."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from hybridlesion import LesionFeaturizer
from hybridlesion._optional_imports import cv2
from hybridlesion.exceptions import ImageError, SourceError
from hybridlesion.io import write_image
from hybridlesion.segmentation import SEGMENTERS, STRUCTURES, segment, segment_classical
from hybridlesion.segmentation.refiner import (
    SHIPPED_WEIGHTS,
    Refiner,
    segment_refined,
)
from hybridlesion.segmentation.refiner.network import RefinerNetwork
from hybridlesion.segmentation.refiner.refine import (
    expected_overlap,
    keep_lesion,
    refined_confidence,
)


def block(value=0.9, side=64, rows=slice(20, 40)):
    probability = np.zeros((side, side), np.float32)
    probability[rows, rows] = value
    return probability


def test_the_region_with_most_probability_stays_and_the_other_is_flagged():
    probability = block()
    probability[50:60, 50:60] = 0.8
    region = keep_lesion(probability)
    np.testing.assert_array_equal(region.probability > 0.5, block() > 0.5)
    assert region.several


def test_a_speck_is_neither_a_rival_nor_a_lesion():
    probability = block()
    probability[0:3, 0:3] = 1
    assert not keep_lesion(probability).several
    assert keep_lesion(block(rows=slice(20, 22))) is None
    assert keep_lesion(block(value=0.5)) is None


def test_a_hole_is_filled_with_what_lies_in_it():
    probability = block()
    probability[24:36, 24:36] = 0.1
    probability[27:33, 27:33] = 0.9
    region = keep_lesion(probability)
    np.testing.assert_array_equal(region.probability > 0.5, block() > 0.5)
    assert not region.several


def test_what_is_below_one_half_stays_as_it_was():
    probability = block() + np.float32(0.05)
    np.testing.assert_array_equal(keep_lesion(probability).probability, probability)


def test_overlap_falls_with_doubt_on_either_side():
    assert expected_overlap(block(1.0)) == 1
    assert np.isclose(expected_overlap(block(0.7)), 0.7)
    assert np.isclose(expected_overlap(block(1.0) + np.float32(0.1) * (block() == 0)), 400 / 769.6)


def test_confidence_rises_with_certainty_and_stays_in_range():
    low, high = (refined_confidence(block(value)) for value in (0.6, 0.95))
    assert 0 <= low < high <= 1
    assert refined_confidence(block(1.0)) <= 1
    assert refined_confidence(block(0.51) + np.float32(0.4) * (block() == 0)) == 0


def draw(shape=(120, 160), axes=(30, 22), seed=0):
    """An oval lesion on grainy skin, and its mask."""
    image = np.full((*shape, 3), (222, 178, 158), np.float64)
    mask = np.zeros(shape, np.uint8)
    cv2.ellipse(mask, (shape[1] // 2, shape[0] // 2), axes, 20, 0, 360, 1, -1)
    image[mask > 0] = (110, 70, 52)
    image += np.random.default_rng(seed).normal(0, 4, image.shape)
    return image.clip(0, 255).astype(np.uint8), mask > 0


def constant_refiner(logit):
    """A refiner that says the same of every pixel."""
    network = RefinerNetwork().eval()
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.fill_(logit)
    return Refiner(_weights(network), 64)


def _weights(network):
    """Weights as they are in a file."""
    state = network.state_dict().items()
    return {name: value.numpy() for name, value in state if value.is_floating_point()}


@pytest.mark.parametrize("shape", [(120, 160), (300, 225), (64, 64)])
def test_a_network_that_repeats_the_evidence_repeats_the_classical_mask(echo_weights, shape):
    image, _ = draw(shape, (shape[1] // 5, shape[0] // 6))
    classical = segment_classical(image, thresholds="otsu")
    refined = segment_refined(image, weights=echo_weights)
    shared = (refined.mask & classical.mask).sum() / (refined.mask | classical.mask).sum()
    assert refined.mask.shape == shape
    # The square has 64 pixels; its boundary is interpolated, with no shift to either side.
    assert shared > 0.88
    rows, columns = np.nonzero(refined.mask)
    expected = np.nonzero(classical.mask)
    assert abs(rows.mean() - expected[0].mean()) < 0.5 * shape[0] / 64
    assert abs(columns.mean() - expected[1].mean()) < 0.5 * shape[1] / 64
    assert refined.likelihood.dtype == np.float32
    assert refined.confidence > 0.5
    assert refined.flags == ()


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (2, 2), (64, 64)])
def test_nothing_to_find_is_flagged_whatever_the_network_says(value, shape):
    details = constant_refiner(5.0).refine(np.full((*shape, 3), value, np.uint8))
    assert details.flags == ("empty",)
    assert details.confidence == 0
    assert not details.mask.any()


def test_where_the_network_sees_nothing_the_classical_mask_stays():
    image, _ = draw()
    classical = segment_classical(image)
    details = constant_refiner(-5.0).refine(image)
    np.testing.assert_array_equal(details.mask, classical.mask)
    assert "unrefined" in details.flags
    assert details.confidence == classical.confidence / 2


def test_a_drawing_without_texture_keeps_its_classical_mask():
    rows, columns = np.mgrid[:120, :160]
    lesion = np.hypot(rows - 60, columns - 80) < 30
    image = np.where(lesion[..., None], (110, 70, 50), (225, 180, 160)).astype(np.uint8)
    details = segment_refined(image)
    assert (details.mask & lesion).sum() > 0.8 * (details.mask | lesion).sum()
    assert "unrefined" in details.flags


@pytest.mark.parametrize(("logit", "refined"), [(0.7, False), (6.0, True)])
def test_a_small_lesion_is_not_given_up_for_a_doubtful_mask_of_the_frame(logit, refined):
    rows, columns = np.mgrid[:120, :160]
    distance = np.hypot(rows - 60, columns - 80)
    dark = 1 / (1 + np.exp((distance - 15) / 2))[..., None]
    image = ((1 - dark) * (225, 180, 160) + dark * (110, 70, 50)).astype(np.uint8)
    classical = segment_classical(image)
    details = constant_refiner(logit).refine(image)
    assert classical.confidence > 0.6
    assert ("unrefined" in details.flags) is not refined
    assert np.array_equal(details.mask, classical.mask) is not refined


def test_a_mask_of_the_whole_frame_is_flagged():
    details = constant_refiner(5.0).refine(draw()[0])
    assert {"touches_border", "fills_frame"} <= set(details.flags)
    assert details.mask.mean() > 0.9


@pytest.mark.parametrize("shape", [(3, 200), (200, 3), (7, 5), (40, 41)])
def test_noise_is_no_reason_to_crash(random_weights, shape, rng):
    image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    details = segment_refined(image, weights=random_weights)
    assert details.mask.shape == details.likelihood.shape == shape
    assert 0 <= details.confidence <= 1
    assert details.mask.any() or "empty" in details.flags


def test_the_number_of_threads_changes_no_bit(random_weights):
    images = [draw(shape, seed=seed)[0] for seed, shape in enumerate([(120, 160), (90, 90)])]
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append([segment_refined(one, weights=random_weights) for one in images])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one.likelihood, other.likelihood)
        assert one.confidence == other.confidence


@pytest.mark.parametrize("evidence", [True, False])
@pytest.mark.parametrize(("size", "n_structures"), [(64, 0), (96, 0), (64, 5)])
def test_probabilities_are_those_of_torch(evidence, size, n_structures):
    network = RefinerNetwork(evidence=evidence, n_structures=n_structures).eval()
    generator = torch.manual_seed(0)
    with torch.no_grad():
        for part in network.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.running_mean.normal_(0, 0.3, generator=generator)
                part.running_var.uniform_(0.5, 2, generator=generator)
        image, other = torch.randn(2, 3, size, size, 3, generator=generator)
        inputs = {"image": image} | ({"evidence": other} if evidence else {})
        expected = network(*(value.permute(0, 3, 1, 2) for value in inputs.values())).sigmoid()
    structures = STRUCTURES[:n_structures]
    refiner = Refiner(_weights(network), size, evidence=evidence, structures=structures)
    found = refiner.graph.run(**{name: value.numpy() for name, value in inputs.items()})
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_a_weight_file_can_be_named_as_segmenter(echo_weights):
    image, _ = draw()
    mask = segment(image, segmenter=str(echo_weights))
    np.testing.assert_array_equal(mask, segment_refined(image, weights=echo_weights).mask)
    with pytest.raises(SourceError, match="there is no refiner"):
        segment(image, segmenter="absent.safetensors")


def test_refined_is_offered_where_its_weights_are():
    assert ("refined" in SEGMENTERS) == SHIPPED_WEIGHTS.is_file()
    assert SEGMENTERS[0] == "classical"


def test_a_featurizer_with_a_refiner_can_be_pickled(echo_weights, tmp_path):
    write_image(tmp_path / "a.png", draw()[0])
    records = pd.DataFrame({"image_id": ["a"], "path": [str(tmp_path / "a.png")]})
    passthrough = ["qa__mask_share"]
    featurizer = LesionFeaturizer(segmenter=str(echo_weights), passthrough=passthrough).fit(records)
    table = featurizer.transform(records)
    again = pickle.loads(pickle.dumps(featurizer))
    assert len(pickle.dumps(featurizer)) < 10_000  # no network inside
    pd.testing.assert_frame_equal(again.transform(records), table)
    assert table["qa__mask_share"].iloc[0] > 0.03


def test_a_rewritten_weight_file_is_another_refiner(echo_weights, random_weights, tmp_path):
    path = tmp_path / "refiner.safetensors"
    image, _ = draw()
    path.write_bytes(echo_weights.read_bytes())
    first = segment_refined(image, weights=path)
    path.write_bytes(random_weights.read_bytes())
    second = segment_refined(image, weights=path)
    assert not np.array_equal(first.likelihood, second.likelihood)


def test_wrong_input_is_refused(random_weights):
    with pytest.raises(ImageError, match="uint8"):
        segment_refined(np.zeros((4, 4, 3)), weights=random_weights)


def test_torch_is_loaded_only_when_the_refiner_works():
    code = "import sys, hybridlesion.segmentation.refiner; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_refiners_are_told_apart_by_their_weights(echo_weights, random_weights, tmp_path):
    from hybridlesion.batch import extract_features, read_features

    write_image(tmp_path / "a.png", draw()[0])
    records = pd.DataFrame({"image_id": ["a"], "path": [str(tmp_path / "a.png")]})
    path = tmp_path / "refiner.safetensors"
    digests, values = set(), set()
    for weights in (echo_weights, random_weights):
        path.write_bytes(weights.read_bytes())
        out = tmp_path / "features.parquet"
        extract_features(records, out, featurizer=LesionFeaturizer(segmenter=str(path)))
        table, configuration = read_features(out)
        digests.add(configuration["segmenter_digest"])
        values.add(float(table["qa__segmentation_confidence"].iloc[0]))
    assert len(digests) == len(values) == 2
