"""Contributions that sum to the score, and reasons in words."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from hybridlesion.exceptions import OptionError
from hybridlesion.explain import (
    column_label,
    explain_scores,
    family_of,
    family_shares,
    points_words,
    rank_words,
    reason_columns,
    reason_words,
    value_words,
)
from hybridlesion.features import FEATURES
from hybridlesion.model import HybridLesionClassifier, rank_among_benign
from hybridlesion.model._ensemble import benign_quantiles


def _make_table(n=400, seed=0, n_embedding=0):
    rng = np.random.default_rng(seed)
    age, border = rng.normal(0, 1, n), rng.uniform(0, 8, n)
    y = (rng.random(n) < expit(-2 + age + border / 4)).astype(int)
    table = pd.DataFrame(
        {
            "image_id": [f"ISIC_{k:07d}" for k in range(n)],
            "patient_id": rng.integers(80, size=n).astype(str),
            "abcd__border": border,
            "abcd__color_share_black": rng.uniform(0, 1, n),
            "meta__age": np.where(rng.random(n) < 0.1, np.nan, 50 + 15 * age),
            "meta__sex_male": rng.integers(2, size=n).astype(float),
            "meta__device": rng.choice(["A", "B", "C"], n),
        }
    )
    for k in range(n_embedding):
        table[f"emb__{k}"] = y * (k == 0) + rng.normal(0, 1, n)
    return table, y


def _fit(table, y, **parameters):
    return HybridLesionClassifier(**({"n_splits": 3, "max_trees": 40} | parameters)).fit(table, y)


@pytest.fixture(scope="session")
def make_table():
    """Make a feature table and its truth: make_table(n, seed, n_embedding)."""
    return _make_table


@pytest.fixture(scope="session")
def fit():
    """Fit a small classifier: fit(table, y, **parameters)."""
    return _fit


@pytest.fixture(scope="session")
def explained(make_table, fit):
    """A model, its table and the truth."""
    table, y = make_table()
    return fit(table, y), table, y


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"calibration": "platt", "n_bags": 3, "n_seeds": 2},
        {"calibration": "isotonic"},
        {"calibration": "beta", "imbalance": "class_weight"},
        {"linear_weight": 0.0, "imbalance": "none"},
        {"linear_weight": 1.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("n_embedding", [0, 4])
def test_base_and_parts_sum_to_the_score(make_table, fit, parameters, n_embedding):
    table, y = make_table(n_embedding=n_embedding)
    model = fit(table, y, **parameters)
    fresh, _ = make_table(n=50, seed=1, n_embedding=n_embedding)
    parts = explain_scores(model, fresh)
    expected = model.predict_proba(fresh)[:, 1]
    np.testing.assert_allclose(parts.drop(columns="score").sum(axis=1), expected, atol=1e-9)
    np.testing.assert_array_equal(parts["score"], expected)
    np.testing.assert_allclose(
        parts["base"] + family_shares(parts).sum(axis=1), expected, atol=1e-9
    )
    # Lesions with and without siblings have members of their own; missing metadata are part of it.
    missing = fresh.filter(like="meta__").isna()
    assert parts.loc[~missing.any(axis=1), "base"].nunique() <= 2
    assert not parts[missing.columns].to_numpy()[missing.to_numpy()].any()
    assert ("emb__" in parts) == bool(n_embedding)


def test_columns_are_those_of_the_table_and_the_index_is_kept(explained):
    model, table, _ = explained
    parts = explain_scores(model, table.iloc[5:9])
    assert parts.index.tolist() == [5, 6, 7, 8]
    names = [name for name in table if "__" in name]
    assert parts.columns.tolist()[:2] == ["score", "base"]
    assert [name for name in parts if name in names] == names
    assert all(name.startswith("ctx__") for name in parts.columns[2 + len(names) :])


def test_what_made_the_truth_has_the_largest_parts(explained):
    model, table, _ = explained
    mean = explain_scores(model, table).drop(columns=["score", "base"]).abs().mean()
    given = mean[[name for name in mean.index if not name.startswith("ctx__")]]
    assert set(given.nlargest(2).index) == {"meta__age", "abcd__border"}


def test_a_part_rises_with_a_column_that_raises_the_score(explained):
    model, table, _ = explained
    low, high = (table.head(20).assign(abcd__border=value) for value in (0.5, 7.5))
    low, high = low.drop(columns="patient_id"), high.drop(columns="patient_id")
    rise = explain_scores(model, high)["abcd__border"] - explain_scores(model, low)["abcd__border"]
    assert (rise > 0).all()


def test_matrices_are_explained_by_column_number(explained):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    y = X[:, 1] + rng.normal(size=120) > 0
    model = HybridLesionClassifier(n_splits=3, max_trees=20).fit(X, y)
    parts = model.contributions(X)
    assert parts.columns.tolist() == ["base", "0", "1", "2"]
    np.testing.assert_allclose(parts.sum(axis=1), model.predict_proba(X)[:, 1], atol=1e-9)
    assert parts.abs().mean().drop("base").idxmax() == "1"


def test_other_classifiers_are_refused():
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    with pytest.raises(OptionError, match="cannot explain the scores of a LogisticRegression"):
        explain_scores(model, pd.DataFrame({"meta__age": [1.0]}))


@pytest.mark.parametrize(
    ("column", "family"),
    [
        ("abcd__asymmetry_shape_min", "asymmetry"),
        ("abcd__structures", "structure"),
        ("abcd__tds", "tds"),
        ("cnn__score", "cnn"),
        ("emb__", "emb"),
        ("ctx__abcd__border", "ctx"),
        ("abcd__A [0, 1]", "other"),
        ("2", "other"),
    ],
)
def test_families(column, family):
    assert family_of(column) == family


def test_strongest_reasons_first_with_value_rank_and_points(explained):
    model, table, _ = explained
    row = table.head(1).assign(abcd__border=7.9, meta__age=95.0, meta__sex_male=1.0)
    parts = explain_scores(model, row)
    words = reason_words(model, row, parts, n_reasons=5)[0]
    assert len(words) == 5
    strengths = [abs(float(re.search(r"\(([-+.\d]+) points\)", word)[1])) for word in words]
    assert strengths == sorted(strengths, reverse=True)
    assert any(
        re.fullmatch(
            r"abrupt border 7\.9 of 8 octants, higher than 9\d % of benign lesions \(.*", w
        )
        for w in words
    )
    assert any(word.startswith("age 95 years, higher than 99 % of benign") for word in words)
    assert any(re.match(r"sex male, as in [45]\d % of benign lesions", word) for word in words)


def test_ranks_are_those_of_the_benign_training_rows(explained):
    model, table, y = explained
    benign = table.loc[y == 0, "abcd__border"]
    for value in (1.0, 4.0, 7.0):
        rank = rank_among_benign(value, model.reference_["abcd__border"])
        assert rank == pytest.approx((benign < value).mean(), abs=0.02)


def test_text_columns_have_no_rank_and_missing_metadata_are_no_reason(explained):
    model, table, _ = explained
    row = table.head(1).assign(meta__age=np.nan)
    words = " | ".join(reason_words(model, row, explain_scores(model, row), n_reasons=5)[0])
    assert re.search(r"device [ABC] \(", words)
    assert "unknown" not in words


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("abcd__tds", 5.04, "5.0 of 8.9"),
        ("abcd__border_bays", 3.0, "3"),
        ("abcd__border_abrupt", 5.25, "5.25 of 8 octants"),
        ("abcd__color_count", 4.0, "4 of 6"),
        ("abcd__color_has_black", 1.0, "present"),
        ("abcd__color_skin_contrast", 23.456, "23.5 Delta-E"),
        ("abcd__skin_band", 3.0, "tan"),
        ("abcd__color_share_red", 0.0012, "0.12 %"),
        ("meta__age", 65.0, "65 years"),
        ("meta__site_head_neck", 1.0, "head/neck"),
        ("meta__device", "A", "A"),
        ("meta__age", None, "unknown"),
        ("meta__age", pd.NA, "unknown"),
        ("meta__itch", True, "yes"),
        ("meta__visit", pd.Timestamp("2020-05-01"), "2020-05-01 00:00:00"),
        ("emb__", 0.3, ""),
        ("abcd__dimension_area", float("nan"), "unknown"),
    ],
)
def test_values_with_units(column, value, words):
    assert value_words(column, value) == words


@pytest.mark.parametrize("row", FEATURES, ids=lambda row: row.name)
def test_every_feature_has_a_label_and_a_value_in_words(row):
    low = row.low if np.isfinite(row.low) else -1.0
    label, value = column_label(row.name), value_words(row.name, low)
    assert "__" not in label
    assert "_" not in label
    assert label.strip() == label
    assert value


def test_labels_of_features_differ():
    labels = [column_label(row.name) for row in FEATURES]
    assert pd.Series(labels)[pd.Series(labels).duplicated(keep=False)].tolist() == []


def test_ranks_at_the_ends_stay_below_all():
    reference = {"meta__age": np.linspace(20, 80, 101)}
    assert rank_words("meta__age", 120.0, reference) == "higher than 99 % of benign lesions"
    assert rank_words("meta__age", 0.0, reference) == "lower than 99 % of benign lesions"
    assert rank_words("meta__unknown", 0.0, reference) == ""


@pytest.mark.parametrize(
    ("column", "benign", "value", "words"),
    [
        # 80 equal values and 20 above; the value lies among them, above them, or below all.
        ("abcd__border_bays", [2] * 80 + [5] * 20, 2, "as in 80 %"),
        ("abcd__border_bays", [2] * 80 + [5] * 20, 3, "higher than 80 %"),
        ("abcd__border_bays", [2] * 80 + [5] * 20, 1, "lower than 99 %"),
        ("abcd__border_bays", [2] * 80 + [5] * 20, 5, "higher than 80 %"),
        ("abcd__border_bays", [1] * 30 + [2] * 40 + [3] * 30, 2, "as in 40 %"),
        ("abcd__border_bays", [1] * 50 + [2] * 20 + [3] * 30, 2, "higher than 50 %"),
        ("abcd__border_bays", [1] * 20 + [2] * 20 + [3] * 60, 2, "lower than 59 %"),
        # Few rows: no share that none of them has.
        ("meta__age", [10, 20, 30, 40, 50], 30, "higher than 40 %"),
        ("meta__age", [10, 20, 30, 40, 50], 35, "higher than 60 %"),
        # Constants.
        ("meta__age", [50] * 7, 50, "as in 99 %"),
        ("meta__age", [50] * 7, 60, "higher than 99 %"),
        # Columns of 0 and 1 have no order.
        ("meta__sex_male", [0] * 3 + [1] * 4, 1, "as in 57 %"),
        ("meta__sex_male", [0] * 9 + [1], 1.0, "as in 10 %"),
        ("meta__sex_male", [0] * 9, 1.0, "as in fewer than 1 %"),
        ("meta__site_torso", [1] * 9, 1.0, "as in more than 99 %"),
        ("abcd__color_has_black", [0] * 8 + [1] * 2, 0.0, "as in 80 %"),
        ("meta__itch", [0] * 8 + [1] * 2, True, "as in 20 %"),
        # Missing values have no rank.
        ("meta__age", [20, 30], None, ""),
        ("meta__age", [20, 30], pd.NA, ""),
        ("meta__age", [20, 30], np.nan, ""),
        ("meta__age", [np.nan, np.nan], 30, ""),
        ("meta__age", [np.nan, 20], 30, "higher than 99 %"),
    ],
)
def test_ranks_say_how_many_are_lower_higher_or_equal(column, benign, value, words):
    X = np.array(benign, dtype=np.float32)[:, None]
    reference = benign_quantiles(X, np.zeros(len(X), dtype=bool), [column])
    assert rank_words(column, value, reference) == words + " of benign lesions" * bool(words)


def test_the_columns_of_the_site_are_one_reason(explained, monkeypatch):
    model, table, _ = explained
    names = ["meta__site_torso", "meta__site_head_neck"]
    torso, unknown, other = (
        table.head(1).assign(**dict(zip(names, values, strict=True)))
        for values in ((1.0, 0.0), (np.nan, np.nan), (0.0, 0.0))
    )
    parts = pd.DataFrame([[0.2, 0.1, 0.03, 0.04]], columns=["base", "meta__age", *names])
    monkeypatch.setattr(model, "reference_", {"meta__site_torso": np.repeat([0, 1], [61, 40])})
    assert [reason_words(model, rows, parts)[0][1] for rows in (torso, unknown, other)] == [
        "site torso, as in 40 % of benign lesions (+7.0 points)",
        "site unknown (+7.0 points)",
        "site not recognised (+7.0 points)",
    ]


@pytest.mark.parametrize(
    ("share", "words"),
    [(1.0, "+100 points"), (-0.0999, "-10 points"), (0.005, "+0.50 points"), (0, "+0.000 points")],
)
def test_points(share, words):
    assert points_words(share) == words


def test_columns_for_a_score_table(explained):
    model, table, _ = explained
    columns = reason_columns(model, table.head(7))
    names = ["base", "share_border", "share_color", "share_meta", "share_ctx"]
    assert columns.columns.tolist() == [
        *(*names, "reason_1", "reason_2", "reason_3"),
        "abcd__border",
    ]
    score = model.predict_proba(table.head(7))[:, 1]
    np.testing.assert_allclose(columns[names].sum(axis=1), score, atol=1e-9)
    assert columns["reason_3"].str.endswith("points)").all()


def test_probabilities_of_a_network_are_told_as_shares():
    assert column_label("cnn__p_bcc") == "fine-tuned network's probability of basal cell carcinoma"
    assert value_words("cnn__p_bcc", np.float32(0.256)) == "26 %"
    assert value_words("cnn__melanoma", 0.0012) == "0.12 %"
    label = column_label("ctx__cnn_melanoma_excess")
    assert label.startswith("fine-tuned network's probability of melanoma above")
