"""A wrong file in each place of each command: one message, exit code 1, nothing written."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

WRONG = {
    "table": (
        *("gone.csv", "gone.parquet", "images", "picture.png", "empty.csv", "empty.parquet"),
        *("binary.csv", "binary.parquet", "columns.csv", "columns.parquet", "header.csv"),
        *("model.joblib", "words.txt"),
    ),
    "images": (
        *("gone", "gone.jpg", "nothing", "words.txt", "model.joblib", "columns.csv"),
        *("metadata.csv", "empty.zip", "binary.zip", "words.zip", "binary.h5", "nowhere://bucket"),
    ),
    "model": (
        *("gone.joblib", "images", "picture.png", "metadata.csv", "empty.joblib"),
        *("binary.joblib", "features.parquet", "foreign.joblib"),
    ),
    "masks": ("gone", "words.txt", "nothing", "images", "metadata.csv"),
    "weights": ("gone.safetensors", "nothing", "picture.png", "empty.safetensors", "metadata.csv"),
    "key": ("gone.key", "images", "short.key", "empty.csv"),
    "new file": ("words.txt/x{}", "/proc/nowhere/x{}", "folder{}"),
    "new folder": ("words.txt", "words.txt/x", "/proc/nowhere"),
}

# Where a file stands as {}: what kind is meant, and the rest of a command that would run.
PLACES = [
    ("features {} --out o/f.parquet", "images"),
    ("features images --out o/f.parquet --metadata {}", "table"),
    ("features images --out o/f.parquet --embedder mobilenetv2_100 --weights {}", "weights"),
    ("features images --out {}", "new file .parquet"),
    ("features images --out o/f.parquet --masks {}", "new folder"),
    ("fit {} --out o/m.joblib", "table"),
    ("fit features.parquet --out o/m.joblib --splits {}", "table"),
    ("fit features.parquet --out o/m.joblib --sign {}", "key"),
    ("fit features.parquet --out {}", "new file .joblib"),
    ("fit features.parquet --out o/m.joblib --oof {}", "new file .csv"),
    ("fit features.parquet --out o/m.joblib --save-splits {}", "new file .parquet"),
    ("fit features.parquet --out o/m.joblib --audit {}", "new file .json"),
    ("score {} features.parquet --out o/s.csv", "model"),
    ("score model.joblib {} --out o/s.csv", "images"),
    ("score model.joblib features.parquet --out o/s.csv --metadata {}", "table"),
    ("score model.joblib features.parquet --out o/s.csv --key {}", "key"),
    ("score model.joblib features.parquet --out {}", "new file .csv"),
    ("score model.joblib images --out o/s.csv --cache {}", "new folder"),
    ("segment {} --out o", "images"),
    ("segment images --out {}", "new folder"),
    ("segment images --out o --truth {}", "masks"),
    ("explain {} --out o/x.png", "images"),
    ("explain picture.png --out {}", "new file .png"),
    ("explain images --out o --mask {}", "masks"),
    ("finetune {} --metadata metadata.csv --out o --weights WEIGHTS", "images"),
    ("finetune images --metadata {} --out o --weights WEIGHTS", "table"),
    ("finetune images --metadata metadata.csv --out o --weights {}", "weights"),
    ("finetune images --metadata metadata.csv --out {} --weights WEIGHTS", "new folder"),
    ("train-refiner {} --masks masks --out o/r.safetensors", "images"),
    ("train-refiner images --masks {} --out o/r.safetensors", "masks"),
    ("train-refiner images --masks masks --out o/r.safetensors --metadata {}", "table"),
    ("train-refiner images --masks masks --out o/r.safetensors --weights {}", "weights"),
    ("train-refiner images --masks masks --out {}", "new file .safetensors"),
    ("evaluate {} --truth metadata.csv --out o", "table"),
    ("evaluate scores.csv --truth {} --out o", "table"),
    ("evaluate scores.csv --truth metadata.csv --out o --against {}", "table"),
    ("evaluate scores.csv --truth metadata.csv --out {}", "new folder"),
    ("report {} --out o", "model"),
    ("report model.joblib --out o --scores {}", "table"),
    ("report model.joblib --out o --scores scores.csv --truth {}", "table"),
    ("report model.joblib --out o --scores scores.csv --images {}", "images"),
    ("report model.joblib --out o --scores scores.csv --masks {}", "masks"),
    ("report model.joblib --out {}", "new folder"),
    ("inspect {}", "model"),
    ("inspect model.joblib --key {}", "key"),
    ("demo --out {}", "new folder"),
    ("demo --out {}", "masks"),
]


def _cases():
    for line, kind in PLACES:
        kind, _, suffix = kind.partition(" .")
        for wrong in WRONG[kind]:
            if line.startswith("demo") and wrong in ("gone", "nothing"):
                continue  # a place for it
            file = wrong.format(f".{suffix}")
            if line.startswith("explain") and file == "folder.png":
                continue  # that may be a folder, too
            yield pytest.param(line, file, id=line.replace("{}", f"[{file}]").replace(" ", "_"))


@pytest.fixture(scope="module")
def desk(lesions, features_file, model_file, tmp_path_factory) -> Path:
    """A folder with good files, and with every wrong one."""
    folder = tmp_path_factory.mktemp("desk")
    for name in ("images", "masks", "nothing", "folder.parquet"):
        (folder / name).mkdir()
    for name in ("joblib", "csv", "json", "png", "safetensors"):
        (folder / f"folder.{name}").mkdir()
    for name in ("SYN_0000", "SYN_0001"):
        shutil.copy(lesions / "images" / f"{name}.png", folder / "images")
        shutil.copy(lesions / "images" / f"{name}.png", folder / "masks" / f"{name}_lesion.png")
    shutil.copy(lesions / "images" / "SYN_0000.png", folder / "picture.png")
    shutil.copy(lesions / "metadata.csv", folder)
    shutil.copy(features_file, folder / "features.parquet")
    shutil.copy(model_file, folder / "model.joblib")
    truth = pd.read_csv(folder / "metadata.csv")
    scores = pd.DataFrame({"image_id": truth["image_name"], "score": 0.1 + 0.5 * truth["target"]})
    scores.to_csv(folder / "scores.csv", index=False)
    _write_wrong_files(folder)
    return folder


def _write_wrong_files(folder):
    for suffix in ("csv", "parquet", "zip", "joblib", "safetensors"):
        (folder / f"empty.{suffix}").touch()
    for suffix in ("csv", "parquet", "zip", "joblib", "h5"):
        (folder / f"binary.{suffix}").write_bytes(np.random.default_rng(0).bytes(3000))
    columns = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    columns.to_csv(folder / "columns.csv", index=False)
    columns.to_parquet(folder / "columns.parquet")
    (folder / "header.csv").write_text("image_name,patient_id,sex,age_approx,target\n")
    (folder / "words.txt").write_text("just words\nof a user\n")
    (folder / "short.key").write_text("k")
    joblib.dump({"a": 1}, folder / "foreign.joblib")
    with zipfile.ZipFile(folder / "words.zip", "w") as archive:
        archive.write(folder / "words.txt", "words.txt")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Weights of a small network, so that finetune comes as far as its images."""
    import timm
    import torch

    path = tmp_path_factory.mktemp("weights") / "mobilenetv2_100.pth"
    torch.save(timm.create_model("mobilenetv2_100", num_classes=0).state_dict(), path)
    return path


def _state(folder):
    return {path: path.stat().st_mtime_ns if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize(("line", "wrong"), list(_cases()))
def test_a_wrong_file_is_refused_in_words(hybridlesion, desk, weights, monkeypatch, line, wrong):
    monkeypatch.chdir(desk)
    before = _state(desk)
    words = [{"{}": wrong, "WEIGHTS": str(weights)}.get(word, word) for word in line.split()]
    result = hybridlesion(*words)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    said = result.stderr.splitlines()
    assert len([text for text in said if text.startswith("hybridlesion: ")]) == 1
    assert len(said[-1]) > 20
    for clumsy in ("Traceback", "Errno", "Error(", "None", "  is ", "<Buffer>"):
        assert clumsy not in result.stderr
    assert _state(desk) == before
