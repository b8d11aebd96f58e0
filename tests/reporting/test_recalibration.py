"""Recalibration of model files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from hybridlesion.exceptions import ArtifactError, SourceError, TableError
from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.inference import score_inputs, score_table
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.persistence import (
    describe_manifest,
    load_artifact,
    read_manifest,
    save_artifact,
)
from hybridlesion.reporting import recalibrate_model
from hybridlesion.training import describe_training

KEY = b"0123456789abcdef0123456789abcdef"


def _table(n, seed, size):
    rng = np.random.default_rng(seed)
    target = np.arange(n) % 4 == 0
    return pd.DataFrame(
        {
            "image_id": [f"SITE{seed}_{row:04d}" for row in range(n)],
            "patient_id": [f"P{seed}_{row // 2:03d}" for row in range(n)],
            "target": target.astype(float),
            "abcd__area_share": size + rng.normal(1.5 * target, 1),
            "abcd__border_circularity": rng.normal(size=n),
        }
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A model file, and scores and truth of another site."""
    folder = tmp_path_factory.mktemp("sites")
    home, site = _table(160, 1, 0.0), _table(100, 2, -1.5)
    classifier = HybridLesionClassifier(n_splits=3, max_trees=30)
    classifier.fit(home, home["target"].astype(int))
    model = Pipeline([("features", LesionFeaturizer().fit(home)), ("model", classifier)])
    facts = describe_training(home, home["target"])
    options = {"training": facts, "metrics": classifier.metrics_}
    save_artifact(folder / "model.joblib", model, **options)
    save_artifact(folder / "signed.joblib", model, key=KEY, **options)
    site.drop(columns="target").to_parquet(folder / "site.parquet")
    site[["image_id", "target"]].to_csv(folder / "truth.csv", index=False)
    score_table(model, site).to_csv(folder / "scores.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def moved(files):
    return recalibrate_model(
        files / "model.joblib", files / "scores.csv", [files / "truth.csv"], files / "site.joblib"
    )


def test_the_file_scores_like_the_model(files, moved):
    table = pd.read_parquet(files / "site.parquet")
    loaded = load_artifact(files / "site.joblib")
    scores, again = score_table(moved.model, table), score_table(loaded, table)
    pd.testing.assert_frame_equal(scores, again)
    before = pd.read_csv(files / "scores.csv")
    np.testing.assert_allclose(scores["score_original"], before["score"], rtol=1e-12)
    assert (scores["score"] > before["score"]).all()
    assert scores["threshold"].nunique() == 1
    assert scores["threshold"][0] != before["threshold"][0]
    assert set(scores["threshold_rule"]) == {"for 90 % sensitivity"}
    assert isinstance(loaded, Pipeline)


def test_the_model_file_is_untouched(files, moved):
    copied = files / "copied.joblib"
    copied.write_bytes((files / "model.joblib").read_bytes())
    recalibrate_model(copied, files / "scores.csv", [files / "truth.csv"], files / "other.joblib")
    assert copied.read_bytes() == (files / "model.joblib").read_bytes()
    assert "score_original" not in score_table(load_artifact(copied), _table(30, 3, 0.0))


def test_the_manifest_holds_both_calibrations(files, moved):
    old, new = read_manifest(files / "model.joblib"), read_manifest(files / "site.joblib")
    assert old["recalibration"] is None
    facts = new["recalibration"]
    assert facts["method"] == "intercept"
    assert facts["log_loss"]["intercept"] < facts["log_loss"]["none"]
    assert (facts["n_rows"], facts["n_positive"], facts["n_groups"]) == (100, 25, 50)
    assert (facts["threshold"], facts["thresholds"][1]["value"]) == (old["threshold"],) * 2
    assert new["threshold"] != old["threshold"]
    assert (new["training"], new["metrics"]) == (old["training"], old["metrics"])
    words = describe_manifest(new)
    assert "Recalibrated (intercept) on 100 lesions in 50 groups, 25 of them malignant" in words
    assert f"Before, on these lesions, at the threshold {old['threshold']:.4g}:" in words
    assert "\n  recall " in words
    assert "Recalibrated" not in describe_manifest(old)


def test_recalibration_again_starts_from_the_original_scores(files, moved):
    table = pd.read_parquet(files / "site.parquet")
    score_table(moved.model, table).to_csv(files / "moved.csv", index=False)
    arguments = ([files / "truth.csv"], files / "again.joblib")
    for scores in ("scores.csv", "moved.csv"):
        again = recalibrate_model(files / "site.joblib", files / scores, *arguments)
        pd.testing.assert_frame_equal(
            score_table(again.model, table), score_table(moved.model, table), rtol=1e-9
        )


def test_scores_for_a_prevalence(files, moved):
    out, table = files / "rare.csv", [files / "site.parquet"]
    score_inputs(moved.model, table, out, prevalence=0.02)
    rare, usual = pd.read_csv(out), score_table(moved.model, pd.read_parquet(table[0]))
    # The new scores hold at the prevalence of the site, whatever that of the training data.
    odds = [s / (1 - s) for s in (rare["score"], usual["score"])]
    expected = 0.02 / 0.98 * (1 - 0.25) / 0.25
    np.testing.assert_allclose(odds[0] / odds[1], expected, rtol=0.02)
    assert (rare["label"] == usual["label"]).all()
    with pytest.raises(TableError, match=r"adjusted to a prevalence\. Score the images again"):
        recalibrate_model(
            files / "site.joblib", out, [files / "truth.csv"], files / "refused.joblib"
        )
    assert not (files / "refused.joblib").exists()


def test_scores_of_another_model(files):
    other = pd.read_csv(files / "scores.csv").assign(threshold=0.123)
    other.to_csv(files / "foreign.csv", index=False)
    arguments = ([files / "truth.csv"], files / "refused.joblib")
    with pytest.raises(TableError, match=r"scores are of another model: their threshold is 0\.123"):
        recalibrate_model(files / "model.joblib", files / "foreign.csv", *arguments)
    other.drop(columns="threshold").to_csv(files / "foreign.csv", index=False)
    found = recalibrate_model(
        files / "model.joblib", files / "foreign.csv", arguments[0], files / "unknown.joblib"
    )
    assert any("has no threshold, so that it is unknown" in note for note in found.warnings)


def test_scores_of_a_recalibrated_model(files, moved):
    scores = score_table(moved.model, pd.read_parquet(files / "site.parquet"))
    scores.to_csv(files / "moved.csv", index=False)
    arguments = (files / "moved.csv", [files / "truth.csv"])
    found = recalibrate_model(files / "model.joblib", *arguments, files / "again.joblib")
    assert any("are of a recalibrated model; it is unknown" in note for note in found.warnings)
    scores.assign(threshold=0.123).to_csv(files / "moved.csv", index=False)
    with pytest.raises(TableError, match="scores are of another model"):
        recalibrate_model(found.path, *arguments, files / "refused.joblib")


def test_reversed_scores_are_refused(files):
    scores = pd.read_csv(files / "scores.csv")
    scores.assign(score=1 - scores["score"]).to_csv(files / "reversed.csv", index=False)
    with pytest.raises(TableError, match="malignant lesions score lower than benign ones"):
        recalibrate_model(
            *(files / "model.joblib", files / "reversed.csv", [files / "truth.csv"]),
            files / "refused.joblib",
        )


def test_ids_that_do_not_match(files):
    truth = pd.read_csv(files / "truth.csv")
    truth.assign(image_id="X" + truth["image_id"]).to_csv(files / "others.csv", index=False)
    with pytest.raises(TableError, match="Is this the right table"):
        recalibrate_model(
            *(files / "model.joblib", files / "scores.csv", [files / "others.csv"]),
            files / "refused.joblib",
        )


def test_truth_of_one_class(files):
    truth = pd.read_csv(files / "truth.csv")
    truth[truth["target"] == 0].to_csv(files / "benign.csv", index=False)
    with pytest.raises(TableError, match=r"have target 0 \(benign\); metrics need both classes"):
        recalibrate_model(
            *(files / "model.joblib", files / "scores.csv", [files / "benign.csv"]),
            files / "refused.joblib",
        )


@pytest.mark.parametrize("name", ["model.joblib", "scores.csv", "truth.csv"])
def test_inputs_are_not_overwritten(files, name):
    before = (files / name).read_bytes()
    with pytest.raises(SourceError):
        recalibrate_model(
            files / "model.joblib", files / "scores.csv", [files / "truth.csv"], files / name
        )
    assert (files / name).read_bytes() == before


def test_signatures(files):
    arguments = (files / "scores.csv", [files / "truth.csv"], files / "team.joblib")
    with pytest.raises(ArtifactError, match="not signed"):
        recalibrate_model(files / "model.joblib", *arguments, key=KEY)
    recalibrate_model(files / "signed.joblib", *arguments, key=KEY, sign=KEY)
    assert read_manifest(files / "team.joblib", key=KEY)["signature"] == "valid"


def test_training_lesions_are_noted(files):
    home = _table(160, 1, 0.0)
    model = load_artifact(files / "model.joblib")
    score_table(model, home).to_csv(files / "home.csv", index=False)
    home[["image_id", "target"]].to_csv(files / "home_truth.csv", index=False)
    found = recalibrate_model(
        files / "model.joblib",
        files / "home.csv",
        [files / "home_truth.csv"],
        files / "home.joblib",
    )
    assert any("were in the training data" in note for note in found.warnings), found.warnings
