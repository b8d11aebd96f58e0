"""A model, scored lesions with hostile names among them, their pictures and the page of all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.inference import score_table
from hybridlesion.io import write_image, write_mask
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.persistence import save_artifact
from hybridlesion.reporting import write_page
from hybridlesion.training import describe_training

HOSTILE = "<img src=x onerror=alert(1)>"
HOSTILE_PATIENT = "\"><script>document.title='broken'</script>"
SITES = ("torso", "head/neck")
# Drawing takes a second each.
N_SHEETS = 4


@dataclass(frozen=True)
class PageFiles:
    """Where the inputs of a page lie, and the page."""

    model: Path
    scores: Path
    truth: Path
    masks: Path
    training: pd.DataFrame
    page: Path


def _make_lesions(n: int, prefix: str, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    border = rng.uniform(0, 8, n)
    y = (border + rng.normal(0, 1.5, n) > 5.5).astype(int)
    table = pd.DataFrame(
        {
            "image_id": [f"{prefix}_{k:04d}" for k in range(n)],
            "patient_id": [f"{prefix}{k // 3:03d}" for k in range(n)],
            "age": rng.integers(4, 17, n) * 5.0,
            "sex": rng.choice(["male", "female"], n),
            "site": rng.choice(SITES, n),
            "abcd__asymmetry": rng.uniform(0, 2, n),
            "abcd__border": border,
            "abcd__color": rng.uniform(1, 6, n),
            "abcd__structures": rng.uniform(1, 5, n),
            "abcd__tds": rng.uniform(1, 8.9, n),
            "abcd__skin_ita": rng.uniform(20, 70, n),
            "qa__hair_share": rng.uniform(0, 0.1, n),
        }
    )
    return table.assign(meta__age=table["age"]), y


def _draw(folder: Path, masks: Path, table: pd.DataFrame) -> list[str]:
    rows, columns = np.mgrid[:60, :80]
    disc = (rows - 30) ** 2 + (columns - 40) ** 2 < 18**2
    image = np.where(disc[..., None], (120, 80, 60), (225, 190, 170)).astype(np.uint8)
    paths = []
    for number, image_id in enumerate(table["image_id"]):
        paths.append(str(folder / f"{number}.png"))
        write_image(Path(paths[-1]), image)
        write_mask(masks / f"{image_id}_segmentation.png", disc)
    Path(paths[5]).write_bytes(b"\x89PNG broken")
    return paths


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> PageFiles:
    """Everything a page is made of: 90 training lesions, 60 scored later."""
    folder = tmp_path_factory.mktemp("page")
    training, y = _make_lesions(90, "TRAIN", 0)
    model = HybridLesionClassifier(n_splits=3, max_trees=20, context="none").fit(training, y)
    facts = describe_training(training, y) | {
        "n_groups": 30,
        "tables": ["train.csv"],
        "flow": {"rows of the tables": 95, "used for the model": 90},
        "set_aside": {"diagnosis": "it is the answer"},
        "audit": {
            "checks": ["near-duplicates"],
            "findings": [{"kind": "twins", "words": "2 pictures look alike", "n_rows": 2}],
        },
    }
    featurizer = LesionFeaturizer(embedder="finetuned").fit(training.assign(path="a.png"))
    pipeline = Pipeline([("features", featurizer), ("model", model)])
    save_artifact(folder / "model.joblib", pipeline, training=facts, metrics=model.metrics_)
    table, truth = _make_lesions(60, "LATER", 1)
    table.loc[3, "image_id"] = HOSTILE
    table.loc[3:5, "patient_id"] = HOSTILE_PATIENT
    (folder / "masks").mkdir()
    table["path"] = _draw(folder, folder / "masks", table)
    score_table(model, table, explain=True).to_csv(folder / "scores.csv", index=False)
    known = table[["image_id", "patient_id", "age", "sex", "site"]]
    known.assign(target=truth).to_csv(folder / "truth.csv", index=False)
    (folder / "scores.csv.errors.csv").write_text(
        "image_id,path,stage,reason\nGONE,g.png,read,no\n"
    )
    other = table[["image_id"]].assign(score=table["age"] / 100)
    other.to_csv(folder / "age alone.csv", index=False)
    inputs = {"scores": folder / "scores.csv", "truth": [folder / "truth.csv"]}
    inputs["against"] = [folder / "age alone.csv"]
    options = {"masks": folder / "masks", "n_sheets": N_SHEETS}
    page = write_page(folder / "model.joblib", folder, **options, **inputs)
    assert (page.n_cases, page.n_failed) == (60, 1)
    assert page.warnings[-1].startswith("1 of 60 lesions have no image (the first: ")
    return PageFiles(
        folder / "model.joblib",
        folder / "scores.csv",
        folder / "truth.csv",
        folder / "masks",
        training,
        page.path,
    )


@pytest.fixture
def open_page(browser):
    """Open a file: open_page(path, width=, ...) gives the page and what went wrong on it."""
    contexts = []

    def open_file(path, width=1440, scripts=True, scheme="light", address=""):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            java_script_enabled=scripts,
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        # A busy machine is slow, not wrong.
        context.set_default_timeout(180_000)
        contexts.append(context)
        page, wrong = context.new_page(), []
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        # The file itself, and pictures inside it, are no request to anywhere.
        own = ("data:", path.as_uri())
        page.on("request", lambda sent: sent.url.startswith(own) or wrong.append(sent.url))
        page.goto(path.as_uri() + address)
        return page, wrong

    yield open_file
    for context in contexts:
        context.close()
