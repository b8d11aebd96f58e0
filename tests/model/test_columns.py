"""Which columns of a table the model reads, and what it refuses to read as categories."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.model import HybridLesionClassifier

N = 90
Y = np.arange(N) % 3 == 0


@pytest.fixture
def table():
    age = 50 + 15 * Y + np.random.default_rng(0).normal(0, 9, N)
    return pd.DataFrame({"patient_id": np.arange(N) // 2, "meta__age": age})


def _fit(table):
    return HybridLesionClassifier(n_splits=3, max_trees=20, min_trees=5).fit(table, Y)


def _fill(*cells):
    return (list(cells) * N)[:N]


@pytest.mark.parametrize(
    ("cells", "named"),
    [
        (["4,98E-05", "1,5", "2"], "'1,5'"),
        (["1.5", "2.5", "k.A."], "'1.5', and 'k.A.'"),
        ([*map(str, range(30)), "k.A."], "and 'k.A.'"),
    ],
)
def test_numbers_as_text_are_no_categories(table, cells, named):
    with pytest.raises(TableError, match=rf"'meta__size' has numbers as text.*{named}"):
        _fit(table.assign(meta__size=_fill(*cells)))


@pytest.mark.parametrize("cells", [["1", "2", "unknown"], ["a", "b"], ["1.5", "a", "b", "c"]])
def test_words_are_categories(table, cells):
    model = _fit(table.assign(meta__skin=_fill(*cells)))
    assert model.feature_names_in_.tolist() == ["meta__age", "meta__skin"]


def test_numbers_that_become_text_are_refused_by_column_and_cell(table):
    model = _fit(table.assign(meta__size=_fill(1.5, 2.5, 3.5)))
    with pytest.raises(TableError, match=r"'meta__size' had numbers in training.*4,98E-05"):
        model.predict_proba(table.assign(meta__size=_fill("4,98E-05", "2")))


def test_columns_that_are_no_features_do_not_matter(table):
    words = np.where(Y, "melanoma", "nevus")
    more = table.assign(diagnosis=words, target=Y, label=Y, age=Y * 1.0, path="a.png")
    one, two = _fit(table), _fit(more)
    assert two.feature_names_in_.tolist() == ["meta__age"]
    np.testing.assert_array_equal(one.oof_score_, two.oof_score_)
