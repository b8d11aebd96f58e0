"""Probabilities of diagnoses beside the scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import OptionError, TableError
from hybridlesion.inference import score_inputs, score_table
from hybridlesion.training import fit_tables

PROBABILITIES = ["p_mel", "p_nv", "p_bcc", "p_ak", "p_scc", "p_bkl", "p_df", "p_vasc"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table of age and diagnosis: nevus, melanoma, BCC, and two vascular lesions."""
    folder, rng = tmp_path_factory.mktemp("tables"), np.random.default_rng(0)
    kind = rng.choice(3, 240, p=[0.6, 0.2, 0.2])
    kind[:2] = 3
    names = np.array(["nevus", "melanoma", "basal cell carcinoma", "hemangioma"])
    table = pd.DataFrame(
        {
            "image_name": [f"ISIC_{row:07d}" for row in range(240)],
            "patient_id": [f"IP_{row // 2}" for row in range(240)],
            "sex": np.where(rng.random(240) < 0.2 + 0.6 * (kind == 2), "male", "female"),
            "age_approx": 30.0 + 15 * kind + 5 * rng.integers(-2, 3, 240),
            "anatom_site_general_challenge": "torso",
            "diagnosis": names[kind],
        }
    )
    table.to_csv(folder / "train.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    malignant = ["melanoma", "basal cell carcinoma"]
    return fit_tables([folder / "train.csv"], n_splits=3, malignant=malignant)


def _score(trained, folder, out, **options):
    training = {name: trained.facts[name] for name in ("n_rows", "n_positive")}
    options = {"training": training, "model_id": "m", "diagnoses": True} | options
    score_inputs(trained.model, [folder / "train.csv"], out, **options)
    return pd.read_csv(out)


def test_the_fit_says_what_it_learned(trained):
    learned, rare = (text for text in trained.warnings if "diagnoses" in text)
    assert learned.startswith("3 diagnoses were learned from 238 rows: out-of-fold balanced")
    assert rare.endswith("fewer than 20 rows get the probability 0: vascular lesion (2).")
    score, own = trained.out_of_fold["score"], trained.out_of_fold[["p_mel", "p_bcc"]].sum(axis=1)
    np.testing.assert_allclose(own, score, rtol=1e-5)


def test_scores_have_diagnoses_that_agree(trained, folder, tmp_path):
    scores = _score(trained, folder, tmp_path / "s.csv")
    assert scores.columns.tolist()[-9:] == [*PROBABILITIES, "diagnosis_predicted"]
    np.testing.assert_allclose(scores[PROBABILITIES].sum(axis=1), 1)
    np.testing.assert_allclose(scores["p_mel"] + scores["p_bcc"], scores["score"])
    assert (scores["p_vasc"] == 0).all()
    plain = _score(trained, folder, tmp_path / "p.csv", diagnoses=False)
    pd.testing.assert_frame_equal(plain, scores[plain.columns])


def test_they_agree_at_another_prevalence(trained, folder, tmp_path):
    plain = _score(trained, folder, tmp_path / "p.csv")
    rare = _score(trained, folder, tmp_path / "r.csv", prevalence=0.02)
    np.testing.assert_allclose(rare["p_mel"] + rare["p_bcc"], rare["score"])
    np.testing.assert_allclose(rare["p_mel"] / rare["p_bcc"], plain["p_mel"] / plain["p_bcc"])
    assert (rare["diagnosis_predicted"] == plain["diagnosis_predicted"]).all()
    assert rare["score"].mean() < 0.6 * plain["score"].mean()


def test_appended_rows_are_of_one_kind(trained, folder, tmp_path):
    _score(trained, folder, tmp_path / "s.csv", append=True)
    _score(trained, folder, tmp_path / "s.csv", append=True)
    with pytest.raises(TableError, match=r"contains scores with diagnoses\. Pass `diagnoses`"):
        _score(trained, folder, tmp_path / "s.csv", append=True, diagnoses=False)
    _score(trained, folder, tmp_path / "p.csv", append=True, diagnoses=False)
    with pytest.raises(TableError, match=r"contains scores without diagnoses\. Omit `diagnoses`"):
        _score(trained, folder, tmp_path / "p.csv", append=True)


def test_models_without_diagnoses_are_refused_before_long_work(folder, tmp_path):
    table = pd.read_csv(folder / "train.csv")
    table["target"] = (table.pop("diagnosis") == "melanoma").astype(int)
    table.to_csv(tmp_path / "t.csv", index=False)
    trained = fit_tables([tmp_path / "t.csv"], n_splits=3)
    assert not any("diagnoses" in text for text in trained.warnings)
    for score in (
        lambda: _score(trained, folder, tmp_path / "s.csv"),
        lambda: score_table(trained.model, table, diagnoses=True),
    ):
        with pytest.raises(OptionError, match=r"`diagnoses` needs a model that learned diagnoses"):
            score()
    assert not (tmp_path / "s.csv").exists()


def test_too_few_rows_are_noted(folder, tmp_path):
    table = pd.read_csv(folder / "train.csv")
    table = table[(table["diagnosis"] != "basal cell carcinoma") | (table.index < 40)]
    table.to_csv(tmp_path / "t.csv", index=False)
    trained = fit_tables([tmp_path / "t.csv"], n_splits=3, malignant=["melanoma"])
    assert trained.model.diagnosis_ is None
    assert any("no diagnoses were learned: " in text for text in trained.warnings)
