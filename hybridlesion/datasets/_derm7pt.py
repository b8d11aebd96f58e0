"""A local copy of Derm7pt, with the criteria of the seven-point checklist."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hybridlesion.datasets._local_copy import scan_folder
from hybridlesion.exceptions import SourceError
from hybridlesion.metadata import read_records

__all__ = ["load_derm7pt"]

_SPLITS = ("train", "valid", "test")
# The criteria, and what else the records keep as it stands.
_KEPT = (
    *("diagnosis", "split", "seven_point_score", "pigment_network", "streaks", "pigmentation"),
    *("regression_structures", "dots_and_globules", "blue_whitish_veil", "vascular_structures"),
    *("level_of_diagnostic_difficulty", "elevation", "management", "clinical_path"),
)


def load_derm7pt(
    folder: str | os.PathLike, *, malignant: Sequence[str] = ("melanoma",)
) -> pd.DataFrame:
    """Read a local copy of Derm7pt: dermoscopic images and the seven-point checklist.

    Parameters
    ----------
    folder : str or path-like
        Folder with ``meta.csv``, ``train_indexes.csv``, ``valid_indexes.csv``,
        ``test_indexes.csv`` and the images under the relative paths of its column ``derm``, in
        any folders below it; or with an ``index.csv`` that names each image in ``image_id``.
    malignant : sequence of str, default=("melanoma",)
        What diagnoses begin with that make `target` 1; each melanoma has its stage behind it, as
        in ``melanoma (in situ)``.

    Returns
    -------
    DataFrame
        Records of the images found, with `path`, `lesion_id` (the case), `sex`, `site`,
        `diagnosis` as it stands in the table, `target`, `split` (train, valid or test),
        `seven_point_score` (0 to 7), the seven criteria, and `clinical_path` of the close-up
        photograph where it is there. `image_id` is the file name of ``derm``, with its folder and
        ``_`` before it if file names repeat.

    Raises
    ------
    SourceError
        If folder, images or table are absent.

    References
    ----------
    Kawahara, Daneshvar, Argenziano, Hamarneh, Seven-point checklist and skin lesion classification
    using multitask multimodal neural nets, IEEE Journal of Biomedical and Health Informatics
    23(2), 2019.
    """
    folder = Path(folder)
    meta = next(iter(sorted(folder.rglob("meta.csv"))), None)
    table = _read_index(folder) if meta is None else _read_meta(meta)
    table = table.sort_values("image_id", ignore_index=True)
    words = table["diagnosis"].fillna("").str.strip().str.lower()
    table["target"] = words.str.startswith(tuple(malignant)).astype(float)
    table.loc[words == "", "target"] = None
    read = table[["image_id", "lesion_id", "sex", "site", "target"]]
    frame = read_records(read, images=table[["image_id", "path"]]).frame
    kept = table[["image_id", *(name for name in _KEPT if name in table)]]
    return frame.merge(kept, on="image_id", how="left")


def _read_meta(meta: Path) -> pd.DataFrame:
    """The official table: a row a case, with paths of its dermoscopic and its clinical image."""
    table = pd.read_csv(meta).rename(columns={"location": "site"})
    table["lesion_id"] = "case_" + table["case_num"].astype(str)
    names = table["derm"].str.replace(r"\.\w+$", "", regex=True)
    stems = names.str.rpartition("/")[2]
    table["image_id"] = stems if stems.is_unique else names.str.replace("/", "_")
    table["split"] = None
    for split in _SPLITS:
        for file in sorted(meta.parent.glob(f"{split}_indexes.csv")):
            table.loc[pd.read_csv(file)["indexes"], "split"] = split
    homes = [one / below for one in meta.parents for below in ("images", "")][:6]
    home = next((one for one in homes if any((one / name).is_file() for name in table["derm"])), "")
    if home == "":
        raise SourceError(
            f"none of the images that {meta} lists is near it, such as {table['derm'].iloc[0]!r}. "
            "data/README.md says where to get the data set."
        )
    for column, source in (("path", "derm"), ("clinical_path", "clinic")):
        files = [home / str(name) for name in table.get(source, [""] * len(table))]
        table[column] = [str(file) if file.is_file() else None for file in files]
    return table[table["path"].notna()]


def _read_index(folder: Path) -> pd.DataFrame:
    copy = scan_folder(folder)
    table = pd.read_csv(copy.need_table("meta.csv", "index.csv"))
    table["path"] = table["image_id"].map(copy.images)
    return table[table["path"].notna()]
