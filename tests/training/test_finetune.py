"""Folders of images to fine-tuned folds and out-of-fold scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hybridlesion.cnn import (
    CLASSES,
    SCORE_COLUMNS,
    CNNScorer,
    Finetuned,
    FinetuneRecipe,
    allowed_classes,
    is_finetuned,
)
from hybridlesion.exceptions import HybridLesionError, TableError
from hybridlesion.io import read_image, write_image
from hybridlesion.training import finetune
from hybridlesion.training._finetune_folds import FoldWork, run_folds

TINY = "test_efficientnet"
RECIPE = FinetuneRecipe(epochs=2, batch_size=8, image_size=32)


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
    assert table[list(SCORE_COLUMNS)].stack().between(0, 1).all()
    np.testing.assert_allclose(table.filter(like="cnn__p_").sum(axis=1), 1, rtol=1e-4)
    assert (table.groupby("patient_id")["fold"].nunique() == 1).all()
    assert table["source"].value_counts().to_dict() == {0: 18, 1: 18}
    assert {"auc", "average_precision", "pauc"} <= set(trained.metrics["metric"])
    curves = pd.read_csv(trained.path / "curves.csv")
    assert curves.groupby("fold")["epoch"].max().tolist() == [2, 2, 2]
    spoken = {"loss", "held_out_loss", "rate", "images_per_second", "minutes", "minutes_left"}
    assert spoken <= set(curves)
    assert curves["any_malignancy AUC, first"].between(0, 1).all()


def test_the_note_says_how_to_score(trained):
    note = Finetuned.read(trained.path).note
    assert note["protocol"] == 2
    assert note["classes"] == list(CLASSES)
    assert sum(note["shares"]) == pytest.approx(1)
    assert note["views"] == [["frame", 0.95], ["lesion", 0.5]]
    assert note["mean"] == pytest.approx([0.485, 0.456, 0.406])
    assert {figure["images"] for figure in note["figures"]} == {"first", "second", "all"}
    assert trained.path.joinpath("CARD.md").read_text().count("AUC of melanoma") == 3


def test_logits_of_eight_classes_are_kept(trained):
    assert Finetuned.read(trained.path).seen.oof_logit.shape == (36, 8)


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
    with pytest.raises(TableError, match="unknown diagnoses: wen"):
        finetune(str(folder / "first"), tmp_path / "net", malignant=["melanoma"], **options)


def test_a_patients_labels_never_change_the_patients_own_scores(trained, weights):
    table = pd.read_csv(trained.path / "out_of_fold.csv")
    patient = (table["patient_id"] == table["patient_id"].iloc[0]).to_numpy()
    target = table["target"].to_numpy(int)
    # the failed image stands last
    work = FoldWork(
        folder=trained.path / "training",
        rows=np.arange(36),
        allowed=allowed_classes(None, target),
        source=table["source"].to_numpy(),
        lesion=np.arange(36),
        group=pd.factorize(table["patient_id"])[0],
        fold=table["fold"].to_numpy(),
        recipe=RECIPE,
        backbone=TINY,
        weights=str(weights),
        device="cpu",
    )
    flipped = allowed_classes(None, np.where(patient, 1 - target, target))
    before, after = (
        run_folds(replace(work, allowed=labels, folder=_fresh(trained, name)), range(3))
        for name, labels in (("as_is", work.allowed), ("flipped", flipped))
    )
    assert np.array_equal(before[patient], after[patient])
    elsewhere = table["fold"].to_numpy() != table["fold"].to_numpy()[patient][0]
    assert not np.array_equal(before[elsewhere], after[elsewhere])


def test_a_diagnosis_counts_where_the_target_is_missing(folder, weights, tmp_path):
    table = pd.read_csv(folder / "table.csv").iloc[:-1]
    table["diagnosis"] = np.where(table["target"] == 1, "melanoma", "nevus")
    neither = table.index[table["target"] == 0][:4]
    table.loc[neither, "diagnosis"] = "actinic keratosis"
    table["target"] = table["target"].astype(float)
    table.loc[neither, "target"] = np.nan
    table.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "images").mkdir()
    for part in ("first", "second"):
        for path in (folder / part).glob("*.png"):
            if path.stem in set(table["image_id"]):
                (tmp_path / "images" / path.name).write_bytes(path.read_bytes())
    made = finetune(
        str(tmp_path / "images"),
        tmp_path / "net",
        metadata=[str(tmp_path / "t.csv")],
        backbone=TINY,
        weights=weights,
        n_folds=2,
        recipe=replace(RECIPE, epochs=1),
    )
    assert made.n_images == 36
    sides = made.diagnoses.set_index("diagnosis")["side"]
    assert sides["actinic keratosis"] == "its class"
    figures = {figure["measure"]: figure for figure in Finetuned.read(made.path).note["figures"]}
    assert figures["AUC of any malignancy"]["n"] == 32
    assert figures["AUC of melanoma"]["n"] == figures["balanced accuracy"]["n"] == 36


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
    np.testing.assert_allclose(scores[:, :-1], table[list(SCORE_COLUMNS)], rtol=0.01)
    assert (scores[:, -1] == 1).all()


def _fresh(trained, name):
    """A workspace with the same images and no checkpoints."""
    folder = trained.path.parent / name / "training"
    folder.mkdir(parents=True)
    for path in (trained.path / "training").glob("images.*"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder
