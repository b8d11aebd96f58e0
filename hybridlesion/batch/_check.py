"""Check of photographs and their tables before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TypeAlias

import numpy as np
import pandas as pd

from hybridlesion._formatting import shorten
from hybridlesion._validation import as_pandas, check_number
from hybridlesion.batch._workers import count_jobs, run_blocks, time_limit
from hybridlesion.featurizer import Failure, attempt, encode_metadata
from hybridlesion.io import image_size, read_image
from hybridlesion.io.discovery import find_records, label_table, scan_sources
from hybridlesion.leakage import (
    cluster_near_duplicates,
    find_suspicious_columns,
    perceptual_hash,
)
from hybridlesion.metadata import (
    ColumnFate,
    ColumnUse,
    DataMapping,
    Findings,
    Records,
    count_diagnoses,
    derive_mapping,
    is_acquisition,
    list_uses,
    near_misses,
    pair_images,
    read_diagnosis,
    read_records,
    read_source,
)

Source: TypeAlias = str | os.PathLike
Table: TypeAlias = str | os.PathLike | pd.DataFrame

# Images that are opened by a process at a time, and the fewest for which a process is started.
_BLOCK, _LEAST_PER_JOB = 32, 500
# Decoded long side in pixels; JPEG files are decoded at a fraction of their size.
_LONG_SIDE = 256
_N_EXAMPLES = 3
_VERDICTS = {
    ColumnFate.READ: "used",
    ColumnFate.SET_ASIDE: "leaks the diagnosis",
    ColumnFate.KEPT: "ignored",
    ColumnFate.PROPOSED: "not understood",
    ColumnFate.UNKNOWN: "not understood",
}
# Reasons, besides acquisition, to exclude a column that says nothing about the diagnosis.
_HARMLESS = ("another column was named for its role", "it is the row number of a spreadsheet")


@dataclass(frozen=True)
class DataCheck:
    """What was found in photographs and their tables.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records of the photographs that will be used, as in `hybridlesion.metadata.Records`.
    columns : DataFrame of shape (m, 6)
        One row per column of the tables: ``table``, ``column``, ``field`` (record column, or ""),
        ``examples`` (tuple of up to three values), ``verdict`` ("used", "ignored", "leaks the
        diagnosis" or "not understood") and ``reason``.
    labels : DataFrame of shape (k, 4)
        Diagnoses of the records and what they count as; see
        `hybridlesion.metadata.count_diagnoses`. Empty if there are neither diagnoses nor targets.
    unmatched : DataFrame of shape (u, 4)
        ``image_id``, ``missing`` ("row" for a photograph without a row, "photograph" for a row
        without a photograph), ``near`` (an unmatched id on the other side that may be meant, or
        "") and ``without`` (what would have to be ignored for the two to match, or "").
    images : DataFrame of shape (n, 7)
        One row per record: ``image_id``, ``path``, ``height`` and ``width`` in pixels (NaN if
        unreadable), ``decoded`` (whether the image was decoded in full), ``problem`` (why it
        cannot be used, or "") and ``near_duplicate`` (number of its group of near-duplicates
        among the decoded images, or NaN).
    n_images, n_rows : int
        Numbers of photographs and of images in the tables, matched or not.
    notes : tuple of str
        Other messages for the user.
    mapping : DataMapping
        How to read the same data again; `hybridlesion.metadata.write_mapping` stores it.
    """

    records: pd.DataFrame
    columns: pd.DataFrame
    labels: pd.DataFrame
    unmatched: pd.DataFrame
    images: pd.DataFrame
    n_images: int
    n_rows: int
    notes: tuple[str, ...]
    mapping: DataMapping

    @property
    def n_usable(self) -> int:
        """Number of photographs without a known problem."""
        return int((self.images["problem"] == "").sum())

    @property
    def label_counts(self) -> dict[str, int]:
        """Number of photographs that are malignant, benign, and without a label."""
        if "target" not in self.records:
            return {"malignant": 0, "benign": 0, "without a label": len(self.records)}
        target = self.records["target"]
        counts = {"malignant": target == 1, "benign": target == 0, "without a label": target.isna()}
        return {name: int(rows.sum()) for name, rows in counts.items()}

    def to_dict(self, *, n_examples: int = 10) -> dict[str, object]:
        """Convert to values that JSON can represent.

        Parameters
        ----------
        n_examples : int, default=10
            Number of unmatched photographs, rows and near misses to list.

        Returns
        -------
        dict of str to object
            ``n_images``, ``n_rows``, ``n_matched``, ``n_usable``, ``n_decoded``; ``columns`` and
            ``labels`` as lists of rows; ``label_counts``; ``n_patients`` and ``n_lesions``, if
            known; ``unmatched`` and ``near_misses``, with examples; ``failures``;
            ``near_duplicates`` as lists of image ids; ``mapping`` and ``notes``.
        """
        images, unmatched = self.images, self.unmatched
        failed = images.loc[images["problem"] != "", ["image_id", "path", "problem"]]
        missing = {
            f"{name}s": {"n": len(rows), "examples": list(rows["image_id"][:n_examples])}
            for name, what in (("photograph", "row"), ("row", "photograph"))
            for rows in [unmatched[unmatched["missing"] == what]]
        }
        near = unmatched[(unmatched["missing"] == "photograph") & (unmatched["near"] != "")]
        groups = {
            f"n_{noun}s": int(self.records[f"{noun}_id"].nunique())
            for noun in ("patient", "lesion")
            if f"{noun}_id" in self.records
        }
        alike = [list(ids) for _, ids in images.groupby("near_duplicate")["image_id"]]
        return {
            "n_images": self.n_images,
            "n_rows": self.n_rows,
            "n_matched": len(images),
            "n_usable": self.n_usable,
            "n_decoded": int(images["decoded"].sum()),
            "columns": self.columns.to_dict("records"),
            "labels": self.labels.to_dict("records"),
            "label_counts": self.label_counts,
            **groups,
            "unmatched": missing,
            "near_misses": near.head(n_examples)[["image_id", "near", "without"]].to_dict(
                "records"
            ),
            "failures": failed.to_dict("records"),
            "near_duplicates": alike,
            "mapping": dict(vars(self.mapping)),
            "notes": list(self.notes),
        }


def check_data(
    photos: Source | Sequence[Source],
    table: Table | Sequence[Table] = (),
    *,
    id_column: str | None = None,
    target_column: str | None = None,
    malignant: Sequence[str] | None = None,
    benign: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    path_column: str | None = None,
    roots: Sequence[Source] = (),
    labels_from_folders: bool = False,
    n_decoded: int = 1000,
    n_jobs: int = 1,
    progress: Callable[[int, int, int], None] | None = None,
) -> DataCheck:
    """Check photographs and their tables before anything is computed.

    Parameters
    ----------
    photos : str, path-like or sequence of these
        Folders, files, archives, tables with a path column, or fsspec addresses.
    table : str, path-like, DataFrame or sequence of these, default=()
        Metadata tables in any layout. If empty, the photographs are checked alone, or with the
        other columns of a table of paths.
    id_column, target_column : str or None, default=None
        Columns of the image ids and of the ground truth. If None, they are detected.
    malignant, benign : sequence of str or None, default=None
        Diagnoses that count as malignant, and further words that count as benign; see
        `hybridlesion.read_records`.
    columns : mapping of str to str or None, default=None
        Record column -> name in the tables.
    path_column : str or None, default=None
        Column of paths, if `photos` is a table. If None, it is detected.
    roots : sequence of str or path-like, default=()
        Further folders in which the images of a table may lie.
    labels_from_folders : bool, default=False
        Whether the folder of an image is its label: benign and malignant, or a diagnosis.
    n_decoded : int, default=1000
        Number of images, chosen at random, that are decoded in full and compared with each other
        for near-duplicates; -1 decodes all. Of the others, only the headers are used, which does
        not detect all damage; those in archives and at addresses are still read as a whole.
    n_jobs : int, default=1
        Number of processes; -1 means using all cores. Few images are read by fewer processes.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    DataCheck
        What was found. Photographs that match no row, and damaged images, are reported rather
        than raised.

    Raises
    ------
    SourceError
        If there are no images, or a file cannot be opened.
    TableError
        If a table cannot be read: all problems of all tables are listed, with row numbers.
    OptionError
        If options are unknown or contradict each other, or no folder names a class.

    Examples
    --------
    >>> import tempfile
    >>> from hybridlesion import make_lesions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     lesions = make_lesions(folder, n_patients=2, lesions_per_patient=(1, 1), size=(96, 72))
    ...     table = lesions[["image_id", "age"]].rename(columns={"age": "Alter"})
    ...     check = check_data(f"{folder}/images", table)
    >>> check.n_usable, dict(check.mapping.columns)
    (2, {'image_id': 'image_id', 'age': 'Alter'})
    """
    check_number("n_decoded", n_decoded, low=-1, integer=True)
    table = as_pandas(table)
    tables = [table] if isinstance(table, (str, os.PathLike, pd.DataFrame)) else list(table)
    options = {"id_column": id_column, "target_column": target_column, "columns": columns}
    options |= {"malignant": malignant, "benign": benign}
    places = {"path_column": path_column, "roots": roots}
    if tables or labels_from_folders:
        id_name = id_column or (columns or {}).get("image_id")
        listing = scan_sources(photos, id_column=id_name, **places)
        folders = [label_table(listing.images)] if labels_from_folders else []
        found = read_records([*tables, *folders], **options)
        # The table of folders is ours, not the user's.
        own = f"table {len(tables) + 1}" if folders else None
        found = replace(found, columns=tuple(use for use in found.columns if use.table != own))
        records, images, spelling = _match(found, listing.images)
        notes = (*listing.notes, *_other_notes(found), *spelling)
    else:
        found = find_records(photos, **options, **places)
        records = images = found.frame
        sources = [photos] if isinstance(photos, (str, os.PathLike)) else list(photos)
        tables = sources if found.columns else []
        notes = _other_notes(found)
    examined = _open_images(records, n_decoded, n_jobs, progress)
    labelled = records
    if "target" in records and "diagnosis" not in records:
        labelled = records.assign(diagnosis=np.nan)
    labels = count_diagnoses(labelled, found.diagnoses)
    return DataCheck(
        records,
        describe_columns(found.columns, tables),
        labels,
        _find_unmatched(images["image_id"], found.frame["image_id"]),
        examined,
        len(images),
        len(found.frame),
        (*notes, *_explain_labels(labels), *_find_suspicious(records)),
        derive_mapping(
            found.columns, **options, roots=roots, labels_from_folders=labels_from_folders
        ),
    )


def _match(found: Records, images: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Join records with their images; return them, all images by record id, and notes."""
    findings = Findings()
    images = pair_images(images, found.frame, findings)
    frame = found.frame.drop(columns="path", errors="ignore")
    return frame.merge(images, on="image_id"), images, findings.warnings


def _other_notes(found: Records) -> tuple[str, ...]:
    """Select the warnings about anything but columns and labels, which have their own tables."""
    told = {*list_uses(found.columns), *found.target_notes}
    return tuple(note for note in found.warnings if note not in told)


def describe_columns(uses: Sequence[ColumnUse], tables: Sequence[Table]) -> pd.DataFrame:
    """Describe the columns of tables.

    Parameters
    ----------
    uses : sequence of ColumnUse
        How the columns were read.
    tables : sequence of str, path-like or DataFrame
        The tables, for examples of their values.

    Returns
    -------
    DataFrame of shape (m, 6)
        Columns of the tables, as in `DataCheck`.
    """
    examples = {}
    for position, table in enumerate(tables if uses else (), start=1):
        source = read_source(table, position=position)
        for column in source.frame:
            cells = source.frame[column].dropna().unique()
            texts = filter(None, (" ".join(str(cell).split()) for cell in cells))
            examples[source.name, column] = tuple(islice(texts, _N_EXAMPLES))
    rows = []
    for use in uses:
        harmless = use.detail in _HARMLESS or is_acquisition(use.column)
        verdict = "ignored" if harmless else _VERDICTS[use.fate]
        shown = examples.get((use.table, use.column), ())
        may_be = f"may be {use.field}; to read it, pass {use.detail}"
        reason = may_be if use.fate is ColumnFate.PROPOSED else use.detail
        field = use.field if use.fate is ColumnFate.READ else ""
        rows.append((use.table, use.column, field, shown, verdict, reason))
    names = ["table", "column", "field", "examples", "verdict", "reason"]
    return pd.DataFrame(rows, columns=names)


def _find_unmatched(images: pd.Series, rows: pd.Series) -> pd.DataFrame:
    without_row = images[~images.isin(rows)].tolist()
    without_image = rows[~rows.isin(images)].tolist()
    near = {}
    for miss in near_misses(without_image, without_row):
        near[miss.wanted] = near[miss.available] = miss
    found = []
    for missing, ids in (("row", without_row), ("photograph", without_image)):
        for name in ids:
            miss = near.get(name)
            other = "" if miss is None else {*miss[:2]}.difference({name}).pop()
            found.append((name, missing, other, "" if miss is None else miss.without))
    return pd.DataFrame(found, columns=["image_id", "missing", "near", "without"])


def _explain_labels(labels: pd.DataFrame) -> Iterator[str]:
    """Point out diagnoses that have no label, or not the one that a user may expect."""
    side = labels.set_index("diagnosis")["side"]
    if (side == "").any():
        yield (
            "the table has diagnoses, but does not say which are malignant: list these in "
            "`malignant`, or name the column that says it in `target_column`."
        )
    if (side == "unknown").any():
        names = shorten(side.index[side == "unknown"])
        yield f"unknown, so without a label: {names}. List them in `malignant` or `benign`."
    benign = [name for name in side.index[side == "benign"] if read_diagnosis(name).malignant == 1]
    if benign:
        verb = "counts" if len(benign) == 1 else "count"
        cure = "To change that, list all malignant diagnoses in `malignant`."
        yield f"{shorten(benign)} {verb} as benign here. {cure}"


def _find_suspicious(records: pd.DataFrame) -> list[str]:
    """Report metadata that separates malignant from benign lesions too well, as `fit` would."""
    labelled = records[records["target"].notna()] if "target" in records else records[:0]
    if labelled.empty or labelled["target"].nunique() < 2:
        return []
    metadata = encode_metadata(labelled)
    groups = labelled["patient_id"].to_numpy() if "patient_id" in labelled else None
    y = labelled["target"].to_numpy()
    return [str(one) for one in find_suspicious_columns(metadata, y, list(metadata), groups)]


Row = tuple[int, str, str, bool]
# Height, width and hash, or the reason why there are none.
Opened = tuple[int, int, np.ndarray | None] | Failure


def _open_images(
    records: pd.DataFrame,
    n_decoded: int,
    n_jobs: int,
    progress: Callable[[int, int, int], None] | None,
) -> pd.DataFrame:
    """Read the header of every image, and decode some of them."""
    n = len(records)
    wanted = np.zeros(n, dtype=bool)
    wanted[np.random.default_rng(0).permutation(n)[: n if n_decoded == -1 else n_decoded]] = True
    rows = list(zip(range(n), records["image_id"], records["path"], wanted.tolist(), strict=True))
    opened: dict[int, Opened] = {}
    n_jobs = min(count_jobs(n_jobs), max(1, n // _LEAST_PER_JOB))
    failures: dict[int, Failure] = {}
    blocks = [rows[start : start + _BLOCK] for start in range(0, n, _BLOCK)]
    for answers in run_blocks(_open_block, blocks, n_jobs):
        opened |= answers
        failures |= {row: one for row, one in answers.items() if isinstance(one, Failure)}
        if progress is not None:
            progress(len(opened), len(failures), n)
    images = records[["image_id", "path"]].reset_index(drop=True)
    read = {row: one for row, one in opened.items() if not isinstance(one, Failure)}
    sizes = [read[row][:2] if row in read else (np.nan, np.nan) for row in range(n)]
    images[["height", "width"]] = np.array(sizes, dtype=float).reshape(n, 2)
    images["decoded"], images["problem"], images["near_duplicate"] = wanted, "", np.nan
    for row, one in failures.items():
        images.loc[row, "problem"] = one.reason.removeprefix(f"{one.path}: ")
    hashes = {row: one[2] for row, one in sorted(read.items()) if one[2] is not None}
    if hashes:
        clusters = cluster_near_duplicates(np.stack(list(hashes.values())))
        images.loc[list(hashes), "near_duplicate"] = clusters.to_numpy()
    return images


def _open_block(block: Sequence[Row], limit: float | None) -> dict[int, Opened]:
    opened = {}
    with time_limit(limit) as tick:
        for position, image_id, path, decode in block:
            opened[position] = attempt((image_id, path), "read", partial(_open, path, decode))
            tick()
    return opened


def _open(path: str, decode: bool) -> Opened:
    height, width = image_size(path)
    image = read_image(path, long_side=_LONG_SIDE) if decode else None
    return height, width, None if image is None else perceptual_hash(image)
