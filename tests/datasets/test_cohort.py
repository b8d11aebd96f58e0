"""The latent cohort and the rule of malignancy, without drawing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hybridlesion.datasets import auc_ceiling, malignancy_risk
from hybridlesion.datasets._cohort import ISIC2020_COLUMNS, isic2020_table, random_cohort


def cohort_of(seed=0, share=0.1, patients=400):
    return random_cohort(
        np.random.default_rng(seed),
        n_patients=patients,
        lesions_per_patient=(1, 8),
        malignant_share=share,
        hair=0.3,
        artifacts=0.3,
    )


@pytest.fixture(scope="module")
def large():
    return cohort_of(patients=3000)[0]


@pytest.mark.parametrize("share", [0.02, 0.1, 0.2])
def test_share_of_malignant_lesions(share):
    cohort, _ = cohort_of(share=share)
    assert cohort["target"].sum() == pytest.approx(share * len(cohort), abs=1)
    assert cohort["risk"].mean() == pytest.approx(share, abs=1e-6)


def test_targets_follow_the_risk(large):
    for low, high in [(0.0, 0.05), (0.3, 0.5), (0.7, 1.0)]:
        part = large[large["risk"].between(low, high)]
        assert part["target"].mean() == pytest.approx(part["risk"].mean(), abs=0.05)


def test_risk_reaches_its_ceiling_and_it_is_about_095(large):
    ceiling = auc_ceiling(large["risk"])
    assert roc_auc_score(large["target"], large["risk"]) == pytest.approx(ceiling, abs=0.01)
    assert 0.94 < ceiling < 0.96


def test_no_single_latent_reaches_the_ceiling(large):
    for name in ("asymmetry", "border", "color"):
        assert roc_auc_score(large["target"], large[name]) < auc_ceiling(large["risk"]) - 0.02


def test_ceiling_by_hand():
    # Pairs (i malignant, j benign), a lesion with itself included, weigh p_i (1 - p_j):
    # (.8, .2) -> .64, (.2, .8) -> .04, ties .16 + .16.
    expected = (0.64 + (0.16 + 0.16) / 2) / (0.64 + 0.04 + 0.16 + 0.16)
    assert auc_ceiling(np.array([0.8, 0.2])) == pytest.approx(expected)


@pytest.mark.parametrize("risk", [[0.0, 0.0], [1.0, 1.0]])
def test_ceiling_needs_both_kinds(risk):
    with pytest.raises(ValueError, match="only one kind"):
        auc_ceiling(np.array(risk))


def test_ceiling_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match="risk must be"):
        auc_ceiling(np.array([0.5, 1.5]))


def test_risk_is_the_formula():
    excess = np.array([[0.2, 0.4, 0.6], [0.9, 0.1, 0.3], [0.0, 0.0, 0.0]])
    risk = malignancy_risk(excess, 0.25)
    logit = np.log(risk / (1 - risk))
    score = 12 * (excess @ [0.4, 0.25, 0.35])
    np.testing.assert_allclose(np.diff(logit), np.diff(score), atol=1e-8)
    assert risk.mean() == pytest.approx(0.25)


def test_patients_have_one_sex_and_age_and_between_1_and_8_lesions():
    cohort, _ = cohort_of()
    groups = cohort.groupby("patient_id")
    assert groups["sex"].nunique().max() == 1
    assert groups["age"].nunique().max() == 1
    assert groups.size().between(1, 8).all()
    assert len(groups) == 400


def test_older_patients_have_riskier_lesions_mildly(large):
    known = large.dropna(subset=["age"])
    assert 0.52 < roc_auc_score(known["target"], known["age"]) < 0.68
    assert known["age"].between(15, 85).all()
    assert (known["age"] % 5 == 0).all()


def test_lesions_of_a_patient_resemble_each_other():
    cohort, traits = cohort_of()
    for name in ("radius", "darkness"):
        values = np.array([getattr(one, name) for one in traits])
        within = cohort.assign(value=values).groupby("patient_id")["value"].std().mean()
        assert within < 0.9 * values.std()


def test_malignant_lesions_stand_out():
    cohort, traits = cohort_of()
    strength = np.array([one.asymmetry + one.border + one.color for one in traits])
    others = cohort.assign(value=strength).groupby("patient_id")["value"].transform("median")
    assert (strength - others)[cohort["target"] == 1].mean() > 0.5


def test_kaggle_layout_with_a_few_blanks():
    table = isic2020_table(cohort_of()[0])
    assert tuple(table.columns) == ISIC2020_COLUMNS
    for column in ("sex", "age_approx", "anatom_site_general_challenge"):
        assert 0 < table[column].isna().mean() < 0.05
    assert table["image_name"].is_unique
