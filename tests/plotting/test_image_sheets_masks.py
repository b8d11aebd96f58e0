"""Figures and the picture sheet of the worst masks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybridlesion.io import read_image, read_mask, write_mask
from hybridlesion.plotting import report_masks


def test_the_worst_come_first(lesions, tmp_path):
    records = lesions.head(4)
    for place, record in enumerate(records.itertuples()):
        truth = read_mask(record.mask_path)
        write_mask(tmp_path / f"truth/{record.image_id}_segmentation.png", truth)
        rows = np.flatnonzero(truth.any(axis=1))
        truth[: rows[0] + place * len(rows) // 4] = False
        write_mask(tmp_path / f"masks/{record.image_id}_segmentation.png", truth)
    report = report_masks(records, tmp_path / "masks", tmp_path / "truth", n_worst=3)
    table = pd.read_csv(report.table)
    assert table["jaccard"].is_monotonic_increasing
    assert table["jaccard"].iloc[-1] == 1
    assert table["image_id"].iloc[-1] == records["image_id"].iloc[0]
    assert report.metrics.set_index("metric")["value"]["n"] == 4
    sheet = read_image(report.sheet)
    assert sheet.shape[1] > sheet.shape[0] > 100
    assert report.sheet.parent == tmp_path
