"""Fixtures that every test module shares."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

# Two workers share two cores: more threads than that only wait for each other. The libraries
# read this when they are loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real dermoscopy beside the checkout; the test skips where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("no real images beside the checkout")
    return folder


@pytest.fixture(scope="session")
def real_weights() -> Path:
    """Safetensors file of ImageNet weights; the test skips where it is absent."""
    file = SHARED / "weights" / "mobilenetv2_100.onnxzoo7_in1k_backbone" / "model.safetensors"
    if not file.is_file():
        pytest.skip("no ImageNet weights beside the checkout")
    return file


@pytest.fixture
def rng() -> np.random.Generator:
    """Seeded random generator."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def lesions(tmp_path_factory) -> pd.DataFrame:
    """Records of 36 small synthetic lesions of 12 patients, images and masks on disk."""
    from hybridlesion import make_lesions

    return make_lesions(
        tmp_path_factory.mktemp("lesions"),
        n_patients=12,
        lesions_per_patient=(3, 3),
        size=(240, 180),
        malignant_share=0.3,
        random_state=7,
    )


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory):
    """The demo of twelve patients, and the steps that it announced."""
    from hybridlesion.demo import run_demo

    steps = []
    return run_demo(tmp_path_factory.mktemp("demo"), n_patients=12, step=steps.append), steps


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium; the test skips where it or its driver is absent."""
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright for Python")
    with playwright.sync_playwright() as driver:
        # Containers run as root, where Chromium's own sandbox refuses to start.
        started = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"], timeout=180_000
        )
        yield started
        started.close()
