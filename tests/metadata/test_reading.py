"""Table files as they stand, and their numbers."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import SourceError, TableError
from hybridlesion.metadata import read_records, read_table
from hybridlesion.reporting._score_table import read_scores

CSV = "image_name,sex,age_approx,score\nISIC_1,male,45.0,0.5\nISIC_2,,,0.25\n"


@pytest.mark.parametrize(
    "content",
    [
        CSV.encode(),
        b"\xef\xbb\xbf" + CSV.encode(),
        CSV.encode("utf-16"),
        CSV.replace(",", ";").encode(),
        CSV.replace(",", "\t").encode(),
        b"\n\n" + CSV.encode(),
        b"sep=,\n" + CSV.encode(),
        b"\xef\xbb\xbfSEP=;\r\n" + CSV.replace(",", ";").encode(),
        ('"sep=\t"\n' + CSV.replace(",", "\t")).encode("utf-16"),
        b"sep=;;;;\n" + CSV.replace(",", ";").encode(),
        b"sep=|\n" + CSV.replace(",", "|").encode(),
        CSV.replace(",", "|").encode(),
    ],
    ids=[
        *("comma", "byte order mark", "utf-16", "semicolon", "tab", "blank lines first"),
        *("sep=", "SEP= after a mark", "sep= in quotes", "sep= filled up", "sep= of another kind"),
        "bar",
    ],
)
def test_every_text_form_gives_the_same_table(tmp_path, content):
    file = tmp_path / "train.csv"
    file.write_bytes(content)
    table = read_table(file)
    assert list(table.columns) == ["image_name", "sex", "age_approx", "score"]
    assert table["image_name"].to_list() == ["ISIC_1", "ISIC_2"]
    assert table["age_approx"].iloc[0] == "45.0"
    assert table["sex"].isna().to_list() == [False, True]
    assert table["score"].to_list() == [0.5, 0.25]


def test_gzip_and_parquet(tmp_path):
    (tmp_path / "train.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    pd.DataFrame({"image_name": ["ISIC_1"], "age_approx": [45.0]}).to_parquet(
        tmp_path / "train.parquet"
    )
    assert len(read_table(tmp_path / "train.csv.gz")) == 2
    assert read_table(tmp_path / "train.parquet")["age_approx"].to_list() == [45.0]


def test_decimal_comma_in_quotes_and_in_semicolon_files(tmp_path):
    (tmp_path / "quoted.csv").write_text('image_name,ita,note\nISIC_1,"43,86",a\nISIC_2,"-7",b\n')
    (tmp_path / "german.csv").write_text("image_name;ita;note\nISIC_1;43,86;a,b\nISIC_2;;c\n")
    assert read_table(tmp_path / "quoted.csv")["ita"].to_list() == [43.86, -7.0]
    german = read_table(tmp_path / "german.csv")
    assert german["ita"].iloc[0] == 43.86
    assert german["note"].to_list() == ["a,b", "c"]


def test_unquoted_decimal_comma_is_explained(tmp_path):
    (tmp_path / "ita.csv").write_text("image_name,ita\nISIC_1,43,86\nISIC_2,40,1\n")
    with pytest.raises(TableError, match="must be in quotes"):
        read_table(tmp_path / "ita.csv")


def test_ids_keep_their_zeros(tmp_path):
    (tmp_path / "t.csv").write_text("id,sex\n0017,male\n")
    (tmp_path / "named.csv").write_text("Bild,sex\n0017,male\n")
    assert read_table(tmp_path / "t.csv")["id"].to_list() == ["0017"]
    records = read_records(tmp_path / "named.csv", id_column="Bild")
    assert records.frame["image_id"].to_list() == ["0017"]


def test_isbi_2016_has_no_header(tmp_path):
    (tmp_path / "truth.csv").write_text("ISIC_0000000,benign\nISIC_0000002,malignant\n")
    (tmp_path / "test.csv").write_text("ISIC_0000003,0.0\nISIC_0000004,1.0\n")
    truth = read_records(tmp_path / "truth.csv")
    assert truth.layout == ("isic2016-truth",)
    assert truth.frame.to_dict("list") == {
        "image_id": ["ISIC_0000000", "ISIC_0000002"],
        "target": [0.0, 1.0],
    }
    assert read_records(tmp_path / "test.csv").frame["target"].to_list() == [0.0, 1.0]


def test_another_table_without_header_is_explained(tmp_path):
    (tmp_path / "t.csv").write_text("ISIC_0000000,45,male\nISIC_0000002,50,male\n")
    with pytest.raises(TableError, match="starts with data instead of column names"):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"image_name,sex\n", "has no rows"),
        (b"PK\x03\x04rest of a spreadsheet", "Save it as CSV"),
        (b"\xd0\xcf\x11\xe0rest of an old spreadsheet", r"old Excel file .*Save it as \.xlsx"),
        (b"<html><table><tr><td>image_id</td></tr></table>", "is a web page or XML"),
        (b"sep=;\r\n", "is empty"),
        (b"image_name,age,age\nISIC_1,2,3\n", "more than once in its header"),
        (b"\x80\x04\x95\x00\x00joblib", "t.csv is not a text table; give CSV or Parquet"),
        (b"\xff\xd8\xff\xe0 image \x81\x8d\n\x90\n", "t.csv is not a text table"),
        ("image_name\nISIC".encode("utf-16") + b"\x00", "t.csv is not a text table"),
        (b"x" * 200_000, "t.csv is not a text table"),
    ],
)
def test_unusable_files(tmp_path, content, message):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(TableError, match=message):
        read_table(tmp_path / "t.csv")


def test_absent_file_and_foreign_type(tmp_path):
    with pytest.raises(SourceError, match=r"there is no table .*absent\.csv; check the name"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(SourceError, match=r"is a folder, not a table.*run `hybridlesion features"):
        read_table(tmp_path)
    (tmp_path / "t.parquet").write_bytes(b"no parquet")
    with pytest.raises(TableError, match="not a Parquet table, or is damaged"):
        read_table(tmp_path / "t.parquet")
    with pytest.raises(TableError, match="paths or DataFrames, got int"):
        read_records([3])


def test_row_numbers_are_those_of_the_file(tmp_path):
    (tmp_path / "t.csv").write_text("\nimage_id,age\nISIC_1,45\n\n,\nISIC_2,old\n")
    with pytest.raises(TableError) as caught:
        read_records(tmp_path / "t.csv")
    assert caught.value.problems == ("t.csv, row 6: age 'old' is not a number of years",)
    (tmp_path / "t.csv").write_text("sep=;\nimage_id;age\nISIC_1;45\nISIC_2;old\n")
    with pytest.raises(TableError, match=r"row 4: age 'old'"):
        read_records(tmp_path / "t.csv")


def test_a_column_name_of_two_lines_keeps_rows_and_their_numbers(tmp_path):
    file = tmp_path / "train.csv"
    file.write_text('image_name,"ita\nangle",sex\nISIC_1,45,male\nISIC_2,50,what\n')
    table = read_table(file)
    assert list(table.columns) == ["image_name", "ita\nangle", "sex"]
    assert table["ita\nangle"].to_list() == [45, 50]
    # Row 4 of the file: its header fills two.
    assert any("row 4" in text for text in read_records(file).warnings)


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
        (["1,5", "2.5", "1.234"], "row 4: tbp_lv_A '1.234' is ambiguous"),
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
