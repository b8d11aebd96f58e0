"""Known duplicate images: one cluster id for all copies, so that folds keep them together."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybridlesion._words import count_words
from hybridlesion.exceptions import TableError
from hybridlesion.metadata._image_id import normalise_image_id
from hybridlesion.metadata._layouts import MEASURED
from hybridlesion.metadata._problems import Findings
from hybridlesion.metadata._reading import SourceTable

__all__ = ["cluster_duplicates", "find_pairs", "mark_duplicates"]

_PAIR = ("image_name_1", "image_name_2")


def find_pairs(source: SourceTable) -> pd.DataFrame:
    """Take the pairs out of a list of duplicates.

    Parameters
    ----------
    source : SourceTable
        A table with ``image_name_1, image_name_2``, or with two columns of any name.

    Returns
    -------
    DataFrame of shape (n, 2)
        Image ids of both images of each pair; pairs with a blank are left out.

    Raises
    ------
    TableError
        If the two columns cannot be told.
    """
    keys = {str(column).strip().lower(): column for column in source.frame.columns}
    names = [keys[name] for name in _PAIR if name in keys]
    if len(names) < 2:
        names = list(source.frame.columns)
    if len(names) != 2:
        raise TableError(
            f"{source.name}: a list of duplicates has the columns {' and '.join(_PAIR)}, or two "
            f"columns in all; got {', '.join(map(str, names))}."
        )
    pairs = source.frame[names].dropna().astype(str)
    return pairs.map(normalise_image_id).set_axis(_PAIR, axis=1)


def cluster_duplicates(pairs: pd.DataFrame) -> pd.Series:
    """Find the clusters that pairs of duplicates form.

    Parameters
    ----------
    pairs : DataFrame of shape (n, 2)
        Image ids of each pair.

    Returns
    -------
    Series of shape (m,)
        Image id -> id of the first-listed image of its cluster, for all images in `pairs`, those
        of the first column before those of the second.

    Examples
    --------
    >>> pairs = pd.DataFrame({"image_name_1": ["a", "b"], "image_name_2": ["b", "c"]})
    >>> cluster_duplicates(pairs).to_dict()
    {'a': 'a', 'b': 'a', 'c': 'a'}
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    codes, ids = pd.factorize(pd.concat([pairs[_PAIR[0]], pairs[_PAIR[1]]], ignore_index=True))
    one, other = codes[: len(pairs)], codes[len(pairs) :]
    links = coo_array((np.ones(len(pairs)), (one, other)), shape=(len(ids), len(ids)))
    _, cluster = connected_components(links, directed=False)
    # Codes follow the order of listing, so the first member of a cluster leads it.
    leaders = pd.Series(np.arange(len(ids))).groupby(cluster).transform("first")
    return pd.Series(np.asarray(ids)[leaders], index=pd.Index(ids, name="image_id"))


def mark_duplicates(
    frame: pd.DataFrame, pairs: pd.DataFrame, drop: bool, findings: Findings
) -> pd.DataFrame:
    """Give known duplicates one cluster id, or keep one image of each cluster.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records.
    pairs : DataFrame of shape (m, 2)
        Image ids of each pair.
    drop : bool
        Whether only the first-listed image that `frame` has of each cluster stays.
    findings : Findings
        Receives the counts, as warnings.

    Returns
    -------
    DataFrame of shape (k, columns + 1)
        Records with ``duplicate_cluster``, missing for images without known copies.
    """
    clusters = cluster_duplicates(pairs)
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
    """Count copies; beside a feature table, among the images that it measured only."""
    measured = [name for name in members if str(name).startswith(MEASURED)]
    if measured:
        members = members[members[measured].notna().any(axis=1)]
    copies = int(members["duplicate_cluster"].duplicated().sum())
    if copies:
        what = "image is a known duplicate" if copies == 1 else "images are known duplicates"
        fate = "dropped" if drop else "kept, in one cluster with the first"
        findings.warnings.append(f"{copies:,} {what} of another; {fate}.")
    if "target" in members:
        mixed = int(members.groupby("duplicate_cluster")["target"].nunique().gt(1).sum())
        if mixed:
            verb = "holds" if mixed == 1 else "hold"
            clusters = count_words(mixed, "cluster")
            findings.warnings.append(f"{clusters} of duplicates {verb} both targets.")
