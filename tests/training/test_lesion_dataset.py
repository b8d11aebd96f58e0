"""Records as a data set for torch."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from torch.utils.data import DataLoader

from hybridlesion.cnn import CLASSES, FinetuneRecipe
from hybridlesion.exceptions import HybridLesionError
from hybridlesion.io import read_image
from hybridlesion.training import LesionDataset


@pytest.fixture(scope="module")
def records(lesions, tmp_path_factory):
    """Eight images: one broken, one of unknown label, one known as malignant only."""
    broken = tmp_path_factory.mktemp("images") / "broken.png"
    broken.write_bytes(b"no image")
    table = lesions.iloc[:8][["image_id", "path"]].assign(
        target=[0, 1, 0, 1, 0, 1, np.nan, 0],
        diagnosis=["clark nevus", "Melanoma (in situ)", None, None, "nevus", "bcc", None, "df"],
    )
    table.loc[table.index[4], "path"] = str(broken)
    return table.reset_index(drop=True)


@pytest.fixture(scope="module")
def cache(records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    LesionDataset(records, folder / "copies")
    return folder / "copies"


def test_labels_are_the_classes_that_they_admit(records, cache):
    views = LesionDataset(records, cache, size=64)
    assert len(views) == 7
    assert [one.image_id for one in views.failures] == [records.image_id[4]]
    assert views.records["image_id"].tolist() == records.drop(4)["image_id"].tolist()
    names = np.array(list(CLASSES))
    assert [names[row].tolist() for row in views.allowed[[0, 1, 4, 6]]] == [
        *(["nevus"], ["melanoma"], ["basal cell carcinoma"], ["dermatofibroma"])
    ]
    assert not (views.allowed[2] & views.allowed[3]).any()
    assert views.allowed[5].all()


def test_loaders_of_torch_take_it(records, cache):
    views = LesionDataset(records, cache, size=64)
    alone = next(iter(DataLoader(views, batch_size=7)))
    shared = next(iter(DataLoader(views, batch_size=7, num_workers=2)))
    for one, other in zip(alone, shared, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    pixels, allowed = alone
    assert pixels.shape == (7, 3, 64, 64)
    assert allowed.shape == (7, 8)
    image = read_image(views.records["path"][0])
    np.testing.assert_allclose(pixels[0].mean(), image.mean() / 255, atol=0.08)


def test_random_views_follow_seed_and_epoch(records, cache):
    first, same, other = (
        LesionDataset(records, cache, size=64, recipe=FinetuneRecipe(), seed=seed)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first[0][0], same[0][0])
    assert np.abs(first[0][0] - other[0][0]).mean() > 0.01
    same.set_epoch(1)
    assert np.abs(first[0][0] - same[0][0]).mean() > 0.01
    with pytest.raises(IndexError):
        first[len(first)]


def test_copies_of_other_records_are_refused(records, cache):
    with pytest.raises(HybridLesionError):
        LesionDataset(records.iloc[:5], cache)
    everything = pd.concat([records, records.iloc[:1]], ignore_index=True)
    with pytest.raises(HybridLesionError):
        LesionDataset(everything, cache)
