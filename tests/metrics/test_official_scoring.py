"""Our measures against the scoring package of the ISIC challenges."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.io import write_mask
from hybridlesion.metrics import compare_masks, evaluate, summarize_overlaps

official = pytest.importorskip("isic_challenge_scoring.segmentation")
classification = pytest.importorskip("isic_challenge_scoring.classification")

# Their names of our measures.
_NAMES = {
    "auc": "auc",
    "average_precision": "ap",
    "accuracy": "accuracy",
    "precision": "ppv",
    "recall": "sensitivity",
    "specificity": "specificity",
    "f1": "dice",
}


# The package renames a Series in a way that pandas will drop.
@pytest.mark.filterwarnings("ignore:The inplace keyword")
@pytest.mark.parametrize("seed", range(5))
def test_folders_of_masks_get_the_official_score(tmp_path, seed):
    rng = np.random.default_rng(seed)
    for number in range(12):
        truth = np.zeros((40, 60), bool)
        rows, columns = rng.integers(5, 25, 2)
        truth[rows : rows + 15, columns : columns + 20] = True
        # From nearly right to far off, so that some fall below the threshold of 0.65.
        found = np.roll(truth, rng.integers(0, 8, 2), (0, 1)) ^ (rng.random(truth.shape) < 0.01)
        write_mask(tmp_path / f"truth/ISIC_{number:07}_segmentation.png", truth)
        write_mask(tmp_path / f"found/ISIC_{number:07}_segmentation.png", found)
    theirs = official.SegmentationScore.from_dir(tmp_path / "truth", tmp_path / "found")
    table = summarize_overlaps(compare_masks(tmp_path / "found", tmp_path / "truth"))
    ours = dict(zip(table["metric"], table["value"], strict=True))
    expected = theirs.macro_average
    assert 0 < expected["threshold_jaccard"] < expected["jaccard"]
    assert ours["jaccard"] == pytest.approx(expected["jaccard"], abs=1e-12)
    assert ours["thresholded_jaccard"] == pytest.approx(expected["threshold_jaccard"], abs=1e-12)
    assert ours["dice"] == pytest.approx(expected["dice"], abs=1e-12)


# The package calls pandas in ways that pandas will drop.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("decimals", [2, 9])
@pytest.mark.parametrize("seed", range(3))
def test_scores_get_the_official_figures(seed, decimals):
    rng = np.random.default_rng(seed)
    y = (rng.random(400) < 0.15).astype(int)
    score = np.clip(rng.normal(0.3, 0.15, 400) + 0.25 * y, 0, 1).round(decimals)
    # Their reader of CSV files does not run under every pandas; what it makes are such frames.
    weights = pd.DataFrame({"score_weight": np.ones(400), "validation_weight": np.ones(400)})
    theirs = classification.ClassificationScore(
        pd.DataFrame({"malignant": y.astype(float), "benign": 1.0 - y}),
        pd.DataFrame({"malignant": score, "benign": 1 - score}),
        weights,
        classification.ClassificationMetric.AVERAGE_PRECISION,
    ).per_category.loc["malignant"]
    # They call a lesion malignant above 0.5, we from the threshold on.
    threshold = np.nextafter(0.5, 1)
    ours = evaluate(y, score, threshold=threshold, n_bootstrap=0).set_index("metric")["value"]
    expected = {name: theirs[other] for name, other in _NAMES.items()}
    assert {name: ours[name] for name in _NAMES} == pytest.approx(expected, abs=1e-12)
    # Their partial area lies right of the curve's point of 80 % sensitivity, under the curve and
    # down to 0; ours stops at 80 %, as ISIC 2024 has it.
    floor = 0.8 * (1 - _false_positive_rate_at(y, score, 0.8))
    assert ours["pauc"] == pytest.approx(theirs["auc_sens_80"] - floor, abs=1e-12)


def _false_positive_rate_at(y, score, sensitivity):
    """False positive rate of the interpolated ROC curve where it reaches the sensitivity."""
    from sklearn.metrics import roc_curve

    false, true, _ = roc_curve(y, score, drop_intermediate=False)
    after = int(np.searchsorted(true, sensitivity))
    share = (sensitivity - true[after - 1]) / (true[after] - true[after - 1])
    return false[after - 1] + share * (false[after] - false[after - 1])
