"""The network that ships: small, what its card says, and at work on images it never saw."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.cnn import SHIPPED, CNNScorer, Finetuned
from hybridlesion.datasets import load_ph2
from hybridlesion.io import list_images, read_image
from hybridlesion.metrics import roc_auc
from hybridlesion.segmentation import segment


def test_it_is_small_and_its_card_tells_what_it_learned_from():
    assert SHIPPED.stat().st_size < 12_000_000
    tuned = Finetuned.read(SHIPPED)
    card = SHIPPED.with_name("CARD.md").read_text(encoding="utf-8")
    assert tuned.note["image_ids_sha256"] in card
    assert "Non-commercial" in card
    assert f"{tuned.note['n_images']:,} images" in card
    for figure in tuned.note["figures"]:
        assert f"{figure['auc']:.3f}" in card
    assert len(tuned.seen.image_ids) == tuned.note["n_images"]


@pytest.mark.real
def test_it_ranks_lesions_of_another_clinic(real_data):
    records = load_ph2(real_data / "ph2").sort_values("image_id").iloc[::2]
    images = [read_image(path) for path in records["path"]]
    scores = CNNScorer(device="cpu").fit().transform(images, map(segment, images))
    assert (scores[:, 1] == 0).all()
    assert roc_auc(records["target"].to_numpy() == 1, scores[:, 0]) > 0.85


@pytest.mark.real
def test_it_knows_the_images_it_learned_from(real_data):
    paths = list_images(real_data / "isic2017" / "images")["path"].iloc[:8]
    images = [read_image(path) for path in paths]
    scores = CNNScorer(device="cpu").fit().transform(images)
    assert (scores[:, 1] == 1).all()
    seen = Finetuned.read(SHIPPED).seen
    logits = np.log(scores[:, 0] / (1 - scores[:, 0]))
    assert np.isin(logits.round(2), seen.oof_logit.round(2)).all()
