"""Packages of release 0.1.0 can still be imported under their former names."""

from __future__ import annotations

import importlib
import sys

import pytest

from hybridlesion._former_names import _RENAMED


@pytest.mark.parametrize(
    ("former", "attribute", "home"),
    [
        ("evaluation", "roc_auc", "metrics"),
        ("embedding.finetuning", "LesionScorer", "cnn"),
        ("report", "report_scores", "reporting"),
        ("report", "metric_figure", "plotting"),
        ("sources", "find_records", "io.discovery"),
    ],
)
def test_a_former_name_gives_the_object_of_the_new_one(former, attribute, home):
    for name in [name for name in sys.modules if name.startswith(f"hybridlesion.{former}")]:
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
