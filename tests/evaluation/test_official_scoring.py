"""Our overlap measures against the scoring package of the ISIC challenges."""

from __future__ import annotations

import numpy as np
import pytest

from hybridlesion.evaluation import compare_masks, summarize_overlaps
from hybridlesion.images import write_mask

official = pytest.importorskip("isic_challenge_scoring.segmentation")


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
