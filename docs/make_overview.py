"""Draw the picture at the top of the README from the demo's own output.

hybridlesion demo --out demo && python docs/make_overview.py demo docs/overview.png
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pandas as pd

from hybridlesion import read_image, read_records
from hybridlesion.io import write_image
from hybridlesion.plotting import case_sheet

WIDTH = 1200


def main(demo: Path, out: Path) -> None:
    """Put six lesions of the demo side by side.

    Parameters
    ----------
    demo : Path
        Folder that ``hybridlesion demo`` wrote.
    out : Path
        PNG to write.
    """
    scores = pd.read_csv(demo / "scores.csv")
    truth = read_records(demo / "data" / "metadata.csv").frame[["image_id", "target"]]
    cases = scores.drop(columns="target", errors="ignore").merge(truth, on="image_id")
    with tempfile.TemporaryDirectory() as folder:
        sheet = case_sheet(
            cases,
            Path(folder) / "sheet.png",
            threshold=float(scores["threshold"].iloc[0]),
            n_cases=6,
            title="Synthetic lesions of patients the model never saw",
        )
        write_image(out, read_image(sheet))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
