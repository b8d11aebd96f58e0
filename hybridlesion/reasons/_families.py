"""Families of columns that belong together for people."""

from __future__ import annotations

from types import MappingProxyType

import pandas as pd

from hybridlesion.features import FEATURES

__all__ = ["FAMILY_TITLES", "family_of", "family_shares"]

FAMILY_TITLES = MappingProxyType(
    {
        "asymmetry": "asymmetry",
        "border": "border",
        "color": "colour",
        "structure": "dermoscopic structures",
        "dimension": "size",
        "texture": "texture",
        "skin": "skin around the lesion",
        "tds": "total dermoscopy score",
        "cnn": "fine-tuned network",
        "emb": "image embedding",
        "meta": "age, sex, site and other data",
        "ctx": "the patient's other lesions",
        "other": "other columns",
    }
)
"""Name of each family for people, in the order in which they are shown."""

# A score belongs to the family that it sums up.
_SCORES = {"abcd__structures": "structure"}
_MEASURED = {
    row.name: row.family
    if row.family != "score"
    else _SCORES.get(row.name, row.name.removeprefix("abcd__"))
    for row in FEATURES
}
_PREFIXES = ("cnn", "emb", "meta", "ctx")


def family_of(column: str) -> str:
    """Name the family of a column.

    Parameters
    ----------
    column : str
        Column of a feature table.

    Returns
    -------
    str
        A key of `FAMILY_TITLES`.

    Examples
    --------
    >>> family_of("abcd__border_bays"), family_of("abcd__color"), family_of("meta__age")
    ('border', 'color', 'meta')
    """
    if column in _MEASURED:
        return _MEASURED[column]
    prefix = column.split("__")[0] if "__" in column else ""
    return prefix if prefix in _PREFIXES else "other"


def family_shares(parts: pd.DataFrame) -> pd.DataFrame:
    """Add up what the columns of each family contribute.

    Parameters
    ----------
    parts : DataFrame of shape (n, columns)
        What `explain_scores` gave.

    Returns
    -------
    DataFrame of shape (n, families)
        One column per family that occurs, in the order of `FAMILY_TITLES`. With ``base`` they sum
        to ``score`` but for rounding.

    Examples
    --------
    >>> parts = pd.DataFrame({"base": [0.1], "meta__age": [0.2], "meta__sex_male": [-0.1]})
    >>> round(float(family_shares(parts).loc[0, "meta"]), 3)
    0.1
    """
    columns = parts.drop(columns=["score", "base"], errors="ignore")
    families = [family_of(str(name)) for name in columns]
    summed = columns.T.groupby(families, sort=False).sum().T
    return summed[[family for family in FAMILY_TITLES if family in summed]]
