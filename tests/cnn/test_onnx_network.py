"""Networks on ONNX Runtime give what they give on torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.numpy import save

from hybridlesion._onnx import read_weights
from hybridlesion.cnn.scorer import OnnxNetwork, has_graph
from hybridlesion.cnn.views import InputSpec
from hybridlesion.exceptions import ArtifactError
from tests.cnn.conftest import classifier_bytes, random_classifier

MEAN, STD = (0.5, 0.45, 0.4), (0.25, 0.25, 0.3)


def _spec(height, width):
    return InputSpec((height, width), MEAN, STD, 1.0, "center", "bilinear")


@pytest.mark.parametrize("size", [(64, 64), (96, 128)])
@pytest.mark.parametrize("backbone", ["tf_efficientnet_lite0", "mobilenetv2_100"])
def test_logits_are_those_of_torch(rng, backbone, size):
    models = [random_classifier(backbone, seed) for seed in range(2)]
    files = [classifier_bytes(model) for model in models]
    network = OnnxNetwork([backbone] * len(files), files, _spec(*size))
    pixels = rng.integers(0, 256, (3, *size, 3), dtype=np.uint8)
    values = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    values = (values - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        expected = torch.cat([model(values) for model in models], dim=1).numpy()
    found = network.rows([pixels])
    assert found.dtype == np.float32
    assert expected.std() > 0.05
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_row_does_not_depend_on_its_neighbours(rng):
    data = classifier_bytes(random_classifier("mobilenetv2_100", 0))
    network = OnnxNetwork(["mobilenetv2_100"], [data], _spec(64, 64))
    pixels = rng.integers(0, 256, (11, 64, 64, 3), dtype=np.uint8)
    together = network.rows([pixels])
    parts = [pixels[:1], pixels[1:4], pixels[4:]]
    np.testing.assert_array_equal(network.rows(parts), together)
    assert network.rows([]).shape == (0, 8)
    assert network.block_size(32) == network.block_size(1)


def test_other_weights_are_refused():
    data = classifier_bytes(random_classifier("mobilenetv2_100", 0))
    with pytest.raises(ArtifactError, match="do not fit tf_efficientnet_lite0"):
        OnnxNetwork(["tf_efficientnet_lite0"], [data], _spec(64, 64))
    with pytest.raises(ArtifactError, match="cannot be read as safetensors"):
        OnnxNetwork(["mobilenetv2_100"], [data[:1000]], _spec(64, 64))


def test_networks_may_have_different_backbones(rng):
    names = ["tf_efficientnet_lite0", "mobilenetv2_100"]
    files = [classifier_bytes(random_classifier(name, 0)) for name in names]
    pixels = rng.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    both = OnnxNetwork(names, files, _spec(64, 64)).rows([pixels])
    alone = [
        OnnxNetwork([name], [data], _spec(64, 64)).rows([pixels])
        for name, data in zip(names, files, strict=True)
    ]
    np.testing.assert_array_equal(both, np.hstack(alone))


def test_weights_in_eight_bits_are_scaled(rng):
    whole = rng.integers(-127, 128, (4, 3, 1, 1)).astype(np.int8)
    scale = np.array([0.5, 1, 2, 4], np.float16).reshape(4, 1, 1, 1)
    bias = np.ones(4, np.float16)
    data = save({"conv.weight": whole, "conv.weight:scale": scale, "conv.bias": bias})
    weights = read_weights(data)
    assert sorted(weights) == ["conv.bias", "conv.weight"]
    np.testing.assert_array_equal(weights["conv.weight"], whole.astype(np.float32) * scale)


def test_graphs_by_name():
    assert has_graph("mobilenetv2_100")
    assert has_graph("tf_efficientnet_lite0.in1k")
    assert not has_graph("test_efficientnet")
