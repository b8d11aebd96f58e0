"""The demo, small: every file it names is there."""

from __future__ import annotations

import pytest


@pytest.mark.slow
def test_small_demo(small_demo):
    result, steps = small_demo
    assert len(steps) == 6
    assert all(path.stat().st_size > 0 for path in result.paths.values())
    cases = result.held_out.cases
    assert not set(cases["image_id"]) & set(result.trained.out_of_fold["image_id"])
    assert 0.5 < result.ceiling <= 1
    summary = result.paths["the summary"].read_text()
    assert f"The {result.n_images} lesions are synthetic" in summary
    assert "| auc |" in summary
    assert "classified as malignant at or above the threshold for 90 % sensitivity (0." in summary
    folder = str(result.paths["the summary"].parent)
    assert folder not in summary
    page = result.paths["the report"].read_text()
    assert page.count('class="case"') == len(cases)
    assert folder not in page
