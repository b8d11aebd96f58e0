"""Table 1 and the flow of images, counted by hand; sources left out, and of scored lesions."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import OptionError
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.persistence import save_artifact
from hybridlesion.reporting import report_scores, write_page
from hybridlesion.reporting.html._populations import (
    describe_flow,
    describe_participants,
    describe_transport,
)
from hybridlesion.reporting.html._report_data import ReportData, collect_report_data

_NAMES = ("auc", "sensitivity", "specificity")
_CALIBRATION = ("calibration_in_the_large", "calibration_slope")


def _source(name, auc, home, n_malignant=30):
    values = dict.fromkeys(_NAMES, auc) | dict.fromkeys(_CALIBRATION, 2 * auc)
    ends = {f"{one}{end}": v + by for one, v in values.items() for end, by in _ENDS.items()}
    ends |= {"home_auc": home, "n": 1200, "n_malignant": n_malignant, "source": name}
    return ends


_ENDS = {"": 0.0, "_low": -0.05, "_high": 0.05}


@pytest.fixture
def manifest():
    row = {"n_sources": 3, "value": 0.8, "low": 0.7, "high": 0.9, "new_low": 0.6, "new_high": 0.95}
    summary = [row | {"metric": name} for name in _NAMES]
    gains = [
        {"source": "Graz", "without": "CNN", "difference": 0.1, "low": 0.05, "high": 0.15},
        {"source": "Graz", "without": "metadata", "difference": 0.0, "low": -0.1, "high": 0.1},
        {"source": "Lyon", "without": "CNN", "difference": 0.01, "low": None, "high": None},
        {"source": "Oslo", "without": "CNN", "difference": None, "low": None, "high": None},
    ]
    few = dict.fromkeys(_source("", 0.5, 0.5)) | {"source": "Oslo", "n": 9, "n_malignant": 1}
    table = [_source("Graz", 0.9, 0.92), _source("Lyon", 0.7, 0.8), few]
    facts = {"column": "clinic", "table": table, "summary": summary, "gains": gains}
    return {"training": {"sources": facts | {"new_source": ["Expect less."], "notes": []}}}


def _lay_out(manifest, *, left_out=True):
    return describe_transport(manifest["training"]["sources"], left_out=left_out)


def test_sources_mean_and_new_source_stand_on_one_axis(manifest):
    found = _lay_out(manifest)
    assert [row.name for row in found["rows"]] == [
        *("Graz", "Lyon", "Oslo"),
        *("Mean of sources", "New source"),
    ]
    graz, lyon, oslo, mean, new = found["rows"]
    assert graz.counts == "1,200 lesions, 30 malignant"
    assert lyon.places[0] < mean.places[0] < graz.places[0]
    assert new.places[1] < mean.places[1] < mean.places[2] < new.places[2] < found["width"]
    assert lyon.home > lyon.places[0]
    assert (oslo.places, oslo.home, oslo.cells[0]) == (None, None, ("too few", ""))
    assert new.cells[0] == ("0.60 to 0.95", "")
    assert graz.cells[3:] == (("1.80", "1.75 to 1.85"), ("1.80", "1.75 to 1.85"))
    assert mean.cells[3:] == (("too few", ""), ("too few", ""))
    assert found["ticks"][0][1] == "0.6"
    assert found["ticks"][-1][1] == "1.0"


def test_the_axis_shows_the_whole_interval_of_the_mean(manifest):
    facts = manifest["training"]["sources"]
    facts["summary"] = [row | {"low": 0.2, "new_low": None} for row in facts["summary"]]
    *_, mean = _lay_out(manifest)["rows"]
    assert mean.name == "Mean of sources"
    value, low, _ = mean.places
    assert _lay_out(manifest)["ticks"][0][1] == "0.2"
    assert low == _lay_out(manifest)["ticks"][0][0] < value


def test_words_compare_home_and_abroad(manifest):
    first, second, third = _lay_out(manifest)["words"]
    assert "the AUC is 0.70 (Lyon) to 0.90 (Graz), on average 0.06 less than" in first
    assert second == "At the threshold of the other sources, the lowest sensitivity is 0.70 (Lyon)."
    assert third == "Expect less."


def test_a_single_source_has_no_range_and_no_mean(manifest, rng, tmp_path):
    facts = manifest["training"]["sources"]
    facts["table"] = [facts["table"][0], facts["table"][2]]
    facts["summary"] = [
        row | dict.fromkeys(("low", "high", "new_low", "new_high")) for row in facts["summary"]
    ]
    auc, sensitivity, *_ = _lay_out(manifest, left_out=False)["words"]
    assert auc == "The AUC is 0.90 (Graz)."
    assert sensitivity == "At the threshold, the sensitivity is 0.90 (Graz)."
    border = pd.DataFrame({"abcd__border": np.arange(80) % 2 + rng.normal(0, 1, 80)})
    model = HybridLesionClassifier(n_splits=2).fit(border, np.arange(80) % 2)
    save_artifact(tmp_path / "one.joblib", model, training=manifest["training"])
    write_page(tmp_path / "one.joblib", tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "trained on other lesions of the source.</p>" in page
    assert "diamond" not in page


def test_words_on_scored_lesions(manifest):
    auc, sensitivity, ratio, new = _lay_out(manifest, left_out=False)["words"]
    assert auc == "The AUC is 0.70 (Lyon) to 0.90 (Graz)."
    assert sensitivity == "At the threshold, the lowest sensitivity is 0.70 (Lyon)."
    assert ratio == "Observed over expected malignant lesions are 1.40 (Lyon) to 1.80 (Graz)."
    assert new == "Expect less."


def test_sources_of_few_lesions_have_no_values(manifest):
    facts = manifest["training"]["sources"]
    facts |= {"table": facts["table"][2:], "summary": [], "gains": []}
    for left_out in (True, False):
        found = describe_transport(facts, left_out=left_out)
        assert found["words"] == ["Expect less."]
        assert [row.cells[0] for row in found["rows"]] == [("too few", "")]


def test_gains_by_source_and_family(manifest):
    found = _lay_out(manifest)
    assert found["families"] == ["CNN", "metadata"]
    assert found["gains"] == [
        ("Graz", [("+0.100", "+0.050 to +0.150", True), ("+0.000", "-0.100 to +0.100", False)]),
        ("Lyon", [("+0.010", "", False), ("", "", False)]),
        ("Oslo", [("", "", False), ("", "", False)]),
    ]


def test_without_intervals_the_values_are_still_shown(manifest):
    facts = manifest["training"]["sources"] | {"summary": [], "gains": []}
    facts["table"] = [row | {"auc_low": None, "auc_high": None} for row in facts["table"]]
    found = describe_transport(facts, left_out=True)
    assert [row.name for row in found["rows"]] == ["Graz", "Lyon", "Oslo"]
    assert found["rows"][0].cells[0] == ("0.90", "")
    assert found["rows"][0].places[0] == found["rows"][0].places[1]


def test_the_page_has_the_section_where_the_model_knows_sources(manifest, rng, tmp_path):
    y = np.arange(80) % 2
    border = pd.DataFrame({"abcd__border": y + rng.normal(0, 1, 80)})
    model = HybridLesionClassifier(n_splits=2).fit(border, y)
    manifest["training"]["sources"]["table"][0]["source"] = "<b>Graz</b>"
    for name, facts in (("plain", {}), ("sources", manifest["training"])):
        save_artifact(tmp_path / f"{name}.joblib", model, training=facts)
        write_page(tmp_path / f"{name}.joblib", tmp_path / name)
    plain, page = (
        (tmp_path / name / "report.html").read_text(encoding="utf-8")
        for name in ("plain", "sources")
    )
    assert "transport" not in plain
    assert '<a href="#transport">How it travels</a>' in page
    section = re.search(r'<section id="transport".*?</section>', page, flags=re.DOTALL)[0]
    assert "&lt;b&gt;Graz&lt;/b&gt;" in section
    assert "<b>Graz" not in page
    assert section.count("<circle") == 4
    assert "<b>+0.100</b>" in section


def test_scored_lesions_by_source(files, tmp_path):
    truth = pd.read_csv(files.truth)
    hospitals = pd.DataFrame({"image_id": truth["image_id"]})
    hospitals["hospital"] = np.resize(["Graz", "Graz", "Lyon", "Lyon", "Oslo", "Oslo"], len(truth))
    hospitals.to_csv(tmp_path / "hospitals.csv", index=False)
    tables = {"scores": files.scores, "truth": [files.truth, tmp_path / "hospitals.csv"]}
    write_page(files.model, tmp_path / "page", **tables, source="hospital", n_cases=1, n_sheets=0)
    page = (tmp_path / "page" / "report.html").read_text(encoding="utf-8")
    section = re.search(r'<section id="transport".*?</section>', page, flags=re.DOTALL)[0]
    rows = re.findall(r'<th scope="row"[^>]*>([^<]*)', section)
    assert [row.strip() for row in rows] == [
        "Graz",
        "Lyon",
        "Oslo",
        "Mean of sources",
        "New source",
    ]
    out = report_scores(*tables.values(), tmp_path / "evaluation", source="hospital", n_bootstrap=0)
    graz = out.subgroups.query("group == 'Graz'").iloc[0]
    assert f"{graz['n']} lesions, {graz['n_malignant']} malignant" in section
    assert f'<td class="number">{graz["sensitivity"]:.2f}' in section
    assert f'<td class="number">{graz["calibration_in_the_large"]:.2f}' in section
    assert "left out" not in section


def test_sources_need_the_truth(files, tmp_path):
    with pytest.raises(OptionError, match="`source` needs `scores` and `truth`"):
        write_page(files.model, tmp_path, scores=files.scores, source="hospital")


def test_table_1_by_hand():
    cases = pd.DataFrame(
        {
            "target": [1, 0, 0, 0],
            "patient_id": ["a", "a", "b", None],
            "age": [70.0, 30.0, 50.0, None],
            "sex": ["female", "female", "male", None],
            "site": [None] * 4,
        }
    )
    number, age, sex = describe_participants(cases)
    assert number[1] == [("Lesions", ("4", "1", "3")), ("Patients", ("2", "1", "2"))]
    assert age[1][0] == (
        "Median (quartiles)", ("50 (40 to 60)", "70 (70 to 70)", "40 (35 to 45)")
    )  # fmt: skip
    assert dict(sex[1]) == {
        "female": ("2 (50 %)", "1 (100 %)", "1 (33 %)"),
        "male": ("1 (25 %)", "0", "1 (33 %)"),
        "Unknown": ("1 (25 %)", "0", "1 (33 %)"),
    }


def test_rare_diagnoses_are_counted_together():
    names = [f"d{number:02d}" for number in range(14)] + ["d00"]
    cases = pd.DataFrame({"target": [1] + [0] * 14, "diagnosis": names})
    rows = dict(describe_participants(cases)[-1][1])
    assert len(rows) == 13
    assert rows["d00"] == ("2 (13 %)", "1 (100 %)", "1 (7 %)")
    assert rows["2 others"] == ("2 (13 %)", "0", "2 (14 %)")


def _data(training, **options):
    keys = ("featurizer", "classifier", "of_cases", "threshold", "rule", "cases")
    known = dict.fromkeys(keys) | {"evaluations": (), "out_of_fold": False, "notes": ()}
    known |= {"comparisons": (), "n_scored": 0, "n_failed": 0}
    return ReportData(name="m", manifest={"training": training}, **known | options)


def test_flow_by_hand():
    facts = {"flow": {"rows of the tables": 10, "used for the model": 7}, "n_failed": 2}
    (development, steps), (scoring, scored) = describe_flow(
        _data(facts, cases=pd.DataFrame(index=range(5)), n_scored=5, n_failed=1)
    )
    assert (development, scoring) == ("Development of the model", "Scoring")
    assert steps == [
        (12, "rows and failed photographs", ""),
        (10, "rows of the tables", "2 images left out"),
        (7, "used for the model", "3 images left out"),
    ]
    assert scored == [(6, "images to score", ""), (5, "scored", "1 image left out")]
    assert describe_flow(_data({})) == []


def test_flow_starts_with_the_rows_on_which_the_model_abstained(files, tmp_path):
    scores = pd.read_csv(files.scores).assign(abstain=0.1, applicability_reason="")
    scores.loc[:6, ["score", "applicability_reason"]] = [None, "a macro photograph"]
    scores.to_csv(tmp_path / "scores.csv", index=False)
    data = collect_report_data(files.model, tmp_path / "scores.csv", (), (), {})
    n = len(scores)
    assert describe_flow(data)[-1] == (
        "Scoring",
        [(n, "images to score", ""), (n - 7, "scored", "7 images left out")],
    )


def test_scores_of_another_threshold_are_told(files, tmp_path):
    scores = pd.read_csv(files.scores)
    for change, told in ({}, False), ({"threshold": 0.77}, True):
        scores.assign(**change).to_csv(tmp_path / "scores.csv", index=False)
        data = collect_report_data(files.model, tmp_path / "scores.csv", (), (), {})
        notes = [note for note in data.notes if "are these scores of another model?" in note]
        assert bool(notes) is told
