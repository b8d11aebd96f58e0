"""What a fine-tuned folder holds, how it is packed, and what is refused."""

from __future__ import annotations

import json
import shutil

import pytest

from hybridlesion.cnn import Finetuned, is_finetuned, write_note
from hybridlesion.cnn.network import load_network_state
from hybridlesion.exceptions import ArtifactError, SourceError


def test_a_folder_and_its_packed_file_are_the_same(tuned, tmp_path):
    folder = Finetuned.read(tuned)
    packed = tmp_path / "network.zip"
    packed.write_bytes(folder.pack())
    assert is_finetuned(tuned)
    assert is_finetuned(packed)
    again = Finetuned.read(packed)
    assert again == folder
    assert again.digest == folder.digest
    assert again.pack() == packed.read_bytes()


def test_what_lies_beside_is_not_packed(tuned, tmp_path):
    folder = tmp_path / "network"
    shutil.copytree(tuned, folder)
    (folder / "out_of_fold.csv").write_text("image_id\nISIC_0000001\n")
    assert Finetuned.read(folder).pack() == Finetuned.read(tuned).pack()


def test_other_folders_are_refused(tmp_path):
    assert not is_finetuned(tmp_path)
    with pytest.raises(SourceError, match="hybridlesion finetune"):
        Finetuned.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "cannot be read"),
        (json.dumps({"kind": "hybridlesion-finetuned", "protocol": 99}), "protocol 99"),
        (json.dumps({"kind": "hybridlesion-finetuned", "protocol": 1}), "lacks backbone, networks"),
    ],
)
def test_other_notes_are_refused(tmp_path, text, message):
    (tmp_path / "finetuned.json").write_text(text)
    with pytest.raises(ArtifactError, match=message):
        Finetuned.read(tmp_path)


def test_a_missing_network_is_told(tuned, tmp_path):
    note = {name: Finetuned.read(tuned).note[name] for name in ("backbone", "networks", "folds")}
    write_note(tmp_path, note | {"image_size": 64, "crop": "lesion", "margin": 0.25})
    with pytest.raises(ArtifactError, match=r"incomplete or damaged.*seen\.npz"):
        Finetuned.read(tmp_path)


def test_weights_of_another_network_are_refused(tiny_weights):
    with pytest.raises(ArtifactError, match="does not fit test_vit"):
        load_network_state(tiny_weights.read_bytes(), "test_vit", "tiny.safetensors")


def test_bytes_that_are_no_weights_are_refused():
    with pytest.raises(ArtifactError, match="fold_0"):
        load_network_state(b"no weights", "test_efficientnet", "fold_0.safetensors")
