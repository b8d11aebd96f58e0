"""Joining of several tables of records on the image id."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hybridlesion._formatting import count_words, shorten
from hybridlesion._validation import missing_column
from hybridlesion.exceptions import TableError
from hybridlesion.metadata._columns import ColumnFate
from hybridlesion.metadata._image_id import explain_near, match_unique, normalise_image_id
from hybridlesion.metadata._normalisation import (
    TableRecords,
    normalise_ids,
    report_shared_lesions,
)
from hybridlesion.metadata._reading import Findings, read_table
from hybridlesion.metadata._table_files import SourceTable
from hybridlesion.metadata._vocabulary import (
    FACTS,
    GROUPS,
    MEASURED,
    Role,
    column_key,
    columns_by_key,
    find_role,
)

if TYPE_CHECKING:
    from hybridlesion.metadata._records import Records

# Raw values of the same fact may be spelt differently ("45", "45.0"), so the facts are compared.
# A file may have several paths: as written in a metadata table, and in full in a feature table.
_UNCOMPARED = ("age_raw", "sex_raw", "site_raw", "path")
_NAMES = ("patient_id", "lesion_id")
# Words in the names of split files, and the parts that they stand for.
_PARTS = {"train": "train", "val": "validation", "test": "test"}
# Fewer pairs of differing ids are more likely to be errors than another naming scheme.
_FEWEST_TRANSLATED = 10


def join_tables(tables: Sequence[TableRecords], findings: Findings) -> pd.DataFrame:
    """Join records on the image id, filling blanks of one table from the others.

    Parameters
    ----------
    tables : sequence of TableRecords
        Tables, of which at least one has a layout other than ``image-facts``.
    findings : Findings
        Receives problems about values that differ between tables, and warnings about images that
        only some tables have.

    Returns
    -------
    DataFrame of shape (n, columns)
        All images of all tables, in order of first appearance. Tables of layout ``image-facts``
        add columns but not images, and facts about a lesion or patient are added to each of its
        images.

    Raises
    ------
    TableError
        If no table has image ids, or facts about lesions or patients cannot be linked to images.
    """
    of_images = [table for table in tables if table.key is Role.IMAGE_ID]
    keyed = [table for table in tables if table.key is not Role.IMAGE_ID]
    if not of_images:
        key = keyed[0].key
        what = f"{keyed[0].name} has one row per {key}, but no table has image ids"
        cure = f"Add one with image_id and {key}, or pass its column of image ids as `id_column`."
        raise TableError(f"{what}. {cure}")
    first, *others = sorted(of_images, key=lambda table: table.layout.name == FACTS)
    joined = first.frame.set_index("image_id")
    for other in others:
        added = other.frame.set_index("image_id")
        added = added.set_axis(_match(joined.index, added.index, "image", other.name, findings))
        _report_coverage(joined.index, added.index, first, other, findings)
        if other.layout.name == FACTS:
            added = added.reindex(joined.index)
        joined = _join(joined, added, other.name, findings)
    # Patient facts are joined last, since a table of lesions may add the patient ids.
    for other in sorted(keyed, key=lambda table: table.key is Role.PATIENT_ID):
        joined = _join(joined, _spread(joined, other, findings), other.name, findings)
    joined = joined.rename_axis("image_id").reset_index()
    if len(tables) > 1:
        report_shared_lesions(joined, joined["image_id"].to_numpy(), findings)
    _report_spellings(joined, findings)
    return joined


def _spread(joined: pd.DataFrame, table: TableRecords, findings: Findings) -> pd.DataFrame:
    """Give every image the facts of its lesion or patient."""
    key, noun, name = table.key.value, table.key.value.removesuffix("_id"), table.name
    if key not in joined:
        what = f"{name} has one row per {key}, but no table with images has that column"
        cure = f"Pass it in `columns` ({key}=COLUMN), or join a table that has image_id and {key}."
        raise TableError(f"{what}. {cure}")
    ids = pd.Index(joined[key].dropna())
    facts = table.frame.set_index("image_id")
    facts = facts.set_axis(_match(ids, facts.index, noun, name, findings))
    known = joined[key].isin(facts.index)
    if not known.any():
        theirs, its = shorten(ids.unique()[:3]), shorten(facts.index[:3])
        what = f"{name} has no {noun} in common with the image tables: they have {theirs}"
        raise TableError(f"{what}, it has {its}. Are these tables from one data set?")
    if not known.all():
        what = f"{(~known).sum():,} of {len(joined):,} images have a {noun} that is not in {name}"
        findings.warnings.append(f"{what}; its columns stay empty there.")
    unused = ~facts.index.isin(joined[key])
    if unused.any():
        what = f"{unused.sum():,} of {len(facts):,} {noun}s in {name}"
        findings.warnings.append(f"{what} have no image; left out.")
    return facts.reindex(joined[key]).set_axis(joined.index)


def _match(known: pd.Index, added: pd.Index, noun: str, name: str, findings: Findings) -> pd.Index:
    """Map ids to known ones that differ only in case, Unicode form or leading zeros, if unique."""
    missing = added[~added.isin(known)].unique()
    free = known[~known.isin(added)].unique()
    found = match_unique(missing, free, _loose_id)
    if not found:
        return added
    examples = " and ".join(map(repr, next(iter(found.items()))))
    findings.warnings.append(
        f"{count_words(len(found), noun)} of {name} differ from earlier tables only in case, "
        f"accent encoding or leading zeros, such as {examples}; taken as the same."
    )
    return pd.Index([found.get(one, one) for one in added])


def _loose_id(name: str) -> str:
    text = unicodedata.normalize("NFC", name).casefold()
    return (text.lstrip("0") or "0") if text.isdecimal() else text


def _report_spellings(joined: pd.DataFrame, findings: Findings) -> None:
    """Warn about patient and lesion ids that differ only in leading zeros, case or blanks."""
    for column in joined.columns.intersection(_NAMES):
        ids = pd.Series(joined[column].dropna().unique(), dtype=str)
        numbers = ids[ids.str.isdecimal()]
        others = ids[~ids.str.isdecimal()]
        for what, found, plain in (
            ("leading zeros", numbers, numbers.str.lstrip("0")),
            ("case or blanks", others, others.map(_plain_spelling)),
        ):
            twins = found[plain.duplicated(keep=False)]
            if len(twins):
                example = " and ".join(twins[plain == plain[twins.index[0]]][:2])
                findings.warnings.append(
                    f"{column}: {len(twins):,} ids differ only in {what}, such as {example}; "
                    "taken as different. If they are the same, spell them alike."
                )


def _plain_spelling(text: str) -> str:
    return "".join(text.split()).casefold()


def _join(one: pd.DataFrame, other: pd.DataFrame, name: str, findings: Findings) -> pd.DataFrame:
    ids = one.index.union(other.index, sort=False)
    one, other = one.reindex(ids), other.reindex(ids)
    joined = dict(one.items())
    for column in one.columns.intersection(other.columns):
        left, right = one[column], other[column]
        if column in _NAMES:
            right = _translate(left, right, name, findings)
        if column not in _UNCOMPARED:
            differing = left.notna() & right.notna() & (left.astype(object) != right.astype(object))
            if column == "diagnosis":
                differing &= ~(_covers(left, right) | _covers(right, left))
            if differing.any():
                findings.problems.append(_describe(name, left[differing], right[differing]))
        joined[column] = left.where(left.notna(), right)
    joined |= {column: values for column, values in other.items() if column not in joined}
    # Unlike pd.concat, this consolidates the columns, which later insertions need.
    return pd.DataFrame(joined, index=ids)


def _translate(left: pd.Series, right: pd.Series, name: str, findings: Findings) -> pd.Series:
    """Translate ids of another naming scheme (BCN_0003884, IL_8314504) to the first table's ids.

    Schemes differ if the tables share no id and their ids correspond one to one.
    """
    pairs = pd.DataFrame({"left": left, "right": right}).dropna().drop_duplicates()
    one_to_one = pairs["left"].is_unique and pairs["right"].is_unique
    shared = right.dropna().isin(left).any()
    if len(pairs) < _FEWEST_TRANSLATED or not one_to_one or shared:
        return right
    other = f"{left.name} of {name} uses other names than earlier tables"
    findings.warnings.append(f"{other}: {len(pairs):,} ids were translated.")
    known = right.map(pairs.set_index("right")["left"])
    return known.where(known.notna(), right)


def _covers(broad: pd.Series, narrow: pd.Series) -> pd.Series:
    covered = pd.Series(False, index=broad.index)
    for name, kinds in GROUPS["narrower"].items():
        covered |= (broad == name) & narrow.isin(kinds)
    return covered


def _describe(name: str, left: pd.Series, right: pd.Series) -> str:
    examples = shorten(f"{one} {left[one]!s} / {right[one]!s}" for one in left.index)
    images = count_words(len(left), "image")
    cure = "Correct one of the tables, or drop the column from it."
    if left.name == "target":
        cure = "Pass the diagnoses that are malignant in all of them as `malignant`."
    return f"{left.name} of {images} in {name} differs from earlier tables: {examples}. {cure}"


def _report_coverage(
    known: pd.Index, added: pd.Index, first: TableRecords, other: TableRecords, findings: Findings
) -> None:
    alone, new = known[~known.isin(added)], added[~added.isin(known)]
    facts_only = other.layout.name == FACTS
    if len(alone) == len(known):
        fate = "its columns stay empty" if facts_only else "the tables were stacked"
        note = f"{other.name} has no image in common with {first.name}: {fate}."
        findings.warnings.append(" ".join([note, *explain_near(added, known)]))
        return
    if len(alone):
        what = f"{len(alone):,} of {len(known):,} images of earlier tables are not in {other.name}"
        findings.warnings.append(f"{what}, e.g. {alone[0]}; its columns stay empty there.")
    if len(new):
        fate = "left out" if facts_only else "added"
        what = f"{len(new):,} of {len(added):,} images in {other.name} are not in earlier tables"
        findings.warnings.append(f"{what}, e.g. {new[0]}; {fate}.")


def add_splits(
    tables: Sequence[TableRecords], lists: Sequence[SourceTable]
) -> Sequence[TableRecords]:
    """Convert lists of row positions, as in Derm7pt, to a column ``split``.

    Parameters
    ----------
    tables : sequence of TableRecords
        Records. Positions count the rows of the Derm7pt table, or of the only table, from 0.
    lists : sequence of SourceTable
        Tables with a single column ``indexes``, each named after its split: train, valid or test.

    Returns
    -------
    sequence of TableRecords
        The tables, with ``split`` added to that table: train, validation or test, or missing for
        rows in no list.

    Raises
    ------
    TableError
        If there is no such table, a file name does not contain a part, a position is invalid, or a
        row is in two parts.
    """
    if not lists:
        return tables
    counted = [one for one in tables if one.layout.name == "derm7pt"] or list(tables)
    if len(counted) > 1:
        what = f"{lists[0].name} lists row positions, but no table is meta.csv of Derm7pt"
        raise TableError(f"{what}. Add it, or leave out the list.")
    table = counted[0]
    split = pd.Series(np.nan, table.frame.index, dtype=object)
    for one in lists:
        part = next((part for word, part in _PARTS.items() if word in one.name.lower()), None)
        if part is None:
            what = f"{one.name} lists row positions, but its name gives no part"
            names = "train_indexes.csv, valid_indexes.csv or test_indexes.csv"
            raise TableError(f"{what}. Call it {names}.")
        numbers = pd.to_numeric(one.frame.iloc[:, 0], errors="coerce")
        if not numbers.isin(range(len(split))).all() or split[numbers].notna().any():
            what = f"{one.name} lists rows that {table.name} does not have or another part has"
            rows = f"positions run from 0 to {len(split) - 1}"
            raise TableError(f"{what}; {rows}. Are these files from one data set?")
        split[numbers] = part
    with_split = replace(table, frame=table.frame.assign(split=split))
    return [with_split if one is table else one for one in tables]


_PAIR = ("image_name_1", "image_name_2")


def find_pairs(source: SourceTable) -> pd.DataFrame:
    """Extract the pairs from a list of duplicates.

    Parameters
    ----------
    source : SourceTable
        A table with ``image_name_1, image_name_2``, or with two columns of any name.

    Returns
    -------
    DataFrame of shape (n, 2)
        Image ids of each pair; pairs with a blank are left out.

    Raises
    ------
    TableError
        If the two columns are ambiguous.
    """
    by_key = columns_by_key(source.frame.columns)
    names = list(source.frame.columns)
    if by_key.keys() >= set(_PAIR):
        names = [by_key[name] for name in _PAIR]
    if len(names) != 2:
        need = f"{source.name}: a list of duplicates needs the columns {' and '.join(_PAIR)}"
        raise TableError(f"{need}, or two columns in all; got {', '.join(map(str, names))}.")
    pairs = source.frame[names].dropna().astype(str)
    return pairs.map(normalise_image_id).set_axis(_PAIR, axis=1)


def _cluster_duplicates(pairs: pd.DataFrame) -> pd.Series:
    """Find the clusters that pairs of duplicates form.

    Parameters
    ----------
    pairs : DataFrame of shape (n, 2)
        Image ids of each pair.

    Returns
    -------
    Series of shape (m,)
        Image id -> id of the first-listed image of its cluster, for all images in `pairs`; images
        in the first column precede those in the second.

    Examples
    --------
    >>> pairs = pd.DataFrame({"image_name_1": ["a", "b"], "image_name_2": ["b", "c"]})
    >>> _cluster_duplicates(pairs).to_dict()
    {'a': 'a', 'b': 'a', 'c': 'a'}
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    codes, ids = pd.factorize(pd.concat([pairs[name] for name in _PAIR], ignore_index=True))
    one, other = codes.reshape(2, -1)
    links = coo_array((np.ones(len(pairs)), (one, other)), shape=(len(ids), len(ids)))
    _, cluster = connected_components(links, directed=False)
    # Codes follow the listing order, so the leader of a cluster is its first member.
    leaders = pd.Series(np.arange(len(ids))).groupby(cluster).transform("first")
    return pd.Series(np.asarray(ids)[leaders], index=pd.Index(ids, name="image_id"))


def mark_duplicates(
    frame: pd.DataFrame, pairs: pd.DataFrame, drop: bool, findings: Findings
) -> pd.DataFrame:
    """Give known duplicates a common cluster id, or keep one image of each cluster.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records.
    pairs : DataFrame of shape (m, 2)
        Image ids of each pair.
    drop : bool
        Whether to keep only the first-listed image of each cluster that is in `frame`.
    findings : Findings
        Receives warnings with the counts.

    Returns
    -------
    DataFrame of shape (k, columns + 1)
        Records with ``duplicate_cluster``, missing for images without known copies.
    """
    clusters = _cluster_duplicates(pairs)
    frame = frame.assign(duplicate_cluster=frame["image_id"].map(clusters))
    members = frame.dropna(subset="duplicate_cluster")
    _report(members, drop, findings)
    if not drop:
        return frame
    place = pd.Series(range(len(clusters)), index=clusters.index)
    order = members["image_id"].map(place).sort_values().index
    again = members.loc[order, "duplicate_cluster"].duplicated()
    return frame.drop(index=again.index[again]).reset_index(drop=True)


def _report(members: pd.DataFrame, drop: bool, findings: Findings) -> None:
    """Warn about copies; with a feature table, only among the measured images."""
    measured = [name for name in members if str(name).startswith(MEASURED)]
    if measured:
        members = members[members[measured].notna().any(axis=1)]
    copies = int(members["duplicate_cluster"].duplicated().sum())
    if copies:
        what = "image is a known duplicate" if copies == 1 else "images are known duplicates"
        fate = "dropped" if drop else "kept, in one cluster with the first"
        findings.warnings.append(f"{copies:,} {what} of another; {fate}.")
    if "target" in members:
        mixed = members.groupby("duplicate_cluster")["target"].nunique().gt(1).sum()
        if mixed:
            verb = "holds" if mixed == 1 else "hold"
            clusters = count_words(mixed, "cluster")
            findings.warnings.append(f"{clusters} of duplicates {verb} both targets.")


# Fields of which the records have one spelling.
_SPELT = (Role.SEX, Role.SITE, Role.DIAGNOSIS)
# Usual names of the column of image ids in tables that are not records, the most explicit first.
ID_COLUMNS = ("image_id", "isic_id", "image_name", "image")


def read_columns(
    path: str | os.PathLike,
    names: Sequence[str],
    image_ids: pd.Series,
    id_column: str | None = None,
) -> pd.DataFrame:
    """Read columns of a table as written, even those that are excluded from records.

    Parameters
    ----------
    path : str or path-like
        Table.
    names : sequence of str
        Columns; those that the table lacks are ignored.
    image_ids : Series of shape (n,)
        Images wanted.
    id_column : str, default=None
        Column of image ids. If None, it is detected.

    Returns
    -------
    DataFrame of shape (n, columns)
        Values with the index of `image_ids`; missing for images that the table lacks.
    """
    return _take_columns(read_table(path), names, image_ids, id_column)


def _take_columns(
    frame: pd.DataFrame, names: Sequence[str], image_ids: pd.Series, id_column: str | None
) -> pd.DataFrame:
    keys = columns_by_key(frame.columns)
    known = [name for name in names if name in frame]
    named = [keys[key] for key in (column_key(id_column or ""), *ID_COLUMNS, "id") if key in keys]
    named += [name for name in frame if find_role(name) in (Role.IMAGE_ID, Role.PATH)]
    if not known or not named:
        return pd.DataFrame(index=image_ids.index)
    found = frame[known].set_axis(normalise_ids(frame[named[0]]).fillna("").map(normalise_image_id))
    found = found[~found.index.duplicated()].reindex(image_ids)
    return found.set_axis(image_ids.index)


def _spell_alike(names: pd.Series) -> pd.Series:
    """Give names that differ only in case or blanks the most frequent spelling."""
    chosen: dict[str, str] = {}
    for name in names.value_counts().index:
        chosen.setdefault(_plain_spelling(name), name)
    return names.map(lambda name: chosen[_plain_spelling(name)], na_action="ignore")


def read_sources(
    tables: Sequence[str | os.PathLike],
    column: str,
    image_ids: pd.Series,
    id_column: str | None = None,
    records: Records | None = None,
) -> pd.Series:
    """Read which hospital, device or data set each image comes from.

    Parameters
    ----------
    tables : sequence of str or path-like
        Tables; the first with a value counts.
    column : str
        Column of the sources, which may be one that no model reads, such as ``attribution``. If no
        table has a column ``"table"``, this name makes each table a source, named after its file;
        tables that contain all images are ignored.
    image_ids : Series of shape (n,)
        Images.
    id_column : str, default=None
        Column of image ids. If None, it is detected.
    records : Records, default=None
        Records read from the tables. If the column was read as sex, site or diagnosis, its values
        there are the names, since tables may spell them differently.

    Returns
    -------
    Series of shape (n,)
        Names of the sources with the index of `image_ids`; missing where unknown. Names that differ
        only in case or blanks are one source.

    Raises
    ------
    TableError
        If no table has the column, or all images come from one source.
    """
    found = pd.Series(None, index=image_ids.index, dtype=object)
    frames = list(map(read_table, tables))
    names = [str(name) for frame in frames for name in frame.columns]
    by_table, stems = column == "table" and column not in names, [Path(t).stem for t in tables]
    for use in () if records is None else records.columns:
        if use.column == column and use.fate is ColumnFate.READ and use.field in _SPELT:
            known = records.frame.set_index("image_id")[use.field].reindex(image_ids)
            found = found.where(found.notna(), known.set_axis(image_ids.index))
    for table, frame in zip(tables, frames, strict=True):
        wanted = list(frame.columns) if by_table else [column]
        read = _take_columns(frame, wanted, image_ids, id_column)
        if by_table:
            inside, stem = read.notna().any(axis=1), Path(table).stem
            if not inside.all():
                name = stem if stems.count(stem) == 1 else os.fspath(table)
                found[found.isna() & inside] = name
        elif column in read:
            found = found.where(found.notna(), normalise_ids(read[column]))
    if column not in names and not by_table:
        raise missing_column("source", column, names)
    if not by_table:
        found = _spell_alike(found)
    if found.nunique() < 2:
        raise TableError(
            f"`source` needs images of at least two sources; the column {column!r} has "
            f"{found.nunique()} for these images. Add the tables of another source."
        )
    return found
