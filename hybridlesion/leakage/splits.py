"""Patients, lesions and pictures that lie on both sides of a split."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hybridlesion._formatting import count_words
from hybridlesion.leakage.audit import Finding, Severity, names_of
from hybridlesion.model_selection import parted

__all__ = ["BONDS", "find_parted"]

# What ties rows together -> what it is called, in the singular.
BONDS = {
    "patient_id": "patient",
    "lesion_id": "lesion",
    "duplicate_cluster": "known duplicate",
    "lookalike": "lookalike",
}


def find_parted(
    table: pd.DataFrame, labels: np.ndarray, *, where: str, given: bool
) -> list[Finding]:
    """Find what belongs together and does not lie together.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        ``image_id``, and whichever of ``patient_id, lesion_id, duplicate_cluster, lookalike`` are
        known.
    labels : ndarray of shape (n, r)
        Folds or parts.
    where : str
        What they are called: ``"folds"`` or ``"parts"``.
    given : bool
        Whether a file gave them: what it parts is then refused, except for lookalikes, which the
        eye must judge.

    Returns
    -------
    list of Finding
        At most one a bond.
    """
    findings = []
    for column, noun in BONDS.items():
        if column not in table:
            continue
        apart = parted(table[column], labels)
        if not apart.any():
            continue
        values = table.loc[apart, column]
        pictures = column in ("duplicate_cluster", "lookalike")
        findings.append(
            Finding(
                noun,
                Severity.REFUSE if given and column != "lookalike" else Severity.WARN,
                _words(noun, values.nunique(), int(apart.sum()), where, given),
                rows=names_of(_pairs(table[apart], column) if pictures else values),
            )
        )
    return findings


def _words(noun: str, n_values: int, n_rows: int, where: str, given: bool) -> str:
    verb = "lies" if n_values == 1 else "lie"
    if noun in ("patient", "lesion"):
        found = f"{count_words(n_values, noun)} {verb} in several {where}, with {n_rows:,} images"
        cure = "deal them anew" if given else "group by patient_id, which keeps them together"
    else:
        what = (
            "images known to be copies" if noun == "known duplicate" else "images that look alike"
        )
        found = f"{count_words(n_values, 'cluster')} of {what} {verb} in several {where}"
        cure = "deal them anew, with one of each or all together"
    return f"{found}, so that scores are not all of unseen lesions; {cure}"


def _pairs(rows: pd.DataFrame, column: str) -> list[str]:
    """Write the images of each cluster as "a = b"."""
    clusters = rows.groupby(column, sort=False)["image_id"]
    return [" = ".join(map(str, images)) for _, images in clusters]
