"""The images, masks and tables of a downloaded data set, wherever its folders lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from hybridlesion.exceptions import SourceError
from hybridlesion.metadata import read_records

__all__ = ["LocalCopy", "records_of", "scan_folder"]

_IMAGES = {".jpg", ".jpeg", ".png", ".bmp"}
_MASK_ENDINGS = ("_segmentation", "_lesion")
# Other pictures in the official archives: superpixels, ISIC 2018 task 2, PH2 regions and labels.
_NO_IMAGES = ("*_superpixels", "*_attribute_*", "*_label*", "*_roi*", "*_r[0-9]*")


@dataclass(frozen=True)
class LocalCopy:
    """What was found below a folder.

    Parameters
    ----------
    folder : Path
        Where it was searched.
    images : dict of str to str
        Image id -> path, sorted by id.
    masks : dict of str to str
        Image id -> path of its mask.
    tables : tuple of Path
        Every table, sorted.
    """

    folder: Path
    images: dict[str, str]
    masks: dict[str, str]
    tables: tuple[Path, ...]

    def find_table(self, *patterns: str) -> Path | None:
        """Find the first table whose name fits a pattern, the first pattern first.

        Parameters
        ----------
        *patterns : str
            File name patterns in lower case, such as ``"*part3_groundtruth*.csv"``.

        Returns
        -------
        Path or None
            The table, or None.
        """
        for pattern in patterns:
            for table in self.tables:
                if fnmatchcase(table.name.lower(), pattern):
                    return table
        return None

    def need_table(self, *patterns: str) -> Path:
        """Find a table as `find_table` does, or say what was looked for.

        Parameters
        ----------
        *patterns : str
            File name patterns in lower case.

        Returns
        -------
        Path
            The table.

        Raises
        ------
        SourceError
            If no table fits.
        """
        table = self.find_table(*patterns)
        if table is None:
            found = ", ".join(one.name for one in self.tables[:5]) or "no tables"
            raise SourceError(
                f"{self.folder} holds no table named like {' or '.join(patterns)} (found: {found})."
                " data/README.md says where to get it."
            )
        return table


def scan_folder(folder: str | os.PathLike) -> LocalCopy:
    """Find images, masks and tables in a folder and all folders below it.

    Parameters
    ----------
    folder : str or path-like
        The data set's folder.

    Returns
    -------
    LocalCopy
        What was found.

    Raises
    ------
    SourceError
        If the folder is absent, holds no image, or holds two images of one id.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SourceError(f"{folder} is no folder. data/README.md says where to get the data set.")
    images: dict[str, str] = {}
    masks: dict[str, str] = {}
    tables = []
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        stem = path.stem.lower()
        if path.suffix.lower() in {".csv", ".txt", ".tab"} or path.name == "HAM10000_metadata":
            tables.append(path)
        elif path.suffix.lower() not in _IMAGES or path.name.startswith("."):
            continue
        elif stem.endswith(_MASK_ENDINGS):
            masks[path.stem.rpartition("_")[0]] = str(path)
        elif not any(fnmatchcase(stem, pattern) for pattern in _NO_IMAGES):
            image_id = path.stem
            if image_id in images:
                raise SourceError(
                    f"{folder} holds two images named {image_id}: {images[image_id]} and {path}. "
                    "Remove one, or name the folder of one data set."
                )
            images[image_id] = str(path)
    if not images:
        raise SourceError(f"{folder} holds no image ({', '.join(sorted(_IMAGES))}).")
    return LocalCopy(folder, dict(sorted(images.items())), masks, tuple(tables))


def records_of(
    copy: LocalCopy, tables: Path | pd.DataFrame | list[Path | pd.DataFrame], **options: object
) -> pd.DataFrame:
    """Read tables as records of the images that are there, with their masks.

    Parameters
    ----------
    copy : LocalCopy
        From `scan_folder`.
    tables : Path or DataFrame, or a list of them
        Joined on the image id.
    **options
        Passed to `hybridlesion.metadata.read_records`.

    Returns
    -------
    DataFrame
        Records, sorted by `image_id`, with `path` and, where any mask exists, `mask_path`
        (missing for images without one); and `orig_width`, `orig_height` in pixels where an
        ``index.csv`` beside the images tells them.
    """
    images = pd.DataFrame({"image_id": list(copy.images), "path": list(copy.images.values())})
    frame = read_records(tables, images=images, **options).frame
    frame = frame.sort_values("image_id", ignore_index=True)
    if copy.masks:
        place = frame.columns.get_loc("path") + 1
        frame.insert(place, "mask_path", frame["image_id"].map(copy.masks))
    index = copy.find_table("index.csv")
    if index is not None:
        facts = pd.read_csv(index).set_index("image_id")
        for name in ("orig_width", "orig_height"):
            if name in facts:
                frame[name] = frame["image_id"].map(facts[name])
    return frame
