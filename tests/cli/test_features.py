"""Images and metadata to a feature table."""

from __future__ import annotations

import subprocess
import sys

import pandas as pd

from hybridlesion.batch import read_features
from hybridlesion.exceptions import OptionError


def test_rows_failures_and_last_line(measured):
    out, result = measured
    table, configuration = read_features(out)
    assert len(table) == 39
    assert configuration["embedder"] == "finetuned"
    assert {"image_id", "patient_id", "target", "meta__age"} <= set(table.columns)
    last = result.stdout.splitlines()[-1]
    assert last.startswith(f"wrote {out}: 39 rows, 1 failed (see {out}.errors.csv), ")
    errors = pd.read_csv(f"{out}.errors.csv")
    assert errors.columns.tolist() == ["image_id", "path", "stage", "reason"]
    assert errors["image_id"].tolist() == ["SYN_0007"]


def test_leaking_columns_are_named_with_the_reason(measured):
    assert "excluded " in measured[1].stderr
    assert "benign_malignant" in measured[1].stderr


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
    assert "none of the 1 images" in result.stderr
    assert not out.exists()


def test_metadata_of_other_images_is_refused(hybridlesion, lesions, tmp_path):
    table = pd.read_csv(lesions / "metadata.csv")
    table.assign(image_name="X" + table["image_name"]).to_csv(tmp_path / "m.csv", index=False)
    arguments = (lesions / "images", "--metadata", tmp_path / "m.csv")
    result = hybridlesion("features", *arguments, "--out", tmp_path / "f.parquet")
    assert result.exit_code == 1
    assert "no image matches a record" in result.stderr


def test_a_table_of_paths_brings_its_own_metadata_and_a_device_without_a_network_is_noted(
    hybridlesion, lesions, tmp_path
):
    (lesions / "paths.csv").write_text("path,age,target\nimages/SYN_0001.png,45,1\n")
    out = tmp_path / "f.parquet"
    arguments = (lesions / "paths.csv", "--out", out, "--jobs", 1, "--device", "cuda")
    result = hybridlesion("features", *arguments, "--embedder", "none")
    assert result.exit_code == 0, result.output
    assert pd.read_parquet(out)[["meta__age", "target"]].to_numpy().tolist() == [[45, 1]]
    assert ": 1 row, 0 failed" in result.stdout
    assert result.stderr.count("--device cuda has no effect") == 1


def test_wrong_settings_name_the_cure(hybridlesion, lesions, tmp_path):
    arguments = (lesions / "images", "--out", tmp_path / "f.parquet")
    near = hybridlesion("features", *arguments, "--embedder", "mobilnetv2_100").output
    assert "mobilenetv2_100" in near
    column = hybridlesion("features", *arguments, "--column", "agee=age_approx").output
    assert "Did you mean 'age'" in column
    weights = hybridlesion("features", *arguments, "--weights", lesions / "metadata.csv").output
    assert "--embedder mobilenetv2_100" in " ".join(weights.replace("│", " ").split())


def test_resources_are_of_a_cluster_and_have_a_number(hybridlesion, lesions, tmp_path):
    arguments = (lesions / "images", "--out", tmp_path / "f.parquet", "--dask-resource")
    alone = hybridlesion("features", *arguments, "GPU=1")
    assert alone.exit_code == 2
    assert "needs a cluster: --dask ADDRESS" in alone.output
    wrong = hybridlesion("features", *arguments, "GPU", "--dask", "tcp://127.0.0.1:9")
    assert wrong.exit_code == 2
    assert "takes NAME=NUMBER" in wrong.output


def test_a_second_run_on_one_output_is_refused(hybridlesion, lesions, tmp_path):
    from hybridlesion.batch._output import locked
    from hybridlesion.batch._storage import open_storage

    image, out = lesions / "images" / "SYN_0001.png", tmp_path / "f.parquet"
    with locked(open_storage(tmp_path), "f.parquet"):
        result = hybridlesion("features", image, "--out", out, "--embedder", "none", "--jobs", 1)
    assert result.exit_code == 1
    assert "is being written by another run: process" in result.stderr


def test_a_setting_that_only_the_library_refuses_is_one_message(
    hybridlesion, lesions, tmp_path, monkeypatch
):
    from hybridlesion.featurizer import LesionFeaturizer

    def refuse(self):
        raise OptionError("long_side must be a whole number at least 64, got 3.")

    monkeypatch.setattr(LesionFeaturizer, "_check_parameters", refuse)
    result = hybridlesion("features", lesions / "images", "--out", tmp_path / "f.parquet")
    assert result.exit_code == 1
    assert result.stderr.endswith(
        "hybridlesion: long_side must be a whole number at least 64, got 3.\n"
    )


def test_list_prints_the_catalogue_for_programs(hybridlesion):
    from hybridlesion.features import FEATURES

    result = hybridlesion("features", "--list")
    assert result.exit_code == 0, result.output
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert rows[0] == ["name", "family", "unit", "range", "description"]
    assert [row[0] for row in rows[1:]] == [feature.name for feature in FEATURES]
    assert rows[1][1:4] == ["asymmetry", "share", "0 to 1"]
    assert {len(row) for row in rows} == {5}


def test_list_stands_alone(hybridlesion, tmp_path):
    out = tmp_path / "f.parquet"
    for rest in (("images",), ("--out", out), ("images", "--out", out)):
        result = hybridlesion("features", *rest, "--list")
        assert result.exit_code == 2
        assert "--list must be given alone" in result.output


def test_list_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from hybridlesion.cli import app\n"
        "try:\n    app(['features', '--list'])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "heavy = {'torch', 'timm', 'lightgbm', 'sklearn', 'pandas', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
