"""Cases are well chosen, and the sheet shows them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.io import read_image, write_image, write_mask
from hybridlesion.plotting import case_sheet, choose_cases
from hybridlesion.plotting._image_sheets import _caption


@pytest.fixture
def cases(tmp_path) -> pd.DataFrame:
    rows = []
    for number in range(5):
        image = np.full((90, 120, 3), 210, dtype=np.uint8)
        image[30:60, 40:80] = (110, 60, 50)
        mask = np.zeros((90, 120), dtype=bool)
        mask[30:60, 40:80] = True
        path = tmp_path / "images" / f"SYN_{number}.png"
        path.parent.mkdir(exist_ok=True)
        (tmp_path / "masks").mkdir(exist_ok=True)
        write_image(path, image)
        write_mask(tmp_path / "masks" / f"SYN_{number}_segmentation.png", mask)
        rows.append((f"SYN_{number}", str(path), number / 5, float(number > 2)))
    return pd.DataFrame(rows, columns=["image_id", "path", "score", "target"])


def test_sheet_is_written(tmp_path, cases):
    out = case_sheet(cases, tmp_path / "sheet.png", masks=tmp_path / "masks", n_columns=3)
    image = read_image(str(out)).astype(int)
    # The contour is the only green thing on these skins; scaling softens it.
    line = (image[..., 1] - image[..., 0] > 50) & (image[..., 2] - image[..., 0] > 30)
    assert line.sum() > 1000


def test_truth_and_images_may_be_unknown(tmp_path, cases):
    cases.loc[0, "target"] = np.nan
    cases.loc[1, "path"] = str(tmp_path / "gone.png")
    out = case_sheet(cases, tmp_path / "sheet.png", masks=tmp_path / "masks", threshold=0.5)
    assert out.stat().st_size > 5_000


def test_one_case_without_truth(tmp_path, cases):
    out = case_sheet(
        cases.drop(columns="target").head(1), tmp_path / "s.png", masks=tmp_path / "masks"
    )
    assert out.exists()


@pytest.mark.parametrize("change", [lambda c: c.head(0), lambda c: c.drop(columns="score")])
def test_tables_that_hold_no_cases(tmp_path, cases, change):
    with pytest.raises(TableError, match="must be a table with image_id, path and score"):
        case_sheet(change(cases), tmp_path / "sheet.png")


def test_choice_shows_high_scores_and_missed_malignancies():
    score = np.linspace(0.99, 0.0, 100)
    target = np.zeros(100)
    target[[2, 50, 97]] = 1
    chosen = choose_cases(pd.DataFrame({"score": score, "target": target}), 12)
    assert len(chosen) == 12
    assert chosen["score"].is_monotonic_decreasing
    assert chosen["score"].head(4).tolist() == pytest.approx(score[:4].tolist())
    assert chosen["target"].sum() == 3


@pytest.mark.parametrize("n_cases", [1, 2, 3, 7, 20, 99])
def test_choice_never_exceeds_or_repeats(n_cases, rng):
    cases = pd.DataFrame({"score": rng.permutation(60), "target": rng.integers(0, 2, 60)})
    chosen = choose_cases(cases, n_cases)
    assert len(chosen) == min(n_cases, 60)
    assert chosen["score"].is_unique


def test_few_cases_are_all_shown(cases):
    assert choose_cases(cases, 24)["image_id"].tolist() == [f"SYN_{n}" for n in (4, 3, 2, 1, 0)]


def test_the_caption_says_how_many_were_chosen_and_how(cases):
    caption = _caption(3, cases, 0.5)
    assert caption.startswith("3 of 5 lesions: the highest scores, malignant lesions")
    assert "malignant lesions" not in _caption(3, cases.drop(columns="target"), None)
    assert _caption(5, cases, None).startswith("5 of 5 lesions. Numbers")


def test_the_caption_stands_below_any_title(tmp_path, cases, monkeypatch):
    figures = []
    monkeypatch.setattr(
        "hybridlesion.plotting._image_sheets.save_figure",
        lambda figure, *_, **__: figures.append(figure),
    )
    case_sheet(cases, tmp_path / "s.png", masks=tmp_path / "masks", n_cases=2, title="Mine")
    assert figures[0].get_suptitle() == "Mine"
    assert figures[0].get_supxlabel().startswith("2 of 5 lesions")
