"""Several tables become one; what contradicts is told, what repeats is marked."""

from __future__ import annotations

import pandas as pd
import pytest

from hybridlesion.exceptions import TableError
from hybridlesion.metadata import read_records

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
        "1 of 2 images of the tables before table 1 are not in it, e.g. b; its columns stay empty "
        "there.",
        "1 of 2 images in table 1 are in no table before it, e.g. z; left out.",
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
    assert "put below one another" in records.warnings[0]


def test_contradictions_are_problems():
    one = pd.DataFrame({"image_id": ["a", "b"], "age": [50, 60], "target": [0, 1], "x": [1, 2]})
    two = pd.DataFrame({"image_id": ["a", "b"], "age": [50, 65], "target": [1, 1], "x": [1, 3]})
    with pytest.raises(TableError) as caught:
        read_records([one, two])
    assert len(caught.value.problems) == 3
    assert "age of 1 image in table 2 differs" in caught.value.problems[0]
    assert "b 60.0 / 65.0" in caught.value.problems[0]
    assert "malignant (--malignant on the command line)" in caught.value.problems[1]


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
    with pytest.raises(TableError, match="no image belongs to any record") as caught:
        read_records(TRUTH, images=pd.DataFrame({"image_id": ["q"], "path": ["q.jpg"]}))
    assert "Is this the table of these images? Images are called q; the table's ids are a, b." in (
        str(caught.value)
    )
    assert "id_column (--id-column on the command line)" in str(caught.value)
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
    with pytest.raises(TableError, match="a list of duplicates has the columns"):
        read_records(PEOPLE, duplicates=PEOPLE)
    with pytest.raises(TableError, match="no table with records"):
        read_records(PAIRS)
