"""The reference model that ships: a small model file that fits the shipped networks."""

from __future__ import annotations

import json
import re
import warnings

import joblib
import pytest

from hybridlesion import load_artifact
from hybridlesion.cnn import SHIPPED, Finetuned
from hybridlesion.inference import REFERENCE_MODEL
from hybridlesion.persistence import read_manifest
from hybridlesion.pipeline import split_steps


@pytest.fixture(scope="module")
def parts():
    with warnings.catch_warnings(action="ignore"):
        return split_steps(load_artifact(REFERENCE_MODEL))


def test_it_was_fitted_with_the_shipped_networks(parts):
    featurizer, _ = parts
    assert (featurizer.weights, featurizer.segmenter) == (None, "refined")
    assert featurizer.embedder_.weights_digest_ == Finetuned.read(SHIPPED).digest
    featurizer.check_version()


def test_it_is_small_and_names_no_path_or_image():
    data = REFERENCE_MODEL.read_bytes()
    assert len(data) < 8_000_000
    text = json.dumps(read_manifest(REFERENCE_MODEL)).encode()
    for private in (data, text):
        assert not re.search(rb"/(home|root|tmp|work)/|(ISIC|HAM|IP)_\d{4}", private)


def test_its_card_has_the_figures_of_its_manifest():
    card = REFERENCE_MODEL.with_name("REFERENCE_CARD.md").read_text(encoding="utf-8")
    manifest = read_manifest(REFERENCE_MODEL)
    assert f"{manifest['training']['n_rows']:,} images" in card
    auc = next(row for row in manifest["metrics"] if row["metric"] == "auc")
    assert f"{auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})" in card


def test_joblib_loads_it(parts):
    with warnings.catch_warnings(action="ignore"):
        model = joblib.load(REFERENCE_MODEL)
    assert split_steps(model)[1].threshold_ == parts[1].threshold_
