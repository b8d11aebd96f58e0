"""Scores joined to the truth, measured and written."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.reporting import report_scores


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    n = 60
    truth = pd.DataFrame(
        {
            "image_name": [f"SYN_{row}" for row in range(n)],
            "patient_id": [f"P{row // 2}" for row in range(n)],
            "sex": "male",
            "age_approx": 50.0,
            "anatom_site_general_challenge": "torso",
            "target": (np.arange(n) % 4 == 0).astype(int),
        }
    )
    scores = pd.DataFrame(
        {
            "image_id": truth["image_name"],
            "score": np.clip(0.2 + 0.3 * truth["target"] + rng.normal(0, 0.1, n), 0, 1),
            "threshold": 0.35,
        }
    )
    truth.to_csv(tmp_path / "truth.csv", index=False)
    scores.to_csv(tmp_path / "scores.csv", index=False)
    return tmp_path


@pytest.fixture
def figures():
    """Ask for the figures, which most tests can do without."""


@pytest.fixture(autouse=True)
def _figures_where_asked(request, monkeypatch):
    if "figures" not in request.fixturenames:
        monkeypatch.setattr("hybridlesion.reporting._score_report.draw_figures", lambda *_: None)


def _report(folder, **options):
    return report_scores(
        folder / "scores.csv", [folder / "truth.csv"], folder / "out", n_bootstrap=50, **options
    )


def _change(folder, name, change):
    table = pd.read_csv(folder / name)
    change(table).to_csv(folder / name, index=False)


@pytest.mark.usefixtures("figures")
def test_files_agree_with_the_answer(folder):
    report = _report(folder)
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "decision_curve.png",
        "metrics.csv",
        "metrics.json",
        "metrics.png",
        "operating_points.csv",
        "reliability.png",
        "subgroups.csv",
        "subgroups.png",
    ]
    assert [path.name for path in report.paths[:3]] == [
        "metrics.csv",
        "metrics.json",
        "metrics.png",
    ]
    stored = pd.read_csv(folder / "out" / "metrics.csv")
    pd.testing.assert_frame_equal(stored, report.metrics, check_dtype=False)
    content = json.loads((folder / "out" / "metrics.json").read_text())
    values = report.metrics.set_index("metric")["value"]
    assert content["metrics"]["auc"]["value"] == pytest.approx(values["auc"])
    assert content["threshold"] == report.threshold == 0.35
    assert content == json.loads(json.dumps(report.content))
    assert (content["unit"], content["comparison"]) == ("patients", None)
    error = content["metrics"]["calibration_error"]
    assert error["low"] <= error["value"] <= error["high"]
    for name in ("subgroups", "operating_points"):
        table = pd.read_csv(folder / "out" / f"{name}.csv", keep_default_na=False)
        assert len(table) == len(content[name]) > 1
        assert list(table) == list(content[name][0])


def test_auc_is_scikit_learns(folder):
    from sklearn.metrics import roc_auc_score

    truth, scores = pd.read_csv(folder / "truth.csv"), pd.read_csv(folder / "scores.csv")
    values = _report(folder).metrics.set_index("metric")["value"]
    assert values["auc"] == pytest.approx(roc_auc_score(truth["target"], scores["score"]))


def test_a_named_threshold_wins(folder):
    report = _report(folder, threshold=0.2)
    assert (report.threshold, report.threshold_rule) == (0.2, None)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"threshold_rule": "for 90 % sensitivity"}, "for 90 % sensitivity"),
        ({"threshold_rule": "\x1b[2J" + "x" * 99}, "\\x1b[2J" + "x" * 53),
        ({"threshold_rule": [f"{k}" for k in range(60)]}, "of the scores"),
        ({}, "of the scores"),
        (
            {"threshold": np.nan, "threshold_rule": "for 90 % sensitivity"},
            "for the highest F1 here",
        ),
    ],
)
def test_how_a_threshold_was_chosen_is_said(folder, change, rule):
    _change(folder, "scores.csv", lambda t: t.assign(**change))
    report = _report(folder)
    assert report.threshold_rule == report.content["threshold_rule"] == rule


def test_ids_are_matched_whatever_their_names(folder):
    _change(folder, "scores.csv", lambda t: t.rename(columns={"image_id": "isic_id"}))
    _change(folder, "truth.csv", lambda t: t.assign(image_name=t["image_name"] + ".jpg"))
    assert len(_report(folder).cases) == 60


def test_scores_without_truth_are_counted(folder):
    _change(folder, "truth.csv", lambda t: t.iloc[:40])
    report = _report(folder)
    assert len(report.cases) == 40
    assert any("20 scored images are not in the truth" in text for text in report.warnings)


def test_truth_without_scores_is_counted(folder):
    assert not any("have no score" in text for text in _report(folder).warnings)
    _change(folder, "scores.csv", lambda t: t.iloc[3:50])
    (note,) = [text for text in _report(folder).warnings if "have no score" in text]
    assert note.startswith("13 of 60 images of the truth (3 malignant) have no score")


def test_lesions_without_a_patient_are_told(folder):
    _change(folder, "truth.csv", lambda t: t.assign(patient_id=t["patient_id"].mask(t.index < 7)))
    notes = _report(folder).warnings
    assert "7 of 60 rows have no patient_id; each of them counts as a separate patient." in notes


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("scores.csv", lambda t: t.drop(columns="score"), "a column named score"),
        ("scores.csv", lambda t: t.assign(score=t["score"] * 100), "Divide percentages by 100"),
        ("scores.csv", lambda t: t.assign(score="high"), r"60 scores .* not numbers .*'high'"),
        ("scores.csv", lambda t: t.assign(score=t["score"].where(t.index > 1)), r"lines 2, 3;"),
        (
            "scores.csv",
            lambda t: t.assign(image_id=t["image_id"].where(t.index > 6)),
            r"7 rows have no image_id \(lines 2, 3, 4, 5, 6, 7, 8\)",
        ),
        ("scores.csv", lambda t: pd.concat([t, t.head(2)]), "2 image ids occur more than once"),
        (
            "scores.csv",
            lambda t: t.assign(image_id="other" + t["image_id"]),
            r"no scored image is in the truth. Is this the right table\?.* 60 ids would match if "
            "all characters but digits were ignored, e.g. other",
        ),
        ("truth.csv", lambda t: t.drop(columns="target"), "has no column of targets"),
        ("truth.csv", lambda t: t.assign(target=0), r"target 0 \(benign\).*both classes"),
    ],
)
def test_refusals(folder, name, change, reason):
    _change(folder, name, change)
    with pytest.raises(TableError, match=reason):
        _report(folder)
    assert not (folder / "out").exists()


def test_patients_of_the_scores_stand_in_for_those_the_truth_lacks(folder):
    patients = pd.read_csv(folder / "truth.csv")["patient_id"]
    _change(folder, "scores.csv", lambda t: t.assign(patient_id=patients, lesion_id="L" + patients))
    _change(folder, "truth.csv", lambda t: t[["image_name", "target"]])
    report = _report(folder)
    assert report.metrics.set_index("metric").loc["n_groups", "value"] == 30
    assert not any("no patient_id" in text for text in report.warnings)
    assert {"patient_id", "lesion_id"} <= set(report.cases)


def test_patients_of_the_truth_win_where_it_has_them(folder):
    _change(folder, "scores.csv", lambda t: t.assign(patient_id="one for all"))
    assert _report(folder).metrics.set_index("metric").loc["n_groups", "value"] == 30
    blank = pd.Series(np.arange(60) < 10)
    _change(folder, "truth.csv", lambda t: t.assign(patient_id=t["patient_id"].mask(blank)))
    # The first five patients became the one that the scores know.
    assert _report(folder).metrics.set_index("metric").loc["n_groups", "value"] == 26


@pytest.mark.parametrize(("column", "unit"), [(None, "images"), ("lesion_id", "lesions")])
def test_without_patients_the_unit_is_told(folder, column, unit):
    _change(folder, "truth.csv", lambda t: t.drop(columns="patient_id"))
    if column:
        _change(folder, "scores.csv", lambda t: t.assign(**{column: t["image_id"].str[:5]}))
    notes = _report(folder).warnings
    assert any(f"no patient_id: intervals resample {unit}" in text for text in notes)


def test_few_patients_are_told(folder):
    assert not any("too few" in text for text in _report(folder).warnings)
    _change(folder, "scores.csv", lambda t: t.head(24))
    assert any("6 positives in 12 groups" in text for text in _report(folder).warnings)


@pytest.mark.parametrize(
    "change", [lambda t: t.assign(threshold=t["score"]), lambda t: t.assign(threshold=7)]
)
def test_a_threshold_that_is_none_is_told(folder, change):
    _change(folder, "scores.csv", change)
    report = _report(folder)
    assert report.threshold is None
    assert any("the threshold" in text for text in report.warnings)


def _write_rival(folder, change=lambda table: table):
    scores = pd.read_csv(folder / "scores.csv")
    noise = np.random.default_rng(1).normal(0, 0.3, len(scores))
    baseline = scores.assign(score=np.clip(scores["score"] + noise, 0, 1), threshold=0.4)
    change(baseline).to_csv(folder / "baseline.csv", index=False)


@pytest.mark.usefixtures("figures")
def test_two_scores_are_compared_on_the_same_patients(folder):
    _write_rival(folder)
    report = _report(folder, against=folder / "baseline.csv")
    assert [path.name for path in report.paths[-2:]] == ["comparison.csv", "comparison.png"]
    assert all(path.stat().st_size > 0 for path in report.paths)
    baseline = report_scores(
        folder / "baseline.csv", [folder / "truth.csv"], folder / "alone", n_bootstrap=0
    )
    stored = pd.read_csv(folder / "out" / "comparison.csv").set_index("metric")
    alone = baseline.metrics.set_index("metric")["value"]
    for metric in ("auc", "recall", "net_benefit"):
        assert stored.loc[metric, "against"] == pytest.approx(alone[metric])
    assert stored.loc["auc", "low"] > 0
    content = json.loads((folder / "out" / "metrics.json").read_text())
    assert (content["scores"], content["against"]) == ("scores.csv", "baseline.csv")
    assert content["comparison"]["auc"]["difference"] == pytest.approx(
        stored.loc["auc", "difference"]
    )


def test_images_without_the_other_score_are_left_out_of_the_comparison_alone(folder):
    _write_rival(folder, lambda table: table.iloc[10:])
    report = _report(folder, against=folder / "baseline.csv")
    assert len(report.cases) == 60
    assert any("10 images are not in `against`" in text for text in report.warnings)
    _write_rival(folder, lambda table: table.assign(image_id="other" + table["image_id"]))
    with pytest.raises(TableError, match="no image has both scores"):
        _report(folder, against=folder / "baseline.csv")
    _write_rival(folder, lambda table: table.iloc[1:4])
    with pytest.raises(TableError, match="all 3 images that have both scores"):
        _report(folder, against=folder / "baseline.csv")


def test_a_feature_table_among_the_truth_brings_skin_tones(folder):
    truth = pd.read_csv(folder / "truth.csv")
    features = pd.DataFrame(
        {
            "image_id": truth["image_name"],
            "abcd__skin_ita": np.where(np.arange(60) < 20, 60.0, 20.0),
            "qa__hair_share": 0.02,
        }
    )
    features.to_csv(folder / "features.csv", index=False)
    report = report_scores(
        folder / "scores.csv",
        [folder / "truth.csv", folder / "features.csv"],
        folder / "out",
        n_bootstrap=0,
    )
    groups = report.subgroups.groupby("attribute")["group"].apply(list).to_dict()
    assert groups["skin tone"] == ["tan", "very light"]
    assert groups["hair"] == ["1 to 5 %"]
    assert groups["sex"] == ["male"]
    assert report.subgroups.query("group == 'very light'")["n"].tolist() == [20]


def test_costs_choose_thresholds(folder):
    points = _report(folder, cost_ratio=4).operating_points.set_index("rule")
    assert points.loc["given", "threshold"] == 0.35
    assert points.loc["cost_formula", "threshold"] == pytest.approx(0.2)
    assert points.loc["cost_best", "at"] == 4


def test_sources_are_summarised_with_what_to_expect_at_a_new_one(folder):
    clinics = np.tile(["Graz", "Lyon", "Oslo"], 20)
    _change(folder, "truth.csv", lambda table: table.assign(hospital=clinics))
    report = _report(folder, source="hospital")
    rows = report.subgroups[report.subgroups["attribute"] == "source"]
    assert rows["group"].tolist() == ["Graz", "Lyon", "Oslo"]
    assert rows["n"].tolist() == [20, 20, 20]
    assert report.sources.set_index("metric").loc["auc", "n_sources"] == 3
    assert pd.read_csv(folder / "out" / "sources.csv").shape == report.sources.shape
    content = json.loads((folder / "out" / "metrics.json").read_text())
    assert content["sources"]["auc"]["new_low"] < content["sources"]["auc"]["low"]
    assert content["new_source"][0].startswith("At a new source")
    assert not any("out of fold" in note for note in report.warnings)


def test_sources_of_out_of_fold_scores_are_no_new_sources(folder):
    added = {"fold": np.arange(60) % 3, "source": np.tile(["Graz", "Lyon"], 30)}
    _change(folder, "scores.csv", lambda table: table.assign(**added))
    report = _report(folder, source="source")
    assert any(note.startswith("the scores are out of fold") for note in report.warnings)
    assert report.content["new_source"][0].startswith("2 sources")
    assert _report(folder).sources is None


def test_risk_curves_need_certainties_between_0_and_1(folder):
    scores = pd.read_csv(folder / "scores.csv")
    scores = scores.assign(applicability=np.linspace(0, 1, 60), confidence="high")
    scores.to_csv(folder / "scores.csv", index=False)
    report = report_scores(
        folder / "scores.csv", [folder / "truth.csv"], folder / "out", n_bootstrap=20
    )
    assert report.selective_risk["by"].unique().tolist() == ["applicability"]
    assert len(report.content["selective_risk"]) == len(report.selective_risk) == 11
    assert any("confidence is not between 0 and 1: ignored" in note for note in report.warnings)
