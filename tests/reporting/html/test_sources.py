"""The section on sources left out of training."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from hybridlesion.model import HybridLesionClassifier
from hybridlesion.persistence import save_artifact
from hybridlesion.reporting import write_page
from hybridlesion.reporting.html._sources import describe_transport

_NAMES = ("auc", "sensitivity", "specificity")


def _source(name, auc, home, n_malignant=30):
    ends = {f"{one}{end}": auc + by for one in _NAMES for end, by in _ENDS.items()}
    ends |= {"home_auc": home, "n": 1200, "n_malignant": n_malignant, "source": name}
    return ends


_ENDS = {"": 0.0, "_low": -0.05, "_high": 0.05}


@pytest.fixture
def manifest():
    row = {"n_sources": 3, "value": 0.8, "low": 0.7, "high": 0.9, "new_low": 0.6, "new_high": 0.95}
    summary = [row | {"metric": name} for name in _NAMES]
    gains = [
        {"source": "Graz", "without": "CNN", "difference": 0.1, "low": 0.05, "high": 0.15},
        {"source": "Graz", "without": "metadata", "difference": 0.0, "low": -0.1, "high": 0.1},
        {"source": "Lyon", "without": "CNN", "difference": 0.01, "low": None, "high": None},
    ]
    few = dict.fromkeys(_source("", 0.5, 0.5)) | {"source": "Oslo", "n": 9, "n_malignant": 1}
    table = [_source("Graz", 0.9, 0.92), _source("Lyon", 0.7, 0.8), few]
    facts = {"column": "clinic", "table": table, "summary": summary, "gains": gains}
    return {"training": {"sources": facts | {"new_source": ["Expect less."], "notes": []}}}


def test_models_without_sources_have_no_section():
    assert describe_transport({}) is None
    assert describe_transport({"training": {"n_rows": 3}}) is None


def test_sources_mean_and_new_source_stand_on_one_axis(manifest):
    found = describe_transport(manifest)
    assert [row.name for row in found["rows"]] == [
        *("Graz", "Lyon", "Oslo"),
        *("Mean of sources", "New source"),
    ]
    graz, lyon, oslo, mean, new = found["rows"]
    assert graz.counts == "1,200 lesions, 30 malignant"
    assert lyon.places[0] < mean.places[0] < graz.places[0]
    assert new.places[1] < mean.places[1] < mean.places[2] < new.places[2] < found["width"]
    assert lyon.home > lyon.places[0]
    assert (oslo.places, oslo.home, oslo.cells[0]) == (None, None, ("too few", ""))
    assert new.cells[0] == ("0.60 to 0.95", "")
    assert found["ticks"][0][1] == "0.6"
    assert found["ticks"][-1][1] == "1.0"


def test_words_compare_home_and_abroad(manifest):
    first, second, third = describe_transport(manifest)["words"]
    assert "the AUC is 0.70 (Lyon) to 0.90 (Graz), on average 0.06 less than" in first
    assert second == "At the threshold of the other sources, the lowest sensitivity is 0.70 (Lyon)."
    assert third == "Expect less."


def test_gains_by_source_and_family(manifest):
    found = describe_transport(manifest)
    assert found["families"] == ["CNN", "metadata"]
    assert found["gains"] == [
        ("Graz", [("+0.100", "+0.050 to +0.150", True), ("+0.000", "-0.100 to +0.100", False)]),
        ("Lyon", [("+0.010", "", False), ("", "", False)]),
    ]


def test_without_intervals_the_values_are_still_shown(manifest):
    facts = manifest["training"]["sources"] | {"summary": [], "gains": []}
    facts["table"] = [row | {"auc_low": None, "auc_high": None} for row in facts["table"]]
    found = describe_transport({"training": {"sources": facts}})
    assert [row.name for row in found["rows"]] == ["Graz", "Lyon", "Oslo"]
    assert found["rows"][0].cells[0] == ("0.90", "")
    assert found["rows"][0].places[0] == found["rows"][0].places[1]


def test_the_page_has_the_section_where_the_model_knows_sources(manifest, rng, tmp_path):
    y = np.arange(80) % 2
    border = pd.DataFrame({"abcd__border": y + rng.normal(0, 1, 80)})
    model = HybridLesionClassifier(n_splits=2).fit(border, y)
    manifest["training"]["sources"]["table"][0]["source"] = "<b>Graz</b>"
    for name, facts in (("plain", {}), ("sources", manifest["training"])):
        save_artifact(tmp_path / f"{name}.joblib", model, training=facts)
        write_page(tmp_path / f"{name}.joblib", tmp_path / name)
    plain, page = (
        (tmp_path / name / "report.html").read_text(encoding="utf-8")
        for name in ("plain", "sources")
    )
    assert "transport" not in plain
    assert '<a href="#transport">How it travels</a>' in page
    section = re.search(r'<section id="transport".*?</section>', page, flags=re.DOTALL)[0]
    assert "&lt;b&gt;Graz&lt;/b&gt;" in section
    assert "<b>Graz" not in page
    assert section.count("<circle") == 4
    assert "<b>+0.100</b>" in section
