"""Similar cases of a gallery, and who is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.app import Gallery
from hybridlesion.app._gallery import embed_images
from hybridlesion.exceptions import SourceError
from hybridlesion.io import read_image
from hybridlesion.leakage import HASH_COLUMNS, encode_hash, perceptual_hash

NEW = np.full(32, 0b10101010, np.uint8)


def _ids(found) -> list[str]:
    return [case["image_id"] for case in found]


def test_the_most_similar_cases_come_first_each_lesion_once(gallery):
    vector = embed_images([read_image(gallery.frame["path"][6])])[0]
    found = gallery.find_similar(vector, NEW)
    assert len(found) == 5
    assert found[0]["image_id"] == "case_6"
    assert found[0]["similarity"] == pytest.approx(1, abs=1e-5)
    assert "case_7" not in _ids(found)  # another photograph of the lesion
    similarity = [case["similarity"] for case in found]
    assert similarity == sorted(similarity, reverse=True)
    assert (found[0]["diagnosis"], found[0]["malignant"]) == ("nevus", False)


def test_the_lesion_and_its_patient_are_left_out(gallery):
    image = read_image(gallery.frame["path"][6])
    vector, image_hash = embed_images([image])[0], perceptual_hash(image)
    same = {"case_6", "case_7"}
    assert same.isdisjoint(_ids(gallery.find_similar(vector, image_hash)))
    assert same.isdisjoint(_ids(gallery.find_similar(vector, NEW, image_id="case_6")))
    assert same.isdisjoint(_ids(gallery.find_similar(vector, NEW, patient_id="P6")))


def test_cases_are_found_while_others_are_read(cases):
    gallery = Gallery(cases)
    gallery.stop()
    gallery.read()
    assert gallery.n_read == 0
    assert gallery.find_similar(np.ones(1280, np.float32), NEW) == []


def test_a_folder_and_a_table_of_diagnoses(cases, tmp_path):
    pd.read_csv(cases).drop(columns="path").assign(diagnosis="mel").to_csv(tmp_path / "a.csv")
    gallery = Gallery(cases.parent, metadata=[tmp_path / "a.csv"])
    gallery.read()
    (found, *_) = gallery.find_similar(np.ones(1280, np.float32), NEW)
    assert (found["diagnosis"], found["malignant"]) == ("melanoma", True)


def test_the_embedding_of_a_feature_table_is_used(cases, gallery, tmp_path):
    images = [read_image(path) for path in gallery.frame["path"]]
    vectors = pd.DataFrame(embed_images(images)).rename(columns=lambda k: f"emb__lesion_{k:04d}")
    hashes = np.array([encode_hash(perceptual_hash(image)) for image in images])
    table = gallery.frame[["image_id", "path"]].join(pd.DataFrame(hashes, columns=HASH_COLUMNS))
    table.join(3 * vectors).to_parquet(tmp_path / "cases.parquet")
    stored = Gallery(tmp_path / "cases.parquet", metadata=[cases], roots=[cases.parent])
    assert stored.n_read == len(stored) == 8
    vector = embed_images([read_image(gallery.frame["path"][2])])[0]
    assert _ids(stored.find_similar(vector, NEW)) == _ids(gallery.find_similar(vector, NEW))


def test_a_damaged_case_is_skipped(cases, tmp_path):
    (tmp_path / "good.png").write_bytes((cases.parent / "case_0.png").read_bytes())
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    gallery = Gallery(tmp_path)
    gallery.read()
    assert gallery.n_read == 2
    assert _ids(gallery.find_similar(np.ones(1280, np.float32), NEW)) == ["good"]


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(SourceError, match="nowhere"):
        Gallery(tmp_path / "nowhere")
