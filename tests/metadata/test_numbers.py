"""Numbers of German and other spreadsheets, missing ones among them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.metadata import read_records, read_table
from hybridlesion.reporting._score_table import read_scores


def write(folder, name, cells, *more):
    columns = [cells, *(column[1:] for column in more)]
    rows = [";".join(("image_id", name, *(m[0] for m in more)))]
    rows += [";".join((f"i{k}", *row)) for k, row in enumerate(zip(*columns, strict=True))]
    file = folder / "t.csv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["4,98E-05", "1,5", "-2e3"], [4.98e-05, 1.5, -2000]),
        (["1.234,5", "12,25", "7"], [1234.5, 12.25, 7]),
        (["1.234", "2,5", "1.000.000"], [1234, 2.5, 1e6]),
        (["1,234.5", "2,345", "0.5"], [1234.5, 2345, 0.5]),
        (["1 234,5", "1\u00a0000", "−3,5"], [1234.5, 1000, -3.5]),
        (["1'234.5", "2.25", "3"], [1234.5, 2.25, 3]),
        (["1.5", "2,5", "3"], [1.5, 2.5, 3]),
        (["0,123", "1,234", "5"], [0.123, 1.234, 5]),
        (["1,5", "k.A.", "keine Angabe"], [1.5, np.nan, np.nan]),
        (["1.5", "-", "s/d"], [1.5, np.nan, np.nan]),
        (["2", "#NV", "unbekannt"], [2, np.nan, np.nan]),
    ],
)
@pytest.mark.parametrize("name", ["tbp_lv_A", "clin_size_long_diam_mm", "ita"])
def test_numbers(tmp_path, name, cells, numbers):
    file = write(tmp_path, name, cells)
    np.testing.assert_allclose(read_table(file)[name], numbers)


def test_a_missing_number_is_told_with_its_row(tmp_path):
    file = write(tmp_path, "tbp_lv_A", ["1,5", "k.A.", "2"], ("age", "50", "60", "70"))
    records = read_records(file)
    assert "t.csv, row 3: tbp_lv_A 'k.A.' taken as missing" in records.warnings
    assert records.frame["tbp_lv_A"].isna().to_list() == [False, True, False]


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        (["1,5", "ca. 3", "2"], "row 3: tbp_lv_A 'ca. 3' is not a number"),
        (["1,5", "2.5", "1.234"], "row 4: tbp_lv_A '1.234' is one of two numbers"),
        (["1,23,4", "2,5", "1"], "row 2: tbp_lv_A '1,23,4' is not a number"),
    ],
)
def test_a_measurement_that_is_no_number_is_refused(tmp_path, cells, fault):
    file = write(tmp_path, "tbp_lv_A", cells, ("age", "50", "60", "70"))
    with pytest.raises(TableError, match=fault):
        read_records(file)
    with pytest.raises(TableError, match=fault):
        read_table(file)
    frame = pd.DataFrame({"image_id": list("abc"), "age": [1, 2, 3], "tbp_lv_A": cells})
    with pytest.raises(TableError, match="tbp_lv_A"):
        read_records(frame)


def test_words_stay_words(tmp_path):
    cells = ["Torso Back", "Left Leg", "unknown"]
    file = write(tmp_path, "tbp_lv_location", cells, ("note", "1", "see 2", "-"))
    frame = read_table(file)
    assert frame["tbp_lv_location"].to_list() == cells
    assert frame["note"].to_list() == ["1", "see 2", "-"]


def test_other_columns_settle_what_a_thousand_is(tmp_path):
    # A decimal comma in any column, an age as well.
    file = write(tmp_path, "tbp_lv_A", ["1.234", "2.500", "950"], ("ita", "1,5", "2,5", "3,5"))
    assert read_table(file)["tbp_lv_A"].to_list() == [1234, 2500, 950]
    told = read_records(file, columns={"age": "ita"}).warnings
    assert "tbp_lv_A: '1.234' is read as 1234" in " ".join(told)
    file = write(tmp_path, "tbp_lv_A", ["1.234", "2.500", "950"], ("ita", "1.5", "2.5", "3.5"))
    assert read_table(file)["tbp_lv_A"].to_list() == [1.234, 2.5, 950]


def test_numbers_of_a_frame(tmp_path):
    frame = pd.DataFrame(
        {"image_id": ["a", "b"], "age": [50, 60], "tbp_lv_A": ["4,5", "k.A."], "note": ["1", "2"]}
    )
    records = read_records(frame)
    np.testing.assert_allclose(records.frame["tbp_lv_A"], [4.5, np.nan])
    assert records.frame["note"].to_list() == ["1", "2"]


def test_score_files(tmp_path):
    file = write(tmp_path, "score", ["4,98E-05", "0,5", "1"])
    assert read_scores(file).frame["score"].to_list() == [4.98e-05, 0.5, 1.0]
    with pytest.raises(TableError, match="row 3: score 'high' is not a number"):
        read_scores(write(tmp_path, "score", ["0,1", "high", "1"]))
    with pytest.raises(TableError, match=r"1 scores are missing .*\(lines 3;"):
        read_scores(write(tmp_path, "score", ["0,1", "k.A.", "1"]))
