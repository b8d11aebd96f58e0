"""What the note of a fine-tuned folder says, and what is refused."""

from __future__ import annotations

import json

import pytest

from hybridlesion.embedding.finetuning import is_finetuned, load_fold, read_note, write_note
from hybridlesion.exceptions import ArtifactError, SourceError


def test_a_note_comes_back(tmp_path):
    write_note(tmp_path, {"backbone": "resnet18", "n_folds": 3})
    assert is_finetuned(tmp_path)
    assert read_note(tmp_path)["backbone"] == "resnet18"


def test_other_folders_are_refused(tmp_path):
    assert not is_finetuned(tmp_path)
    with pytest.raises(SourceError, match="hybridlesion finetune"):
        read_note(tmp_path)
    note = tmp_path / "finetuned.json"
    note.write_text("{}")
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_note(tmp_path)
    note.write_text(json.dumps({"kind": "hybridlesion-finetuned", "protocol": 99}))
    with pytest.raises(ArtifactError, match="protocol 99"):
        read_note(tmp_path)


def test_weights_of_another_network_are_refused(tiny_weights):
    with pytest.raises(ArtifactError, match="does not fit"):
        load_fold(tiny_weights, "test_resnet")
