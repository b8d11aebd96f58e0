"""Names of release 0.1.0 still work, and say when they will be removed."""

from __future__ import annotations

import importlib
import sys

import numpy as np
import pytest

from hybridlesion import __version__
from hybridlesion._former_names import _RENAMED, REMOVED_IN
from hybridlesion.segmentation import segment_many


@pytest.mark.parametrize(
    ("former", "attribute", "home"),
    [
        ("evaluation", "roc_auc", "metrics"),
        ("embedding.finetuning", "FinetuneRecipe", "cnn"),
        ("report", "report_scores", "reporting"),
        ("report", "metric_figure", "plotting"),
        ("sources", "find_records", "io.discovery"),
    ],
)
def test_a_former_name_gives_the_object_of_the_new_one(former, attribute, home):
    # Not those that merely begin alike: `hybridlesion.reporting` is no part of `.report`.
    for name in [name for name in sys.modules if f"{name}.".startswith(f"hybridlesion.{former}.")]:
        del sys.modules[name]
    with pytest.warns(FutureWarning, match=f"hybridlesion.{former.split('.')[0]}"):
        module = importlib.import_module(f"hybridlesion.{former}")
    expected = getattr(importlib.import_module(f"hybridlesion.{home}"), attribute)
    assert getattr(module, attribute) is expected
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = module.no_such_name


def test_every_former_name_has_a_new_home():
    for homes in _RENAMED.values():
        for home in homes:
            importlib.import_module(f"hybridlesion.{home}")


@pytest.mark.parametrize(
    ("package", "former", "current"),
    [
        ("batch", "JoblibRunner", "ProcessRunner"),
        ("cnn", "LesionScorer", "CNNScorer"),
        ("cnn", "optimize", "train"),
        ("leakage", "fingerprint", "perceptual_hash"),
    ],
)
def test_a_former_name_in_a_package_warns(package, former, current):
    module = importlib.import_module(f"hybridlesion.{package}")
    with pytest.warns(FutureWarning, match=f"{former} was renamed to .*{current}") as warned:
        assert getattr(module, former) is getattr(module, current)
    assert warned[0].filename == __file__
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        _ = module.no_such_name


def test_segmenting_many_images_warns():
    blank = np.zeros((40, 60, 3), np.uint8)
    with pytest.warns(FutureWarning, match="segment_details for each image"):
        found = segment_many([blank, blank])
    assert [details.flags for details in found] == [("empty",), ("empty",)]


def test_former_names_are_removed_after_one_release():
    major, minor = (int(part) for part in __version__.split(".")[:2])
    removed = tuple(int(part) for part in REMOVED_IN.split(".")[:2])
    assert (major, minor) < removed, f"remove what was announced for {REMOVED_IN}"
