"""A folder of images with one table of what is known about them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from hybridlesion.datasets._local_copy import records_of, scan_folder

__all__ = ["load_folder"]


def load_folder(
    folder: str | os.PathLike,
    *,
    table: str = "index.csv",
    target_column: str | None = None,
    malignant: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Read a folder of images with one table, for sets that have no loader of their own.

    Parameters
    ----------
    folder : str or path-like
        Folder with the images, the table, and if at hand the masks (``IMAGEID_segmentation.png``),
        in any folders below it.
    table : str, default="index.csv"
        File name of the table, or a pattern of it in lower case, such as ``"*metadata*.csv"``. Its
        columns are recognised as those of any table; see `hybridlesion.metadata.read_records`.
    target_column : str, default=None
        Column that says which are malignant; None finds it.
    malignant : sequence of str, default=None
        Diagnoses that make `target` 1.
    columns : mapping of str to str, default=None
        Column of the table by record column, such as ``{"diagnosis": "label"}``.

    Returns
    -------
    DataFrame
        Records of the images found, sorted by `image_id`, with `path`, `mask_path` where there are
        masks, what the table knows of `patient_id`, `lesion_id`, `age`, `sex`, `site`, `diagnosis`
        and `target`, its other columns that do not give the answer away, and `orig_width`,
        `orig_height` (pixels) where an ``index.csv`` has them.

    Raises
    ------
    SourceError
        If folder, images or table are absent.
    TableError
        If the table is not understood.

    Examples
    --------
    >>> import tempfile
    >>> from hybridlesion import make_lesions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = make_lesions(folder, n_patients=2, lesions_per_patient=(1, 1), size=(80, 64))
    ...     records = load_folder(folder, table="metadata.csv")
    >>> records["image_id"].tolist()
    ['SYN_0000001', 'SYN_0000002']
    """
    copy = scan_folder(folder)
    return records_of(
        copy,
        copy.need_table(table),
        target_column=target_column,
        malignant=malignant,
        columns=columns,
    )
