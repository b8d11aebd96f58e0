"""Records of several tables -> one table, joined on the image id."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hybridlesion.metadata._diagnosis_words import NARROWER_DIAGNOSES
from hybridlesion.metadata._layouts import FACTS
from hybridlesion.metadata._one_table import TableRecords, report_shared_lesions
from hybridlesion.metadata._problems import Findings, shorten

__all__ = ["join_tables"]

# Raw values of one fact may differ in spelling ("45", "45.0"); the facts are compared instead. One
# file has many paths: a metadata table's own, and the whole one in a feature table.
_UNCOMPARED = ("age_raw", "sex_raw", "site_raw", "path")
_NAMES = ("patient_id", "lesion_id")
# Fewer pairs of ids that happen to differ are more likely errors than another way of naming.
_FEWEST_TRANSLATED = 10


def join_tables(tables: Sequence[TableRecords], findings: Findings) -> pd.DataFrame:
    """Join records on the image id, filling blanks of one table from the others.

    Parameters
    ----------
    tables : sequence of TableRecords
        At least one table that brings more than facts about images.
    findings : Findings
        Receives values that differ between tables, as problems, and images that only some tables
        have, as warnings.

    Returns
    -------
    DataFrame of shape (n, columns)
        Every image of every table, in order of first mention; tables of layout ``image-facts``
        add columns but no images.
    """
    first, *others = sorted(tables, key=lambda table: table.layout.name == FACTS)
    joined = first.frame.set_index("image_id")
    for other in others:
        added = other.frame.set_index("image_id")
        _report_coverage(joined.index, added.index, first, other, findings)
        if other.layout.name == FACTS:
            added = added.reindex(joined.index)
        joined = _join_two(joined, added, other.name, findings)
    joined = joined.reset_index()
    if others:
        report_shared_lesions(joined, joined["image_id"].to_numpy(), findings)
    return joined


def _join_two(
    one: pd.DataFrame, other: pd.DataFrame, name: str, findings: Findings
) -> pd.DataFrame:
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
                findings.problems.append(_describe(column, name, left, right, differing))
        joined[column] = left.where(left.notna(), right)
    joined |= {column: values for column, values in other.items() if column not in joined}
    # Unlike pd.concat, this lays the columns together, which later insertions need.
    return pd.DataFrame(joined, index=ids)


def _translate(left: pd.Series, right: pd.Series, name: str, findings: Findings) -> pd.Series:
    """Bring ids of another naming scheme (BCN_0003884, IL_8314504) to the first table's ids.

    It is another scheme where the tables share no id and their ids belong to each other one to
    one.
    """
    pairs = pd.DataFrame({"left": left, "right": right}).dropna().drop_duplicates()
    one_to_one = pairs["left"].is_unique and pairs["right"].is_unique
    shared = right.dropna().isin(left).any()
    if len(pairs) < _FEWEST_TRANSLATED or not one_to_one or shared:
        return right
    findings.warnings.append(
        f"{left.name} of {name} follows another naming than the tables before it: {len(pairs):,} "
        "ids were translated."
    )
    known = right.map(pairs.set_index("right")["left"])
    return known.where(known.notna(), right)


def _covers(broad: pd.Series, narrow: pd.Series) -> pd.Series:
    covered = pd.Series(False, index=broad.index)
    for name, kinds in NARROWER_DIAGNOSES.items():
        covered |= (broad == name) & narrow.isin(kinds)
    return covered


def _describe(
    column: str, name: str, left: pd.Series, right: pd.Series, differing: pd.Series
) -> str:
    ids = differing.index[differing]
    examples = [f"{image_id} {left[image_id]!s} / {right[image_id]!s}" for image_id in ids]
    cure = (
        "Name the diagnoses that are malignant in all of them, with malignant (--malignant on the "
        "command line)."
        if column == "target"
        else "Correct one of the tables, or drop the column from it."
    )
    return (
        f"{column} of {len(ids):,} image{'s' if len(ids) > 1 else ''} in {name} differs from the "
        f"tables before it: {shorten(examples)}. {cure}"
    )


def _report_coverage(
    known: pd.Index, added: pd.Index, first: TableRecords, other: TableRecords, findings: Findings
) -> None:
    common = known.isin(added).sum()
    if common == 0:
        result = (
            "its columns stay empty"
            if other.layout.name == FACTS
            else "the tables were put below one another"
        )
        findings.warnings.append(
            f"{other.name} has no image in common with {first.name}: {result}."
        )
        return
    if common < len(known):
        findings.warnings.append(
            f"{len(known) - common:,} of {len(known):,} images of the tables before {other.name} "
            "are not in it; its columns stay empty there."
        )
    if common < len(added):
        fate = "left out" if other.layout.name == FACTS else "added"
        findings.warnings.append(
            f"{len(added) - common:,} of {len(added):,} images in {other.name} are in no table "
            f"before it; {fate}."
        )
