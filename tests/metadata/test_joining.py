"""Several tables become one; what contradicts is told, what repeats is marked."""

from __future__ import annotations

import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.metadata import read_records, read_sources

TRUTH = pd.DataFrame(
    {"image_id": ["a", "b"], "melanoma": [1.0, 0.0], "seborrheic_keratosis": [0.0, 0.0]}
)
AGES = pd.DataFrame(
    {"image_id": ["b.jpg", "a.jpg"], "age_approximate": ["unknown", "55"], "sex": ["male", "male"]}
)


def test_tables_join_on_whatever_names_the_image():
    facts = pd.DataFrame({"image": ["x/a_downsampled.png", "z"], "ita": [40.0, 1.0]})
    records = read_records([facts, TRUTH, AGES])
    assert records.layout == ("image-facts", "isic2017-truth", "isic2017-metadata")
    frame = records.frame
    assert frame["image_id"].to_list() == ["a", "b"]
    assert frame["target"].to_list() == [1, 0]
    assert frame["age"].fillna(-1).to_list() == [55, -1]
    assert frame["ita"].fillna(-1).to_list() == [40, -1]
    assert records.warnings == (
        "1 of 2 images of earlier tables are not in table 1, e.g. b; its columns stay empty there.",
        "1 of 2 images in table 1 are not in earlier tables, e.g. z; left out.",
        "columns of table 1:\n  not understood; kept, not used by models: ita",
    )


def test_blanks_are_filled_and_new_images_added():
    one = pd.DataFrame({"image_id": ["a", "b"], "age": [50, None], "sex": [None, "male"]})
    two = pd.DataFrame({"image": ["b", "c"], "age": [60, 70], "sex": ["male", "female"]})
    frame = read_records([one, two]).frame
    assert frame["image_id"].to_list() == ["a", "b", "c"]
    assert frame["age"].to_list() == [50, 60, 70]
    assert frame["sex"].fillna("").to_list() == ["", "male", "female"]


def test_tables_without_common_images_are_stacked():
    other = pd.DataFrame({"image_id": ["h"], "dx": ["nv"]})
    records = read_records([TRUTH, other])
    assert records.frame["target"].to_list() == [1, 0, 0]
    assert "stacked" in records.warnings[0]


def test_contradictions_are_problems():
    one = pd.DataFrame({"image_id": ["a", "b"], "age": [50, 60], "target": [0, 1], "x": [1, 2]})
    two = pd.DataFrame({"image_id": ["a", "b"], "age": [50, 65], "target": [1, 1], "x": [1, 3]})
    with pytest.raises(TableError) as caught:
        read_records([one, two])
    assert len(caught.value.problems) == 3
    assert "age of 1 image in table 2 differs" in caught.value.problems[0]
    assert "b 60.0 / 65.0" in caught.value.problems[0]
    assert "as `malignant`" in caught.value.problems[1]


def test_clamped_and_exact_ages_do_not_contradict():
    one = pd.DataFrame({"image_id": ["a"], "age": [90]})
    two = pd.DataFrame({"isic_id": ["a"], "age_approx": [85], "attribution": ["MSK"]})
    frame = read_records([one, two]).frame
    assert frame["age"].to_list() == [85]
    assert frame["age_raw"].to_list() == [90]


def test_narrower_diagnosis_does_not_contradict():
    one = pd.DataFrame({"image_id": ["a", "b"], "dx": ["bkl", "nv"]})
    two = pd.DataFrame({"image_id": ["a", "b"], "diagnosis": ["solar lentigo", "nevus"], "x": 1})
    frame = read_records([one, two]).frame
    assert frame["diagnosis"].to_list() == ["benign keratosis", "nevus"]
    two.loc[1, "diagnosis"] = "melanoma"
    with pytest.raises(TableError, match="b nevus / melanoma"):
        read_records([one, two])


def test_paths_of_two_tables_do_not_contradict():
    one = pd.DataFrame({"image_id": ["a", "b"], "path": ["/x/a.jpg", None], "target": [0, 1]})
    two = pd.DataFrame({"image_id": ["a", "b"], "path": ["a.jpg", "b.jpg"], "age": [50, 60]})
    assert read_records([one, two]).frame["path"].to_list() == ["/x/a.jpg", "b.jpg"]


def test_joining_hundreds_of_columns_is_quiet():
    # A fragmented table would raise pandas' PerformanceWarning, which is an error in these tests.
    names = [f"abcd__{number}" for number in range(150)]
    one = pd.DataFrame({"image_id": ["a"], **{name: [0.0] for name in names}})
    frame = read_records([one, one.assign(target=1)]).frame
    assert frame["target"].to_list() == [1.0]
    assert set(names) <= set(frame.columns)


def test_another_naming_of_lesions_is_translated():
    images = [f"i{n}" for n in range(12)]
    one = pd.DataFrame({"image_id": images[:11], "lesion_id": [f"BCN_{n}" for n in range(11)]})
    two = pd.DataFrame({"image_id": images, "lesion_id": [f"IL_{n}" for n in [*range(11), 3]]})
    records = read_records([one, two])
    assert records.frame["lesion_id"].to_list()[-2:] == ["BCN_10", "BCN_3"]
    assert "11 ids were translated" in records.warnings[-1]
    two.loc[0, "lesion_id"] = "BCN_5"
    with pytest.raises(TableError, match="lesion_id of 11 images"):
        read_records([one, two.iloc[:11]])


def test_lesion_of_two_patients_across_tables():
    one = pd.DataFrame({"image_id": ["a", "b"], "lesion_id": ["L1", "L1"]})
    two = pd.DataFrame({"image_id": ["a", "b"], "patient_id": ["P1", "P2"]})
    with pytest.raises(TableError, match=r"rows a, b: lesion L1 belongs to several patients"):
        read_records([one, two])


def test_images_give_the_paths():
    images = pd.DataFrame(
        {"image_id": ["b_downsampled", "q"], "path": ["/x/b_downsampled.jpg", "/x/q.jpg"]}
    )
    records = read_records(TRUTH, images=images)
    assert records.frame["path"].to_list() == ["/x/b_downsampled.jpg"]
    assert records.warnings == (
        "1 of 2 records have no image, e.g. a; left out.",
        "1 of 2 images have no record, e.g. q; left out.",
    )


def test_images_that_match_nothing_or_twice():
    with pytest.raises(TableError, match="no image matches a record") as caught:
        read_records(TRUTH, images=pd.DataFrame({"image_id": ["q"], "path": ["q.jpg"]}))
    assert "Is this the right table? Images are called q; the table's ids are a, b." in (
        str(caught.value)
    )
    assert "`id_column`" in str(caught.value)
    twice = pd.DataFrame({"image_id": ["a", "a_downsampled"], "path": ["a.jpg", "a_d.jpg"]})
    with pytest.raises(TableError, match="several image files have the same id: a"):
        read_records(TRUTH, images=twice)


PEOPLE = pd.DataFrame(
    {"image_name": list("abcde"), "patient_id": list("vwxyz"), "target": [0, 1, 0, 0, 0]}
)
PAIRS = pd.DataFrame({"image_name_1": ["d", "a", "b"], "image_name_2": ["e", "b", "absent"]})


def test_known_duplicates_get_one_cluster():
    records = read_records(PEOPLE, duplicates=PAIRS)
    clusters = records.frame["duplicate_cluster"]
    assert clusters.fillna("").to_list() == ["a", "a", "", "d", "d"]
    assert records.warnings == (
        "2 images are known duplicates of another; kept, in one cluster with the first.",
        "1 cluster of duplicates holds both targets.",
    )
    as_a_table = read_records([PEOPLE, PAIRS])
    pd.testing.assert_frame_equal(as_a_table.frame, records.frame)


def test_duplicates_are_counted_among_the_images_there_are():
    images = pd.DataFrame({"image_id": ["a", "b", "c"], "path": ["a.jpg", "b.jpg", "c.jpg"]})
    by_images = read_records(PEOPLE, images=images, duplicates=PAIRS).warnings
    assert by_images[-2].startswith("1 image is a known duplicate of another;")
    features = pd.DataFrame({"image_id": ["a", "d", "e"], "abcd__border": [1.0, 2.0, 3.0]})
    by_features = read_records([features, PEOPLE], duplicates=PAIRS).warnings
    assert by_features[-1].startswith("1 image is a known duplicate of another;")
    none = read_records(PEOPLE.iloc[[2]], duplicates=PAIRS)
    assert none.warnings == ()


def test_known_duplicates_can_be_dropped():
    frame = read_records(PEOPLE, duplicates=PAIRS, drop_duplicates=True).frame
    assert frame["image_id"].to_list() == ["a", "c", "d"]
    # Of a pair whose first image is not there, the second stays.
    frame = read_records(PEOPLE.iloc[1:], duplicates=PAIRS, drop_duplicates=True).frame
    assert frame["image_id"].to_list() == ["b", "c", "d"]


def test_duplicate_lists_of_another_form():
    two = pd.DataFrame({"keep": ["a.jpg"], "copy": ["b.jpg"]})
    frame = read_records(PEOPLE, duplicates=two).frame
    assert frame["duplicate_cluster"].notna().sum() == 2
    with pytest.raises(TableError, match="a list of duplicates needs the columns"):
        read_records(PEOPLE, duplicates=PEOPLE)
    with pytest.raises(TableError, match="no table with records"):
        read_records(PAIRS)


CLASSES = ["AKIEC", "BCC", "BEN_OTH", "BKL", "DF", "INF", "MAL_OTH", "MEL", "NV", "SCCKA", "VASC"]


def milk10k():
    images = pd.DataFrame(
        {
            "lesion_id": ["IL_1", "IL_1", "IL_2", "IL_3"],
            "image_type": ["dermoscopic", "clinical: close-up", "dermoscopic", "dermoscopic"],
            "isic_id": ["a", "b", "c", "d"],
            "skin_tone_class": [3, 3, 2, 1],
        }
    )
    truth = pd.DataFrame(0.0, index=range(3), columns=CLASSES)
    truth.loc[0, "MEL"] = truth.loc[1, "NV"] = truth.loc[2, "BCC"] = 1.0
    truth.insert(0, "lesion_id", ["IL_1", "IL_2", "IL_9"])
    return images, truth


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_facts_by_lesion_reach_every_image_of_it(order):
    tables = milk10k()
    records = read_records([tables[place] for place in order])
    assert records.frame["image_id"].to_list() == ["a", "b", "c", "d"]
    assert records.frame["target"].fillna(-1).to_list() == [1, 1, 0, -1]
    told = " ".join(records.warnings)
    assert "1 of 4 images have a lesion that is not in table" in told
    assert "1 of 3 lesions in table" in told
    assert "3 dermoscopic, 1 clinical: close-up" in told


def test_facts_by_patient_reach_every_image_of_it():
    images = pd.DataFrame(
        {"image_id": ["a", "b", "c"], "patient_id": [12.0, 12.0, 13.0], "target": [0, 1, 0]}
    )
    facts = pd.DataFrame({"Patienten-Nr": ["12", "13"], "Alter": [50, 60], "ita": [1.0, 2.0]})
    frame = read_records([facts, images]).frame
    assert frame["age"].to_list() == [50, 50, 60]
    assert frame["ita"].to_list() == [1, 1, 2]


def test_facts_that_belong_to_no_image_are_refused():
    images, truth = milk10k()
    with pytest.raises(TableError, match="one row per lesion_id, but no table has image ids"):
        read_records(truth)
    with pytest.raises(TableError, match="no table with images has that column"):
        read_records([images[["isic_id", "skin_tone_class"]].assign(sex="male"), truth])
    with pytest.raises(TableError, match="no lesion in common"):
        read_records([images, truth.assign(lesion_id=["x", "y", "z"])])


def test_facts_by_lesion_that_contradict_the_images():
    images, truth = milk10k()
    with pytest.raises(TableError, match="target of 1 image in table 2 differs"):
        read_records([images.assign(target=[1, 0, 0, 0]), truth])
    with pytest.raises(TableError, match=r"lesion IL_1 appears more than once with different"):
        read_records([images, pd.concat([truth, truth.iloc[[1]].assign(lesion_id="IL_1")])])


def test_numbers_of_patients_are_one_whatever_holds_them(tmp_path):
    (tmp_path / "one.csv").write_text("image_id,patient_id,target\na,12,0\nb,7,1\n")
    (tmp_path / "two.csv").write_text('image_id,patient_id,lesion_id\nc,12.0,3.0\na,"12,0",4.0\n')
    frame = read_records([tmp_path / "one.csv", tmp_path / "two.csv"]).frame
    assert frame["patient_id"].to_list() == ["12", "7", "12"]
    assert frame["lesion_id"].fillna("").to_list() == ["4", "", "3"]
    # 1.0 beside 1.1 is a name, not a number.
    visits = pd.DataFrame({"image_id": ["1.0", "1.1"], "sex": ["male", "male"]})
    assert read_records(visits).frame["image_id"].to_list() == ["1.0", "1.1"]


def test_leading_zeros_are_matched_where_that_is_unique():
    one = pd.DataFrame({"image_id": ["012", "013"], "target": [0, 1]})
    two = pd.DataFrame({"image_id": [12, 13], "age": [50, 60]})
    records = read_records([one, two])
    assert records.frame["age"].to_list() == [50, 60]
    assert "such as '12' and '012'" in records.warnings[0]
    patients = pd.DataFrame(
        {"image_id": ["a", "b"], "patient_id": ["012", "12"], "sex": ["male", "male"]}
    )
    records = read_records(patients)
    assert records.frame["patient_id"].to_list() == ["012", "12"]
    assert "012 and 12; taken as different" in records.warnings[0]


def test_ids_that_a_spreadsheet_rounded_are_pointed_out():
    table = pd.DataFrame({"image_id": ["a"], "patient_id": ["1.23457E+11"], "sex": ["male"]})
    assert "was rounded by a spreadsheet" in read_records(table).warnings[0]


def test_row_positions_of_derm7pt_become_parts(tmp_path):
    meta = "case_num,diagnosis,derm\n1,nevus,x/a.jpg\n2,melanoma,x/b.jpg\n3,nevus,x/c.jpg\n"
    files = {"meta.csv": meta, "train_indexes.csv": "indexes\n2\n"}
    files["test_indexes.csv"] = "indexes\n0\n"
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    frame = read_records([tmp_path / name for name in files]).frame
    assert frame["image_id"].to_list() == ["a", "b", "c"]
    assert frame["split"].fillna("").to_list() == ["test", "", "train"]
    ages = pd.DataFrame({"image_id": ["c"], "age": [50]})
    frame = read_records([ages, *(tmp_path / name for name in files)]).frame
    assert frame.set_index("image_id")["split"].dropna().to_dict() == {"c": "train", "a": "test"}
    (tmp_path / "test_indexes.csv").write_text("indexes\n3\n")
    with pytest.raises(TableError, match=r"lists rows that meta\.csv does not have"):
        read_records([tmp_path / name for name in files])
    (tmp_path / "train_indexes.csv").rename(tmp_path / "indexes.csv")
    with pytest.raises(TableError, match="its name gives no part"):
        read_records([tmp_path / "meta.csv", tmp_path / "indexes.csv"])


def test_sources_are_read_from_the_first_table_that_names_them(tmp_path):
    scores = pd.DataFrame({"image_id": ["a", "b", "c"], "score": [0.1, 0.2, 0.3]})
    truth = pd.DataFrame({"isic_id": ["a.jpg", "b.jpg"], "attribution": [" Graz ", "unknown"]})
    other = pd.DataFrame({"image": ["b", "c"], "attribution": ["Lyon", 12.0]})
    paths = []
    for name, table in (("scores", scores), ("truth", truth), ("other", other)):
        paths.append(tmp_path / f"{name}.csv")
        table.to_csv(paths[-1], index=False)
    images = pd.Series(["c", "b", "a", "d"])
    found = read_sources(paths, "attribution", images)
    assert found.fillna("-").tolist() == ["12", "Lyon", "Graz", "-"]
    with pytest.raises(TableError, match=r"'atribution'.* Did you mean 'attribution'"):
        read_sources(paths, "atribution", images)
    with pytest.raises(TableError, match="at least two sources; the column 'attribution' has 1"):
        read_sources(paths[:2], "attribution", images)


def test_spellings_of_one_source_are_one_source(tmp_path):
    table = pd.DataFrame({"image_id": list("abcd")})
    table["clinic"] = ["Clinic A", "clinic  a", "Clinic A", "Clinic B"]
    table.to_csv(tmp_path / "t.csv", index=False)
    found = read_sources([tmp_path / "t.csv"], "clinic", table["image_id"])
    assert found.tolist() == ["Clinic A", "Clinic A", "Clinic A", "Clinic B"]


def test_spellings_of_one_patient_are_told():
    table = pd.DataFrame({"image_id": list("abcd"), "age": 50})
    table["patient_id"] = ["IP_1", "ip_1", "007", "7"]
    notes = read_records(table).warnings
    assert any("differ only in case or blanks, such as IP_1 and ip_1" in note for note in notes)
    assert any("differ only in leading zeros, such as 007 and 7" in note for note in notes)


def test_sources_read_as_a_field_have_the_names_of_the_records(tmp_path):
    raw = pd.DataFrame({"image_id": ["a", "b"], "site": ["Back", "Clinic 3"], "age": 50})
    features = pd.DataFrame({"image_id": ["a", "c"], "site": ["torso", "head/neck"], "age": 50})
    paths = [tmp_path / "raw.csv", tmp_path / "features.csv"]
    for path, table in zip(paths, (raw, features), strict=True):
        table.to_csv(path, index=False)
    for tables in (paths, paths[::-1]):
        records = read_records(tables)
        found = read_sources(tables, "site", records.frame["image_id"], records=records)
        named = dict(zip(records.frame["image_id"], found, strict=True))
        # A word that is no site stays as written.
        assert named == {"a": "torso", "b": "Clinic 3", "c": "head/neck"}


def test_each_table_can_be_a_source(tmp_path):
    rows = {"features": "abcd", "graz": "ab", "lyon": "bc"}
    for name, ids in rows.items():
        table = pd.DataFrame({"image_id": list(ids), "age": 50})
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    paths = [tmp_path / f"{name}.csv" for name in rows]
    found = read_sources(paths, "table", pd.Series(list("abcd")))
    assert found.fillna("-").tolist() == ["graz", "graz", "lyon", "-"]
    with pytest.raises(TableError, match="at least two sources"):
        read_sources(paths[:2], "table", pd.Series(list("abcd")))


def test_tables_of_one_name_are_different_sources(tmp_path):
    paths = [tmp_path / place / "table.csv" for place in ("graz", "lyon")]
    for path, ids in zip(paths, ("ab", "cd"), strict=True):
        path.parent.mkdir()
        pd.DataFrame({"image_id": list(ids)}).to_csv(path, index=False)
    found = read_sources(paths, "table", pd.Series(list("abcd")))
    assert found.tolist() == [str(paths[0])] * 2 + [str(paths[1])] * 2
