"""The benchmark of transport reads tables with and without diagnoses."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def transport(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("transport")


@pytest.fixture
def site(tmp_path):
    """Write a feature table; its first image is malignant, its last one is without a label."""

    def write(**columns):
        table = pd.DataFrame({"image_id": list("abcd"), "target": [1.0, 0.0, 0.0, np.nan]})
        path = tmp_path / "site.parquet"
        table.assign(cnn__melanoma=0.5, **columns).to_parquet(path)
        return path

    return write


def test_without_diagnoses_malignant_lesions_count_as_melanomas(transport, site, capsys):
    table = transport.load(site())
    assert table["image_id"].tolist() == ["a", "b", "c"]
    assert transport.melanoma(table).tolist() == [1, 0, 0]
    assert "site has no diagnoses" in capsys.readouterr().out
    pooled = pd.concat([table, table.assign(diagnosis="nevus")])
    assert transport.melanoma(pooled).tolist() == [1, 0, 0, 0, 0, 0]


def test_diagnoses_come_before_the_target(transport, site, capsys):
    words = ["basal cell carcinoma", None, "melanoma in situ", None]
    table = transport.load(site(diagnosis=words, qa__cnn_seen=[0, 2, 1, 0]))
    assert table["image_id"].tolist() == ["a", "c"]
    assert transport.melanoma(table).tolist() == [0, 1]
    assert capsys.readouterr().out == ""
