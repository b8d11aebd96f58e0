"""Training of the refiner: weights, folds, metrics and resuming."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import HybridLesionError, SourceError, TableError
from hybridlesion.io import read_image, read_mask, write_image, write_mask
from hybridlesion.segmentation.refiner import (
    Recipe,
    Sample,
    load_refiner,
    read_sample,
    segment_refined,
)
from hybridlesion.segmentation.refiner.training import _repeat_rare
from hybridlesion.training import train_refiner
from hybridlesion.training._refiner import list_pairs

RECIPE = Recipe(epochs=1, batch_size=4, image_size=64)


@pytest.fixture(scope="module")
def folder(lesions, tmp_path_factory):
    """Twelve synthetic lesions of four patients, with masks and a table."""
    folder = tmp_path_factory.mktemp("pairs")
    chosen = lesions.head(12)
    for record in chosen.itertuples():
        write_image(folder / "images" / f"{record.image_id}.png", read_image(record.path))
        write_mask(folder / "masks" / f"{record.image_id}_segmentation.png",
                   read_mask(record.mask_path))  # fmt: skip
    chosen[["image_id", "patient_id"]].to_csv(folder / "metadata.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """A training with two folds."""
    out = tmp_path_factory.mktemp("trained") / "refiner.safetensors"
    metadata = [str(folder / "metadata.csv")]
    return train_refiner(
        folder / "images", folder / "masks", out, metadata=metadata, n_folds=2, recipe=RECIPE
    )


def test_every_image_gets_a_mask_of_a_network_that_did_not_see_its_patient(folder, trained):
    table = pd.read_csv(trained.path.with_name("refiner.safetensors.out_of_fold.csv"))
    patients = pd.read_csv(folder / "metadata.csv").set_index("image_id")["patient_id"]
    assert sorted(table["image_id"]) == sorted(patients.index)
    assert table.groupby(table["image_id"].map(patients))["fold"].nunique().max() == 1
    for image_id in table["image_id"]:
        name = f"{image_id}_segmentation.png"
        mask = read_mask(trained.path.with_name("refiner.safetensors.out_of_fold") / name)
        assert mask.shape == read_mask(folder / "masks" / name).shape
    assert trained.metrics["metric"].tolist() == ["jaccard", "thresholded_jaccard", "dice", "n"]
    assert trained.metrics["value"].iloc[0] == pytest.approx(table["jaccard"].mean())


def test_the_weight_file_says_how_it_came_about(folder, trained):
    _, size, facts = load_refiner(trained.path)
    assert size == 64
    assert facts["n_images"] == trained.n_images == 12
    assert facts["out_of_fold"]["n"] == 12
    assert facts["recipe"]["epochs"] == 1
    assert facts["pretrained_encoder"] is False
    curve = pd.read_csv(trained.path.with_name("refiner.safetensors.curve.csv"))
    assert curve["training"].tolist() == ["without_fold_0", "without_fold_1", "all"]
    assert curve["loss"].iloc[-1] == pytest.approx(trained.losses[0])
    held_out = curve.set_index("training")["held_out_jaccard"]
    assert held_out.drop("all").between(0, 1).all()
    assert np.isnan(held_out["all"])  # every image is trained on


def test_the_same_settings_take_over_and_others_are_refused(folder, tmp_path):
    out = tmp_path / "refiner.safetensors"
    pair = (folder / "images", folder / "masks", out)
    train_refiner(*pair, recipe=RECIPE)
    first = out.read_bytes()
    steps = []
    train_refiner(*pair, recipe=RECIPE, progress=lambda *step: steps.append(step))
    assert out.read_bytes() == first
    assert {total for _, _, total in steps} == {12}  # only images were read
    other = Recipe(epochs=1, batch_size=4, image_size=64, seed=5)
    with pytest.raises(HybridLesionError, match="another recipe"):
        train_refiner(*pair, recipe=other)
    told = []
    train_refiner(*pair, recipe=other, restart=True, log=lambda *epoch: told.append(epoch))
    ((training, row),) = told
    assert (training, row["epoch"]) == ("all", 1)
    assert row["images_per_second"] > 0
    assert out.read_bytes() != first
    settings = json.loads((tmp_path / "refiner.safetensors.training/settings.json").read_text())
    assert settings["recipe"]["seed"] == 5


def test_what_cannot_be_used_is_listed_or_refused(folder, tmp_path):
    out = tmp_path / "refiner.safetensors"
    (tmp_path / "images").mkdir()
    for path in (folder / "images").iterdir():
        (tmp_path / "images" / path.name).write_bytes(path.read_bytes())
    broken = sorted((tmp_path / "images").iterdir())[0]
    broken.write_bytes(b"no image")
    done = train_refiner(tmp_path / "images", folder / "masks", out, recipe=RECIPE)
    assert (done.n_images, done.n_failed) == (11, 1)
    assert broken.stem in done.errors_path.read_text()
    with pytest.raises(TableError, match="11 images with masks are too few for batches of 12"):
        train_refiner(tmp_path / "images", folder / "masks", out, recipe=Recipe(batch_size=12))
    with pytest.raises(SourceError, match="safetensors"):
        train_refiner(folder / "images", folder / "masks", tmp_path / "refiner.pt")
    with pytest.raises(ValueError, match="one fold leaves no training"):
        train_refiner(folder / "images", folder / "masks", out, n_folds=1)


def test_a_squash_is_undone_where_a_table_tells_the_size(tmp_path):
    image = np.full((64, 64, 3), (222, 178, 158), np.uint8)
    mask = np.zeros((64, 64), bool)
    mask[20:44, 20:44] = True
    image[mask] = (110, 70, 52)
    for name in ("a", "b"):
        write_image(tmp_path / f"images/{name}.png", image)
        write_mask(tmp_path / f"masks/{name}_segmentation.png", mask)
    rows = {"image_id": ["a"], "orig_width": [1200], "orig_height": [600]}
    pd.DataFrame(rows).to_csv(tmp_path / "index.csv", index=False)
    pairs = list_pairs([str(tmp_path / "images")], [str(tmp_path / "masks")],
                       [str(tmp_path / "index.csv")])  # fmt: skip
    assert pairs["aspect"].tolist()[0] == 2
    assert np.isnan(pairs["aspect"].iloc[1])
    sample = read_sample(pairs["path"].iloc[0], pairs["mask_path"].iloc[0], side=64, aspect=2.0)
    assert sample.aspect == 2
    np.testing.assert_array_equal(sample.mask > 127, mask)
    found = sample.classical > 127
    assert (found & mask).sum() / (found | mask).sum() > 0.75


def test_images_without_a_mask_are_left_out_and_none_is_an_error(folder, tmp_path):
    some = sorted((folder / "masks").iterdir())[:3]
    for path in some:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert len(list_pairs([str(folder / "images")], [str(tmp_path)])) == 3
    write_mask(tmp_path / "other" / "nobody_segmentation.png", np.eye(4) > 0)
    with pytest.raises(TableError, match="no image in"):
        list_pairs([str(folder / "images")], [str(tmp_path / "other")])


def test_outlines_of_structures_give_a_network_that_maps_them(folder, tmp_path):
    names = sorted(path.stem for path in (folder / "images").iterdir())
    for name in names[:3]:
        mask = read_mask(folder / "masks" / f"{name}_segmentation.png")
        write_mask(tmp_path / "outlined" / f"{name}_attribute_streaks.png", mask)
    records = list_pairs(
        [str(folder / "images")], [str(folder / "masks")], structures=tmp_path / "outlined"
    )
    found = dict(zip(records["image_id"], records["structures"], strict=True))
    assert [sorted(found[name]) for name in names[:4]] == [["streaks"]] * 3 + [[]]
    out = tmp_path / "refiner.safetensors"
    pair = (folder / "images", folder / "masks", out)
    train_refiner(*pair, recipe=RECIPE, structures=tmp_path / "outlined")
    image = read_image(folder / "images" / f"{names[0]}.png")
    structures = segment_refined(image, weights=out).structures
    assert structures.shape == (5, 64, 64)
    assert ((structures >= 0) & (structures <= 1)).all()
    with pytest.raises(HybridLesionError, match="another data"):
        train_refiner(*pair, recipe=RECIPE)  # without the outlines, the data are not the same


def test_a_folder_without_outlines_of_structures_is_refused(folder, tmp_path):
    with pytest.raises(SourceError, match="IMAGEID_attribute_STRUCTURE"):
        list_pairs([str(folder / "images")], [str(folder / "masks")], structures=tmp_path)


def test_rare_structures_are_drawn_more_often():
    blank = np.zeros((8, 8), np.uint8)
    image = np.zeros((8, 8, 3), np.uint8)
    plain = Sample(image, blank, blank, blank, aspect=1.0)
    common = replace(plain, annotated=(True, False, False, False, False))
    rare = replace(plain, annotated=(True, False, True, False, False))
    drawn = _repeat_rare([plain, *[common] * 8, rare])
    # nine images show the common structure and one the rare: ceil(sqrt(9)) times as often
    assert np.bincount(drawn).tolist() == [1] * 9 + [3]
    assert np.bincount(_repeat_rare([plain] * 3)).tolist() == [1, 1, 1]
