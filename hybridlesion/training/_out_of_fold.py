"""Masks of images that a network did not see, and their overlap with the truth."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from hybridlesion._opencv import cv2
from hybridlesion.evaluation import measure_overlap
from hybridlesion.images import read_mask, write_mask
from hybridlesion.segmentation.refiner import read_unsquashed, segment_refined

__all__ = ["measure_out_of_fold"]


def measure_out_of_fold(records: pd.DataFrame, weights: Path, out: Path) -> pd.DataFrame:
    """Segment images as a user would, write the masks and measure them.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Columns image_id, path, mask_path, aspect, of images that the network did not see.
    weights : Path
        Weight file.
    out : Path
        Folder that receives ``IMAGEID_segmentation.png``, of the true mask's size.

    Returns
    -------
    DataFrame of shape (n, columns)
        Columns image_id, the overlaps, confidence and flags.
    """
    rows = []
    for record in records.itertuples():
        aspect = float(record.aspect) if pd.notna(record.aspect) else None
        details = segment_refined(read_unsquashed(record.path, aspect), weights=weights)
        truth = read_mask(record.mask_path)
        grey = details.mask.astype("uint8") * 255
        mask = cv2.resize(grey, truth.shape[::-1], interpolation=cv2.INTER_LINEAR) > 127
        write_mask(out / f"{record.image_id}_segmentation.png", mask)
        rows.append(
            {
                "image_id": record.image_id,
                **measure_overlap(mask, truth),
                "confidence": details.confidence,
                "flags": " ".join(details.flags),
            }
        )
    return pd.DataFrame(rows)
