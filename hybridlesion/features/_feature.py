"""Rows of the feature catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["FAMILIES", "INVARIANCES", "Feature", "family_rows"]

FAMILIES = (
    "asymmetry",
    "border",
    "color",
    "dimension",
    "structure",
    "texture",
    "skin",
    "score",
)
INVARIANCES = ("rotation", "mirror", "shift", "scale", "gain")


@dataclass(frozen=True)
class Feature:
    """Row of the catalogue: description of a column of the feature table.

    Parameters
    ----------
    name : str
        Column name, ``abcd__`` first.
    family : str
        One of `FAMILIES`.
    unit : str
        Unit of the value; ``"1"`` for a ratio, ``"share"`` for a part of a whole.
    low, high : float
        Closed range of possible values; infinite where there is no bound.
    source : str
        Paper or rule that defines the measure.
    description : str
        Definition, with a formula where needed.
    undefined : str, default=''
        Condition for NaN in addition to an empty mask, for which all features are NaN.
    invariance : tuple of str, default=('rotation', 'mirror', 'shift', 'scale')
        Changes of the photograph that do not affect the value, up to resampling; any of
        `INVARIANCES`.
    """

    name: str
    family: str
    unit: str
    low: float
    high: float
    source: str
    description: str
    undefined: str = ""
    invariance: tuple[str, ...] = ("rotation", "mirror", "shift", "scale")


def family_rows(
    family: str,
    source: str,
    rows: Iterable[tuple],
    *,
    undefined: str = "",
    invariance: tuple[str, ...] = ("rotation", "mirror", "shift", "scale"),
) -> tuple[Feature, ...]:
    """Make catalogue rows with the same family, source and caveats.

    Parameters
    ----------
    family : str
        One of `FAMILIES`; also the first word of the column, except in ``score``.
    source : str
        Paper or rule.
    rows : iterable of tuple
        ``(name, unit, low, high, description)`` each.
    undefined : str, default=''
        When the values are NaN.
    invariance : tuple of str, default=('rotation', 'mirror', 'shift', 'scale')
        Changes that do not affect the values.

    Returns
    -------
    tuple of Feature
        One per row, in order.
    """
    prefix = "abcd__" if family == "score" else f"abcd__{family}_"
    return tuple(
        Feature(prefix + name, family, unit, low, high, source, description, undefined, invariance)
        for name, unit, low, high, description in rows
    )
