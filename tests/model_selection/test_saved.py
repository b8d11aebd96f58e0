"""Folds and parts come back from disk as they were, and say what is wrong with a file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import SourceError, TableError
from hybridlesion.model_selection import (
    Splits,
    grouped_folds,
    parted,
    read_splits,
    repeated_grouped_folds,
    train_validation_test,
    write_splits,
)


@pytest.fixture
def records() -> pd.DataFrame:
    n = 120
    return pd.DataFrame(
        {
            "image_id": [f"ISIC_{row:07d}" for row in range(n)],
            "patient_id": [f"IP_{row // 3}" for row in range(n)],
            "target": (np.arange(n) % 5 == 0).astype(float),
        }
    )


@pytest.fixture
def folds(records) -> Splits:
    groups = pd.factorize(records["patient_id"])[0]
    labels = repeated_grouped_folds(records["target"], groups, n_repeats=2, random_state=4)
    return Splits(records["image_id"].to_numpy(), labels, groups, 4)


def test_each_repeat_is_the_fold_of_its_seed(records, folds):
    for repeat in range(2):
        alone = grouped_folds(records["target"], folds.group, random_state=4 + repeat)
        assert (folds.labels[:, repeat] == alone).all()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_folds_come_back(records, folds, tmp_path, suffix):
    file = tmp_path / f"folds.{suffix}"
    write_splits(file, folds)
    again = read_splits(file, records)
    assert (again.labels == folds.labels).all()
    assert (again.group == folds.group).all()
    assert (again.random_state, again.digest) == (4, folds.digest)
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]


def test_ids_match_whatever_their_case_and_suffix(folds):
    written = [f"images/{name.lower()}.JPG" for name in folds.image_id]
    assert (folds.of(written[::-1]) == folds.labels[::-1]).all()
    assert folds.unused(written[5:]) == folds.image_id[:5].tolist()
    ambiguous = Splits(np.array(["a", "A"]), np.array([[0], [1]]), None, None)
    assert ambiguous.of(["A", "a"]).ravel().tolist() == [1, 0]
    two = Splits(np.array(["Ab", "aB"]), np.array([[0], [1]]), None, None)
    with pytest.raises(TableError, match="1 of 1 images lack a fold"):
        two.of(["ab"])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_parts_come_back(records, folds, tmp_path, suffix):
    parts = train_validation_test(records["target"], folds.group)
    write_splits(tmp_path / f"p.{suffix}", Splits(folds.image_id, parts[:, None]))
    again = read_splits(tmp_path / f"p.{suffix}", records)
    assert again.are_parts
    assert (again.labels[:, 0] == parts).all()


def test_rows_are_found_by_id_in_any_order(records, folds):
    shuffled = records.sample(frac=1, random_state=0)
    looked_up = folds.of(shuffled["image_id"] + ".jpg")
    assert (looked_up == folds.labels[shuffled.index]).all()
    assert folds.unused(records["image_id"][2:]) == ["ISIC_0000000", "ISIC_0000001"]


def test_the_digest_does_not_depend_on_the_order(folds):
    turned = Splits(folds.image_id[::-1], folds.labels[::-1])
    assert turned.digest == folds.digest
    moved = folds.labels.copy()
    moved[0, 0] = (moved[0, 0] + 1) % 5
    assert Splits(folds.image_id, moved).digest != folds.digest


def test_a_changed_file_is_refused_and_its_cure_works(folds, tmp_path):
    file = tmp_path / "folds.csv"
    write_splits(file, folds)
    first, header, row, *rest = file.read_text().splitlines()
    name, group, fold, other = row.split(",")
    moved = ",".join([name, group, str((int(fold) + 1) % 5), other])
    file.write_text("\n".join([first, header, moved, *rest]))
    with pytest.raises(TableError, match="changed after it was written"):
        read_splits(file)
    file.write_text("\n".join([header, moved, *rest]))
    assert read_splits(file).labels[0, 0] == (int(fold) + 1) % 5


def test_images_in_no_fold_are_named(records, folds, tmp_path):
    kept = Splits(folds.image_id[2:], folds.labels[2:])
    write_splits(tmp_path / "f.csv", kept)
    with pytest.raises(TableError, match=r"2 of 120 images lack a fold.*ISIC_0000000, ISIC_0000"):
        read_splits(tmp_path / "f.csv", records)


def test_patients_in_several_folds_are_named(records, folds, tmp_path):
    labels = folds.labels.copy()
    labels[0, 1] = (labels[0, 1] + 1) % 5
    write_splits(tmp_path / "f.csv", Splits(folds.image_id, labels))
    with pytest.raises(TableError, match=r"patient_id: 1 \(IP_0\)"):
        read_splits(tmp_path / "f.csv", records)


def test_parted_sees_every_draw_and_passes_over_what_is_missing():
    values = pd.Series(["A", "A", "B", "B", None, None])
    assert parted(values, np.array([[0, 0], [0, 1], [1, 1], [1, 1], [0, 0], [1, 1]])).tolist() == [
        *(True, True),
        *[False] * 4,
    ]


def test_files_made_by_other_means(tmp_path):
    (tmp_path / "k.csv").write_text("image_name,fold,score\na.jpg,3,0.1\nb.jpg,7,0.2\n")
    splits = read_splits(tmp_path / "k.csv")
    assert splits.image_id.tolist() == ["a", "b"]
    assert splits.labels[:, 0].tolist() == [0, 1]
    (tmp_path / "p.csv").write_text("isic_id;split\na;Train\nb;val\n")
    assert read_splits(tmp_path / "p.csv").labels[:, 0].tolist() == ["train", "validation"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name,fold\na,0\nb,1\n", "no column of image ids"),
        ("image_id,fold\na,0\na,1\n", "lists 1 images more than once: a"),
        ("image_id,clinic\na,0\nb,1\n", "either a column part"),
        ("image_id,fold,part\na,0,train\nb,1,test\n", "either a column part"),
        ("image_id,fold\na,0\nb,-1\n", "whole number from 0; got -1"),
        ("image_id,fold\na,0\nb,\n", "whole number from 0; got nan"),
        ("image_id,fold\na,2\nb,2\n", "the same in every row"),
        ("image_id,part\na,train\nb,holdout\n", "got holdout"),
        ("# hybridlesion splits {oops\nimage_id,fold\na,0\nb,1\n", "first line is damaged"),
    ],
)
def test_unusable_files_say_why(tmp_path, text, reason):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(TableError, match=reason):
        read_splits(tmp_path / "s.csv")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SourceError, match=r"cannot read the splits.*No such file"):
        read_splits(tmp_path / "s.csv")


def test_only_csv_and_parquet_are_written_and_ids_once(folds, tmp_path):
    with pytest.raises(TableError, match=r"\.csv or \.parquet, got 'f.xlsx'"):
        write_splits(tmp_path / "f.xlsx", folds)
    with pytest.raises(TableError, match="1 repeated: a"):
        write_splits(tmp_path / "f.csv", Splits(np.array(["a", "a"]), np.array([[0], [1]])))


@pytest.mark.parametrize("n_repeats", [0, 1.5])
def test_repeats_are_a_whole_number_from_one(n_repeats):
    with pytest.raises(ValueError, match="n_repeats must be a whole number"):
        repeated_grouped_folds([0, 1, 0, 1], [0, 1, 2, 3], n_splits=2, n_repeats=n_repeats)
