"""Tiny images, tables and a runner for the commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from hybridlesion.cli import app
from hybridlesion.io import write_image


@pytest.fixture(scope="session")
def hybridlesion():
    """Run the command line in this process: hybridlesion("fit", table, "--out", model)."""
    runner = CliRunner()

    def run(*arguments):
        return runner.invoke(app, [str(argument) for argument in arguments])

    return run


def _draw(rng: np.random.Generator, malignant: bool) -> np.ndarray:
    """An ellipse on skin: larger, two-coloured and lopsided where it is malignant."""
    rows, columns = np.mgrid[:90, :120]
    image = np.empty((90, 120, 3))
    image[:] = np.array([215, 170, 150]) + rng.normal(0, 6, 3)
    radius = rng.uniform(14, 20) + 6 * malignant
    inside = ((rows - 45) / radius) ** 2 + ((columns - 60) / (1.3 * radius)) ** 2 < 1
    image[inside] = np.array([130, 85, 65]) + rng.normal(0, 8, 3)
    if malignant:
        image[inside & (columns > 66) & (rows > 40)] = (60, 45, 60)
    noisy = image + rng.normal(0, 3, image.shape)
    return noisy.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def lesions(tmp_path_factory) -> Path:
    """Folder with images/ (40 lesions of 20 patients, one broken file) and metadata.csv."""
    folder = tmp_path_factory.mktemp("lesions")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for number in range(40):
        malignant = number % 4 == 0
        name = f"SYN_{number:04d}"
        write_image(folder / "images" / f"{name}.png", _draw(rng, malignant))
        rows.append(
            {
                "image_name": name,
                "patient_id": f"P{number // 2:03d}",
                "sex": "male" if rng.random() < 0.5 else "female",
                "age_approx": float(rng.integers(4, 17) * 5),
                "anatom_site_general_challenge": "torso",
                "diagnosis": "melanoma" if malignant else "nevus",
                "benign_malignant": "malignant" if malignant else "benign",
                "target": int(malignant),
            }
        )
    pd.DataFrame(rows).to_csv(folder / "metadata.csv", index=False)
    (folder / "images" / "SYN_0007.png").write_bytes(b"\x89PNG broken")
    return folder


@pytest.fixture(scope="session")
def measured(hybridlesion, lesions, tmp_path_factory):
    """Feature table of the lesions, and the result of the command that made it."""
    out = tmp_path_factory.mktemp("features") / "features.parquet"
    arguments = (lesions / "images", "--metadata", lesions / "metadata.csv", "--out", out)
    result = hybridlesion("features", *arguments, "--jobs", 1)
    assert result.exit_code == 0, result.output
    return out, result


@pytest.fixture(scope="session")
def features_file(measured) -> Path:
    """Feature table of the lesions."""
    return measured[0]


@pytest.fixture(scope="session")
def model_file(hybridlesion, features_file, tmp_path_factory) -> Path:
    """Model fitted on the feature table, made by the command."""
    out = tmp_path_factory.mktemp("model") / "model.joblib"
    result = hybridlesion("fit", features_file, "--out", out, "--folds", 3, "--jobs", 1)
    assert result.exit_code == 0, result.output
    return out
