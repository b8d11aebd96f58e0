"""The image files of a run, which no output may replace."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from hybridlesion._files import check_apart, check_writable, same_file
from hybridlesion.exceptions import SourceError
from hybridlesion.images._locators import split_locator

__all__ = ["check_mask_folder", "check_originals"]


def check_originals(outputs: Iterable[str | os.PathLike], paths: Iterable[object]) -> None:
    """Make sure that no output is one of the images, or an archive that holds them.

    Parameters
    ----------
    outputs : iterable of str or path-like
        Files to be written.
    paths : iterable of object
        Paths or locators of the images; what is no text is passed over.

    Raises
    ------
    SourceError
        If a file is both.
    """
    outputs = list(outputs)
    # Of many images few are called like an output, and only those are looked at.
    names = {os.path.basename(path) for path in outputs}
    check_apart(outputs, (file for file in _local_files(paths) if os.path.basename(file) in names))


def check_mask_folder(folder: str | os.PathLike, paths: Iterable[object]) -> Path:
    """Make sure, before long work, that masks can be written, and not among the images.

    Parameters
    ----------
    folder : str or path-like
        Folder for ``IMAGEID_segmentation.png``.
    paths : iterable of object
        Paths or locators of the images.

    Returns
    -------
    Path
        The folder, absolute.

    Raises
    ------
    SourceError
        If it cannot be written, or holds images: true masks that lie beside them, under the same
        names, would be replaced.
    """
    folder = Path(os.path.abspath(folder))
    check_writable(folder / "IMAGEID_segmentation.png")
    for parent in {os.path.dirname(file) for file in _local_files(paths)}:
        if same_file(folder, parent or "."):
            raise SourceError(
                f"{folder} holds the images. Masks that lie there as IMAGEID_segmentation.png "
                "would be replaced: name another folder for those to be written."
            )
    return folder


def _local_files(paths: Iterable[object]) -> Iterator[str]:
    for path in paths:
        if isinstance(path, str):
            locator = split_locator(path)
            if locator.scheme != "fsspec":
                yield locator.container or locator.inner
