"""Each lesion against its patient's others."""

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.model.context import context_columns, has_company, patient_context


@pytest.fixture
def table(rng):
    n = 80
    table = pd.DataFrame(
        {
            "patient_id": rng.integers(0, 12, n).astype(str),
            "lesion_id": rng.integers(0, 30, n).astype(str),
            "cnn__score": rng.normal(0, 1, n).round(1),
            "abcd__tds": rng.uniform(1, 8.9, n),
            "perceived__border": rng.uniform(0, 1, n),
        }
    )
    table.loc[::9, "patient_id"] = None
    table.loc[[3, 50], "cnn__score"] = np.nan
    return table


def _others(table, row, column):
    if table["patient_id"][row] is None:
        return table[column][:0]
    same = table["patient_id"] == table["patient_id"][row]
    return table[column][same & (table["lesion_id"] != table["lesion_id"][row])].dropna()


def _by_hand(value, others):
    if not len(others) or np.isnan(value):
        return [np.nan] * 5
    mean = others.mean()
    spread = others.std(ddof=0)
    z = np.clip((value - mean) / spread, -10, 10) if len(others) >= 3 and spread > 0 else np.nan
    rank = ((others < value).sum() + 0.5 * (others == value).sum()) / len(others)
    return [mean, value - mean, z, rank, value / mean if mean > 1e-6 else np.nan]


@pytest.mark.parametrize("column", ["cnn__score", "abcd__tds"])
def test_every_kind_agrees_with_a_loop_over_rows(table, column):
    found = patient_context(table, [column], distances=False).to_numpy()
    wanted = [_by_hand(table[column][row], _others(table, row, column)) for row in table.index]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert np.isfinite(found).all(axis=1).sum() > 20


def test_a_patient_knows_nothing_of_other_patients(table):
    whole = patient_context(table)
    alone = patient_context(table[table["patient_id"] == "3"])
    pd.testing.assert_frame_equal(whole.loc[alone.index], alone)


def test_order_of_rows_does_not_matter(table, rng):
    order = rng.permutation(len(table))
    shuffled = patient_context(table.iloc[order]).sort_index()
    pd.testing.assert_frame_equal(shuffled, patient_context(table), rtol=1e-5)


def test_patients_with_one_lesion_and_unknown_ones_have_no_context(table):
    lonely = table.assign(patient_id=[f"p{k}" for k in range(len(table))])
    assert patient_context(lonely).isna().all(axis=None)
    assert patient_context(table.assign(patient_id=None)).isna().all(axis=None)
    one_lesion = pd.DataFrame(
        {"patient_id": ["a", "a"], "lesion_id": ["x", "x"], "cnn__score": [1.0, 2.0]}
    )
    assert patient_context(one_lesion).isna().all(axis=None)


def test_company_is_another_lesion_of_the_same_patient(table):
    company = has_company(table)
    wanted = [len(_others(table, row, "abcd__tds")) > 0 for row in table.index]
    assert company.tolist() == wanted
    assert not has_company(table.drop(columns="patient_id")).any()


def test_equal_lesions_of_many_images_have_no_spread_to_divide_by():
    table = pd.DataFrame({"patient_id": ["a"] * 6, "cnn__score": [1e6 + 0.1] * 6})
    found = patient_context(table)
    assert found["ctx__cnn_score_z"].isna().all()
    assert found["ctx__cnn_score_excess"].abs().max() < 1e-6
    assert (found["ctx__cnn_score_rank"] == 0.5).all()


@pytest.mark.parametrize("n", [5, 6, 8, 11, 12, 30])
def test_the_odd_lesion_is_far_in_embedding_and_outlier_factor(n, rng):
    table = pd.DataFrame({"patient_id": ["a"] * n})
    for k in range(8):
        table[f"emb__{k}"] = 1.0 + 0.1 * rng.normal(size=n)
    table["emb__0"] = np.where(np.arange(n) == 4, -9.0, table["emb__0"])
    for name in ("asymmetry", "border", "color"):
        table[f"perceived__{name}"] = np.where(np.arange(n) == 4, 9.0, rng.normal(size=n))
    found = patient_context(table)
    assert found["ctx__embedding_distance"].idxmax() == 4
    assert found["ctx__embedding_distance"].between(0, 2).all()
    assert found["ctx__abcd_outlier"].idxmax() == 4
    assert found["ctx__abcd_outlier"].drop(4).median() == pytest.approx(1, abs=0.3)


def test_embedding_distance_is_one_minus_the_cosine_to_the_mean_direction():
    table = pd.DataFrame({"patient_id": ["a"] * 3, "emb__0": [2.0, 0, 0], "emb__1": [0, 1.0, 3]})
    found = patient_context(table)["ctx__embedding_distance"]
    np.testing.assert_allclose(found, [1, 1 - np.sqrt(0.5), 1 - np.sqrt(0.5)], rtol=1e-5)


def test_what_is_compared_by_default():
    columns = ["abcd__tds", "abcd__texture_x", "meta__age", "meta__tbp_lv_A", "cnn__b", "qa__x"]
    assert context_columns(pd.DataFrame(columns=columns)) == [
        "abcd__tds",
        "meta__tbp_lv_A",
        "cnn__b",
    ]


def test_wrong_wishes_are_told_in_words(table):
    with pytest.raises(TableError, match="context needs a patient_id column"):
        patient_context(table.drop(columns="patient_id"))
    with pytest.raises(TableError, match="no column 'cnn__other'"):
        patient_context(table, ["cnn__other"])
    with pytest.raises(ValueError, match=r"kinds.*median"):
        patient_context(table, kinds=["median"])
