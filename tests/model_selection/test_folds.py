"""Groups stay whole, positives are spread, and missing ids tie nothing together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.model_selection import (
    connected_groups,
    grouped_folds,
    grouping,
    train_validation_test,
)


def _patients(rng, n=4000, n_patients=300, share=0.03):
    return (rng.random(n) < share).astype(int), rng.integers(n_patients, size=n)


def test_grouping_by_patient_lesion_and_cluster_joins_components():
    records = pd.DataFrame(
        {
            "patient_id": ["A", "A", "B", "C", None, None],
            "lesion_id": ["l1", "l2", "l3", "l4", "l5", "l5"],
            "duplicate_cluster": [np.nan, 3, 3, np.nan, np.nan, np.nan],
        },
        index=list("uvwxyz"),
    )
    groups = grouping(records)
    assert groups.tolist() == [0, 0, 0, 1, 2, 2]
    assert list(groups.index) == list("uvwxyz")


def test_grouping_without_any_column_gives_each_row_its_own_group():
    assert grouping(pd.DataFrame({"age": [1.0, 2.0, 3.0]})).tolist() == [0, 1, 2]


def test_equal_values_of_different_columns_do_not_tie():
    assert connected_groups([1, 2], [2, 1]).tolist() == [0, 1]


def test_connected_groups_follow_a_chain():
    assert connected_groups(["a", "a", "b", "b", "c"], [1, 2, 2, 3, 4]).tolist() == [0, 0, 0, 0, 1]


def test_connected_groups_refuses_columns_of_different_length():
    with pytest.raises(TableError, match=r"lengths \[1, 2\]"):
        connected_groups([1], [1, 2])


def test_folds_keep_groups_whole_and_balance_positives_and_rows(rng):
    y, groups = _patients(rng)
    folds = grouped_folds(y, groups, n_splits=5)
    assert (pd.Series(folds).groupby(groups).nunique() == 1).all()
    positives = np.bincount(folds, weights=y)
    assert positives.max() - positives.min() <= 1
    rows = np.bincount(folds)
    assert rows.max() - rows.min() <= 5


def test_folds_are_repeatable_and_follow_the_seed(rng):
    y, groups = _patients(rng)
    first = grouped_folds(y, groups, random_state=1)
    assert (first == grouped_folds(y, groups, random_state=1)).all()
    assert (first != grouped_folds(y, groups, random_state=2)).any()


def test_one_patient_with_every_positive_cannot_be_folded():
    with pytest.raises(ValueError, match="got 1 such groups among 4"):
        grouped_folds([1, 1, 0, 0, 0], ["a", "a", "b", "c", "d"], n_splits=2)


@pytest.mark.parametrize("n_splits", [1, 2.5, True])
def test_n_splits_is_a_whole_number_from_two(n_splits):
    with pytest.raises(ValueError, match="n_splits must be a whole number"):
        grouped_folds([0, 1], [0, 1], n_splits=n_splits)


def test_missing_groups_are_refused_with_the_cure():
    with pytest.raises(ValueError, match=r"1 missing values.*grouping"):
        grouped_folds([0, 1, 1], ["a", None, "b"], n_splits=2)


def test_hundred_thousand_single_rows_are_spread_evenly(rng):
    y = (rng.random(100_000) < 0.001).astype(int)
    folds = grouped_folds(y, np.arange(100_000))
    assert np.ptp(np.bincount(folds)) <= 1
    assert np.ptp(np.bincount(folds[y == 1])) <= 1


def test_parts_have_the_asked_sizes_and_prevalence(rng):
    y, groups = _patients(rng, share=0.1)
    parts = train_validation_test(y, groups, sizes=(0.6, 0.2, 0.2))
    assert (pd.Series(parts).groupby(groups).nunique() == 1).all()
    for part, share in zip(("train", "validation", "test"), (0.6, 0.2, 0.2), strict=True):
        assert (parts == part).mean() == pytest.approx(share, abs=0.01)
        assert y[parts == part].sum() / y.sum() == pytest.approx(share, abs=0.01)


def test_a_part_of_size_zero_stays_empty():
    parts = train_validation_test([0, 1] * 10, np.arange(20), sizes=(0.5, 0, 0.5))
    assert set(parts) == {"train", "test"}


@pytest.mark.parametrize("sizes", [(0.5, 0.5), (0.5, 0.6, -0.1), (1, 1, 1)])
def test_sizes_that_are_no_shares_are_refused(sizes):
    with pytest.raises(ValueError, match="three shares that sum to 1"):
        train_validation_test([0, 1, 0, 1], [1, 2, 3, 4], sizes=sizes)


@pytest.mark.real
def test_isic2020_patients_stay_whole(real_data):
    table = pd.read_csv(real_data / "isic2020" / "train.csv")
    folds = grouped_folds(table["target"], grouping(table))
    assert (pd.Series(folds).groupby(table["patient_id"]).nunique() == 1).all()
    assert np.ptp(np.bincount(folds, weights=table["target"])) <= 1
