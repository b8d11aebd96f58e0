"""Scores of networks that tell diagnoses apart."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from hybridlesion.cnn import (
    CLASSES,
    SCORE_COLUMNS,
    SEEN,
    CNNScorer,
    Finetuned,
    allowed_classes,
    class_scores,
    name_classes,
    write_note,
)
from hybridlesion.cnn import scorer as scorer_module
from hybridlesion.exceptions import ArtifactError, OptionError
from hybridlesion.explain import cnn_map
from hybridlesion.leakage import blank_in_sample_scores
from tests.cnn.conftest import classifier_bytes, diagnosis_note, random_classifier


@pytest.fixture(scope="module")
def logits(diagnoser, images):
    """Mean logits over the views of each image, by torch: (images, networks, classes)."""
    tuned = Finetuned.read(diagnoser)
    spec = tuned.spec([])
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (spec.mean, spec.std))
    found = []
    for image, mask in zip(*images, strict=True):
        views = np.stack([view.prepare(image, mask, spec) for view in tuned.views])
        values = (torch.from_numpy(views).permute(0, 3, 1, 2) / 255 - mean) / std
        with torch.no_grad():
            found.append(torch.stack([net(values).mean(dim=0) for net in tuned.networks()]))
    return torch.stack(found).numpy()


def test_columns_follow_from_the_mean_logits_of_torch(diagnoser, images, logits):
    scorer = CNNScorer(diagnoser, device="cpu").fit()
    assert list(scorer.get_feature_names_out()) == [*SCORE_COLUMNS, "qa__cnn_seen"]
    scores = scorer.transform(*images)
    assert scores.shape == (11, scorer.n_features_out_)
    shares = Finetuned.read(diagnoser).note["shares"]
    # Training images have the network of the other fold.
    fold = np.array([0, 0, 1, 1, 0, 1])
    expected = np.concatenate([logits[np.arange(6), fold], logits[6:].mean(axis=1)])
    np.testing.assert_allclose(scores[:, :-1], class_scores(expected, shares), atol=1e-4)
    assert scores[:, -1].tolist() == [1] * 6 + [0] * 5
    np.testing.assert_allclose(scores[:, 2:10].sum(axis=1), 1, atol=1e-6)


def test_the_embedding_is_the_input_of_the_first_networks_last_layer(diagnoser, images):
    scorer = CNNScorer(diagnoser, device="cpu", embedding=True).fit()
    found = pd.DataFrame(scorer.transform(*images), columns=scorer.get_feature_names_out())
    assert list(found)[10:12] == ["qa__cnn_seen", "emb__lesion_0000"]
    plain = CNNScorer(diagnoser, device="cpu").fit().transform(*images)
    np.testing.assert_array_equal(found.iloc[:, :10].to_numpy(), plain[:, :10])
    tuned = Finetuned.read(diagnoser)
    spec, first = tuned.spec([]), tuned.networks()[0]
    vectors = found.filter(like="emb__").to_numpy()
    assert vectors.shape == (11, first.num_features) == (11, tuned.embedding_width())
    views = np.stack([view.prepare(images[0][8], images[1][8], spec) for view in tuned.views])
    values = torch.from_numpy(views).permute(0, 3, 1, 2) / 255
    values = (values - torch.tensor(spec.mean).view(3, 1, 1)) / torch.tensor(spec.std).view(3, 1, 1)
    with torch.no_grad():
        expected = first.forward_head(first.forward_features(values), pre_logits=True).mean(dim=0)
    np.testing.assert_allclose(vectors[8], expected.numpy(), atol=1e-4)
    # The first network was not trained on the images of its own fold.
    assert found["qa__cnn_seen"].tolist() == [1, 1, 2, 2, 1, 2, 0, 0, 0, 0, 0]
    assert blank_in_sample_scores(found)["emb__lesion_0000"].isna().tolist() == [
        *(False, False, True, True, False, True),
        *[False] * 5,
    ]


def test_torch_embeds_as_onnx_does(diagnoser, images, monkeypatch):
    options = {"device": "cpu", "embedding": True}
    by_onnx = CNNScorer(diagnoser, **options).fit().transform(*images)
    monkeypatch.setattr("hybridlesion.cnn.scorer.has_graph", lambda backbone: False)
    scorer_module._load.cache_clear()
    by_torch = CNNScorer(diagnoser, **options).fit().transform(*images)
    scorer_module._load.cache_clear()
    np.testing.assert_allclose(by_torch, by_onnx, atol=1e-4)


def test_networks_of_protocol_1_have_no_embedding(tuned):
    with pytest.raises(ArtifactError, match=r"have no embedding\. Fine-tune again"):
        CNNScorer(tuned, embedding=True).fit()


def test_a_score_depends_on_its_own_image_alone(diagnoser, images):
    scorer, (frames, masks) = CNNScorer(diagnoser, device="cpu").fit(), images
    together = scorer.transform(frames, masks)
    alone = np.concatenate([scorer.transform([frames[i]], [masks[i]]) for i in range(11)])
    np.testing.assert_array_equal(alone, together)
    assert scorer.transform([]).shape == (0, 11)


def test_without_folds_training_images_keep_their_stored_logits(diagnoser, images, tmp_path):
    folder = tmp_path / "network"
    shutil.copytree(diagnoser, folder)
    note = Finetuned.read(folder).note
    write_note(folder, note | {"networks": note["networks"][:1], "folds": False})
    frames, masks = images
    records = pd.DataFrame({"image_id": [*"abcdef", "b"]})
    scorer = CNNScorer(folder, device="cpu").fit()
    scores = scorer.transform([*frames[:6], frames[8]], [*masks[:6], masks[8]], records=records)
    kept = class_scores(np.linspace(-3, 2, 48).reshape(6, 8), note["shares"])
    np.testing.assert_allclose(scores[:6, :-1], kept, atol=1e-3)
    assert scores[:, -1].tolist() == [1] * 6 + [2]


def test_a_backbone_without_graph_runs_by_torch(images, tmp_path, diagnoser):
    note = diagnosis_note("test_efficientnet", 1)
    model = random_classifier("test_efficientnet", 0)
    (tmp_path / note["networks"][0]).write_bytes(classifier_bytes(model))
    (tmp_path / SEEN).write_bytes((diagnoser / SEEN).read_bytes())
    write_note(tmp_path, note)
    scores = CNNScorer(tmp_path, device="cpu").fit().transform(*images)
    assert scores.shape == (11, 11)
    np.testing.assert_allclose(scores[:, 2:10].sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("column", ["cnn__melanoma", "cnn__score", "cnn__p_nv"])
def test_the_map_explains_the_score_asked_for(diagnoser, images, column):
    image, mask = images[0][8], images[1][8]
    scorer = CNNScorer(diagnoser, device="cpu").fit()
    score = dict(
        zip(scorer.get_feature_names_out(), scorer.transform([image], [mask])[0], strict=True)
    )
    found = cnn_map(image, mask, diagnoser, column=column, n_steps=1, device="cpu")
    assert 1 / (1 + np.exp(-found.log_odds)) == pytest.approx(score[column], abs=1e-4)
    outcomes = {"cnn__melanoma": "melanoma", "cnn__score": "malignancy", "cnn__p_nv": "nevus"}
    assert found.outcome == outcomes[column]


def test_the_map_is_of_melanoma_unless_asked(diagnoser, tuned, images):
    image, mask = images[0][8], images[1][8]
    options = {"n_steps": 1, "device": "cpu"}
    assert (
        cnn_map(image, mask, diagnoser, **options).log_odds
        == cnn_map(image, mask, diagnoser, column="cnn__melanoma", **options).log_odds
    )
    with pytest.raises(OptionError, match="column"):
        cnn_map(image, mask, tuned, column="cnn__melanoma", **options)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"classes": ["melanoma", "nevus"]}, "other classes"),
        ({"shares": [0.5, 0.5]}, "other classes or shares"),
        ({"protocol": 3}, "reads 'hybridlesion-finetuned', protocols 1, 2"),
    ],
)
def test_notes_of_other_networks_are_refused(diagnoser, tmp_path, change, reason):
    folder = tmp_path / "network"
    shutil.copytree(diagnoser, folder)
    write_note(folder, Finetuned.read(folder).note | change)
    with pytest.raises(ArtifactError, match=reason):
        Finetuned.read(folder)


def test_a_note_without_views_is_refused(diagnoser, tmp_path):
    folder = tmp_path / "network"
    shutil.copytree(diagnoser, folder)
    note = Finetuned.read(folder).note
    write_note(folder, {name: note[name] for name in note if name != "views"})
    with pytest.raises(ArtifactError, match="lacks views"):
        Finetuned.read(folder)


def test_diagnoses_in_other_words_have_their_class():
    words = ["melanoma (in situ)", "clark nevus", "Basalzellkarzinom", "Bowen's disease", "angioma"]
    expected = [
        *("melanoma", "nevus", "basal cell carcinoma", "squamous cell carcinoma"),
        "vascular lesion",
    ]
    assert name_classes(pd.Series([*words, "melanoma?", "wen"])).tolist() == [*expected, None, None]
    assert name_classes(pd.Series(list(CLASSES))).tolist() == list(CLASSES)
    allowed = allowed_classes(pd.Series(words), np.array([1, 0, 1, 1, 0]))
    assert [list(CLASSES)[row.argmax()] for row in allowed] == expected
    assert (allowed.sum(axis=1) == 1).all()


def test_networks_of_two_backbones_are_averaged(diagnoser, images, tmp_path):
    backbones = ["mobilenetv2_100", "tf_efficientnet_lite0"]
    note = diagnosis_note("", 2) | {"backbone": backbones, "folds": False}
    for name, backbone in zip(note["networks"], backbones, strict=True):
        (tmp_path / name).write_bytes(classifier_bytes(random_classifier(backbone, 0)))
    shutil.copy(diagnoser / SEEN, tmp_path / SEEN)
    write_note(tmp_path, note)
    frames, masks = (part[6:] for part in images)
    scores = CNNScorer(tmp_path, device="cpu").fit().transform(frames, masks)
    tuned = Finetuned.read(tmp_path)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (note["mean"], note["std"]))
    for row, frame, mask in zip(scores, frames, masks, strict=True):
        views = [view.prepare(frame, mask, tuned.spec([])) for view in tuned.views]
        values = (torch.from_numpy(np.stack(views)).permute(0, 3, 1, 2) / 255 - mean) / std
        with torch.no_grad():
            logits = torch.stack([net(values).mean(dim=0) for net in tuned.networks()]).mean(dim=0)
        expected = class_scores(logits[None].numpy(), note["shares"])[0]
        np.testing.assert_allclose(row[:-1], expected, atol=1e-4)
    write_note(tmp_path, note | {"backbone": backbones[:1]})
    with pytest.raises(ArtifactError, match="one backbone, or one for each network"):
        Finetuned.read(tmp_path)
