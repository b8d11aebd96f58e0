"""Mapping files: what they hold, what is refused, and what they change."""

from __future__ import annotations

import pandas as pd
import pytest

from hybridlesion.exceptions import OptionError, SourceError
from hybridlesion.metadata import (
    DataMapping,
    check_mapping_path,
    derive_mapping,
    read_mapping,
    read_records,
    write_mapping,
)

CLINIC = {
    "Bild-Nr": ["a", "b", "c"],
    "Alter (Jahre)": [40, 50, 60],
    "Geschlecht": ["w", "m", "w"],
    "Histologie": ["Melanom", "Basaliom", "unklar xy"],
    "Ward": ["1", "2", "3"],
}


def _write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_written_is_read(tmp_path):
    awkward = 'Alter "exakt" \\ in\tJahren\x7f = # ä'
    mapping = DataMapping(
        {"age": awkward, "target": "böse?"},
        ("nevus, other", "it's"),
        ("wen",),
        (str(tmp_path / "photos"), "s3://bucket/photos"),
        True,
    )
    write_mapping(tmp_path / "m.toml", mapping)
    assert read_mapping(tmp_path / "m.toml") == mapping


def test_an_empty_mapping_is_read_as_such(tmp_path):
    write_mapping(tmp_path / "m.toml", DataMapping())
    assert read_mapping(tmp_path / "m.toml") == DataMapping()


def test_relative_roots_start_at_the_file(tmp_path, monkeypatch):
    (tmp_path / "settings").mkdir()
    monkeypatch.chdir(tmp_path)
    write_mapping("settings/m.toml", DataMapping(roots=("photos",)))
    assert 'roots = ["../photos"]' in (tmp_path / "settings" / "m.toml").read_text()
    monkeypatch.chdir("/")
    (root,) = read_mapping(tmp_path / "settings" / "m.toml").roots
    (tmp_path / "photos").mkdir()
    assert (tmp_path / "photos").samefile(root)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("malignnat = []", "must be one of .*Did you mean 'malignant'"),
        ('[columns]\n"Alter" = "agee"', "field of column 'Alter' must be .*Did you mean 'age'"),
        ('[columns]\n"A" = "age"\n"B" = "age"', "'A' and 'B' are both age"),
        ('[columns]\n"A" = 3', "must be one of"),
        ('malignant = "mel"', 'must be a list such as \\["mel", "bcc"\\]'),
        ("benign = [1]", "must be a list"),
        ('labels_from_folders = "yes"', "true or false"),
        ('columns = "age"', "must be a table of lines"),
        ("image_id,age\na,40\n", "not a mapping in TOML"),
    ],
)
def test_a_wrong_mapping_is_refused_in_words(tmp_path, text, match):
    with pytest.raises(OptionError, match=match):
        read_mapping(_write(tmp_path / "m.toml", text))


def test_a_missing_mapping_is_refused(tmp_path):
    with pytest.raises(SourceError, match="No such file"):
        read_mapping(tmp_path / "gone.toml")


@pytest.mark.parametrize("text", ["", '[project]\nname = "x"\n', "notes of a user"])
def test_no_other_file_is_replaced(tmp_path, text):
    path = _write(tmp_path / "m.toml", text)
    for write in (check_mapping_path, lambda path: write_mapping(path, DataMapping())):
        with pytest.raises(SourceError, match="not a mapping"):
            write(path)
    assert path.read_text() == text


def test_an_old_mapping_is_replaced(tmp_path):
    path = _write(tmp_path / "m.toml", 'malignant = ["mel"]')
    write_mapping(path, DataMapping({"age": "Alter"}))
    assert read_mapping(path) == DataMapping({"age": "Alter"})
    assert [file.name for file in tmp_path.iterdir()] == ["m.toml"]


@pytest.mark.parametrize(
    "options",
    [
        {"malignant": ["mel", "bcc"], "benign": ["unklar xy"]},
        {"malignant": ["melanoma"], "target_column": "Histologie"},
        {"malignant": ["mel", "bcc"], "columns": {"age": "Ward"}, "id_column": "Bild-Nr"},
        {},
    ],
)
def test_a_mapping_gives_the_same_records_as_the_options(tmp_path, options):
    table = pd.DataFrame(CLINIC)
    records = read_records(table, **options)
    write_mapping(tmp_path / "m.toml", derive_mapping(records.columns, **options))
    again = read_records(table, **read_mapping(tmp_path / "m.toml").record_options)
    pd.testing.assert_frame_equal(again.frame, records.frame)


def test_recognised_columns_are_written_unless_naming_them_changes_the_layout():
    table = pd.DataFrame({"Bild-Nr": ["a", "b"], "dx": ["mel", "nv"], "age": [40, 50]})
    records = read_records(table)
    # Named as image_id, the first column would make this a table of HAM10000, with a target.
    assert "target" not in records.frame
    assert derive_mapping(records.columns).columns == {}
    plain = read_records(pd.DataFrame(CLINIC))
    assert derive_mapping(plain.columns).columns == {
        "image_id": "Bild-Nr",
        "age": "Alter (Jahre)",
        "sex": "Geschlecht",
        "diagnosis": "Histologie",
    }


def test_columns_of_one_name_in_two_tables_are_left_to_recognition():
    one = pd.DataFrame({"image_id": ["a", "b"], "age": [40, 50]})
    other = pd.DataFrame({"isic_id": ["a", "b"], "sex": ["male", "female"]})
    records = read_records([one, other])
    assert derive_mapping(records.columns).columns == {"age": "age", "sex": "sex"}


STORED = DataMapping(
    {"image_id": "Bild", "age": "Alter", "target": "boese"}, benign=("wen",), roots=("old",)
)


def test_options_win():
    merged = STORED.override(columns={"age": "Age"}, id_column="Foto", roots=["new"])
    # The id column is passed separately.
    assert merged.columns == {"age": "Age", "target": "boese"}
    assert (merged.benign, merged.roots) == (("wen",), ("new",))
    assert STORED.override() == STORED


def test_what_is_malignant_is_said_once():
    by_words = STORED.override(malignant=["mel"])
    assert (by_words.columns, by_words.malignant) == (
        {"image_id": "Bild", "age": "Alter"},
        ("mel",),
    )
    assert by_words.benign == ()
    words = DataMapping({"diagnosis": "Befund"}, ("mel",), ("wen",))
    by_column = words.override(target_column="boese")
    assert (by_column.malignant, by_column.benign) == ((), ())
    assert words.override(benign=["other"]).malignant == ("mel",)


def test_columns_that_new_tables_lack_are_left_out_and_named(tmp_path):
    pd.DataFrame({"Bild": ["a"], "x": [1]}).to_csv(tmp_path / "new.csv", index=False)
    kept, missing = STORED.select([tmp_path / "new.csv"], labels=False)
    assert (dict(kept.columns), missing) == ({"image_id": "Bild"}, ("Alter",))
    pd.DataFrame({"image_id": ["a"], "meta__age": [1.0]}).to_parquet(tmp_path / "f.parquet")
    kept, missing = STORED.select([tmp_path / "f.parquet"])
    assert (dict(kept.columns), missing) == ({}, ())
