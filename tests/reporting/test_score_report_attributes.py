"""Columns of records and features as groups of patients."""

from __future__ import annotations

import pandas as pd

from hybridlesion.reporting._score_report import attributes_of


def test_known_columns_become_groups():
    cases = pd.DataFrame(
        {
            "age": [20.0, 80.0],
            "sex": ["male", None],
            "site": ["torso", "head/neck"],
            "abcd__skin_ita": [45.0, -50.0],
            "fitzpatrick_skin_type": ["II", "V"],
            "qa__dark_corner_share": [0.0, 0.2],
            "target": [0.0, 1.0],
        }
    )
    found = attributes_of(cases)
    assert list(found) == ["age", "sex", "site", "skin tone", "Fitzpatrick type", "dark corner"]
    assert found.loc[1, ["age", "skin tone", "dark corner"]].tolist() == [
        "75 and over",
        "dark",
        "present",
    ]


def test_columns_without_a_value_are_left_out():
    cases = pd.DataFrame({"age": [None, None], "abcd__skin_ita": [None, None], "ita": [30.0, None]})
    found = attributes_of(cases)
    assert list(found) == ["skin tone"]
    assert found["skin tone"].isna().tolist() == [False, True]


def test_nothing_known_is_an_empty_table_of_the_same_rows():
    assert attributes_of(pd.DataFrame({"target": [0, 1, 1]})).shape == (3, 0)
