"""Photographs and tables checked by command, and the mapping taken by the other commands."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from hybridlesion.io import write_image
from hybridlesion.metadata import DataMapping, read_mapping, write_mapping

GERMAN = {
    "image_name": "Bild-Nr",
    "patient_id": "Patienten-Nr",
    "age_approx": "Alter (Jahre)",
    "sex": "Geschlecht",
    "anatom_site_general_challenge": "Lokalisation",
    "diagnosis": "Befund",
}


@pytest.fixture
def clinic(lesions, tmp_path, monkeypatch):
    """A folder with a blank and an apostrophe in its name: 12 photographs and a German table."""
    folder = tmp_path / "Klinik Müller's data"
    (folder / "Fotos 2024").mkdir(parents=True)
    table = pd.read_csv(lesions / "metadata.csv").head(12)
    for name in table["image_name"]:
        shutil.copy(lesions / "images" / f"{name}.png", folder / "Fotos 2024")
    table = table.rename(columns=GERMAN)[[*GERMAN.values()]]
    table["Befund"] = table["Befund"].map({"melanoma": "malignes Melanom", "nevus": "Nävus"})
    table.assign(Station="A3").to_csv(folder / "meine Liste.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return folder


def _next(text):
    """The words of the command at the end, as a shell splits them."""
    command = text[text.index("Next:\n\n") + len("Next:\n\n") :]
    script = f'set -- {command}\nprintf "%s\\0" "$@"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


def _section(text, title):
    return text.split(f"{title}\n")[1].split("\n\n")[0]


def test_what_is_found_is_shown_in_80_columns_and_the_next_command_runs(
    hybridlesion, clinic, tmp_path
):
    table = clinic / "meine Liste.csv"
    out = clinic / "its mapping.toml"
    arguments = ("--column", "diagnosis=Befund", "--malignant", "mel", "--out", out)
    result = hybridlesion("check", clinic / "Fotos 2024", table, *arguments)
    assert result.exit_code == 0, result.output
    text = result.stdout
    columns = _section(text, "Columns of meine Liste.csv")
    assert re.search(r"Alter \(Jahre\) +age +[\d., ]+used\n", columns)
    assert re.search(r"Station +- +A3 +not understood", columns)
    photographs = _section(text, "Photographs")
    assert "12 of 12 have a row in the table" in photographs
    assert "12 opened, all decoded in full; 1 cannot be used\n  SYN_0007: " in photographs
    assert "3 malignant, 9 benign, 0 without a label" in _section(text, "Labels")
    assert "6 patients, up to 2 images each" in _section(text, "Patients and lesions")
    shown = text[: text.index("wrote ")]
    assert max(map(len, shown.splitlines())) <= 80
    words = _next(text)
    assert words[:3] == ["hybridlesion", "features", str(clinic / "Fotos 2024")]
    done = hybridlesion(*words[1:], "--jobs", 1, "--embedder", "none")
    assert done.exit_code == 0, done.output
    measured = pd.read_parquet(tmp_path / "features.parquet")
    assert (len(measured), measured["target"].sum()) == (11, 3)
    assert measured["meta__age"].notna().all()


def test_the_mapping_serves_features_fit_and_score(hybridlesion, clinic, lesions, tmp_path):
    # Forty lesions, so that a model can be fitted.
    table = pd.read_csv(lesions / "metadata.csv").rename(columns=GERMAN)[[*GERMAN.values()]]
    table["Befund"] = table["Befund"].map({"melanoma": "xyz", "nevus": "Nävus"})
    table.to_csv("alle.csv", index=False)
    options = ("--column", "diagnosis=Befund", "--malignant", "xyz")
    checked = hybridlesion("check", lesions / "images", "alle.csv", *options, "--decode", 0)
    assert checked.exit_code == 0, checked.output
    assert "40 opened, 0 at random decoded in full" in checked.stdout
    measure = ("features", lesions / "images", "--metadata", "alle.csv", "--embedder", "none")
    measure += ("--jobs", 1, "--out")
    for more, out in ((options, "one.parquet"), (("--mapping", "mapping.toml"), "two.parquet")):
        done = hybridlesion(*measure, out, *more)
        assert done.exit_code == 0, done.output
    one, two = pd.read_parquet("one.parquet"), pd.read_parquet("two.parquet")
    pd.testing.assert_frame_equal(one, two)
    assert one["target"].sum() == 10
    fit = ("--folds", 2, "--jobs", 1, "--mapping", "mapping.toml", "--out", "m.joblib")
    # The feature table has none of the columns of the clinic any more; the other table has all.
    for tables in (["two.parquet"], ["two.parquet", "alle.csv"]):
        fitted = hybridlesion("fit", *tables, *fit)
        assert fitted.exit_code == 0, fitted.output
        assert "no table has" not in fitted.output
        assert "10 malignant" in fitted.output
    new = table.drop(columns=["Befund", "Lokalisation"])
    new.to_csv("neu.csv", index=False)
    score = ("score", "m.joblib", lesions / "images", "--metadata", "neu.csv", "--jobs", 1)
    scored = hybridlesion(*score, "--mapping", "mapping.toml", "--out", "s.csv")
    assert scored.exit_code == 0, scored.output
    assert "no table has the columns Lokalisation of mapping.toml; left out" in scored.stderr
    assert len(pd.read_csv("s.csv")) == 39


def test_options_win_over_the_mapping(hybridlesion, clinic):
    table = clinic / "meine Liste.csv"
    frame = pd.read_csv(table).assign(Alter2=77, boese=[1, 0] * 6)
    frame.to_csv(table, index=False)
    columns = {"image_id": "Bild-Nr", "age": "Alter (Jahre)", "diagnosis": "Befund"}
    write_mapping("m.toml", DataMapping(columns, ("mel",)))
    measure = ("features", clinic / "Fotos 2024", "--metadata", table, "--mapping", "m.toml")
    measure += ("--embedder", "none", "--jobs", 1, "--out", "f.parquet")
    for more, age, positives in (
        ((), "meta__age < 77", 3),
        (("--column", "age=Alter2"), "meta__age == 77", 3),
        (("--target", "boese"), "meta__age < 77", 6),
    ):
        done = hybridlesion(*measure, *more)
        assert done.exit_code == 0, done.output
        measured = pd.read_parquet("f.parquet")
        assert len(measured.query(age)) == 11
        assert measured["target"].sum() == positives


def test_a_mapping_with_an_unknown_field_is_wrong_usage(hybridlesion, clinic, model_file):
    (clinic / "m.toml").write_text('[columns]\n"Alter" = "agee"\n')
    inputs = (clinic / "Fotos 2024", "--metadata", clinic / "meine Liste.csv")
    for command in (
        ("features", *inputs, "--out", "f.parquet"),
        ("fit", clinic / "meine Liste.csv", "--out", "m.joblib"),
        ("score", model_file, *inputs, "--out", "s.csv"),
    ):
        result = hybridlesion(*command, "--mapping", clinic / "m.toml")
        assert result.exit_code == 2
        assert "Did you mean 'age'" in result.stderr


def test_a_column_that_the_table_lacks_is_refused_by_features(hybridlesion, clinic):
    write_mapping("m.toml", DataMapping({"age": "Alterr (Jahre)"}))
    inputs = (clinic / "Fotos 2024", "--metadata", clinic / "meine Liste.csv")
    result = hybridlesion("features", *inputs, "--mapping", "m.toml", "--out", "f.parquet")
    assert result.exit_code == 1
    assert "Did you mean 'Alter (Jahre)'" in result.stderr


def test_near_misses_and_long_lists_are_shortened(hybridlesion, clinic):
    photos, table = clinic / "Fotos 2024", clinic / "meine Liste.csv"
    (photos / "SYN_0003.png").rename(photos / "syn 3.png")
    frame = pd.read_csv(table)
    more = pd.DataFrame({"Bild-Nr": [f"fehlt{number}x" for number in range(20)]})
    wide = frame.assign(**{f"Spalte{number}": "q" for number in range(9)})
    pd.concat([wide, more]).to_csv(table, index=False)
    result = hybridlesion("check", photos, table)
    assert result.exit_code == 0, result.output
    photographs = _section(result.stdout, "Photographs")
    assert "11 of 12 have a row in the table\n  1 photograph without a row: syn 3" in photographs
    assert "21 rows without a photograph: SYN_0003, fehlt0x, fehlt1x and 18 more" in photographs
    assert "ignoring all characters but digits: SYN_0003 and syn 3" in " ".join(photographs.split())
    columns = _section(result.stdout, "Columns of meine Liste.csv")
    assert "4 more not understood: Spalte5, Spalte6" in columns


def test_json_has_the_same_facts(hybridlesion, clinic):
    photos, table = clinic / "Fotos 2024", clinic / "meine Liste.csv"
    (photos / "SYN_0003.png").rename(photos / "syn 3.png")
    options = ("--column", "diagnosis=Befund", "--malignant", "mel", "--json")
    result = hybridlesion("check", photos, table, *options)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["n_images"], found["n_rows"], found["n_matched"], found["n_usable"]) == (
        *(12, 12, 11, 10),
    )
    verdicts = {use["column"]: (use["field"], use["verdict"]) for use in found["columns"]}
    assert verdicts["Alter (Jahre)"] == ("age", "used")
    assert verdicts["Station"] == ("", "not understood")
    assert found["label_counts"] == {"malignant": 3, "benign": 8, "without a label": 0}
    assert found["unmatched"]["photographs"] == {"n": 1, "examples": ["syn 3"]}
    assert found["near_misses"][0]["near"] == "syn 3"
    assert [one["image_id"] for one in found["failures"]] == ["SYN_0007"]
    assert found["n_patients"] == 6
    assert found["mapping"]["malignant"] == ["mel"]
    assert read_mapping(found["path"]).columns == found["mapping"]["columns"]
    assert shlex.split(found["next"])[:3] == ["hybridlesion", "features", str(photos)]


def test_nothing_usable_is_exit_code_1_without_a_mapping(hybridlesion, clinic, tmp_path):
    table = clinic / "meine Liste.csv"
    frame = pd.read_csv(table)
    frame.assign(**{"Bild-Nr": [f"q{letter}" for letter in "abcdefghijkl"]}).to_csv("x.csv")
    for command in (
        (clinic / "Fotos 2024", "x.csv"),
        (clinic / "Fotos 2024" / "SYN_0007.png",),
    ):
        result = hybridlesion("check", *command)
        assert result.exit_code == 1
        assert "no image can be used" in result.stderr
        assert "Next:" not in result.stdout
        assert not (tmp_path / "mapping.toml").exists()
        facts = hybridlesion("check", *command, "--json")
        assert facts.exit_code == 1
        assert json.loads(facts.stdout)["next"] is None


def test_photographs_alone_offer_the_labels_of_their_folders(hybridlesion, clinic):
    photos = clinic / "Fotos 2024"
    for number, path in enumerate(sorted(photos.glob("*.png"))):
        folder = photos / ("malignant" if number % 4 == 0 else "benign")
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
    plain = hybridlesion("check", photos)
    assert plain.exit_code == 0, plain.output
    assert "none, so no model can be fitted" in _section(plain.stdout, "Labels")
    assert "--labels-from-folders takes these as labels" in plain.stderr
    labelled = hybridlesion("check", photos, "--labels-from-folders")
    assert "3 malignant, 9 benign" in labelled.stdout
    done = hybridlesion(*_next(labelled.stdout)[1:], "--jobs", 1, "--embedder", "none")
    assert done.exit_code == 0, done.output
    assert pd.read_parquet("features.parquet")["target"].sum() == 3


def test_a_table_of_paths_keeps_its_options(hybridlesion, clinic, tmp_path):
    table = clinic / "meine Liste.csv"
    frame = pd.read_csv(table)
    frame["Quelle"] = frame["Bild-Nr"] + ".png"
    (tmp_path / "lists").mkdir()
    frame.to_csv(tmp_path / "lists" / "l.csv", index=False)
    root = "Klinik Müller's data/Fotos 2024"
    options = ("--root", root, "--path-column", "Quelle", "--out", "lists/m.toml")
    result = hybridlesion("check", "lists/l.csv", *options)
    assert result.exit_code == 0, result.output
    assert "12 opened" in result.stdout
    assert f"../{root}" in (tmp_path / "lists" / "m.toml").read_text(encoding="utf-8")
    words = _next(result.stdout)
    assert words[3:5] == ["--path-column", "Quelle"]
    done = hybridlesion(*words[1:], "--jobs", 1, "--embedder", "none")
    assert done.exit_code == 0, done.output
    assert len(pd.read_parquet("features.parquet")) == 11


def test_no_other_file_is_replaced(hybridlesion, clinic, tmp_path):
    (tmp_path / "mapping.toml").write_text("[tool]\n")
    result = hybridlesion("check", clinic / "Fotos 2024", clinic / "meine Liste.csv")
    assert result.exit_code == 1
    assert "is not a mapping" in result.stderr
    assert (tmp_path / "mapping.toml").read_text() == "[tool]\n"


def test_wrong_usage(hybridlesion, clinic):
    photos = clinic / "Fotos 2024"
    for options in (("--out", "m.txt"), ("--decode", "-2"), ("--column", "agee=x"), ("--nothing",)):
        assert hybridlesion("check", photos, *options).exit_code == 2
    table = clinic / "meine Liste.csv"
    refused = hybridlesion("check", photos, table, "--column", "age=Alterr (Jahre)")
    assert (refused.exit_code, refused.stdout) == (1, "")


def test_a_table_cannot_move_the_cursor(hybridlesion, clinic):
    table = clinic / "meine Liste.csv"
    frame = pd.read_csv(table)
    frame.assign(**{"\x1b[2Jx": "\x1b[3J\n\n\nand a second line"}).to_csv(table, index=False)
    result = hybridlesion("check", clinic / "Fotos 2024", table)
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    assert re.search(r"\\x1b\[2Jx .*not understood", result.stdout)


def test_the_columns_of_a_refused_table_are_shown(hybridlesion, tmp_path):
    table = tmp_path / "crosses.csv"
    table.write_text("image,age,Melanoma,Colours\nSYN_1,40,X,3\nSYN_2,50,,4\n")
    folder = tmp_path / "photos"
    folder.mkdir()
    write_image(folder / "SYN_1.png", np.full((40, 60, 3), 200, np.uint8))
    result = hybridlesion("check", folder, table)
    assert result.exit_code == 1
    columns = _section(result.stdout, "Columns of crosses.csv")
    assert re.search(r"Melanoma +target +X +used", columns)
    assert re.search(r"Colours +- +3, 4 +not understood", columns)
    assert "Melanoma 'X' is neither" in result.stderr
    assert hybridlesion("check", folder, table, "--json").stdout == ""


def test_a_mapping_edited_by_hand_is_kept(hybridlesion, clinic, tmp_path):
    arguments = ("check", clinic / "Fotos 2024", clinic / "meine Liste.csv")
    path = tmp_path / "mapping.toml"
    for _ in range(2):  # as written, it is replaced
        assert "wrote mapping.toml" in hybridlesion(*arguments).stdout
    edited = path.read_text().replace("malignant = []", 'malignant = ["mel"]')
    path.write_text(edited)
    result = hybridlesion(*arguments)
    assert result.exit_code == 0, result.output
    assert "mapping.toml was edited by hand and is kept" in result.stderr
    assert "kept mapping.toml. Next:" in result.stdout
    assert path.read_text() == edited
    path.unlink()
    assert "wrote mapping.toml" in hybridlesion(*arguments).stdout


def test_photographs_too_coarse_for_structures_are_counted(hybridlesion, tmp_path, rng):
    for name, size in (("a", (96, 128, 3)), ("b", (90, 128, 3)), ("c", (24, 17, 3))):
        write_image(tmp_path / f"{name}.png", rng.integers(0, 255, size).astype(np.uint8))
    result = hybridlesion("check", tmp_path, "--out", tmp_path / "mapping.toml")
    assert "2 with a side below 96 pixels: too coarse" in result.stdout
