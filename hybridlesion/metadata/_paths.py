"""Image files found on disk -> the paths of records."""

from __future__ import annotations

import pandas as pd

from hybridlesion.exceptions import TableError
from hybridlesion.metadata._image_id import normalise_image_id
from hybridlesion.metadata._problems import Findings, shorten

__all__ = ["add_paths"]


def add_paths(frame: pd.DataFrame, images: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Keep the records that have an image, and give them its path.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records.
    images : DataFrame of shape (m, 2)
        ``image_id, path``; ids may carry what `normalise_image_id` strips.
    findings : Findings
        Receives the counts of what was left out, as warnings.

    Returns
    -------
    DataFrame of shape (k, columns)
        Records with ``path``, in their order.

    Raises
    ------
    TableError
        If two images have one id, or no image belongs to any record.
    """
    paths = images[["image_id", "path"]].copy()
    paths["image_id"] = [normalise_image_id(str(name)) for name in paths["image_id"]]
    twice = paths.loc[paths["image_id"].duplicated(), "image_id"].unique()
    if len(twice):
        raise TableError(
            f"several image files have the same id: {shorten(list(twice))}. Keep one file of each."
        )
    frame = frame.drop(columns="path", errors="ignore")
    joined = frame.merge(paths, on="image_id", how="inner")
    if joined.empty:
        raise TableError(
            "no image belongs to any record. Is this the table of these images? Images are called "
            f"{shorten(list(paths['image_id'][:3]))}; the table's ids are "
            f"{shorten(list(frame['image_id'][:3]))}. If another column holds the image id, name "
            "it with id_column (--id-column on the command line)."
        )
    counts = ((len(frame), "records have no image"), (len(paths), "images have no record"))
    findings.warnings.extend(
        f"{total - len(joined):,} of {total:,} {what}; left out."
        for total, what in counts
        if total > len(joined)
    )
    return joined
