"""The same folder scored night after night."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit
from sklearn.pipeline import Pipeline

from hybridlesion.batch._output import locked
from hybridlesion.batch._storage import open_storage
from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.featurizer import _measuring as segmented
from hybridlesion.inference._score_file import write_scores
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.persistence import save_artifact
from hybridlesion.training import describe_training


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Rows of few features: these tests are about files, not about accuracy."""
    rng = np.random.default_rng(0)
    target = np.arange(60) % 4 == 0
    names = ["abcd__asymmetry_color_major", "abcd__border_compactness", "meta__age"]
    values = rng.normal(size=(60, 3)) + target[:, None]
    frame = pd.DataFrame(values, columns=names)
    return frame.assign(image_id=[f"T{n:03d}" for n in range(60)], target=target.astype(int))


@pytest.fixture(scope="module")
def model_file(table, tmp_path_factory) -> Path:
    """A model that measures images without a network."""
    classifier = HybridLesionClassifier(3, max_trees=20).fit(table, table["target"])
    records = pd.DataFrame({"image_id": ["a"], "path": ["a.png"]})
    model = Pipeline([("features", LesionFeaturizer().fit(records)), ("model", classifier)])
    path = tmp_path_factory.mktemp("light") / "model.joblib"
    save_artifact(path, model, training=describe_training(table, table["target"]))
    return path


@pytest.fixture
def night(hybridlesion, model_file, lesions, tmp_path):
    """A folder of four images, and a run over it: night(*options) -> scores, result."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(1, 5):
        shutil.copy(lesions / "images" / f"SYN_000{number}.png", folder)

    def run(*options, out="s.csv", metadata=lesions / "metadata.csv"):
        arguments = (model_file, folder, "--out", tmp_path / out, "--jobs", 1)
        if metadata is not None:
            arguments = (*arguments, "--metadata", metadata)
        result = hybridlesion("score", *arguments, *options)
        path = tmp_path / out
        read = pd.read_parquet if path.suffix == ".parquet" else pd.read_csv
        return read(path) if path.exists() else None, result

    run.folder, run.path = folder, tmp_path
    return run


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """Paths of the images that were decoded."""
    paths, read = [], segmented.read_image

    def count(path, **options):
        paths.append(path)
        return read(path, **options)

    monkeypatch.setattr(segmented, "read_image", count)
    return paths


def test_what_is_in_the_cache_is_not_decoded(night, decoded):
    plain, _ = night()
    assert len(decoded) == 4
    first, result = night("--cache", night.path / "cache")
    assert result.exit_code == 0, result.output
    assert len(decoded) == 8
    second, result = night("--cache", night.path / "cache")
    assert len(decoded) == 8
    assert "4 rows, 4 reused, 0 failed" in result.stdout
    pd.testing.assert_frame_equal(first, plain)
    pd.testing.assert_frame_equal(second, plain)
    assert sorted(path.name for path in night.path.iterdir()) == ["cache", "images", "s.csv"]


def test_new_and_changed_images_alone_are_measured(night, decoded, lesions):
    night("--cache", night.path / "cache")
    shutil.copy(lesions / "images" / "SYN_0005.png", night.folder)
    shutil.copy(lesions / "images" / "SYN_0006.png", night.folder / "SYN_0002.png")
    (night.folder / "SYN_0003.png").unlink()
    decoded.clear()
    scores, _ = night("--cache", night.path / "cache")
    assert sorted(path[-12:] for path in decoded) == ["SYN_0002.png", "SYN_0005.png"]
    assert scores["image_id"].tolist() == ["SYN_0001", "SYN_0002", "SYN_0004", "SYN_0005"]
    pd.testing.assert_frame_equal(scores, night()[0])


def test_other_metadata_needs_no_image(night, decoded, lesions):
    night("--cache", night.path / "cache")
    decoded.clear()
    older = pd.read_csv(lesions / "metadata.csv").assign(age_approx=85)
    older.to_csv(night.path / "older.csv", index=False)
    scores, _ = night("--cache", night.path / "cache", metadata=night.path / "older.csv")
    assert decoded == []
    pd.testing.assert_frame_equal(scores, night(metadata=night.path / "older.csv")[0])


@pytest.mark.parametrize("damage", [b"", b"x" * 20, None])
def test_damaged_entries_are_measured_again(night, decoded, damage):
    good, _ = night("--cache", night.path / "cache")
    entries = [path for path in (night.path / "cache").rglob("*") if path.is_file()]
    assert len(entries) == 4
    data = bytearray(entries[0].read_bytes())
    data[-3] ^= 1
    entries[0].write_bytes(data if damage is None else damage)
    decoded.clear()
    again, _ = night("--cache", night.path / "cache")
    assert len(decoded) == 1
    pd.testing.assert_frame_equal(again, good)
    decoded.clear()
    night("--cache", night.path / "cache")
    assert decoded == []


def test_a_limit_needs_its_cache(night):
    _, result = night("--cache-limit", 1)
    assert result.exit_code == 2
    assert "needs a cache" in " ".join(result.stderr.replace("│", " ").split())
    cache = night.path / "cache"
    scores, result = night("--cache", cache, "--cache-limit", 0.001)
    assert result.exit_code == 0, result.output
    assert len(scores) == 4


def test_a_broken_image_beside_cached_ones(night, decoded):
    night("--cache", night.path / "cache")
    (night.folder / "SYN_0009.png").write_bytes(b"\x89PNG broken")
    scores, result = night("--cache", night.path / "cache")
    assert result.exit_code == 0, result.output
    assert "4 rows, 4 reused, 1 failed" in result.stdout
    assert len(scores) == 4
    assert pd.read_csv(night.path / "s.csv.errors.csv")["image_id"].tolist() == ["SYN_0009"]


# A file that grows ------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["s.csv", "s.parquet"])
def test_a_night_adds_what_is_new(night, decoded, lesions, out):
    first, result = night("--append", out=out)
    assert result.exit_code == 0, result.output
    assert first["schema"].tolist() == [1] * 4
    before = (night.path / out).read_bytes()
    _, result = night("--append", out=out)
    assert result.exit_code == 0
    assert "nothing new" in result.stdout
    assert (night.path / out).read_bytes() == before
    shutil.copy(lesions / "images" / "SYN_0005.png", night.folder)
    decoded.clear()
    second, result = night("--append", out=out)
    assert [path[-12:] for path in decoded] == ["SYN_0005.png"]
    assert "1 row, 0 failed" in result.stdout
    pd.testing.assert_frame_equal(second.iloc[:4], first)
    if out == "s.csv":
        assert (night.path / out).read_bytes().startswith(before)


def test_a_changed_image_takes_the_place_of_its_row(night, lesions):
    first, _ = night("--append")
    shutil.copy(lesions / "images" / "SYN_0006.png", night.folder / "SYN_0002.png")
    (night.folder / "SYN_0003.png").unlink()
    second, result = night("--append")
    assert "1 image changed since the last run (first: 'SYN_0002'" in result.stderr
    assert second["image_id"].tolist() == ["SYN_0001", "SYN_0003", "SYN_0004", "SYN_0002"]
    pd.testing.assert_frame_equal(second.iloc[:3], first.iloc[[0, 2, 3]].reset_index(drop=True))


def test_ids_that_look_like_numbers_stay_text(night):
    (night.folder / "SYN_0001.png").rename(night.folder / "0001.png")
    (night.folder / "SYN_0002.png").rename(night.folder / "NA.png")
    night("--append", metadata=None)
    (night.folder / "SYN_0003.png").rename(night.folder / "0003.png")
    night("--append", metadata=None)
    rows = (night.path / "s.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["0001", "NA", "SYN_0003", "SYN_0004", "0003"]
    assert "nothing new" in night("--append", metadata=None)[1].stdout


def test_a_night_that_fails_adds_nothing_and_is_no_failure(night):
    night("--append")
    before = (night.path / "s.csv").read_bytes()
    (night.folder / "SYN_0009.png").write_bytes(b"\x89PNG broken")
    _, result = night("--append")
    assert result.exit_code == 0, result.output
    assert "0 rows, 1 failed" in result.stdout
    assert (night.path / "s.csv").read_bytes() == before
    (night.folder / "SYN_0009.png").unlink()
    night("--append")
    assert not (night.path / "s.csv.errors.csv").exists()


def test_models_prevalences_and_schemas_do_not_mix(night):
    night()
    _, result = night("--append")
    assert result.exit_code == 1
    assert "was not written with --append" in result.stderr
    (night.path / "s.csv").unlink()
    scores, _ = night("--append")
    _, result = night("--append", "--prevalence", 0.02)
    assert result.exit_code == 1
    assert "prevalence none, the new ones have 0.02" in result.stderr
    scores.assign(schema=99).to_csv(night.path / "s.csv", index=False)
    assert "has scores of schema 99" in night("--append")[1].stderr
    scores.assign(model="another").to_csv(night.path / "s.csv", index=False)
    assert "has scores of model another" in night("--append")[1].stderr
    (night.path / "s.csv").write_text("no,scores\n")
    assert "was not written with --append" in night("--append")[1].stderr


def test_tables_grow_a_file_too(hybridlesion, model_file, table, tmp_path):
    out = tmp_path / "s.csv"
    for rows, added in ((table.head(10), 10), (table.head(15), 5)):
        rows.to_parquet(tmp_path / "t.parquet")
        arguments = (model_file, tmp_path / "t.parquet", "--out", out, "--append")
        assert f"{added} rows" in hybridlesion("score", *arguments).stdout
    assert pd.read_csv(out)["image_id"].tolist() == table["image_id"].head(15).tolist()


@pytest.mark.parametrize("options", [(), ("--append",)])
def test_two_runs_do_not_write_at_the_same_time(night, options):
    with locked(open_storage(night.path), "s.csv"):
        _, result = night(*options)
    assert result.exit_code == 1
    assert f"s.csv in {night.path} is being written by another run: process" in result.stderr
    assert night(*options)[1].exit_code == 0
    assert not (night.path / "s.csv.lock").exists()


def test_a_run_that_was_killed_leaves_no_lock_that_holds(night):
    code = (
        "import os, signal, sys; from hybridlesion.batch._output import locked;"
        "from hybridlesion.batch._storage import open_storage;"
        "held = locked(open_storage(sys.argv[1]), 's.csv'); held.__enter__();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(night.path)], check=False)
    assert (night.path / "s.csv.lock").exists()
    assert night("--append")[1].exit_code == 0
    assert not (night.path / "s.csv.lock").exists()


# Another prevalence -----------------------------------------------------------------------------


def test_scores_move_to_another_prevalence(night):
    plain, _ = night()
    moved, result = night("--prevalence", 0.02)
    words = f"the threshold for 90 % sensitivity ({moved['threshold'][0]:.4g})"
    assert f"label 1 is a score at or above {words}" in result.stdout
    assert moved.columns.tolist() == [*plain.columns, "prevalence"]
    trained = 15 / 60
    expected = logit(plain["score"]) + logit(0.02) - logit(trained)
    np.testing.assert_allclose(logit(moved["score"]), expected, rtol=1e-9)
    assert moved["label"].tolist() == plain["label"].tolist()
    assert (moved["label"] == (moved["score"] >= moved["threshold"])).all()


@pytest.mark.parametrize("prevalence", ["0", "1", "-0.1", "50", "nan"])
def test_prevalences_that_are_none(night, prevalence):
    _, result = night("--prevalence", prevalence)
    assert result.exit_code == 2
    assert "between 0 and 1" in result.stderr


def test_help_says_the_exit_codes(hybridlesion):
    words = " ".join(hybridlesion("score", "--help").stdout.split())
    assert "1 refused, or no usable image" in words


# Hostile names ----------------------------------------------------------------------------------

_HOSTILE = ["=cmd|' -C calc'!A0", "+1+1", "@SUM(1)", "-2+3", "\tx", "a\nb", "a\x1b[2Jb", "a\u202eb"]


@pytest.mark.parametrize("out", ["s.csv", "s.parquet"])
def test_names_that_a_spreadsheet_or_a_terminal_would_run(night, out):
    for name in _HOSTILE:
        shutil.copy(night.folder / "SYN_0001.png", night.folder / f"{name}.png")
    shutil.copy(night.folder / "SYN_0001.png", night.folder / "<script>alert(1)<!--.png")
    (night.folder / "=1+1.png").write_bytes(b"\x89PNG broken")
    scores, result = night(out=out, metadata=None)
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    ids = scores["image_id"].tolist()
    assert {"SYN_0001", "<script>alert(1)<!--"} <= set(ids)
    formulas = _HOSTILE[:4]
    assert set(formulas) <= set(ids) if out == "s.parquet" else not set(formulas) & set(ids)
    assert not set(_HOSTILE[4:]) & set(ids)
    errors = pd.read_csv(night.path / f"{out}.errors.csv")
    assert not errors["image_id"].str.match(r"[=+@\-\t\r]").any()
    assert "'=1+1" in errors["image_id"].tolist()
    assert all(map(str.isprintable, errors["image_id"]))


def test_paths_that_look_like_formulas_lead_to_the_same_file(tmp_path):
    scores = pd.DataFrame({"image_id": ["a", "b"], "path": ["=images/a.png", "/data/b.png"]})
    write_scores(scores, tmp_path / "s.csv")
    assert pd.read_csv(tmp_path / "s.csv")["path"].tolist() == ["./=images/a.png", "/data/b.png"]
    write_scores(scores, tmp_path / "s.parquet")
    assert pd.read_parquet(tmp_path / "s.parquet")["path"].tolist() == scores["path"].tolist()


def test_patients_that_are_formulas(night, lesions):
    table = pd.read_csv(lesions / "metadata.csv")
    table.loc[table["image_name"] == "SYN_0002", "patient_id"] = "=HYPERLINK(1)"
    table.to_csv(night.path / "t.csv", index=False)
    scores, _ = night(metadata=night.path / "t.csv")
    assert scores["image_id"].tolist() == ["SYN_0001", "SYN_0003", "SYN_0004"]
    errors = pd.read_csv(night.path / "s.csv.errors.csv")
    assert "its patient_id begins with '='" in errors["reason"][0]


def test_archives_with_names_that_lead_elsewhere(night, hybridlesion, model_file):
    archive = night.path / "images.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("../../evil.png", "/tmp/absolute.png", "a/../../../x.png"):
            packed.write(night.folder / "SYN_0001.png", name)
    out = night.path / "deep" / "down" / "s.csv"
    result = hybridlesion("score", model_file, archive, "--out", out, "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert pd.read_csv(out)["image_id"].tolist() == ["absolute", "evil", "x"]
    assert [path.name for path in out.parent.iterdir()] == ["s.csv"]
    assert {path.name for path in night.path.iterdir()} == {"images", "images.zip", "deep"}
    masks = night.path / "deep" / "masks"
    assert hybridlesion("segment", archive, "--out", masks).exit_code == 0
    assert sorted(path.name for path in masks.iterdir()) == [
        f"{name}_segmentation.png" for name in ("absolute", "evil", "x")
    ]
