"""Answers about single photographs."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hybridlesion._optional_imports import cv2
from hybridlesion.app import LesionReader
from hybridlesion.app import _reader as reader_module
from hybridlesion.app._layers import _resize, layer_legend
from hybridlesion.exceptions import ArtifactError, ImageError, OptionError
from hybridlesion.inference import score_image
from hybridlesion.model import HybridLesionClassifier


@pytest.fixture
def photograph(reader, lesion, tmp_path):
    (tmp_path / "stored").write_bytes(lesion)
    return reader.read(tmp_path / "stored", "IMG_7.png")


def test_the_answer_is_that_of_the_library(reader, photograph, lesion, tmp_path):
    (tmp_path / "IMG_7.png").write_bytes(lesion)
    known = {"age": 70, "sex": "male", "site": "torso"}
    answer = reader.answer(photograph, **known)
    expected = score_image(reader.model, tmp_path / "IMG_7.png", metadata=known).to_dict()
    assert expected.items() <= answer.items()
    assert answer["image_id"] == "IMG_7"
    assert reader.answer(photograph, age=30)["score"] < answer["score"]


def test_the_counts_have_ranges_and_evidence(reader, photograph):
    answer = json.loads(json.dumps(reader.answer(photograph), allow_nan=False))
    color = next(one for one in answer["abcd"] if one["name"] == "color")
    assert (color["low"], color["high"]) == (1, 6)
    assert "black" in color["evidence"]
    criteria = answer["seven_point"]["criteria"]
    assert [one["high"] for one in criteria] == [2, 2, 2, 1, 1, 1, 1]
    assert sum(one["value"] for one in criteria) == pytest.approx(answer["seven_point"]["total"])


def test_the_outline_follows_the_lesion_in_pixels_of_the_photograph(reader, tmp_path):
    image = np.full((1200, 1600, 3), (225, 190, 170), np.uint8)
    cv2.circle(image, (700, 600), 300, (110, 70, 50), -1)
    (tmp_path / "large").write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())
    photograph = reader.read(tmp_path / "large", "large.png")
    assert photograph.size == (1200, 1600)
    assert photograph.measured.image.shape == (384, 512, 3)
    radius = np.hypot(*(np.array(photograph.outline[0]) - (700, 600)).T)
    assert np.median(radius) == pytest.approx(300, rel=0.08)


def test_a_drawn_outline_replaces_the_mask(reader, photograph):
    square = [(100, 60), (220, 60), (220, 180), (100, 180)]
    corrected = reader.correct(photograph, square)
    assert corrected.corrected
    assert corrected.outline == [[list(map(float, point)) for point in square]]
    assert corrected.measured.segmentation.mask.sum() == pytest.approx(120 * 120, rel=0.03)
    before, after = photograph.values, corrected.values
    assert after["abcd__border_solidity"] != before["abcd__border_solidity"]


@pytest.mark.parametrize("points", [[(1, 1), (2, 1), (2, 2)], [(-90, -90), (-50, -90), (-50, -9)]])
def test_an_outline_without_area_is_refused(reader, photograph, points):
    with pytest.raises(ImageError, match="encloses almost nothing"):
        reader.correct(photograph, points)


def test_layers_have_the_proportions_of_the_photograph_and_the_colours_of_the_lesion(
    reader, photograph
):
    names = [layer["name"] for layer in reader.layers(photograph)]
    assert names == ["colours", "structures"]
    data = np.frombuffer(reader.paint(photograph, "colours"), np.uint8)
    painted = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    assert painted.shape == (480, 640, 4)
    assert painted[240, 320].tolist() == [20, 20, 20, 255]
    assert painted[10, 10, 3] == 0
    assert reader.paint(photograph, "colours") is reader.paint(photograph, "colours")


def test_layers_have_soft_edges_without_a_dark_fringe():
    painted = np.zeros((8, 8, 4), np.uint8)
    painted[:, :4] = (200, 100, 50, 240)
    large = _resize(painted, (32, 32))
    assert large[16, 2].tolist() == pytest.approx([200, 100, 50, 240], abs=1)
    assert large[16, 30, 3] == 0
    edge = large[16][(large[16, :, 3] > 0) & (large[16, :, 3] < 240)]
    assert len(edge) > 1
    visible = np.abs(edge[:, :3].astype(int) - (200, 100, 50)) * edge[:, 3:] / 255
    assert visible.max() <= 2


def test_without_torch_there_is_no_map_of_the_network(photograph, monkeypatch):
    network = LesionReader()
    names = [layer["name"] for layer in network.layers(photograph)]
    assert "network" in names
    monkeypatch.setattr(reader_module, "find_spec", lambda name: None)
    assert [layer["name"] for layer in network.layers(photograph)] == names[:-1]


def test_the_sheet_is_a_document(reader, photograph):
    assert reader.draw_sheet(photograph, ".pdf", age=50).startswith(b"%PDF")


def test_an_image_without_a_lesion_has_no_counts(reader, tmp_path):
    (tmp_path / "plain").write_bytes(cv2.imencode(".png", np.full((80, 90), 200, np.uint8))[1])
    photograph = reader.read(tmp_path / "plain", "plain.png")
    answer = json.loads(json.dumps(reader.answer(photograph), allow_nan=False))
    assert (answer["abcd"], answer["seven_point"], photograph.outline) == ([], None, [])
    assert any("no lesion" in words.lower() for words in answer["warnings"])
    assert reader.draw_sheet(photograph, ".png").startswith(b"\x89PNG")


def test_too_many_pixels_are_refused_before_decoding(reader, lesion, tmp_path, monkeypatch):
    monkeypatch.setattr(reader_module, "MAX_PIXELS", 10_000)
    (tmp_path / "stored").write_bytes(lesion)
    with pytest.raises(ImageError, match=r"^320 x 240 is 0 megapixels, above"):
        reader.read(tmp_path / "stored", "a.png")


def test_without_a_model_the_network_answers(lesion, tmp_path):
    (tmp_path / "stored").write_bytes(lesion)
    network = LesionReader()
    answer = network.answer(network.read(tmp_path / "stored", "a.png"), age=50)
    assert sum(answer["diagnoses"].values()) == pytest.approx(1, abs=1e-3)
    assert 0 < answer["score"] < 1
    assert answer["threshold"] is None
    assert "not calibrated" in network.facts()["notice"]


def test_the_reference_model_answers_without_a_model(lesion, tmp_path):
    (tmp_path / "stored").write_bytes(lesion)
    reference = LesionReader.reference()
    facts = reference.facts()
    assert facts["has_model"]
    assert "reference model that ships" in facts["notice"]
    photograph = reference.read(tmp_path / "stored", "a.png")
    answer = reference.answer(photograph, age=80, sex="male")
    assert 0 < answer["score"] < 1
    assert answer["threshold"] == facts["threshold"]
    assert answer["reasons"]
    assert sum(answer["diagnoses"].values()) == pytest.approx(1, abs=1e-3)


def test_a_reference_model_that_cannot_be_loaded_leaves_the_network(monkeypatch):
    def refuse(path):
        raise ArtifactError(f"{path} scores differently")

    monkeypatch.setattr(reader_module, "load_artifact", refuse)
    facts = LesionReader.reference().facts()
    assert not facts["has_model"]
    assert "not calibrated" in facts["notice"]
    assert "scores differently" in facts["notice"]


def test_a_model_of_tables_is_refused():
    table = pd.DataFrame({"meta__age": np.arange(60.0)})
    model = HybridLesionClassifier(3, max_trees=20).fit(table, np.arange(60) % 3 == 0)
    with pytest.raises(OptionError, match="cannot measure photographs"):
        LesionReader(model)


@pytest.mark.parametrize(
    ("column", "outcome"), [("cnn__melanoma", "melanoma"), ("cnn__score", "malignancy")]
)
def test_the_legend_of_the_network_map_names_the_score(column, outcome):
    texts = [entry["text"] for entry in layer_legend("network", pd.Series({column: 0.5}))]
    assert texts == [f"raises the score for {outcome}", f"lowers the score for {outcome}"]
