from __future__ import annotations

import pytest

from hybridlesion.cnn import backbone
from hybridlesion.cnn.backbone import resolve_device
from hybridlesion.exceptions import OptionError


def _gpus(monkeypatch, count, built_for="12.8"):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.version, "cuda", built_for)


@pytest.mark.parametrize(("count", "device"), [(0, "cpu"), (2, "cuda:0")])
def test_auto_takes_a_gpu_if_there_is_one(monkeypatch, count, device):
    _gpus(monkeypatch, count)
    monkeypatch.setattr(backbone, "_may_have_gpu", lambda: True)
    assert resolve_device("auto") == device


@pytest.mark.parametrize(
    ("platform", "names", "visible", "expected"),
    [
        ("linux", ["nvidiactl", "null"], None, True),
        ("linux", ["dxg"], "0", True),
        ("linux", ["kfd"], None, True),
        ("linux", ["null"], None, False),
        ("linux", ["nvidiactl"], "", False),
        ("darwin", ["nvidiactl"], None, False),
        ("win32", [], None, True),
    ],
)
def test_a_gpu_needs_a_device_file(monkeypatch, tmp_path, platform, names, visible, expected):
    for name in names:
        (tmp_path / name).touch()
    monkeypatch.setattr(backbone, "_DEVICES", tmp_path)
    monkeypatch.setattr(backbone.sys, "platform", platform)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert backbone._may_have_gpu() == expected


def test_a_numbered_gpu_is_kept(monkeypatch):
    _gpus(monkeypatch, 2)
    assert resolve_device("cuda:1") == "cuda:1"


@pytest.mark.parametrize(
    ("device", "count", "built_for", "reason"),
    [
        ("cuda", 0, None, "built without CUDA"),
        ("cuda", 0, "12.8", "no GPU is visible"),
        ("cuda:3", 2, "12.8", "there are 2 GPUs"),
    ],
)
def test_an_unusable_gpu_is_refused_with_the_reason(monkeypatch, device, count, built_for, reason):
    _gpus(monkeypatch, count, built_for)
    with pytest.raises(OptionError, match=reason):
        resolve_device(device)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cpu:0", None])
def test_unknown_names_are_refused(device):
    with pytest.raises(OptionError, match="device must be"):
        resolve_device(device)
