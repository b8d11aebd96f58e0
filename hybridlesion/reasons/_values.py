"""Values, ranks and points as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

import numpy as np
import pandas as pd

from hybridlesion.features import FEATURES
from hybridlesion.model import shares_among_benign
from hybridlesion.reasons._labels import SITE_OF

__all__ = ["points_words", "rank_words", "value_words"]

_TONES = ("very light", "light", "intermediate", "tan", "brown", "dark")
_ROWS = {row.name: row for row in FEATURES}
_UNITS = {
    "meta__age": "years",
    "meta__clin_size_long_diam_mm": "mm",
    "meta__tbp_lv_areaMM2": "mm2",
    "meta__tbp_lv_minorAxisMM": "mm",
    "meta__tbp_lv_perimeterMM": "mm",
}


def value_words(column: str, value: object) -> str:
    """Write a value with its unit.

    Parameters
    ----------
    column : str
        Column of a feature table.
    value : float or str
        Its value in one row; NaN, None or NA where it is missing.

    Returns
    -------
    str
        The value, its unit and, for a score, its highest value; ``"unknown"`` if missing; nothing
        where the column's label says it all, as for an embedding.

    Examples
    --------
    >>> value_words("abcd__border", 5.2), value_words("abcd__color_share_black", 0.126)
    ('5.2 of 8', '13 %')
    >>> value_words("meta__site_torso", 0.0), value_words("meta__sex_male", 1.0)
    ('not torso', 'male')
    """
    if column == "emb__":
        return ""
    if pd.isna(value):
        return "unknown"
    if not isinstance(value, Real | np.bool_):
        return str(value)  # words, dates
    is_bool, value = isinstance(value, bool | np.bool_), float(value)
    if column in SITE_OF:
        return f"{'' if value >= 0.5 else 'not '}{SITE_OF[column]}"
    if column == "meta__sex_male":
        return "male" if value >= 0.5 else "female"
    row = _ROWS.get(column)
    if row is None and is_bool:
        return "yes" if value else "no"
    if row is None:
        return f"{_number(value)} {_UNITS.get(column, '')}".rstrip()
    return _measure_words(row.unit, value, row.high)


def _measure_words(unit: str, value: float, high: float) -> str:
    if unit == "share":
        return f"{100 * value:.0f} %" if value >= 0.01 or value == 0 else f"{100 * value:.2g} %"
    if unit == "0/1":
        return "present" if value >= 0.5 else "absent"
    if unit == "band":
        return _TONES[round(value)]
    if unit == "score":
        return f"{value:.1f} of {high:g}"
    if unit in ("octants", "colours"):
        return f"{_number(value)} of {high:g}{' octants' if unit == 'octants' else ''}"
    if unit in ("1", "unit", "count"):
        return _number(value)
    return f"{_number(value)} {unit}"


def _number(value: float) -> str:
    if value == round(value) and abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def rank_words(column: str, value: object, reference: Mapping[str, np.ndarray]) -> str:
    """Say where a value lies among the benign training rows.

    Parameters
    ----------
    column : str
        Column of a feature table.
    value : float or str
        Its value in one row.
    reference : mapping of str to ndarray of shape (101,)
        The classifier's `reference_`.

    Returns
    -------
    str
        For example ``"higher than 94 % of benign lesions"``, of those with strictly lower values;
        ``"as in 80 % of benign lesions"`` where more are equal to the value than lie on either
        side, and for every value of a 0/1 column. Nothing for what has no order, is missing or was
        never measured in a benign lesion.

    Examples
    --------
    >>> rank_words("meta__age", 70.0, {"meta__age": np.linspace(20, 80, 101)})
    'higher than 83 % of benign lesions'
    >>> rank_words("meta__n_moles", 0, {"meta__n_moles": np.repeat([0, 3], [81, 20])})
    'as in 80 % of benign lesions'
    """
    quantiles = reference.get(column)
    if quantiles is None or isinstance(value, str) or pd.isna(value):
        return ""
    if _is_binary(column) or np.isin(quantiles, (0, 1)).all():
        # References of earlier releases may hold a value between 0 and 1.
        same = np.mean((quantiles >= 0.5) == (float(value) >= 0.5))
        if 0.01 <= same <= 0.99:
            return f"as in {100 * same:.0f} % of benign lesions"
        return f"as in {'more than 99' if same > 0.5 else 'fewer than 1'} % of benign lesions"
    below, equal, above = shares_among_benign(value, quantiles)
    if equal >= max(below, above):
        word, share = "as in", equal
    else:
        word, share = ("higher than", below) if below >= above else ("lower than", above)
    # No finite sample says that a value is higher than all there are.
    return f"{word} {min(int(100 * share + 1e-9), 99)} % of benign lesions"


def _is_binary(column: str) -> bool:
    if column in _ROWS:
        return _ROWS[column].unit == "0/1"
    return column in SITE_OF or column == "meta__sex_male"


def points_words(share: float) -> str:
    """Write a share of a score in percentage points, with its sign.

    Parameters
    ----------
    share : float
        Part of a probability, -1 to 1.

    Returns
    -------
    str
        Two digits, for example ``"+3.1 points"``.

    Examples
    --------
    >>> points_words(0.0312), points_words(-0.257), points_words(0.00004)
    ('+3.1 points', '-26 points', '+0.004 points')
    """
    points = 100 * share
    if abs(points) >= 9.95:
        text = f"{points:+.0f}"
    elif abs(points) >= 0.995:
        text = f"{points:+.1f}"
    else:
        text = f"{points:+.3f}" if abs(points) < 0.0995 else f"{points:+.2f}"
    return f"{text} points"
