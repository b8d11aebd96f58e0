"""Files that a user keeps beside an output: no command writes, locks or removes them."""

from __future__ import annotations

import shutil
from fnmatch import fnmatchcase

import pandas as pd
import pytest

# What people and other programs keep beside `isic.csv`, and what a run might want for itself.
BYSTANDERS = (
    *("isic.features.parquet", "isic.features.parquet.errors.csv", "isic.features.errors.csv"),
    *("isic.features.parquet.lock", "isic.features.parquet.shards/000000.parquet"),
    *("isic.errors.csv", "isic.lock", "isic.shards/000000.parquet", "isic.parts/000000.parquet"),
    *("isic.csv.bak", "isic.csv.part", "isic.csv.tmp", ".isic.csv.swp", ".isic.part.csv"),
    *("isic.joblib.tmp", "isic.features", "isic.png", "isic.json", "isic.zip", "isic.csv.zip"),
    *(
        "isic.overlap.csv",
        "isic.worst.png",
        "isic.reasons.csv",
        "isic.curve.csv",
        "isic.training/x",
    ),
    *("features.parquet", "scores.csv", "model.joblib", "masks/a_segmentation.png", "cache/notes"),
    *("cache/ab/" + "ab" * 32, "training/settings.json", "metrics.csv", "report.html", "tmp/x"),
    *("isic.training/x", "isic.out_of_fold/x"),
    *("summary.md", "data/metadata.csv", "CARD.md", "curves.csv", "out_of_fold.csv", "splits.csv"),
)
BESIDE = ("isic.{0}", "isic.{0}.errors.csv")
EVALUATION = (
    *("metrics.csv", "metrics.json", "metrics.png", "operating_points.csv", "subgroups.csv"),
    *("reliability.png", "decision_curve.png", "subgroups.png", "comparison.csv", "comparison.png"),
    *("selective_risk.csv", "selective_risk.png"),
)


def _keep(folder, names=BYSTANDERS):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"image_id,comment\nX,{name} is kept by somebody\n")


def _snapshot(folder):
    """Every file with what it holds, every empty folder with nothing."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
        if path.is_file() or not any(path.iterdir())
    }


@pytest.fixture(scope="module")
def inputs(hybridlesion, lesions, features_file, model_file, tmp_path_factory):
    """Folder with six images, one of them broken, their masks, tables, a model and its scores."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "images").mkdir()
    for number in (1, 2, 3, 4, 5, 7):
        shutil.copy(lesions / "images" / f"SYN_{number:04d}.png", folder / "images")
    shutil.copy(lesions / "metadata.csv", folder)
    shutil.copy(features_file, folder / "f.parquet")
    shutil.copy(model_file, folder / "m.joblib")
    for arguments in (
        ("segment", folder / "images", "--out", folder / "truth", "--jobs", 1),
        ("score", folder / "m.joblib", folder / "f.parquet", "--out", folder / "s.csv"),
    ):
        assert hybridlesion(*arguments).exit_code == 0
    (folder / "truth.errors.csv").unlink()
    return folder


RUNS = [
    ("check {i}/images {i}/metadata.csv --jobs 1 --out isic.toml", ["isic.toml"]),
    ("features {i}/images --metadata {i}/metadata.csv --embedder none --out isic.parquet --jobs 1",
     [name.format("parquet") for name in BESIDE]),
    ("features {i}/images --embedder none --masks isic_masks --restart --out isic.parquet --jobs 1",
     [*(name.format("parquet") for name in BESIDE), "isic_masks/SYN_000?_segmentation.png"]),
    ("fit {i}/f.parquet --folds 2 --jobs 1 --out isic.joblib --oof isic.oof.csv"
     " --save-splits isic.folds.csv --audit isic.audit.json",
     ["isic.joblib", "isic.oof.csv", "isic.folds.csv", "isic.audit.json"]),
    ("score {i}/m.joblib {i}/images --out isic.csv --jobs 1",
     [name.format("csv") for name in BESIDE]),
    ("score {i}/m.joblib {i}/f.parquet --out isic.csv --explain", ["isic.csv"]),
    ("score {i}/m.joblib {i}/images --out isic.csv --jobs 1 --append --restart --cache isic.cache"
     " --cache-limit 0.001",
     [*(name.format("csv") for name in BESIDE), "isic.cache/??/" + "?" * 64]),
    ("score {i}/m.joblib {i}/images --out isic.out.parquet --jobs 1",
     ["isic.out.parquet", "isic.out.parquet.errors.csv"]),
    ("segment {i}/images --out isic_masks --overlay --truth {i}/truth --jobs 1",
     ["isic_masks/SYN_000?_segmentation.png", "isic_masks/SYN_000?_overlay.jpg",
      "isic_masks.errors.csv", "isic_masks.overlap.csv", "isic_masks.worst.png"]),
    ("evaluate {i}/s.csv --truth {i}/metadata.csv --against {i}/s.csv --bootstrap 20"
     " --out isic_evaluation", ["isic_evaluation/" + name for name in EVALUATION]),
    ("report {i}/m.joblib --scores {i}/s.csv --truth {i}/metadata.csv --cases 2 --sheets 1"
     " --jobs 1 --out isic_report", ["isic_report/report.html"]),
    ("explain {i}/images/SYN_0001.png", ["SYN_0001_abcd.png"]),
    ("explain {i}/images --out isic_sheets", ["isic_sheets/SYN_000?_abcd.png",
                                              "isic_sheets.errors.csv"]),
    ("inspect {i}/m.joblib", []),
]  # fmt: skip


@pytest.mark.parametrize(("command", "promised"), RUNS)
def test_only_promised_names_appear(hybridlesion, inputs, tmp_path, monkeypatch, command, promised):
    monkeypatch.chdir(tmp_path)
    _keep(tmp_path)
    before, read = _snapshot(tmp_path), _snapshot(inputs)
    result = hybridlesion(*command.format(i=inputs).split())
    assert result.exit_code == 0, result.output
    after = _snapshot(tmp_path)
    assert {name: after.get(name) for name in before} == before
    new = set(after) - set(before)
    assert [name for name in new if not any(fnmatchcase(name, one) for one in promised)] == []
    assert [one for one in promised if not any(fnmatchcase(name, one) for name in new)] == []
    assert _snapshot(inputs) == read


FEATURES = "features {i}/images --embedder none --out isic.parquet --jobs 1"
SCORE = "score {i}/m.joblib {i}/images --out isic.csv --jobs 1"
APPEND = f"{SCORE} --append --restart --cache isic.cache"
FINETUNE = "finetune {i}/images --metadata {i}/metadata.csv --folds 2 --out isic --jobs 1 --restart"
REFINER = "train-refiner {i}/images --masks {i}/truth --folds 2 --out isic.safetensors --restart"


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        *((FEATURES, f"isic.parquet.{end}") for end in ("errors.csv", "lock", "shards")),
        (FEATURES + " --restart", "isic.parquet.shards/000000.parquet"),
        *((SCORE, f"isic.csv.{end}") for end in ("errors.csv", "lock", "shards", "shards/a/b.csv")),
        *((APPEND, f"isic.csv.{end}") for end in ("errors.csv", "lock", "shards/000000.parquet")),
        ("segment {i}/images --out isic --jobs 1", "isic.errors.csv"),
        ("segment {i}/images --out isic --truth {i}/truth --jobs 1", "isic.overlap.csv"),
        ("segment {i}/images --out new --truth {i}/truth --jobs 1", "new.worst.png"),
        ("explain {i}/images --out isic", "isic.errors.csv"),
        ("explain {i}/images/SYN_0001.png --network finetuned --out new.png", "new_cnn.png"),
        *((FINETUNE, f"isic{end}") for end in (".errors.csv", "/training/a.jpg", "/CARD.md")),
        *((REFINER, f"isic.safetensors.{end}") for end in ("errors.csv", "training/a.jpg")),
        *((REFINER, f"isic.safetensors.{end}") for end in ("curve.csv", "out_of_fold.csv")),
        (REFINER, "isic.safetensors.out_of_fold/SYN_0001_segmentation.png"),
        ("demo --out isic", "isic/data/metadata.csv"),
    ],
)
def test_a_name_that_is_taken_is_refused(
    hybridlesion, inputs, tmp_path, monkeypatch, command, kept
):
    monkeypatch.chdir(tmp_path)
    _keep(tmp_path, [*BYSTANDERS, kept])
    before = _snapshot(tmp_path)
    result = hybridlesion(*command.format(i=inputs).split())
    assert result.exit_code == 1, result.output
    assert kept.split("/")[0] in result.stderr
    assert _snapshot(tmp_path) == before


@pytest.mark.parametrize("name", ["isic.csv.lock", "isic.csv.shards"])
def test_empty_files_and_folders_are_not_ours_either(
    hybridlesion, inputs, tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    if name.endswith("lock"):
        (tmp_path / name).touch()
    else:
        (tmp_path / name).mkdir()
    result = hybridlesion(*SCORE.format(i=inputs).split())
    assert (result.exit_code, name in result.stderr) == (1, True), result.output
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "command",
    [
        "score m.joblib images --metadata metadata.csv --out metadata.csv",
        "score m.joblib ./f.parquet --out f.parquet",
        "score m.joblib images --metadata other.csv --out metadata.csv",
        "score m.joblib x.csv.errors.csv --out x.csv",
        "features list.parquet --out list.parquet --embedder none",
        "features images --metadata x.parquet.errors.csv --out x.parquet --embedder none",
        "features images --masks images --out y.parquet --embedder none --jobs 1",
        "fit f.parquet --out x.joblib --oof metadata.csv --splits metadata.csv",
        "segment images --out images",
        "segment images --out truth --truth truth",
        "explain images/SYN_0001.png --out images/SYN_0001.png",
        "explain images --out images",
        "explain images/SYN_0002.png --mask truth/SYN_0002_abcd.png --out truth",
        "evaluate out/metrics.csv --truth metadata.csv --out out",
        "evaluate s.csv --truth out/subgroups.csv --out out",
        "finetune images --metadata out/curves.csv --out out",
    ],
)
def test_an_output_that_is_an_input_is_refused(
    hybridlesion, inputs, tmp_path, monkeypatch, command
):
    folder = tmp_path / "here"
    shutil.copytree(inputs, folder)
    monkeypatch.chdir(folder)
    # A second name of one file, a list of images, an image that is called like a sheet.
    (folder / "other.csv").hardlink_to(folder / "metadata.csv")
    paths = [f"images/SYN_000{number}.png" for number in (1, 2)]
    pd.DataFrame({"path": paths}).to_parquet(folder / "list.parquet")
    pd.DataFrame({"image_id": ["SYN_0001"], "path": paths[:1]}).to_csv("x.csv.errors.csv")
    shutil.copy("metadata.csv", "x.parquet.errors.csv")
    shutil.copy("images/SYN_0001.png", "images/SYN_0001_abcd.png")
    shutil.copy("truth/SYN_0002_segmentation.png", "truth/SYN_0002_abcd.png")
    (folder / "out").mkdir()
    for source, name in (("s", "metrics"), ("metadata", "subgroups"), ("metadata", "curves")):
        shutil.copy(f"{source}.csv", f"out/{name}.csv")
    before = _snapshot(folder)
    result = hybridlesion(*command.split())
    assert result.exit_code in (1, 2), result.output
    assert "replace" in result.stderr or "overwritten" in result.stderr, result.stderr
    assert _snapshot(folder) == before


def test_a_demo_goes_on_in_its_own_folder_only(tmp_path):
    from hybridlesion.demo import _TITLE, _refuse_other_files
    from hybridlesion.exceptions import SourceError

    _keep(tmp_path, ["data/metadata.csv", "model.joblib"])
    with pytest.raises(SourceError, match="such as data"):
        _refuse_other_files(tmp_path)
    (tmp_path / "summary.md").write_text(f"{_TITLE}\n")
    _refuse_other_files(tmp_path)
    _keep(tmp_path, ["notes.txt"])
    with pytest.raises(SourceError, match=r"such as notes\.txt"):
        _refuse_other_files(tmp_path)
