"""One photograph: the score of a table of photographs, with its reasons."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from hybridlesion.exceptions import ImageError, SourceError, TableError
from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.inference import measure_image, score_image, score_table
from hybridlesion.io import read_image, read_mask
from hybridlesion.leakage import hash_training_ids
from hybridlesion.model import HybridLesionClassifier


@pytest.fixture(scope="module")
def model(lesions) -> Pipeline:
    featurizer = LesionFeaturizer(passthrough="ids").fit(lesions[["image_id", "path"]])
    few = lesions[["image_id", "path", "patient_id", "age", "sex", "site"]].head(12)
    measured = featurizer.fit_transform(few)
    table = pd.concat([measured] * 5, ignore_index=True)
    table["patient_id"] = [f"P{k}" for k in range(len(table))]
    rng = np.random.default_rng(0)
    target = np.arange(len(table)) % 4 == 0
    table["meta__age"] = 40 + 20 * target + rng.normal(0, 5, len(table))
    table = table[["patient_id", "abcd__asymmetry", "abcd__color", "meta__age"]]
    classifier = HybridLesionClassifier(3, max_trees=20).fit(table, target)
    return Pipeline([("features", featurizer), ("model", classifier)])


def test_the_score_is_that_of_the_table(model, lesions):
    first = lesions.iloc[0]
    answer = score_image(model, first["path"], metadata={"age": 61, "sex": "F"})
    record = pd.DataFrame({"image_id": [first["image_id"]], "path": [first["path"]]})
    table, _ = model[0].featurize(record.assign(age=61.0, sex="female"))
    scores = score_table(model, table, explain=True)
    assert answer.score == scores["score"].iloc[0]
    assert answer.label == scores["label"].iloc[0]
    assert answer.reasons[0] == scores["reason_1"].iloc[0]
    assert answer.threshold_rule == "for 90 % sensitivity"
    np.testing.assert_allclose(answer.base + sum(answer.shares.values()), answer.score)


def test_pixels_give_the_same_answer_as_their_file(model, lesions):
    path = lesions["path"].iloc[0]
    from_file, from_pixels = score_image(model, path), score_image(model, read_image(path))
    assert from_pixels.score == from_file.score
    assert from_pixels.reasons == from_file.reasons
    assert from_file.warnings == ("the model uses age; not given, so taken as unknown.",)


def test_other_metadata_need_no_second_measurement(model, lesions):
    lesion = measure_image(model, lesions["path"].iloc[0])
    young, old = (score_image(model, lesion, metadata={"age": age}) for age in (30, 70))
    assert young.score < old.score
    assert old.lesion is lesion


def test_a_given_mask_is_measured_instead_of_the_segmentation(model, lesions):
    first = lesions.iloc[0]
    mask = read_mask(first["mask_path"])
    own = measure_image(model, first["path"], mask=mask)
    assert np.array_equal(own.segmentation.mask, mask)
    assert own.segmentation.confidence == 1
    half = np.zeros_like(mask)
    half[:, : mask.shape[1] // 2] = True
    other = measure_image(model, first["path"], mask=half & mask)
    area = "qa__mask_share"
    assert other.table[area].iloc[0] < own.table[area].iloc[0]
    with pytest.raises(ImageError, match="same size"):
        measure_image(model, first["path"], mask=mask[:7])


def test_the_training_lesions_with_similar_scores_are_counted(model, lesions):
    similar = score_image(model, lesions["path"].iloc[0], metadata={"age": 70}).similar
    assert similar.n == 10
    assert 0 <= similar.low <= similar.n_malignant / similar.n <= similar.high <= 1


def test_an_answer_is_plain_json(model, lesions):
    answer = score_image(model, lesions["path"].iloc[0], metadata={"age": 70})
    read = json.loads(json.dumps(answer.to_dict()))
    # This model has no network.
    assert read["network_score"] is None
    assert read["image_id"] == lesions["image_id"].iloc[0]
    assert read["score"] == answer.score
    assert read["diagnoses"] == {}


def test_a_training_lesion_is_reported(model, lesions):
    seen = {"seen": hash_training_ids(lesions.head(1), "salt")}
    path, metadata = lesions["path"].iloc[0], {"age": 70}
    assert "training data" in score_image(model, path, metadata=metadata, training=seen).warnings[0]
    assert score_image(model, path, metadata=metadata).warnings == ()


def test_what_is_not_understood_is_refused(model, lesions, tmp_path):
    path = lesions["path"].iloc[0]
    with pytest.raises(TableError, match="sex 'femal'"):
        score_image(model, path, metadata={"sex": "femal"})
    letter = score_image(model, path, metadata={"sex": "m", "age": 70})
    assert letter.warnings == ("sex: the only letter is M; it was read as male.",)
    with pytest.raises(TableError, match="site 'moon' is not among"):
        score_image(model, path, metadata={"site": "moon"})
    with pytest.raises(TableError, match="outside 0 to 120"):
        score_image(model, path, metadata={"age": 300})
    with pytest.raises(SourceError, match="36 images"):
        score_image(model, lesions["path"].iloc[0].rpartition("/")[0])
    with pytest.raises(ImageError, match="black"):
        score_image(model, np.zeros((40, 60, 3), np.uint8))
    with pytest.raises(TableError, match="tables alone"):
        score_image(model[1], path)
