"""The images, masks and tables of a downloaded data set, wherever its folders lie."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from hybridlesion.exceptions import SourceError
from hybridlesion.metadata import read_records

__all__ = ["LocalCopy", "records_of", "scan_folder"]

_IMAGES = {".jpg", ".jpeg", ".png", ".bmp"}
# What stands behind the name of the photograph, which must be there, too: a photograph may well be
# called P2_lesion or P2_R1 itself.
_MASK = re.compile(r"(?P<photograph>.+)_(segmentation|lesion|mask)", re.IGNORECASE)
# Other pictures in the official archives: superpixels, ISIC 2018 task 2, PH2 regions and labels.
_OTHER = re.compile(
    r"(?P<photograph>.+?)_(superpixels|attribute_.*|label.*|roi.*|r\d.*)", re.IGNORECASE
)


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

    Notes
    -----
    A picture called ``NAME_segmentation``, ``NAME_lesion`` or ``NAME_mask`` is a mask where there
    is a photograph ``NAME``, else a photograph. Superpixels, attributes, regions and labels of a
    photograph are passed over.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SourceError(f"{folder} is no folder. data/README.md says where to get the data set.")
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    tables = [one for one in files if _is_table(one)]
    pictures = [one for one in files if one.suffix.lower() in _IMAGES and one.name[0] != "."]
    # As file systems differ in it, case does not matter here.
    stems = {path.stem.lower(): path.stem for path in pictures}
    images: dict[str, str] = {}
    masks: dict[str, str] = {}
    for path in pictures:
        mask_of, other_of = (_photograph(pattern, path, stems) for pattern in (_MASK, _OTHER))
        if mask_of is not None:
            masks[mask_of] = str(path)
        elif other_of is None:
            if path.stem in images:
                raise SourceError(
                    f"{folder} holds two images named {path.stem}: {images[path.stem]} and {path}. "
                    "Remove one, or name the folder of one data set."
                )
            images[path.stem] = str(path)
    if not images:
        raise SourceError(f"{folder} holds no image ({', '.join(sorted(_IMAGES))}).")
    return LocalCopy(folder, dict(sorted(images.items())), masks, tuple(tables))


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in {".csv", ".txt", ".tab"} or path.name == "HAM10000_metadata"


def _photograph(pattern: re.Pattern, path: Path, stems: dict[str, str]) -> str | None:
    """Name the photograph that a picture belongs to; None if there is none."""
    found = pattern.fullmatch(path.stem)
    return None if found is None else stems.get(found["photograph"].lower())


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
        facts = pd.read_csv(index)
        facts = facts.set_index("image_id") if "image_id" in facts else facts
        for name in ("orig_width", "orig_height"):
            if name in facts and facts.index.name == "image_id":
                frame[name] = frame["image_id"].map(facts[name])
    return frame
