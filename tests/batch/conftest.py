"""Records that cost nothing to measure."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

HERE = Path(__file__).parent


@pytest.fixture
def quick(monkeypatch):
    """The featurizer that obeys its files, importable in worker processes too."""
    monkeypatch.syspath_prepend(str(HERE))
    from quick_featurizer import QuickFeaturizer

    return QuickFeaturizer()


@pytest.fixture
def quick_records(tmp_path):
    """Function from a number, and commands by position, to records of files that hold them."""

    def make(number: int, commands: dict[int, str] | None = None, every: str = "measure"):
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        rows = []
        for position in range(number):
            path = folder / f"I{position:03d}.jpg"
            path.write_text((commands or {}).get(position, f"{every} {'0.05' + '0' * position}"))
            rows.append({"image_id": path.stem, "path": str(path), "age": float(position % 85)})
        return pd.DataFrame(rows)

    return make
