"""The shipped network: small, as described by its card, and at work on images it never saw."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.cnn import SHIPPED, CNNScorer, Finetuned, class_scores
from hybridlesion.datasets import load_ph2
from hybridlesion.io import list_images, read_image
from hybridlesion.metrics import roc_auc
from hybridlesion.segmentation import segment


def test_it_is_small_and_its_card_tells_what_it_learned_from():
    assert SHIPPED.stat().st_size < 10_000_000
    tuned = Finetuned.read(SHIPPED)
    card = SHIPPED.with_name("CARD.md").read_text(encoding="utf-8")
    assert tuned.note["image_ids_sha256"] in card
    assert "Non-commercial" in card
    assert f"{tuned.note['n_images']:,} images" in card
    figures = [one for one in tuned.note["figures"] if one["n"] >= 100 and one["value"]]
    assert len(figures) > 10
    for figure in figures:
        assert f"| {figure['measure']} | {figure['n']:,} |" in card
        assert f"{figure['value']:.3f}" in card
    assert len(tuned.seen.image_ids) == tuned.note["n_images"]


@pytest.mark.real
def test_it_ranks_lesions_of_another_clinic(real_data):
    records = load_ph2(real_data / "ph2").sort_values("image_id").iloc[::2]
    images = [read_image(path) for path in records["path"]]
    scorer = CNNScorer(device="cpu").fit()
    scores = scorer.transform(images, map(segment, images))
    names = scorer.get_feature_names_out().tolist()
    assert (scores[:, names.index("qa__cnn_seen")] == 0).all()
    melanoma = scores[:, names.index("cnn__melanoma")]
    assert roc_auc(records["target"].to_numpy() == 1, melanoma) > 0.85


@pytest.mark.real
def test_it_knows_the_images_it_learned_from(real_data):
    paths = list_images(real_data / "isic2017" / "images")["path"].iloc[:16]
    scores = CNNScorer(device="cpu").fit().transform([read_image(path) for path in paths])
    tuned = Finetuned.read(SHIPPED)
    kept = tuned.seen.oof_logit
    known = np.isfinite(kept).all(axis=1)
    # 2 where the score of a network that was not trained on the image is not known.
    assert np.isin(scores[:, -1], [1] if known.all() else [1, 2]).all()
    own = class_scores(kept[known].astype(float), tuned.note["shares"])[:, 1]
    found = scores[scores[:, -1] == 1, 1]
    assert len(found) > 0
    assert (np.abs(found[:, None] - own).min(axis=1) < 1e-3).all()
