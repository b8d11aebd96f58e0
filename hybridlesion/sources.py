"""Where images and their metadata lie, found together as records."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import pandas as pd

from hybridlesion.exceptions import SourceError
from hybridlesion.images import list_images
from hybridlesion.metadata import Records, read_records

__all__ = ["find_records"]


def find_records(
    sources: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    metadata: Sequence[str | os.PathLike] = (),
    id_column: str | None = None,
    target_column: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> Records:
    """List images and join their metadata.

    Parameters
    ----------
    sources : str, path-like or sequence of these
        Folders, files, archives, tables with a path column, or fsspec addresses.
    metadata : sequence of str or path-like, default=()
        Tables in any ISIC layout; empty for images alone.
    id_column : str, default=None
        Column of the tables that names the image; None finds it.
    target_column : str, default=None
        Column of the tables that holds the truth; None finds it.
    columns : mapping of str to str, default=None
        Names that the tables use, by the record column that each stands for.

    Returns
    -------
    Records
        One row per image, with `image_id`, `path` and what the metadata knows.

    Raises
    ------
    SourceError
        If there are no images, or two sources hold the same image id.
    TableError
        If the metadata cannot be used, or belongs to none of the images.
    """
    sources = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    images = pd.concat([list_images(os.fspath(source)) for source in sources], ignore_index=True)
    repeated = images.loc[images["image_id"].duplicated(), "image_id"]
    if len(repeated):
        raise SourceError(
            f"{len(repeated)} image ids occur in more than one source, the first is "
            f"{repeated.iloc[0]!r}. Name each image once, or score the sources apart."
        )
    if images.empty:
        raise SourceError(
            f"no images in {', '.join(map(str, sources))}. Name a folder, an image file, a zip or "
            "HDF5 archive, a table with a path column, or an fsspec address."
        )
    if not metadata:
        return Records(frame=images, layout=("images",), set_aside={}, warnings=())
    return read_records(
        list(metadata),
        images=images,
        id_column=id_column,
        target_column=target_column,
        columns=columns,
    )
