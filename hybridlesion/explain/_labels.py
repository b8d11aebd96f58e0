"""Human-readable names of columns and of column families."""

from __future__ import annotations

from types import MappingProxyType

import pandas as pd

from hybridlesion.features import FEATURES
from hybridlesion.metadata import SITES

__all__ = ["FAMILY_TITLES", "SITE", "SITE_OF", "column_label", "family_of", "family_shares"]

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
"""Title of each family, in display order."""

# A score belongs to the family that it summarises.
_SCORES = {"abcd__structures": "structure"}
_MEASURED = {
    row.name: row.family
    if row.family != "score"
    else _SCORES.get(row.name, row.name.removeprefix("abcd__"))
    for row in FEATURES
}
_PREFIXES = ("cnn", "emb", "meta", "ctx")


def family_of(column: str) -> str:
    """Family of a column.

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
    """Sum the contributions of each family.

    Parameters
    ----------
    parts : DataFrame of shape (n, columns)
        Result of `explain_scores`.

    Returns
    -------
    DataFrame of shape (n, families)
        One column per family that occurs, in the order of `FAMILY_TITLES`. With ``base`` they sum
        to ``score`` within rounding.

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


_WHOLE = {
    "abcd__asymmetry": "asymmetry",
    "abcd__border": "border irregularity",
    "abcd__color": "colour variegation",
    "abcd__structures": "dermoscopic structures",
    "abcd__tds": "total dermoscopy score",
    "abcd__border_norm": "border jaggedness",
    "abcd__color_norm": "colour variation",
    "abcd__color_count": "colours present",
    "abcd__skin_ita": "skin tone (ITA)",
    "abcd__skin_band": "skin tone",
    "emb__": "the image as a whole (embedding)",
    "cnn__score": "fine-tuned network's score",
    "meta__age": "age",
    "meta__sex_male": "sex",
    "meta__tbp_lv_A": "a* of the lesion",
    "meta__clin_size_long_diam_mm": "longest diameter",
}
# Readable forms of words in column names; "" drops the word.
_WORDS = {
    "a": "a* (red to green)",
    "b": "b* (yellow to blue)",
    "blue": "blue",
    "color": "colour",
    "cv": "variation",
    "delta": "against the skin",
    "sd": "spread",
    "iqr": "spread",
    "skew": "skewness",
    "min": "least",
    "max": "greatest",
    "gray": "grey",
    "share": "share of the lesion",
    "has": "",
    "feret": "Feret diameter",
    "glcm1": "fine co-occurrence",
    "glcm4": "coarse co-occurrence",
    "lbp1": "fine pattern",
    "lbp3": "coarse pattern",
    "ita": "ITA",
    "25": "at 25 %",
    "50": "at 50 %",
    "75": "at 75 %",
    "meta": "",
    "tbp": "",
    "lv": "",
    "clin": "",
    "mm": "",
}
# By the kind of `hybridlesion.model.patient_context`.
_CONTEXT = {
    "others": "mean of the patient's other lesions: {}",
    "excess": "{} above the patient's other lesions",
    "z": "{} above the patient's other lesions, in standard deviations",
    "rank": "share of the patient's other lesions below in {}",
    "ratio": "{} over the patient's other lesions",
}
SITE = "meta__site"
"""Joint name of all columns of the body site."""
SITE_OF = {f"meta__site_{site.replace('/', '_').replace(' ', '_')}": site for site in SITES}
"""Body site of each 0/1 column of the encoded metadata."""


def column_label(column: str) -> str:
    """Human-readable name of a column.

    Parameters
    ----------
    column : str
        Column of a feature table.

    Returns
    -------
    str
        A few words in lower case, by default derived from the column name.

    Examples
    --------
    >>> column_label("abcd__border"), column_label("abcd__color_lightness_sd")
    ('border irregularity', 'colour: lightness spread')
    >>> column_label("meta__site_torso"), column_label("ctx__abcd_border_excess")
    ('site', "border irregularity above the patient's other lesions")
    """
    if column in _WHOLE:
        return _WHOLE[column]
    if column in SITE_OF or column == SITE:
        return "site"
    family, _, name = column.partition("__") if "__" in column else ("", "", column)
    group = family_of(column)
    if family == "abcd":
        return f"{FAMILY_TITLES[group]}: {_spell(name.removeprefix(f'{group}_'))}"
    if family == "ctx":
        return _context_label(name)
    return _spell(name)


def _context_label(name: str) -> str:
    """Label of a context column: the compared column and the kind of comparison."""
    compared, _, kind = name.rpartition("_")
    if kind not in _CONTEXT or "_" not in compared:
        return f"against the patient's other lesions: {_spell(name)}"
    return _CONTEXT[kind].format(column_label(compared.replace("_", "__", 1)))


def _spell(name: str) -> str:
    words = (_WORDS.get(word, word) for word in name.split("_"))
    return " ".join(word for word in words if word)
