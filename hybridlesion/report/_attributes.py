"""By what a table of cases can be divided into groups of patients."""

from __future__ import annotations

import pandas as pd

from hybridlesion.evaluation import band

__all__ = ["attributes_of"]

# Attribute -> columns that tell it, the first known one being taken, and the kind of its bands.
_SOURCES = {
    "age": (("age",), "age"),
    "sex": (("sex",), None),
    "site": (("site",), None),
    "skin tone": (("abcd__skin_ita", "skin_ita", "ita"), "skin_tone"),
    "Fitzpatrick type": (("fitzpatrick_skin_type",), None),
    "hair": (("qa__hair_share",), "hair"),
    "dark corner": (("qa__dark_corner_share",), "dark_corner"),
}


def attributes_of(cases: pd.DataFrame) -> pd.DataFrame:
    """Divide cases by age, sex, site, skin tone and picture quality, as far as known.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Records, with columns of a feature table where one was joined.

    Returns
    -------
    DataFrame of shape (n, attributes)
        Of ``age, sex, site, skin tone, Fitzpatrick type, hair, dark corner`` those of which
        something is known. Skin tone is the band of the estimated individual typology angle.

    Examples
    --------
    >>> cases = pd.DataFrame({"age": [25.0, 70.0], "sex": [None, None], "qa__hair_share": [0, 0.2]})
    >>> attributes_of(cases).to_dict("list")
    {'age': ['under 30', '60 to 74'], 'hair': ['under 1 %', '5 % and over']}
    """
    found = {}
    for attribute, (columns, kind) in _SOURCES.items():
        known = [name for name in columns if name in cases and cases[name].notna().any()]
        if known:
            values = cases[known[0]]
            found[attribute] = band(values, kind) if kind else values
    return pd.DataFrame(found, index=cases.index)
