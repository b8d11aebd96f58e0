"""Images and metadata found together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hybridlesion.exceptions import SourceError
from hybridlesion.images import write_image
from hybridlesion.sources import find_records


@pytest.fixture
def folder(tmp_path):
    for name in ("a/ISIC_1", "a/ISIC_2", "b/ISIC_3"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        write_image(path, np.zeros((8, 8, 3), dtype=np.uint8))
    table = {"image_name": ["ISIC_1", "ISIC_3", "ISIC_9"], "target": [0, 1, 0]}
    pd.DataFrame(table).to_csv(tmp_path / "m.csv", index=False)
    return tmp_path


def test_images_alone(folder):
    records = find_records([folder / "a", folder / "b" / "ISIC_3.png"])
    assert records.frame["image_id"].tolist() == ["ISIC_1", "ISIC_2", "ISIC_3"]
    assert records.layout == ("images",)


def test_images_with_metadata_say_what_was_left_out(folder):
    records = find_records(folder, metadata=[folder / "m.csv"])
    assert records.frame["image_id"].tolist() == ["ISIC_1", "ISIC_3"]
    assert records.frame["target"].tolist() == [0, 1]
    assert len(records.warnings) >= 2


def test_the_same_id_twice_is_refused(folder):
    with pytest.raises(SourceError, match="'ISIC_1'"):
        find_records([folder / "a", folder / "a" / "ISIC_1.png"])


def test_no_images(tmp_path):
    with pytest.raises(SourceError):
        find_records(tmp_path)
