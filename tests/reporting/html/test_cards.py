"""Cards and charts, made by hand."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from hybridlesion.metrics import evaluate
from hybridlesion.reporting.html._cases import Picture, make_cards
from hybridlesion.reporting.html._page import draw_charts
from hybridlesion.reporting.html._report_data import Evaluation
from hybridlesion.reporting.html._summary import subgroup_gaps


def _cards(**columns):
    cases = pd.DataFrame({"image_id": ["a", "b", "c", "d"], "score": [0.9, 0.6, 0.4, 0.1]})
    return make_cards(cases.assign(**columns), [Picture()] * 4, {}, 0.5)


def test_errors():
    cards = _cards(target=[1, 0, 1, np.nan])
    assert [card.error for card in cards] == [
        "correct",
        "false positive",
        "false negative",
        "truth unknown",
    ]
    assert [card.truth for card in cards] == ["malignant", "benign", "malignant", "unknown"]


def test_lesions_of_a_patient_belong_together():
    cards = _cards(patient_id=["p", "q", "p", None])
    assert [card.others for card in cards] == [((0, 0.9), (2, 0.4)), (), ((0, 0.9), (2, 0.4)), ()]


def test_what_is_known_is_told():
    card = _cards(age=[50.0, 1, 1, 1], sex=["male", "", "", ""], site=[None] * 4)[0]
    assert card.about == "50 years, male"
    assert (card.patient, card.reasons, card.shares, card.sheet) == ("", (), (), ())


def test_bars_point_both_ways_from_the_middle():
    up, down = _cards(share_border=[0.4, 0, 0, 0], share_color=[-0.2, 0, 0, 0])[0].shares
    assert (up.label, up.kind, up.start, up.length) == ("border", "up", 0.5, 0.5)
    assert (down.kind, down.start, down.length) == ("down", 0.25, 0.25)
    assert down.words == "-20 points"


def test_the_sheet_lies_on_the_ranges_of_the_scores():
    sheet = _cards(abcd__border=[4.0, 0, 0, 0], abcd__color=[1.0, 1, 1, 1])[0].sheet
    assert [(bar.words, bar.length) for bar in sheet] == [("4 of 8", 0.5), ("1 of 6", 0.0)]


@pytest.fixture(scope="module")
def charts():
    y, score = np.tile([0, 0, 1], 30), np.tile([0.2, 0.4, 0.6], 30)
    metrics = evaluate(y, score, threshold=0.5, n_bootstrap=20)
    groups = np.arange(len(y))
    return draw_charts(Evaluation("k", "", y, score, groups, 0.5, None, metrics, "groups"))


def test_charts_take_the_colours_of_the_page(charts):
    for chart in charts:
        assert chart["svg"].startswith("<svg viewBox=")
        assert "var(--model)" in chart["svg"]
        assert re.findall(r"#[0-9a-f]{6}\b", chart["svg"]) == []
        assert "http" not in chart["svg"]


def test_two_charts_share_no_id(charts):
    ids = [name for chart in charts for name in re.findall(r'\bid="([^"]+)"', chart["svg"])]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("k-") for name in ids)


def _rows(*groups):
    names = ["group", "sensitivity", "sensitivity_low", "sensitivity_high"]
    rows = pd.DataFrame([group[:4] for group in groups], columns=names)
    auc = {name.replace("sensitivity", "auc"): rows[name] for name in names[1:]}
    return rows.assign(attribute="sex", n=7, n_malignant=1, **auc)


def test_a_gap_is_certain_only_where_intervals_do_not_meet():
    apart = subgroup_gaps(_rows(("male", 0.5, 0.4, 0.6), ("female", 0.9, 0.8, 1.0)), [])
    assert apart[0] == (
        "Sex: sensitivity is 0.50 for male and 0.90 for female; the intervals do not overlap."
    )
    overlap = subgroup_gaps(_rows(("male", 0.5, 0.1, 0.9), ("female", 0.9, 0.8, 1.0)), [])
    assert overlap[1].endswith("the difference may be due to chance.")
    few = subgroup_gaps(_rows(("male", np.nan, np.nan, np.nan)), [])
    assert few == ["Sex: too few lesions to evaluate male (1 of 7 malignant)."]
