"""A tiny network of random weights, drawn crops, and a fine-tuned folder made by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from hybridlesion._optional_imports import cv2, import_timm
from hybridlesion.cnn import (
    CLASSES,
    SEEN,
    Examples,
    FinetuneRecipe,
    save_network,
    write_note,
)
from hybridlesion.cnn.backbone import load_weight_file
from hybridlesion.cnn.network import LesionNetwork
from hybridlesion.leakage import TrainingMembership, perceptual_hash

TINY = "test_efficientnet"


@pytest.fixture(scope="session")
def tiny_backbone():
    """Tiny backbone without classifier, with seeded random weights."""
    timm = import_timm()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = timm.create_model(TINY, pretrained=False, num_classes=0)
        _fit_norms(model)
    return model.eval()


def _fit_norms(model: torch.nn.Module) -> None:
    """Fit the batch norms to noise, so that the signal neither vanishes nor grows on the way."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
            torch.nn.init.normal_(module.bias, std=0.2)
    with torch.no_grad():
        model.train()(torch.randn(4, 3, 64, 64))


@pytest.fixture(scope="session")
def tiny_weights(tiny_backbone, tmp_path_factory):
    """Safetensors file of the tiny backbone."""
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_file(tiny_backbone.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def images():
    """Eleven frames of noise of two sizes, and squares as their masks; the third is empty."""
    rng = np.random.default_rng(0)
    shapes = [(120, 160, 3), (200, 180, 3)]
    frames = [rng.integers(0, 256, shapes[i % 2], dtype=np.uint8) for i in range(11)]
    masks = [np.zeros(frame.shape[:2], dtype=bool) for frame in frames]
    for i, mask in enumerate(masks):
        mask[20 : 60 + i, 30 : 70 + i] = i != 2
    return frames, masks


@pytest.fixture(scope="session")
def drawn() -> Examples:
    """Sixty small images: melanomas are dark, nevi light; the second source has few melanomas."""
    rng = np.random.default_rng(0)
    melanoma = np.array([True, False, False] * 10 + [True] + [False] * 29)
    places = np.array([[i * 40 * 48 * 3, 40, 48] for i in range(60)])
    pixels = np.empty((60, 40, 48, 3), np.uint8)
    for image, dark in zip(pixels, melanoma, strict=True):
        image[:] = (222, 178, 158)
        cv2.circle(image, (24, 20), 10, (60, 40, 40) if dark else (170, 120, 95), -1)
        image[:] = (image + rng.normal(0, 6, image.shape)).clip(0, 255)
    allowed = np.eye(8, dtype=bool)[np.where(melanoma, 0, 1)]
    # The last are known to be benign only.
    allowed[50:] = [False, True, False, True, False, True, True, True]
    boxes = np.tile([14, 10, 21, 21], (60, 1))
    return Examples(
        pixels.reshape(-1), places, boxes, allowed, np.repeat([0, 1], 30), np.arange(60)
    )


@pytest.fixture(scope="session")
def recipe() -> FinetuneRecipe:
    """Three quick epochs."""
    return FinetuneRecipe(
        epochs=3, batch_size=10, image_size=32, learning_rate=3e-3, averaging=0.8, warm_up=0.1
    )


@pytest.fixture(scope="session")
def tuned(tiny_weights, images, tmp_path_factory):
    """A folder of protocol 1: three folds that learned from six images of four patients."""
    folder = tmp_path_factory.mktemp("tuned") / "network"
    for fold in range(3):
        model = import_timm().create_model(TINY, pretrained=False, num_classes=0)
        load_weight_file(model, tiny_weights)
        network = LesionNetwork(model)
        with torch.no_grad():
            generator = torch.Generator().manual_seed(fold)
            network.malignancy.weight.normal_(std=2e-5, generator=generator)
            network.malignancy.bias.fill_(fold - 1.0)
        save_network(folder / f"fold_{fold}.safetensors", network)
    records = pd.DataFrame(
        {"image_id": list("abcdef"), "patient_id": ["P", "P", "Q", "R", None, None]}
    )
    looks = np.stack([perceptual_hash(image) for image in images[0][:6]])
    odds = np.linspace(-3, 2, 6)
    seen = TrainingMembership.of(records, np.array([0, 0, 1, 2, 1, 2]), odds, looks)
    (folder / SEEN).write_bytes(seen.to_bytes())
    names = [f"fold_{fold}.safetensors" for fold in range(3)]
    facts = {"backbone": "test_efficientnet", "networks": names, "folds": True}
    write_note(folder, facts | {"image_size": 64, "crop": "both", "margin": 0.25})
    return folder


def random_classifier(backbone: str, seed: int) -> torch.nn.Module:
    """A classifier of diagnoses with random weights, its batch norms fitted to noise."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = import_timm().create_model(backbone, pretrained=False, num_classes=8)
        _fit_norms(model)
        with torch.no_grad():
            model.get_classifier().weight.mul_(0.1)  # logits of about 1
    return model.eval().half().float()


def classifier_bytes(model: torch.nn.Module) -> bytes:
    """Weight file of a classifier, as it is in a folder."""
    from safetensors.torch import save

    state = model.state_dict().items()
    return save({k: v.half().contiguous() for k, v in state if v.is_floating_point()})


def diagnosis_note(backbone: str, n_networks: int) -> dict:
    """Note of networks that tell diagnoses apart."""
    return {
        "protocol": 2,
        "backbone": backbone,
        "networks": [f"fold_{fold}.safetensors" for fold in range(n_networks)],
        "folds": n_networks > 1,
        "image_size": 64,
        "classes": list(CLASSES),
        "shares": [0.15, 0.55, 0.10, 0.03, 0.03, 0.10, 0.02, 0.02],
        "views": [["frame", 0.95], ["frame", 0.7], ["lesion", 0.2]],
        "mean": [0.5, 0.45, 0.4],
        "std": [0.25, 0.25, 0.3],
    }


@pytest.fixture(scope="session")
def diagnoser(images, tmp_path_factory):
    """A folder of two folds that tell diagnoses apart and were trained on the first six images."""
    folder = tmp_path_factory.mktemp("diagnoser") / "network"
    folder.mkdir()
    note = diagnosis_note("mobilenetv2_100.ra_in1k", 2)
    for fold, name in enumerate(note["networks"]):
        (folder / name).write_bytes(classifier_bytes(random_classifier("mobilenetv2_100", fold)))
    records = pd.DataFrame({"image_id": list("abcdef")})
    looks = np.stack([perceptual_hash(image) for image in images[0][:6]])
    logits = np.linspace(-3, 2, 48).reshape(6, 8)
    seen = TrainingMembership.of(records, np.array([0, 0, 1, 1, 0, 1]), logits, looks)
    (folder / SEEN).write_bytes(seen.to_bytes())
    write_note(folder, note)
    return folder
