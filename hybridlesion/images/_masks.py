"""Mask files by the image they belong to."""

from __future__ import annotations

import os
from pathlib import Path

from hybridlesion.exceptions import SourceError
from hybridlesion.images._names import IMAGE_SUFFIXES, LESION_MASK_ENDS

__all__ = ["find_masks"]


def find_masks(folder: str | os.PathLike) -> dict[str, str]:
    """Find the lesion masks in a folder and its subfolders.

    Parameters
    ----------
    folder : str or path-like
        Folder of files named ``IMAGEID_segmentation``, ``IMAGEID_Segmentation`` or
        ``IMAGEID_lesion``, with any image suffix.

    Returns
    -------
    dict of str to str
        Path by image id, in order of the ids.

    Raises
    ------
    SourceError
        If there is no such folder, it holds no masks, or two masks of one image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SourceError(f"{folder} is no folder; name the folder that holds the masks.")
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        end = next((end for end in LESION_MASK_ENDS if path.stem.lower().endswith(end)), None)
        if end is None or path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith("."):
            continue
        image_id = path.stem[: -len(end)]
        if image_id in found:
            raise SourceError(f"{found[image_id]} and {path} are masks of one image; keep one.")
        found[image_id] = str(path)
    if not found:
        raise SourceError(
            f"no masks in {folder}: their names end in _segmentation or _lesion, for example "
            "ISIC_0000000_segmentation.png."
        )
    return dict(sorted(found.items()))
