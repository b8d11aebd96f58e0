"""Images and patients of the training are known again, and not named."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from hybridlesion.leakage import membership_warning
from hybridlesion.training import describe_training


@pytest.fixture
def table() -> pd.DataFrame:
    rows = range(80)
    return pd.DataFrame(
        {
            "image_id": [f"ISIC_{row:07d}" for row in rows],
            "patient_id": [f"IP_{row // 2}" for row in rows],
            "meta__age": np.linspace(20, 80, 80),
        }
    )


def _facts(table):
    # As they come out of a manifest.
    return json.loads(json.dumps(describe_training(table, np.arange(len(table)) % 2)))


def test_training_rows_are_counted(table):
    (note,) = membership_warning(_facts(table), table)
    assert note == (
        "80 of 80 images, 40 of 40 patients were in the training; their scores are optimistic."
    )


def test_new_images_of_known_patients_are_told(table):
    new = table.assign(image_id="NEW_" + table["image_id"]).tail(10)
    (note,) = membership_warning(_facts(table), new)
    assert note.startswith("0 of 10 images, 5 of 5 patients were")


def test_names_of_files_and_unknown_patients(table):
    scored = pd.DataFrame({"image_id": ["ISIC_0000003_downsampled", "NEW"]})
    (note,) = membership_warning(_facts(table), scored)
    assert note.startswith("1 of 2 images were")
    assert membership_warning(_facts(table.assign(patient_id=None)), scored) == (note,)


def test_nothing_to_say(table):
    new = table.assign(image_id="NEW_" + table["image_id"], patient_id="NEW")
    assert membership_warning(_facts(table), new) == ()
    assert membership_warning({}, table) == ()
    assert membership_warning({"seen": {"salt": "s", "images": "no base64!"}}, table) == ()


def test_ids_are_hashed_small_and_without_order(table):
    facts = _facts(table)
    assert "ISIC_" not in json.dumps(facts["seen"])
    assert len(facts["seen"]["images"]) <= 11 * 80
    other = describe_training(table.assign(meta__age=1.0), np.arange(80) % 2)
    assert other["seen"]["images"] != facts["seen"]["images"]
