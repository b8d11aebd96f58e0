"""Image files found on disk -> the paths of records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from hybridlesion.exceptions import TableError
from hybridlesion.metadata._image_id import (
    explain_misses,
    explain_near,
    is_image_name,
    match_ids,
    match_paths,
    normalise_image_id,
)
from hybridlesion.metadata._problems import Findings, shorten

__all__ = ["add_paths", "rename_images"]


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
    paths = rename_images(paths, frame, findings)
    joined = frame.drop(columns="path", errors="ignore").merge(paths, on="image_id", how="inner")
    ids, names = frame["image_id"].tolist(), paths["image_id"].tolist()
    if joined.empty:
        raise TableError(
            "no image belongs to any record. Is this the table of these images? Images are called "
            f"{shorten(names[:3])}; the table's ids are {shorten(ids[:3])}. If another column "
            "holds the image id, name it with id_column (--id-column on the command line).",
            explain_near(ids, names),
        )
    findings.warnings.extend(explain_misses(ids, names, {one: one for one in joined["image_id"]}))
    return joined


def rename_images(images: pd.DataFrame, records: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Give images the ids of their records: by path where the records have one, else by name.

    Parameters
    ----------
    images : DataFrame of shape (m, columns)
        ``image_id, path``.
    records : DataFrame of shape (n, columns)
        ``image_id``, and ``path`` where the table has it.
    findings : Findings
        Receives a warning where ids are equal but for their spelling.

    Returns
    -------
    DataFrame of shape (m, columns)
        The images; those without a record keep their ids, unless a record has it.

    Raises
    ------
    TableError
        If several images are called like one record, and no path says which is meant.
    """
    ids, new = records["image_id"].tolist(), {}
    if "path" in records:
        written = records["path"].fillna("").astype(str).tolist()
        _check_written(ids, written)
        by_path = match_paths(written, images["path"].astype(str).tolist())
        new = {place: ids[row] for row, place in by_path.items() if written[row]}
    taken = set(new.values())
    rest = [place for place in range(len(images)) if place not in new]
    names = images["image_id"].tolist()
    places = {names[place]: place for place in rest}
    found = match_ids((one for one in ids if one not in taken), places)
    spelt = [(one, its) for one, its in found.items() if one != its]
    if spelt:
        findings.warnings.append(
            f"ids of {len(spelt):,} records differ from the names of their images in case or in "
            f"the coding of accents only, e.g. {spelt[0][0]} and {spelt[0][1]}; matched."
        )
    new |= {places[its]: one for one, its in found.items()}
    taken = set(new.values())
    # Files of one name in several folders have longer ids, which no table knows.
    stems = Counter(
        normalise_image_id(str(path)) for i, path in enumerate(images["path"]) if i not in new
    )
    unclear = [one for one in ids if one not in taken and stems[one] > 1]
    if unclear:
        raise TableError(
            f"several image files are called like one record: {shorten(unclear)}. Keep one file of "
            "each, or give the table a column named path that says which."
        )
    # A file called like the record of another one is nobody's.
    kept = [new.get(i, f"{name} (file)" if name in taken else name) for i, name in enumerate(names)]
    return images.assign(image_id=kept)


def _check_written(ids: Sequence[str], paths: Sequence[str]) -> None:
    """Refuse records of several ids that name one file."""
    first: dict[str, str] = {}
    shared = [
        f"{path}: {first[path]} and {one}"
        for one, path in zip(ids, paths, strict=True)
        if is_image_name(path) and first.setdefault(path, one) != one
    ]
    if shared:
        raise TableError(
            f"several image ids have one path: {shorten(shared)}. Give each image one id and one "
            "row."
        )
