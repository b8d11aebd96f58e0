"""Excel workbooks are read as CSV files are."""

from __future__ import annotations

import datetime

import pytest

from hybridlesion._optional_imports import importlib
from hybridlesion.exceptions import MissingDependencyError, TableError
from hybridlesion.metadata import read_records, read_table

openpyxl = pytest.importorskip("openpyxl")


def write(path, **sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title.replace("_", " "))
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


ROWS = [
    ["Bild-ID", "Patienten-Nr", "Alter", "Geschlecht", "tbp_lv_A", "seen", None],
    ["a.jpg", 12.0, 45, "male", 1.5, datetime.datetime(2024, 3, 1), None],
    [None, None, None, None, None, None, None],
    ["b.jpg", "12", "45,5", "female", "2,5", None, None],
    ["c.jpg", 13, "unknown", None, "k.A.", None, None],
]


def test_a_sheet_is_read_as_a_text_table(tmp_path):
    records = read_records(write(tmp_path / "t.xlsx", Lesions=ROWS))
    frame = records.frame
    assert frame["image_id"].to_list() == ["a", "b", "c"]
    assert frame["patient_id"].to_list() == ["12", "12", "13"]
    assert frame["age"].to_list()[:2] == [45, 45.5]
    assert frame["tbp_lv_A"].to_list()[:2] == [1.5, 2.5]
    assert frame["tbp_lv_A"].isna().to_list() == [False, False, True]
    assert frame["seen"].to_list()[0] == "2024-03-01"
    # Row numbers are those of the sheet, whose third row is blank.
    assert "t.xlsx, row 5: tbp_lv_A 'k.A.' taken as missing" in records.warnings


def test_zeros_that_a_format_shows_are_kept(tmp_path):
    book = openpyxl.Workbook()
    for row in (["image_id", "sex"], [17, "male"]):
        book.active.append(row)
    book.active["A2"].number_format = "0000"
    book.save(tmp_path / "t.xlsx")
    assert read_table(tmp_path / "t.xlsx")["image_id"].to_list() == ["0017"]


@pytest.mark.parametrize("first", [1, 3])
def test_merged_cells_hold_for_all_their_rows(tmp_path, first):
    book = openpyxl.Workbook()
    rows = (["image_id", "patient_id", "age"], ["a", "P1", 40], ["b", None, 40], ["c", "P2", 50])
    for number, row in enumerate(rows, start=first):
        for column, value in enumerate(row, start=1):
            book.active.cell(number, column, value)
    book.active.merge_cells(f"B{first + 1}:B{first + 2}")
    book.active.merge_cells(f"A{first + 5}:C{first + 5}")  # a remark below the table
    book.save(tmp_path / "t.xlsx")
    assert read_table(tmp_path / "t.xlsx")["patient_id"].to_list() == ["P1", "P1", "P2"]


def test_sheets_are_named(tmp_path):
    file = write(tmp_path / "t.xlsx", First=ROWS, Second_part=[["image_id", "age"], ["z", 9]])
    records = read_records(file)
    assert len(records.frame) == 3
    assert "several sheets: 'First' was read" in records.warnings[0]
    second = read_records(f"{file}#Second part")
    assert second.frame["image_id"].to_list() == ["z"]
    assert second.warnings == ()
    assert len(read_table(f"{file}#second PART")) == 1
    with pytest.raises(TableError, match="no sheet 'Third'; it has 'First', 'Second part'"):
        read_records(f"{file}#Third")


def test_faults_name_the_sheet_and_its_row(tmp_path):
    rows = [["image_id", "age"], ["a", 45], ["b", 450]]
    file = write(tmp_path / "t.xlsx", Notes=[], Data=rows)
    with pytest.raises(TableError, match=r"t\.xlsx#Data, row 3: age '450' lies outside"):
        read_records(f"{file}#Data")
    with pytest.raises(TableError, match=r"'Notes' is empty\..*others: 'Data'"):
        read_records(file)
    for text in ([["Notes on this table"]], [["Notes", "by"], ["x", "y"]]):
        file = write(tmp_path / "t.xlsx", Notes=text, Data=rows)
        with pytest.raises(TableError, match=r"'Notes' was read\..*others: 'Data'"):
            read_records(file)


def test_a_damaged_workbook(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(TableError, match="cannot be read as a spreadsheet"):
        read_table(tmp_path / "t.xlsx")


def test_without_openpyxl(tmp_path, monkeypatch):
    file = write(tmp_path / "t.xlsx", Lesions=ROWS)

    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(MissingDependencyError, match=r'pip install "hybridlesion\[excel\]"'):
        read_table(file)
