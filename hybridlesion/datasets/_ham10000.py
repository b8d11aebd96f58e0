"""A local copy of HAM10000."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pandas as pd

from hybridlesion.datasets._local_copy import records_of, scan_folder

__all__ = ["load_ham10000"]


def load_ham10000(
    folder: str | os.PathLike, *, malignant: Sequence[str] = ("melanoma",)
) -> pd.DataFrame:
    """Read a local copy of HAM10000, which is ISIC 2018 task 3's training set too.

    Parameters
    ----------
    folder : str or path-like
        Folder with the images (``HAM10000_images_part_1`` and ``..._part_2``, or all in one),
        ``HAM10000_metadata.csv`` (or the same without ending), and if at hand the masks
        (``ISIC_*_segmentation.png``), in any folders below it.
    malignant : sequence of str, default=("melanoma",)
        Diagnoses that make `target` 1, such as ``("melanoma", "basal cell carcinoma")``.

    Returns
    -------
    DataFrame
        Records of the images found, with `path`, `lesion_id`, `age`, `sex`, `site`, `diagnosis`
        and `target`.

    Raises
    ------
    SourceError
        If folder, images or table are absent.

    References
    ----------
    Tschandl, Rosendahl, Kittler, The HAM10000 dataset, Scientific Data 5:180161, 2018.
    """
    copy = scan_folder(folder)
    table = copy.need_table("ham10000_metadata*")
    # The archive at Harvard gives the table without an ending, separated by commas.
    frame = pd.read_csv(table, sep=None, engine="python", dtype={"image_id": str})
    return records_of(copy, frame, malignant=tuple(malignant))
