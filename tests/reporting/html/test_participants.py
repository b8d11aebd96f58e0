"""Table 1 and the flow of images, counted by hand."""

from __future__ import annotations

import pandas as pd

from hybridlesion.reporting.html._participants import Step, describe_flow, describe_participants
from hybridlesion.reporting.html._report_data import ReportData


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
        Step(12, "rows and failed photographs", ""),
        Step(10, "rows of the tables", "2 images left out"),
        Step(7, "used for the model", "3 images left out"),
    ]
    assert scored == [Step(6, "images to score", ""), Step(5, "scored", "1 image left out")]
    assert describe_flow(_data({})) == []
