"""The leak audit finds each planted leak, names it, and is silent about clean tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.leakage import (
    acquisition_facts,
    find_acquisition_leaks,
    find_constant_columns,
    find_named_leaks,
    find_split_groups,
    find_suspicious_columns,
    find_target_leaks,
    treat_in_sample_scores,
)
from hybridlesion.leakage.targets import rank_by_column
from hybridlesion.model_selection import grouped_folds
from hybridlesion.training import Finding, LeakAudit, Severity


@pytest.fixture
def y() -> np.ndarray:
    return (np.arange(200) % 5 == 0).astype(int)


@pytest.fixture
def table(rng, y) -> pd.DataFrame:
    n = len(y)
    return pd.DataFrame(
        {
            "image_id": [f"I{k}" for k in range(n)],
            "patient_id": [f"P{k // 2}" for k in range(n)],
            "meta__age": 50 + 10.0 * y + rng.normal(0, 10, n),
            "abcd__area": rng.random(n),
            "cnn__score": rng.random(n),
            "qa__cnn_seen": 0.0,
        }
    )


FEATURES = ["meta__age", "abcd__area", "cnn__score"]


def _folds(table, y):
    return grouped_folds(y, pd.factorize(table["patient_id"])[0])[:, None]


def test_a_clean_table_is_clean(table, y):
    assert find_split_groups(table, _folds(table, y), where="folds", given=True) == []
    assert find_target_leaks(table, y, FEATURES) == []
    assert find_suspicious_columns(table, y, FEATURES) == []
    assert find_named_leaks(FEATURES) == []
    assert find_constant_columns(table, FEATURES) == []
    assert treat_in_sample_scores(table, "blank") == (table, [])


@pytest.mark.parametrize(("given", "severity"), [(True, Severity.REFUSE), (False, Severity.WARN)])
def test_a_patient_in_two_folds_is_named(table, y, given, severity):
    folds = _folds(table, y)
    folds[0] = (folds[0] + 1) % 5
    (finding,) = find_split_groups(table, folds, where="folds", given=given)
    assert (finding.kind, finding.severity, finding.rows) == ("patient", severity, ("P0",))
    assert "1 patient is in several folds, with 2 images" in finding.words


def test_copies_and_near_duplicates_are_named_in_pairs(table, y):
    copies = pd.Series(np.nan, index=table.index)
    copies[[0, 10, 20]] = 1.0
    folds = np.arange(200)[:, None] % 5
    folds[20] = 1
    rows = table[["image_id"]].assign(duplicate_cluster=copies, near_duplicate=copies)
    known, alike = find_split_groups(rows, folds, where="parts", given=True)
    assert known.rows == alike.rows == ("I0 = I10 = I20",)
    assert (known.severity, alike.severity) == (Severity.REFUSE, Severity.WARN)


def test_every_draw_of_folds_is_looked_at(table, y):
    folds = np.column_stack([_folds(table, y), np.arange(200) % 2])
    (finding,) = find_split_groups(table, folds, where="folds", given=True)
    assert len(finding.rows) == 100


@pytest.mark.parametrize(
    ("name", "make", "severity"),
    [
        ("meta__code", lambda y, rng: y + rng.normal(0, 1e-3, 200), Severity.REFUSE),
        ("meta__code", lambda y, rng: -1.0 * y, Severity.REFUSE),
        ("meta__code", lambda y, rng: np.where(y == 1, "biopsy", "none"), Severity.REFUSE),
        # To have a value says it all, whatever the value.
        ("meta__code", lambda y, rng: np.where(y == 1, rng.random(200), np.nan), Severity.REFUSE),
        ("cnn__other", lambda y, rng: y + rng.normal(0, 0.1, 200), Severity.REFUSE),
        ("abcd__code", lambda y, rng: y + rng.normal(0, 0.1, 200), Severity.WARN),
        ("cnn__score", lambda y, rng: y + rng.normal(0, 0.1, 200), Severity.WARN),
    ],
)
def test_a_target_leak_is_reported(table, y, rng, name, make, severity):
    table[name] = make(y, rng)
    (finding,) = find_target_leaks(table, y, list(dict.fromkeys([*FEATURES, name])))
    assert (finding.columns, finding.severity) == ((name,), severity)


def test_chance_is_no_answer(rng):
    # Two positives among six: one column in fifteen ranks them first.
    y = np.array([1, 1, 0, 0, 0, 0])
    table = pd.DataFrame(rng.random((6, 500)), columns=[f"emb__{k}" for k in range(500)])
    assert find_target_leaks(table, y, list(table)) == []


def test_words_with_a_meaning_for_each_row_are_no_answer(table, y):
    table["meta__note"] = [f"note {k}" for k in range(200)]
    assert find_target_leaks(table, y, ["meta__note"]) == []


def _mostly(y, rng, right=0.95):
    """The target with some labels turned."""
    return np.where(rng.random(len(y)) < right, y, 1 - y)


@pytest.mark.parametrize(
    ("make", "by_missing"),
    [
        # A lesion that was biopsied, as a number, a truth value, a word, a category.
        (lambda y, rng: _mostly(y, rng), False),
        (lambda y, rng: -1.0 * _mostly(y, rng), False),
        (lambda y, rng: _mostly(y, rng) == 1, False),
        (lambda y, rng: np.where(_mostly(y, rng), "yes", "no"), False),
        (lambda y, rng: pd.Categorical(np.where(_mostly(y, rng), "excised", "seen")), False),
        # Codes whose order says nothing, and words of many kinds.
        (lambda y, rng: np.where(_mostly(y, rng), 4, rng.integers(1, 8, len(y)) * 2), False),
        (lambda y, rng: [f"{'AB'[v]}{rng.integers(15)}" for v in _mostly(y, rng)], False),
        # Dates, as such and as text: melanomas were seen early.
        (lambda y, rng: pd.Timestamp("2020-01-01") + _days(y, rng), False),
        (lambda y, rng: (pd.Timestamp("2020-01-01") + _days(y, rng)).strftime("%d.%m.%Y"), False),
        (lambda y, rng: [f"{v:.2f}" for v in rng.normal(2.2 * y, 1)], False),
        # Known of most melanomas and of few others, whatever the value.
        (lambda y, rng: np.where(_mostly(y, rng), rng.random(len(y)), np.nan), True),
        (lambda y, rng: [None if v else "x" for v in _mostly(y, rng)], True),
    ],
)
def test_a_column_that_ranks_too_well_is_named(table, y, rng, make, by_missing):
    table["meta__biopsied"] = make(y, rng)
    names = [*FEATURES, "meta__biopsied"]
    assert find_target_leaks(table, y, names) == []
    (finding,) = find_suspicious_columns(table, y, names)
    assert (finding.severity, finding.columns) == (Severity.WARN, ("meta__biopsied",))
    assert finding.words.startswith("missingness of 1" if by_missing else "1 column separates")


def _days(y, rng):
    return pd.to_timedelta(rng.normal(500, 100, len(y)) - 250 * y, unit="D")


def test_a_column_far_above_the_rest_is_named_unless_the_rest_explains_it(table, y, rng):
    table["meta__itch"] = rng.normal(1.45 * y, 1)
    names = [*FEATURES, "meta__itch"]
    auc = rank_by_column(table["meta__itch"], y, codes=False)[0].auc
    assert 0.82 < auc < 0.88
    (finding,) = find_suspicious_columns(table.assign(meta__age=rng.random(200)), y, names)
    assert finding.columns == ("meta__itch",)
    # Of two such columns neither excuses the other; a measurement that ranks as well does.
    table["meta__grew"] = table["meta__itch"] + rng.normal(0, 0.2, 200)
    (finding,) = find_suspicious_columns(
        table.drop(columns="meta__age"), y, [*names[1:], "meta__grew"]
    )
    assert finding.columns == ("meta__itch", "meta__grew")
    table["abcd__area"] = rng.normal(1.45 * y, 1)
    assert find_suspicious_columns(table, y, names) == []


def test_own_measurements_and_age_may_rank_well(table, y, rng):
    table = table.assign(
        abcd__area=rng.normal(2.2 * y, 1),
        cnn__score=rng.normal(2.5 * y, 1),
        meta__age=50 + 15 * rng.normal(1.3 * y, 1),
    )
    assert find_suspicious_columns(table, y, FEATURES) == []


@pytest.mark.parametrize("n_positive", [2, 3, 5, 10])
def test_few_positives_raise_no_false_alarm(n_positive):
    alarms = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        y = rng.permutation(np.arange(150) < n_positive).astype(int)
        table = pd.DataFrame(rng.random((150, 30)), columns=[f"meta__{k}" for k in range(30)])
        table["meta__word"] = rng.choice([*"ABCDEFGH"], 150)
        table["meta__name"] = [f"name {k // 2}" for k in range(150)]
        alarms += bool(find_suspicious_columns(table, y, list(table)))
    assert alarms == 0


def test_patients_of_one_label_do_not_make_their_names_suspicious(rng):
    y, patient = np.repeat(rng.integers(0, 2, 60), 5), np.repeat(np.arange(60), 5)
    table = pd.DataFrame({"meta__clinic": [f"clinic {k}" for k in patient]})
    assert find_suspicious_columns(table, y, ["meta__clinic"], patient) == []
    assert len(find_suspicious_columns(table, y, ["meta__clinic"])) == 1


def test_metadata_of_the_sample_are_clean():
    sample = Path(__file__).parents[2] / "data" / "sample" / "metadata.csv"
    _assert_clean(sample)


@pytest.mark.real
def test_metadata_of_isic_2020_are_clean(real_data):
    _assert_clean(real_data / "isic2020" / "train.csv")


def _assert_clean(path):
    from hybridlesion.featurizer import encode_metadata
    from hybridlesion.metadata import read_records

    records = read_records([path]).frame
    table, y = encode_metadata(records), records["target"].to_numpy(dtype=int)
    assert (
        find_suspicious_columns(table, y, list(table), pd.factorize(records["patient_id"])[0]) == []
    )


def test_columns_are_known_by_name():
    void, facts = find_named_leaks(
        ["meta__mel_thick_mm", "meta__tbp_lv_A", "meta__file_size", "cnn__mel", "meta__age"]
    )
    assert (void.severity, void.columns) == (Severity.REFUSE, ("meta__mel_thick_mm",))
    assert (facts.severity, facts.columns) == (Severity.WARN, ("meta__file_size",))


def test_constant_columns_are_named(table, y):
    table = table.assign(meta__one=1.0, meta__none=np.nan)
    (finding,) = find_constant_columns(table, [*FEATURES, "meta__one", "meta__none"])
    assert finding.columns == ("meta__one", "meta__none")
    assert "2 columns hold the same value in every row: kept, with weight 0" in finding.words


def test_acquisition_facts_come_from_tables_patients_and_files(table, tmp_path):
    from hybridlesion.io import write_image

    write_image(tmp_path / "a.png", np.zeros((8, 12, 3), np.uint8))
    facts_file = pd.DataFrame(
        {"image_name": table["image_id"] + ".jpg", "attribution": "A", "fold": 1, "pixels": 5.0}
    )
    facts_file.loc[:50, ["attribution", "pixels"]] = "B", 7.0
    facts_file.to_csv(tmp_path / "facts.csv", index=False)
    table = table.assign(path=None)
    table.loc[0, ["path", "patient_id"]] = str(tmp_path / "a.png"), "P1"
    facts = acquisition_facts(table, [tmp_path / "facts.csv"], ["attribution", "fold", "pixels"])
    assert set(facts) == {
        *("attribution", "pixels", "images of the patient", "file size", "width", "height")
    }
    first = facts.loc[0]
    assert (first["attribution"], first["pixels"], first["images of the patient"]) == ("B", 7.0, 3)
    assert (first["width"], first["height"]) == (12, 8)
    assert np.isnan(facts.loc[1, "width"])


def test_predictive_acquisition_facts_warn_and_others_are_noted(table, y, rng):
    groups, folds = pd.factorize(table["patient_id"])[0], _folds(table, y)[:, 0]
    told = pd.DataFrame({"width": np.where(rng.random(200) < 0.3 + 0.6 * y, 6000, 1024)})
    (finding,) = find_acquisition_leaks(told, y, groups, folds)
    assert finding.severity == Severity.WARN
    assert finding.columns == ("width",)
    assert 0.6 < float(finding.words.split("AUC of ")[1][:5]) < 0.95
    (finding,) = find_acquisition_leaks(pd.DataFrame({"width": rng.random(200)}), y, groups, folds)
    assert (finding.severity, "predict little" in finding.words) == (Severity.NOTE, True)
    assert find_acquisition_leaks(pd.DataFrame(index=table.index), y, groups, folds) == []


@pytest.mark.parametrize(
    ("treatment", "severity", "n_rows", "n_scores"),
    [
        ("blank", Severity.NOTE, 200, 197),
        ("drop", Severity.NOTE, 197, 197),
        ("keep", Severity.WARN, 200, 200),
    ],
)
def test_rows_that_the_network_learned_from(table, treatment, severity, n_rows, n_scores):
    table.loc[:2, "qa__cnn_seen"], table.loc[3:9, "qa__cnn_seen"] = 2.0, 1.0
    kept, (out_of_fold, in_sample) = treat_in_sample_scores(table, treatment)
    assert (len(kept), kept["cnn__score"].notna().sum()) == (n_rows, n_scores)
    assert "7 rows of 200 were used to train" in out_of_fold.words
    assert (in_sample.severity, in_sample.rows) == (severity, ("I0", "I1", "I2"))


def test_scores_of_unknown_origin_are_noted(table):
    _, (finding,) = treat_in_sample_scores(table.assign(cnn__mine=0.5), "blank")
    assert (finding.severity, finding.columns) == (Severity.NOTE, ("cnn__mine",))


def test_an_audit_is_told_kept_and_refused(tmp_path):
    audit = LeakAudit(
        40,
        ("patient", "column"),
        (
            Finding("column", Severity.NOTE, "fine", columns=("meta__x\ny",)),
            Finding("patient", Severity.REFUSE, "bad", rows=tuple(f"P{k}" for k in range(8))),
        ),
    )
    assert audit.lines() == [
        "leak audit of 40 rows (patient, column): 1 to refuse, 1 note",
        "  refuse, patient: bad (P0, P1, P2, P3, P4, P5 and 2 more).",
        "  note, column: fine (meta__x y).",
    ]
    audit.write(tmp_path / "a.json")
    told = json.loads((tmp_path / "a.json").read_text())
    assert told["findings"][1]["rows"] == [f"P{k}" for k in range(8)]
    assert "P0" not in json.dumps(audit.facts())
    with pytest.raises(TableError, match=r"`allow_leaks`:\n  - patient: bad \(P0"):
        audit.refuse()
    LeakAudit(40, ("patient",), audit.findings[:1]).refuse()
    assert LeakAudit(4, ("x",), ()).lines() == ["leak audit of 4 rows (x): nothing found"]


def test_a_value_that_the_images_of_one_lesion_share_is_no_answer():
    lesions = np.repeat(np.arange(24), 2)
    y = (lesions % 3 == 0).astype(int)
    table = pd.DataFrame({"meta__age": 40.0 + lesions})
    assert not find_target_leaks(table, y, ["meta__age"], lesions)
    assert find_target_leaks(table, y, ["meta__age"])  # as codes of rows that were each their own


def test_all_scores_of_a_row_are_blanked(table):
    table = table.assign(cnn__melanoma=0.2, cnn__p_mel=0.2, cnn__mine=0.7)
    table.loc[:2, "qa__cnn_seen"] = 2.0
    kept, findings = treat_in_sample_scores(table, "blank")
    scores = kept[["cnn__score", "cnn__melanoma", "cnn__p_mel"]]
    assert scores.isna().all(axis=1).tolist() == [True] * 3 + [False] * 197
    assert kept["cnn__mine"].notna().all()
    assert findings[0].columns == ("cnn__mine",)
