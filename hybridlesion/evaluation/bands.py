"""Ages, skin tones and picture quality in bands, so that each group has rows enough."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pandas as pd

from hybridlesion._validation import check_choice

__all__ = ["BANDS", "band"]

# Upper ends of the bands, the last one open, and their names. Who lies on an end is in the upper
# band. Skin tones: Chardon 1991, Del Bino 2013; the others are this package's own.
BANDS = MappingProxyType(
    {
        "age": ((30, 45, 60, 75), ("under 30", "30 to 44", "45 to 59", "60 to 74", "75 and over")),
        "skin_tone": (
            (-30, 10, 28, 41, 55),
            ("dark", "brown", "tan", "intermediate", "light", "very light"),
        ),
        "hair": ((0.01, 0.05), ("under 1 %", "1 to 5 %", "5 % and over")),
        "dark_corner": ((0.01,), ("none", "present")),
    }
)


def band(values: np.ndarray, kind: str) -> pd.Series:
    """Put numbers into named bands.

    Parameters
    ----------
    values : array-like of shape (n,)
        ``age`` in years, ``skin_tone`` as individual typology angle in degrees, ``hair`` and
        ``dark_corner`` as share of the image, 0 to 1.
    kind : {"age", "skin_tone", "hair", "dark_corner"}
        What the numbers are.

    Returns
    -------
    Series of shape (n,), ordered categorical
        Names of bands, from the lowest up; missing where the value is.

    Raises
    ------
    OptionError
        If `kind` is unknown.

    Notes
    -----
    Skin tone: above 55 degrees very light, then light, intermediate from 28, tan from 10, brown
    from -30, dark below [1]_ [2]_. The angle measured on a photograph is an estimate: light and
    camera move it, and published estimates of the same images disagree.

    References
    ----------
    .. [1] A. Chardon, I. Cretois, C. Hourseau, "Skin colour typology and suntanning pathways",
       International Journal of Cosmetic Science 13, 191-208, 1991.
    .. [2] S. Del Bino, F. Bernerd, "Variations in skin colour and the biological consequences of
       ultraviolet radiation exposure", British Journal of Dermatology 169 s3, 33-40, 2013.

    Examples
    --------
    >>> band([25.0, 30.0, None, 80.0], "age").tolist()
    ['under 30', '30 to 44', nan, '75 and over']
    >>> band([60.0, 35.0, -40.0], "skin_tone").tolist()
    ['very light', 'intermediate', 'dark']
    """
    ends, names = BANDS[check_choice("kind", kind, BANDS)]
    numbers = pd.to_numeric(pd.Series(values), errors="coerce").astype(float)
    edges = [-np.inf, *ends, np.inf]
    return pd.cut(numbers, edges, labels=list(names), right=False)
