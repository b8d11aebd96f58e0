from __future__ import annotations

import copy
import os

import pytest

from hybridlesion._optional_imports import import_timm
from hybridlesion.cnn.backbone import load_weight_file, read_state_dict, weights_digest
from hybridlesion.exceptions import ArtifactError, SourceError


@pytest.fixture
def fresh(tiny_backbone):
    """The tiny architecture with other weights."""
    return import_timm().create_model(tiny_backbone.pretrained_cfg["architecture"], num_classes=0)


def _save(path, content):
    import torch

    torch.save(content, path)
    return path


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "backbone.", "module.model."])
@pytest.mark.parametrize("container", [None, "state_dict", "model"])
def test_prefixes_and_containers_are_seen_through(
    fresh, tiny_backbone, tmp_path, prefix, container
):
    state = {prefix + name: value for name, value in tiny_backbone.state_dict().items()}
    content = {container: state, "epoch": 3} if container else state
    load_weight_file(fresh, _save(tmp_path / "w.pth", content))
    assert weights_digest(fresh) == weights_digest(tiny_backbone)


def test_digest_is_the_same_in_every_format_and_tells_weights_apart(
    fresh, tiny_backbone, tiny_weights
):
    other = weights_digest(fresh)
    load_weight_file(fresh, tiny_weights)
    assert weights_digest(fresh) == weights_digest(tiny_backbone) != other


def test_averaged_weights_go_before_the_raw_ones(fresh, tiny_backbone, tmp_path):
    good = tiny_backbone.state_dict()
    content = {"state_dict": fresh.state_dict(), "state_dict_ema": good}
    load_weight_file(fresh, _save(tmp_path / "w.pth", copy.deepcopy(content)))
    assert weights_digest(fresh) == weights_digest(tiny_backbone)


def test_a_classifier_in_the_file_is_left_out(fresh, tiny_backbone, tmp_path):
    whole = import_timm().create_model(fresh.pretrained_cfg["architecture"], num_classes=7)
    whole.load_state_dict(tiny_backbone.state_dict(), strict=False)
    load_weight_file(fresh, _save(tmp_path / "w.pth", whole.state_dict()))
    assert weights_digest(fresh) == weights_digest(tiny_backbone)


def test_all_differences_are_named_together(fresh, tiny_backbone, tmp_path):
    state = tiny_backbone.state_dict()
    state["conv_stem.weight"] = state["conv_stem.weight"][:, :1]
    del state["bn1.weight"], state["bn1.bias"]
    state["extra.weight"] = state["bn1.running_mean"]
    with pytest.raises(ArtifactError) as caught:
        load_weight_file(fresh, _save(tmp_path / "w.pth", state))
    text = str(caught.value)
    assert "2 missing from the file: bn1.weight, bn1.bias" in text
    assert "1 unknown to the model: extra.weight" in text
    assert "1 of another shape: conv_stem.weight" in text


def test_long_lists_of_differences_are_cut(fresh, tmp_path):
    import torch

    state = {f"layer{i}.weight": torch.zeros(1) for i in range(30)}
    with pytest.raises(ArtifactError, match=r"30 unknown to the model: layer0[^\n]* and 20 more\n"):
        load_weight_file(fresh, _save(tmp_path / "w.pth", state))


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"these are not weights")
    with pytest.raises(ArtifactError, match=r"cannot be read as weights\. Accepted are"):
        read_state_dict(path)


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    with pytest.raises(ArtifactError, match="cannot be read as weights"):
        read_state_dict(_save(tmp_path / "w.pth", {"weight": Trap()}))
    assert not (tmp_path / "ran").exists()


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(SourceError, match=r"no\.pth is not there"):
        read_state_dict(tmp_path / "no.pth")
    with pytest.raises(SourceError, match="is a folder"):
        read_state_dict(tmp_path)
