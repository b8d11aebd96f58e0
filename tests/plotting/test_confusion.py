"""The figure of a confusion matrix."""

from __future__ import annotations

import cv2
import numpy as np

from hybridlesion.metrics import confusion_matrix, evaluate_diagnoses
from hybridlesion.plotting import confusion_figure


def test_cells_are_coloured_by_their_share_of_the_row(tmp_path):
    names = ["melanoma", "nevus", "dermatofibroma"]
    truth = np.array(["melanoma"] * 10 + ["nevus"] * 1200)
    predicted = np.array(["melanoma"] * 1210)
    p = np.tile([0.6, 0.3, 0.1], (1210, 1))
    metrics = evaluate_diagnoses(truth, p, names, n_bootstrap=0)
    counts = confusion_matrix(truth, predicted, names)
    image = cv2.imread(str(confusion_figure(counts, tmp_path / "c.png", metrics=metrics)))
    blue = (np.abs(image.astype(int) - [0xB2, 0x72, 0x00]) < 4).all(axis=2)
    # Two of nine cells hold all of their row.
    rows, columns = np.nonzero(blue)
    height, width = np.ptp(rows), np.ptp(columns)
    assert 1.7 < height / width < 2.3
