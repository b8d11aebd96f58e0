"""Sheets and maps, small enough for a page."""

from __future__ import annotations

import base64
import os
import signal

import cv2
import numpy as np
import pytest

from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.io import write_mask
from hybridlesion.reporting.html import _cases
from hybridlesion.reporting.html._cases import Detail, draw_details


def _decode(data):
    return cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.fixture(scope="module")
def rows(lesions):
    return list(zip(lesions["image_id"].head(2), lesions["path"].head(2), strict=True))


def test_the_sheet_is_small_and_there_is_no_map_without_a_network(rows):
    (detail,) = draw_details(rows[:1], LesionFeaturizer())
    assert _decode(detail.sheet).shape == (800, 1280, 3)
    assert len(detail.sheet) < 150_000
    assert (detail.seen, detail.words) == ("", "")


def test_the_models_network_is_asked_where_it_looks(rows, tmp_path):
    mask = np.zeros((180, 240), bool)
    mask[60:120, 80:160] = True
    write_mask(tmp_path / f"{rows[0][0]}_segmentation.png", mask)
    told = []
    featurizer = LesionFeaturizer(embedder="finetuned", device="cpu")
    details = draw_details(
        [*rows, ("gone", str(tmp_path / "gone.png"))],
        featurizer,
        masks=tmp_path,
        progress=lambda *counts: told.append(counts),
    )
    for detail in details[:2]:
        seen = _decode(detail.seen)
        assert seen.shape == (84, 112, 4)
        assert 0 == seen[..., 3].min() < seen[..., 3].max()
        assert len(detail.seen) < 8_000
        assert detail.words.endswith("% of the attribution for melanoma lies on the lesion.")
    assert details[2].sheet == details[2].seen == ""
    assert "gone.png" in details[2].error
    assert told == [(1, 0, 3), (2, 0, 3), (3, 1, 3)]


def _draw_or_die(row, **options):
    if row[0] == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return Detail(sheet="drawn")


def test_an_image_that_kills_its_process_has_a_reason(rows, monkeypatch):
    monkeypatch.setattr(_cases, "_draw", _draw_or_die)
    shown = [rows[0], ("deadly", rows[1][1]), rows[1]]
    details = draw_details(shown, LesionFeaturizer(), n_jobs=2)
    assert [detail.sheet for detail in details] == ["drawn", "", "drawn"]
    assert "SIGKILL" in details[1].error


def test_without_torch_there_are_sheets_but_no_maps(rows, monkeypatch):
    monkeypatch.setattr("hybridlesion.reporting.html._cases.find_spec", lambda name: None)
    (detail,) = draw_details(rows[:1], LesionFeaturizer(embedder="finetuned", device="cpu"))
    assert detail.sheet
    assert (detail.seen, detail.words, detail.error) == ("", "", "")


def test_masks_have_the_size_of_the_image_or_of_the_analysis(rows, tmp_path):
    featurizer = LesionFeaturizer(long_side=120)
    for shape, drawn in (((180, 240), True), ((90, 120), True), ((45, 60), False)):
        write_mask(tmp_path / f"{rows[0][0]}_segmentation.png", np.ones(shape, bool))
        (detail,) = draw_details(rows[:1], featurizer, masks=tmp_path)
        assert bool(detail.sheet) == drawn
        assert ("must have the same size" in detail.error) != drawn
