"""New rows of a file that grows are scored as if all had come together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybridlesion.inference import score_inputs, score_table
from hybridlesion.inference._score_table import uses_context
from hybridlesion.model import HybridLesionClassifier


def test_new_lesions_are_compared_with_former_ones_of_their_patient(tmp_path, rng):
    target = np.arange(60) % 4 == 0
    table = pd.DataFrame(
        {
            "image_id": [f"T{k:03d}" for k in range(60)],
            "patient_id": [f"P{k // 3:03d}" for k in range(60)],
            "abcd__tds": rng.normal(size=60) + target,
            "meta__age": rng.uniform(20, 80, size=60),
        }
    )
    model = HybridLesionClassifier(3, max_trees=20).fit(table, target)
    assert uses_context(model)
    out = tmp_path / "s.csv"
    for n_rows, added in ((8, 8), (9, 1)):
        table.head(n_rows).to_parquet(tmp_path / "t.parquet")
        result = score_inputs(model, [tmp_path / "t.parquet"], out, append=True, model_id="m")
        assert result.n_rows == added
    together = score_table(model, table.head(9))
    grown = pd.read_csv(out)
    assert grown["image_id"].tolist() == together["image_id"].tolist()
    np.testing.assert_allclose(grown["score"].iloc[-1], together["score"].iloc[-1], rtol=1e-12)
