"""Models that are fitted without one source each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.training import fit_tables, leave_one_source_out


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Three clinics; at the third, the border says the opposite of what it says elsewhere."""
    rng, n = np.random.default_rng(0), 360
    target, clinic = (np.arange(n) % 4 == 0).astype(int), np.arange(n) // 2 % 3
    sign = np.where(clinic == 2, -1, 1)
    return pd.DataFrame(
        {
            "image_name": [f"ISIC_{row:07d}" for row in range(n)],
            "patient_id": [f"IP_{row // 2}" for row in range(n)],
            "attribution": np.array(["Graz", "Lyon", "Oslo"])[clinic],
            "age_approx": 5.0 * rng.integers(4, 16, n),
            "sex": "female",
            "target": target,
            "abcd__border": sign * (2 * target - 1) + rng.normal(0, 1, n),
        }
    )


@pytest.fixture(scope="module")
def trained(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    table.to_csv(folder / "train.csv", index=False)
    return fit_tables([folder / "train.csv"], n_splits=2, source="attribution")


def test_a_clinic_that_differs_is_found_only_when_it_is_left_out(trained):
    found = trained.sources.table.set_index("source")
    assert found.index.tolist() == ["Graz", "Lyon", "Oslo"]
    assert found["n_train"].tolist() == [240] * 3
    assert found.loc["Oslo", "auc_high"] < 0.5 < found.loc["Graz", "auc_low"]
    assert trained.sources.summary.set_index("metric").loc["auc", "n_sources"] == 3
    # The column is set aside as a feature: it identifies the data set.
    assert "attribution" in trained.set_aside


def test_what_a_family_adds_is_paired_with_its_interval(trained):
    gains = trained.sources.gains.set_index(["source", "without"])
    assert set(gains.index.get_level_values("without")) == {"ABCD features", "metadata"}
    assert gains.loc[("Graz", "ABCD features"), "low"] > 0
    assert gains.loc[("Oslo", "ABCD features"), "high"] < 0


def test_scores_and_facts_are_kept(trained, table):
    own = trained.out_of_fold
    assert own["source"].tolist() == table["attribution"].tolist()
    assert own["score_left_out"].between(0, 1).all()
    assert not np.allclose(own["score_left_out"], own["score"])
    facts = trained.facts["sources"]
    assert facts["column"] == "attribution"
    assert [row["source"] for row in facts["table"]] == ["Graz", "Lyon", "Oslo"]
    assert facts["new_source"][0].startswith("At a new source")


def test_a_patient_of_two_sources_is_not_trained_on_when_one_is_left_out(table):
    table = table.drop(columns="attribution")
    sources = pd.Series(np.repeat(["one", "two"], 180))
    groups = np.arange(360)
    groups[0] = groups[359] = 999
    y, features = table["target"].to_numpy(), table[["abcd__border"]]
    model = HybridLesionClassifier(n_splits=2).fit(features, y, groups=groups)
    sources[5] = None
    found = leave_one_source_out(model, features, y, groups, sources, n_bootstrap=20)
    assert found.table["n_shared"].tolist() == [1, 1]
    # The image of an unknown source is trained on twice, and never scored.
    assert found.table["n_train"].tolist() == [180, 179]
    assert np.flatnonzero(np.isnan(found.score)).tolist() == [5]
    assert found.gains.empty
    assert found.facts()["new_source"] == [
        "2 sources: a prediction for a new source needs at least 3."
    ]


def test_a_source_with_all_malignant_lesions_is_noted_and_the_others_stay(table):
    y = table["target"].to_numpy()
    sources = pd.Series(np.where(y == 1, "clinic", "screening"))
    sources[:120] = "practice"
    features = table[["abcd__border"]]
    model = HybridLesionClassifier(n_splits=2).fit(features, y)
    found = leave_one_source_out(model, features, y, np.arange(360), sources, n_bootstrap=0)
    by_source = found.table.set_index("source")
    assert np.isfinite(by_source.loc["practice", "auc"])
    assert by_source["auc"].isna().sum() == 2
    assert by_source.loc["clinic", "note"] == "60 malignant, 0 benign: too few"


def test_sources_may_be_numbers(table):
    y, sources = table["target"].to_numpy(), pd.Series(np.repeat([1, 2], 180))
    features = table[["abcd__border"]]
    model = HybridLesionClassifier(n_splits=2).fit(features, y)
    numbers, words = (
        leave_one_source_out(model, features, y, np.arange(360), kind, n_bootstrap=0)
        for kind in (sources, sources.astype(str))
    )
    assert np.isfinite(numbers.table["threshold"]).all()
    pd.testing.assert_frame_equal(numbers.table, words.table)
    pd.testing.assert_frame_equal(numbers.gains, words.gains)


def test_gains_need_five_malignant_lesions(table):
    y = table["target"].to_numpy()
    sources = pd.Series(np.where(np.arange(len(y)) < 16, "small", "large"))
    features = table[["abcd__border"]].assign(meta__age=table["age_approx"])
    model = HybridLesionClassifier(n_splits=2).fit(features, y)
    found = leave_one_source_out(model, features, y, np.arange(360), sources, n_bootstrap=20)
    known = found.gains.set_index("source")["difference"].notna()
    assert (known["large"].tolist(), known["small"].tolist()) == ([True] * 2, [False] * 2)
    assert found.notes == (
        "no gains are computed at small: fewer than 5 malignant or benign lesions.",
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("attributions", "Did you mean 'attribution'"),
        ("patient_id", "180 values .* at most 20"),
        ("sex", "at least two sources; the column 'sex' has 1"),
        ("target", "none of the sources 1, 0 has malignant and benign lesions"),
    ],
)
def test_columns_that_name_no_sources_are_refused(table, tmp_path, source, reason):
    table.to_csv(tmp_path / "train.csv", index=False)
    with pytest.raises(TableError, match=reason):
        fit_tables([tmp_path / "train.csv"], n_splits=2, source=source)
