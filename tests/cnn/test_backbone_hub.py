from __future__ import annotations

import re
import urllib.error
import urllib.request

import pytest

from hybridlesion.cnn import backbone as hub
from hybridlesion.exceptions import OptionError, SourceError


def test_unknown_models_name_the_nearest():
    with pytest.raises(OptionError, match=r"Nearest: .*mobilenetv2_100"):
        hub.check_model_name("mobilenet_v2_100")


def test_unknown_tags_name_the_known():
    with pytest.raises(OptionError, match=r"mobilenetv2_100\.ra_in1k"):
        hub.check_model_name("mobilenetv2_100.no_such")


def test_known_names_pass():
    assert hub.check_model_name("mobilenetv2_100.ra_in1k") == "mobilenetv2_100.ra_in1k"


def test_offline_error_says_how_to_pass_a_file(monkeypatch, tiny_backbone, tmp_path):
    def unreachable(request, timeout):
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    monkeypatch.setattr(hub, "_cached_file", lambda config: None)
    with pytest.raises(
        SourceError, match=r"does not answer.*weights='model\.safetensors'"
    ) as caught:
        hub.create_pretrained("test_efficientnet")
    # The command that it recommends for another machine runs where the package does.
    monkeypatch.setattr(hub, "create_pretrained", lambda model: tiny_backbone)
    monkeypatch.chdir(tmp_path)
    exec(re.search('python -c "([^"]+)"', str(caught.value))[1], {})
    assert (tmp_path / "model.pth").stat().st_size > 0


def test_weights_downloaded_before_need_no_network(monkeypatch, tiny_backbone, tmp_path):
    import torch

    # As on the hub, with the classifier.
    classifier = {"classifier.weight": torch.zeros(1000, 256), "classifier.bias": torch.zeros(1000)}
    path = tmp_path / "cached.pth"
    torch.save({**tiny_backbone.state_dict(), **classifier}, path)
    monkeypatch.setattr(hub, "_cached_file", lambda config: str(path))
    monkeypatch.setattr(hub, "_answers", lambda address: pytest.fail("the network was asked"))
    model = hub.create_pretrained("test_efficientnet")
    assert torch.equal(model.conv_stem.weight, tiny_backbone.conv_stem.weight)
