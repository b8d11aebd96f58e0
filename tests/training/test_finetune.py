"""Folders of images to fine-tuned folds and out-of-fold scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hybridlesion.cnn import CNNScorer, Finetuned, FinetuneRecipe, is_finetuned
from hybridlesion.exceptions import HybridLesionError, TableError
from hybridlesion.io import read_image, write_image
from hybridlesion.training import finetune
from hybridlesion.training._finetune_folds import FoldWork, run_folds

TINY = "test_efficientnet"
RECIPE = FinetuneRecipe(epochs=2, batch_size=8, image_size=32, first_size=32, frozen=0.0)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights of a tiny backbone."""
    from safetensors.torch import save_file

    from hybridlesion._optional_imports import import_timm

    timm = import_timm()
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = timm.create_model(TINY, num_classes=0)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(model.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def folder(lesions, tmp_path_factory):
    """Images of twelve patients in two folders, one of them broken, and their table."""
    folder = tmp_path_factory.mktemp("images")
    for position, record in enumerate(lesions.itertuples()):
        part = "first" if position < 18 else "second"
        write_image(folder / part / f"{record.image_id}.png", read_image(record.path))
    (folder / "second" / "SYN_9999999.png").write_bytes(b"no image")
    broken = pd.DataFrame({"image_id": ["SYN_9999999"], "patient_id": ["X"], "target": [0]})
    table = pd.concat([lesions[["image_id", "patient_id", "target"]], broken])
    table.to_csv(folder / "table.csv", index=False)
    return folder


def train(folder, out, weights, **options):
    settings = {"backbone": TINY, "weights": weights, "n_folds": 3, "recipe": RECIPE} | options
    sources = [str(folder / "first"), str(folder / "second")]
    return finetune(sources, out, metadata=[str(folder / "table.csv")], **settings)


@pytest.fixture(scope="module")
def trained(folder, weights, tmp_path_factory):
    return train(folder, tmp_path_factory.mktemp("out") / "network", weights)


def test_a_folder_of_folds_with_scores_and_a_note(trained):
    assert is_finetuned(trained.path)
    assert Finetuned.read(trained.path).note["backbone"] == TINY
    assert len(list(trained.path.glob("fold_*.safetensors"))) == 3
    table = pd.read_csv(trained.path / "out_of_fold.csv")
    assert len(table) == trained.n_images == 36
    assert table["cnn__score"].between(0, 1).all()
    assert (table.groupby("patient_id")["fold"].nunique() == 1).all()
    assert table["source"].value_counts().to_dict() == {0: 18, 1: 18}
    assert set(trained.metrics["metric"]) == {"auc", "average_precision", "pauc"}
    curves = pd.read_csv(trained.path / "curves.csv")
    assert curves.groupby("fold")["epoch"].max().tolist() == [2, 2, 2]


def test_a_bad_image_is_told_and_the_others_go_on(trained):
    assert trained.n_failed == 1
    assert pd.read_csv(trained.errors_path)["image_id"].tolist() == ["SYN_9999999"]


def test_going_on_gives_the_same_scores(folder, weights, trained):
    before = (trained.path / "out_of_fold.csv").read_bytes()
    again = train(folder, trained.path, weights)
    assert (again.path / "out_of_fold.csv").read_bytes() == before


def test_several_processes_give_the_same_scores(folder, weights, trained, tmp_path):
    other = train(folder, tmp_path / "network", weights, n_jobs=2)
    one, two = (pd.read_csv(path / "out_of_fold.csv") for path in (trained.path, other.path))
    pd.testing.assert_frame_equal(one, two)


def test_other_settings_are_refused(folder, weights, trained):
    with pytest.raises(HybridLesionError, match="another recipe"):
        train(folder, trained.path, weights, recipe=replace(RECIPE, epochs=3))


def test_too_few_positives_are_refused_before_reading(folder, weights, tmp_path):
    with pytest.raises(TableError, match="folds need as many groups"):
        train(folder, tmp_path / "network", weights, n_folds=30)


def test_a_diagnosis_that_is_not_known_is_refused_before_reading(folder, weights, tmp_path):
    table = pd.read_csv(folder / "table.csv")
    table["diagnosis"] = np.where(table.pop("target") == 1, "Melanom", "wen")
    table.to_csv(tmp_path / "t.csv", index=False)
    options = {"backbone": TINY, "weights": weights, "metadata": [str(tmp_path / "t.csv")]}
    with pytest.raises(TableError, match="these diagnoses are not known: wen"):
        finetune(str(folder / "first"), tmp_path / "net", malignant=["melanoma"], **options)


def test_a_patients_labels_never_change_the_patients_own_scores(trained, weights):
    table = pd.read_csv(trained.path / "out_of_fold.csv")
    patient = (table["patient_id"] == table["patient_id"].iloc[0]).to_numpy()
    target = table["target"].to_numpy(int)
    # the failed image stands last among the crops
    work = FoldWork(
        folder=trained.path / "training",
        rows=np.arange(36),
        target=target,
        source=table["source"].to_numpy(),
        diagnosis=np.full(36, -1),
        group=pd.factorize(table["patient_id"])[0],
        fold=table["fold"].to_numpy(),
        recipe=RECIPE,
        backbone=TINY,
        weights=str(weights),
        device="cpu",
    )
    before, after = (
        run_folds(replace(work, target=labels, folder=_fresh(trained, name)), range(3))
        for name, labels in (("as_is", target), ("flipped", np.where(patient, 1 - target, target)))
    )
    assert np.array_equal(before[patient], after[patient])
    elsewhere = table["fold"].to_numpy() != table["fold"].to_numpy()[patient][0]
    assert not np.array_equal(before[elsewhere], after[elsewhere])


def test_one_network_of_all_images_with_the_scores_of_the_folds(folder, weights, trained, tmp_path):
    made = train(folder, tmp_path / "network", weights, whole=True)
    assert not (trained.path / "whole.zip").exists()
    packed = Finetuned.read(made.path / "whole.zip")
    assert packed.note["networks"] == ["whole.safetensors"]
    assert not packed.note["folds"]
    # the folds are those of a run without it
    table, other = (pd.read_csv(path / "out_of_fold.csv") for path in (made.path, trained.path))
    pd.testing.assert_frame_equal(table, other)
    paths = [folder / part / f"{i}.png" for i in table["image_id"] for part in ("first", "second")]
    images = [read_image(path) for path in paths if path.exists()]
    scores = CNNScorer(made.path / "whole.zip", device="cpu").fit().transform(images)
    np.testing.assert_allclose(scores[:, 0], table["cnn__score"], rtol=1e-4)
    assert (scores[:, 1] == 1).all()


def _fresh(trained, name):
    """A workspace with the same crops and no checkpoints."""
    folder = trained.path.parent / name / "training"
    folder.mkdir(parents=True)
    (folder / "crops.npy").write_bytes((trained.path / "training" / "crops.npy").read_bytes())
    return folder
