"""Images and metadata to a feature table."""

from __future__ import annotations

import pandas as pd

from hybridlesion.extraction import read_features


def test_rows_failures_and_last_line(hybridlesion, lesions, tmp_path):
    out = tmp_path / "f.parquet"
    arguments = (lesions / "images", "--metadata", lesions / "metadata.csv", "--out", out)
    result = hybridlesion("features", *arguments, "--jobs", 1)
    assert result.exit_code == 0, result.output
    table, configuration = read_features(out)
    assert len(table) == 39
    assert configuration["embedder"] == "none"
    assert {"image_id", "patient_id", "target", "meta__age"} <= set(table.columns)
    last = result.stdout.splitlines()[-1]
    assert last.startswith(f"wrote {out}: 39 rows, 1 failed (see {out}.errors.csv), ")
    errors = pd.read_csv(f"{out}.errors.csv")
    assert errors.columns.tolist() == ["image_id", "path", "stage", "reason"]
    assert errors["image_id"].tolist() == ["SYN_0007"]


def test_leaking_columns_are_named_with_the_reason(hybridlesion, lesions, tmp_path):
    arguments = (lesions / "images", "--metadata", lesions / "metadata.csv")
    result = hybridlesion("features", *arguments, "--out", tmp_path / "f.parquet", "--jobs", 1)
    assert "set aside" in result.stderr
    assert "benign_malignant" in result.stderr


def test_images_alone(hybridlesion, lesions, tmp_path):
    out, masks = tmp_path / "f.parquet", tmp_path / "masks"
    arguments = (lesions / "images" / "SYN_0001.png", "--out", out, "--masks", masks)
    result = hybridlesion("features", *arguments, "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert len(pd.read_parquet(out)) == 1
    assert [path.name for path in masks.iterdir()] == ["SYN_0001_segmentation.png"]


def test_nothing_usable_is_exit_code_1(hybridlesion, lesions, tmp_path):
    out = tmp_path / "f.parquet"
    result = hybridlesion(
        "features", lesions / "images" / "SYN_0007.png", "--out", out, "--jobs", 1
    )
    assert result.exit_code == 1
    assert "not one of the 1 images" in result.stderr
    assert not out.exists()


def test_metadata_of_other_images_is_refused(hybridlesion, lesions, tmp_path):
    table = pd.read_csv(lesions / "metadata.csv")
    table.assign(image_name="X" + table["image_name"]).to_csv(tmp_path / "m.csv", index=False)
    arguments = (lesions / "images", "--metadata", tmp_path / "m.csv")
    result = hybridlesion("features", *arguments, "--out", tmp_path / "f.parquet")
    assert result.exit_code == 1
    assert "no image belongs to any record" in result.stderr
