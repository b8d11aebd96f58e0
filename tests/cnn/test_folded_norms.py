"""Networks with folded batch norms compute and learn the same."""

from __future__ import annotations

import copy

import pytest
import torch

from hybridlesion._optional_imports import import_timm
from hybridlesion.cnn import create_network
from hybridlesion.cnn.network import fold_norms, head_of, set_training


@pytest.fixture(params=["test_efficientnet", "resnet10t", "test_vit"])
def network(request):
    """A classifier with random weights and batch norms."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        options = {"img_size": 64} if request.param == "test_vit" else {}
        model = import_timm().create_model(request.param, num_classes=8, **options)
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_var.uniform_(0.5, 1.5)
                torch.nn.init.normal_(module.bias, std=0.2)
    return set_training(model)


def test_outputs_and_gradients_agree(network):
    folded = fold_norms(network)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    plain = copy.deepcopy(network)
    for one in (plain, folded):
        one(images).square().sum().backward()
    torch.testing.assert_close(folded(images), plain(images), rtol=1e-4, atol=1e-4)
    for (name, one), other in zip(network.named_parameters(), plain.parameters(), strict=True):
        scale = other.grad.abs().max().item()
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-4 * scale, msg=name)


def test_a_new_network_has_a_zero_classifier_of_eight(tiny_weights, tiny_backbone):
    network = create_network("test_efficientnet", str(tiny_weights), dropout=0.3)
    weight, bias = head_of(network)
    assert weight.shape[0] == bias.shape[0] == 8
    assert not weight.any()
    assert not bias.any()
    assert network.drop_rate == 0.3
    known = tiny_backbone.state_dict()
    assert all(torch.equal(v, known[k]) for k, v in network.state_dict().items() if k in known)
