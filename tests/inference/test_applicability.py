"""Reasons for low applicability, abstention and conformal sets."""

import warnings

import numpy as np
import pandas as pd
import pytest

from hybridlesion import HybridLesionClassifier
from hybridlesion.exceptions import OptionError
from hybridlesion.inference import score_table
from hybridlesion.inference._score_table import reasons_in_words
from hybridlesion.model import Distribution

_USUAL = {
    "qa__segmentation_confidence": 0.8,
    "qa__mask_share": 0.3,
    "qa__hair_share": 0.02,
    "qa__dark_corner_share": 0.0,
    "qa__empty_mask": 0.0,
    "abcd__skin_ita": 40.0,
}


def _site(n, seed):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 4 == 0
    columns = {name: value * rng.uniform(0.5, 1.2, n) for name, value in _USUAL.items()}
    columns |= {f"abcd__skin_{name}": rng.normal(size=n) for name in ("a", "b")}
    columns["abcd__texture_energy_fine"] = rng.normal(size=n)
    columns["cnn__melanoma"] = 1 / (1 + np.exp(-(2.0 * y - 1 + rng.normal(0, 1.3, n))))
    return pd.DataFrame(columns), y


@pytest.fixture(scope="module")
def model():
    return HybridLesionClassifier(n_splits=3, max_trees=40).fit(*_site(400, 0))


@pytest.fixture
def usual():
    """Four rows in the middle of the training rows."""
    rows = {"abcd__skin_a": 0.0, "abcd__skin_b": 0.0, "abcd__texture_energy_fine": 0.0}
    return pd.DataFrame([_USUAL | rows | {"cnn__melanoma": 0.3}] * 4)


def _score(model, table, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return score_table(model, table, **options)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("qa__empty_mask", 1.0, "no lesion found"),
        ("qa__segmentation_confidence", 0.1, "the mask is uncertain (confidence 0.10)"),
        ("qa__mask_share", 0.01, "much skin around the lesion, as in a macro photograph"),
        ("qa__mask_share", 0.95, "hardly any skin around the lesion (lesion 95 % of the image)"),
        ("qa__hair_share", 0.5, "quality: hair (on 50 % of the image)"),
        ("qa__dark_corner_share", 0.4, "quality: dark corners (on 40 % of the image)"),
        ("abcd__skin_ita", -50.0, "skin tone hardly in the training data (ITA -50 degrees)"),
        ("abcd__texture_energy_fine", -9.0, "resolution or focus far below the training images"),
        ("abcd__texture_energy_fine", -9.0, "unlike the training images in texture"),
        ("abcd__skin_a", 9.0, "unlike the training images in the skin around the lesion"),
    ],
)
def test_each_fact_is_a_reason_in_its_row_only(model, usual, column, value, words):
    usual.loc[1, column] = value
    reasons = _score(model, usual)["applicability_reason"]
    assert words in reasons[1]
    assert reasons.drop(index=1).isna().all()


def test_few_rows_of_the_training_site_have_a_reason(model):
    reasons = _score(model, _site(2000, 1)[0])["applicability_reason"]
    assert 0.02 < reasons.notna().mean() < 0.12


def test_without_a_lesion_facts_about_it_are_not_named():
    summary = {"qa__mask_share": Distribution.of(np.linspace(0.1, 0.9, 300), np.ones(300), 300)}
    table = pd.DataFrame({"qa__empty_mask": [1.0, 0.0], "qa__mask_share": [0.0, 0.0]})
    empty, small = reasons_in_words(table, np.array(["texture", ""]), summary)
    assert empty == "no lesion found"
    assert small.startswith("much skin around the lesion")


def test_reasons_are_noted(model, usual):
    usual.loc[2, "qa__empty_mask"] = 1.0
    with pytest.warns(UserWarning, match=r"applicability_reason .* no lesion found \(1\)"):
        score_table(model, usual)


def test_abstention_blanks_what_depends_on_the_score(model, usual):
    usual = usual.assign(image_id=list("abcd"), cnn__melanoma=0.02)
    usual.loc[0, "abcd__skin_a"], usual.loc[1, "qa__empty_mask"] = 19.0, 1.0
    usual.loc[2, "cnn__melanoma"] = 0.5
    full = _score(model, usual, coverage=0.9, explain=True)
    found = _score(model, usual, coverage=0.9, explain=True, abstain=0.1)
    assert found["image_id"].tolist() == list("abcd")
    assert full["set"].tolist() == ["benign", "benign", "both", "benign"]
    blank = [name for name in full if full[name].notna().all() and found[name][:3].isna().all()]
    assert set(blank) >= {"score", "label", "set", "base", "reason_1"}
    assert found["applicability"].equals(full["applicability"])
    reasons = found["applicability_reason"].tolist()
    assert reasons[0].startswith("unlike the training images in the skin around the lesion")
    assert reasons[1] == "no lesion found"
    assert reasons[2] == "both benign and malignant are plausible at this error"
    assert pd.isna(reasons[3])
    pd.testing.assert_series_equal(found["score"][3:], full["score"][3:])
    assert found["label"][3] == full["label"][3]
    assert (found["abstain"] == 0.1).all()


def test_the_error_of_the_rows_that_get_a_score(model):
    table, y = _site(3000, 2)
    scores = _score(model, table, abstain=0.2)
    kept = scores["score"].notna()
    assert 0.2 < kept.mean() < 0.98
    assert scores["applicability_reason"][~kept].notna().all()
    # Of all malignant lesions, at most a fifth get the single label benign, and vice versa.
    benign = model.predict_set(table, coverage=0.8)[:, 0]
    assert np.mean(kept & benign & y) / y.mean() < 0.25
    assert np.mean(kept & ~benign & ~y) / (~y).mean() < 0.25


def test_sets_agree_with_the_classifier_and_cover_both_classes(model):
    table, y = _site(2000, 3)
    scores = _score(model, table, coverage=0.8)
    sets = model.predict_set(table, coverage=0.8)
    assert (scores["set"].isin(["benign", "both"]) == sets[:, 0]).all()
    assert (scores["set"].isin(["malignant", "both"]) == sets[:, 1]).all()
    assert sets[~y, 0].mean() == pytest.approx(0.8, abs=0.06)
    assert sets[y, 1].mean() == pytest.approx(0.8, abs=0.06)
    assert (scores["coverage"] == 0.8).all()


def test_models_without_applicability_abstain_by_confidence(usual):
    table, y = _site(200, 4)
    model = HybridLesionClassifier(n_splits=3, max_trees=20, fallback=False).fit(table, y)
    usual.loc[0, "qa__empty_mask"], usual.loc[1, "cnn__melanoma"] = 1.0, 1e-4
    scores = _score(model, usual, abstain=0.1)
    assert "applicability" not in scores
    assert scores["applicability_reason"][0].startswith("no lesion found")
    assert pd.isna(scores["score"][0])
    assert scores["score"][1:].notna().equals(scores["confidence"][1:] >= 0.9)
    for options in ({"coverage": 1.5}, {"abstain": 0.0}):
        with pytest.raises(OptionError, match=next(iter(options))):
            score_table(model, usual, **options)


def test_a_model_of_numbers_only_has_reasons_only_when_it_abstains():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 4 == 0
    table = pd.DataFrame({"meta__age": 50 + 10.0 * y + rng.normal(0, 9, 200)})
    model = HybridLesionClassifier(n_splits=3, max_trees=20).fit(table, y)
    assert "applicability_reason" not in _score(model, table)
    scores = _score(model, table, abstain=0.1)
    assert (
        scores["applicability_reason"]
        .eq("both benign and malignant are plausible at this error")
        .equals(scores["score"].isna())
    )
