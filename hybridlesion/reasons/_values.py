"""Values, ranks and points as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from hybridlesion.features import FEATURES
from hybridlesion.model import rank_among_benign
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
        Its value in one row; NaN or None where it is missing.

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
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return "unknown"
    if isinstance(value, str):
        return value
    value = float(value)
    if column in SITE_OF:
        return f"{'' if value >= 0.5 else 'not '}{SITE_OF[column]}"
    if column == "meta__sex_male":
        return "male" if value >= 0.5 else "female"
    row = _ROWS.get(column)
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
        For example ``"higher than 94 % of benign lesions"``; nothing for what has no order, is
        missing or was never measured in a benign lesion.

    Examples
    --------
    >>> rank_words("meta__age", 70.0, {"meta__age": np.linspace(20, 80, 101)})
    'higher than 83 % of benign lesions'
    """
    quantiles = reference.get(column)
    if quantiles is None or isinstance(value, str) or value is None or math.isnan(value):
        return ""
    if np.isin(quantiles, (0, 1)).all():
        same = np.mean(quantiles == np.float32(value))
        return f"as in {100 * same:.0f} % of benign lesions"
    rank = rank_among_benign(value, quantiles)
    word, share = ("higher", rank) if rank >= 0.5 else ("lower", 1 - rank)
    # No finite sample says that a value is higher than all there are.
    return f"{word} than {min(int(100 * share + 1e-9), 99)} % of benign lesions"


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
