"""Images with true masks on disk, as samples to train a refiner on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from hybridlesion.batch import count_jobs, map_unordered
from hybridlesion.exceptions import HybridLesionError, ImageError, SourceError, TableError
from hybridlesion.featurizer import Failure
from hybridlesion.io import find_masks, list_images
from hybridlesion.metadata import normalise_ids, normalise_image_id, read_table
from hybridlesion.segmentation.refiner import Sample, read_sample

__all__ = ["list_pairs", "read_facts", "read_samples"]

ID_COLUMNS = ("image_id", "image_name", "image", "isic_id")
GROUP_COLUMNS = ("patient_id", "lesion_id")


def list_pairs(
    images: Sequence[str], masks: Sequence[str], metadata: Sequence[str] = ()
) -> pd.DataFrame:
    """List the images that have a true mask.

    Parameters
    ----------
    images : sequence of str
        Folders, archives or tables of images.
    masks : sequence of str
        A folder of masks for each, as `hybridlesion.io.find_masks` reads it.
    metadata : sequence of str, default=()
        Tables with ``orig_width`` and ``orig_height`` of images that were squashed, or with
        patient and lesion ids that hold images together.

    Returns
    -------
    DataFrame of shape (n, columns)
        Columns image_id, path, mask_path, aspect (width over height of the photograph, missing
        where the file's holds), and patient_id, lesion_id where the tables have them. An image
        that several sources have is that of the first.

    Raises
    ------
    ValueError
        If there are not as many mask folders as image sources.
    TableError
        If no image has a mask, or a table has no image ids.
    """
    parts = []
    for source, folder in zip(images, masks, strict=True):
        part = list_images(source)
        parts.append(
            part.assign(mask_path=part["image_id"].map(find_masks(folder, part["image_id"])))
        )
    records = pd.concat(parts).dropna(subset="mask_path").drop_duplicates("image_id")
    if records.empty:
        raise TableError(
            f"no image in {', '.join(images)} has a mask in {', '.join(masks)}; a mask is called "
            "IMAGEID_segmentation."
        )
    facts = [
        pd.DataFrame({"image_id": [], "aspect": []}, dtype=object),
        *map(read_facts, metadata),
    ]
    known = pd.concat(facts).groupby("image_id", as_index=False).first()
    records = records.merge(known, on="image_id", how="left")
    records["aspect"] = records["aspect"].astype(float)
    return records


def read_facts(table: str) -> pd.DataFrame:
    """Read the aspect ratio and the ids of images from a table.

    Parameters
    ----------
    table : str
        CSV or Parquet with a column of image ids.

    Returns
    -------
    DataFrame of shape (n, columns)
        ``image_id``, and ``aspect``, ``patient_id``, ``lesion_id`` as far as the table has them.

    Raises
    ------
    TableError
        If it has no image ids.
    """
    raw = read_table(table)
    id_column = next((name for name in ID_COLUMNS if name in raw), None)
    if id_column is None:
        raise TableError(f"{table} has no column that names the image: {', '.join(ID_COLUMNS)}.")
    ids = normalise_ids(raw[id_column]).fillna("")
    facts = pd.DataFrame({"image_id": ids.map(normalise_image_id)})
    for name in GROUP_COLUMNS:
        if name in raw:
            facts[name] = normalise_ids(raw[name])
    if {"orig_width", "orig_height"} <= set(raw):
        width, height = (pd.to_numeric(raw[name]) for name in ("orig_width", "orig_height"))
        facts["aspect"] = width / height
    return facts


def read_samples(
    records: pd.DataFrame,
    *,
    side: int,
    n_jobs: int = 1,
    progress: Callable[[int, int, int], None] | None = None,
) -> tuple[list[Sample | None], list[Failure]]:
    """Read images and masks into memory, with the classical evidence of each.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        From `list_pairs`.
    side : int
        Side of the squares that are kept, in pixels.
    n_jobs : int, default=1
        Processes; -1 takes every core.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    samples : list of Sample or None
        One a record, in order; None where it failed.
    failures : list of Failure
        Why, in order.

    Raises
    ------
    HybridLesionError
        If not one pair of image and mask could be read.
    """
    samples: list[Sample | None] = [None] * len(records)
    failures: dict[int, Failure] = {}
    columns = ("image_id", "path", "mask_path", "aspect")
    rows = list(enumerate(zip(*(records[name] for name in columns), strict=True)))
    answers = map_unordered(_SampleWork(side), rows, n_jobs=count_jobs(n_jobs))
    for done, (position, answer) in enumerate(answers, start=1):
        if isinstance(answer, Failure):
            failures[position] = answer
        else:
            samples[position] = answer
        if progress is not None:
            progress(done, len(failures), len(rows))
    if len(failures) == len(rows):
        first = next(iter(failures.values()))
        raise HybridLesionError(
            f"not one of {len(rows)} pairs of image and mask could be read; {first.image_id}: "
            f"{first.reason}"
        )
    return samples, [failures[position] for position in sorted(failures)]


@dataclass(frozen=True)
class _SampleWork:
    """The picklable function that reads one pair."""

    side: int

    def __call__(self, piece: tuple[int, tuple]) -> tuple[int, Sample | Failure]:
        position, (image_id, path, mask_path, aspect) = piece
        aspect = float(aspect) if pd.notna(aspect) else None
        try:
            return position, read_sample(path, mask_path, side=self.side, aspect=aspect)
        except (ImageError, SourceError) as error:
            return position, Failure(str(image_id), str(path), "read", str(error))
