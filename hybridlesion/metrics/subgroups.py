"""Metrics for a score in subgroups of patients."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from types import MappingProxyType

import numpy as np
import pandas as pd

from hybridlesion._validation import as_pandas, check_choice, check_number
from hybridlesion.exceptions import TableError
from hybridlesion.metrics._resampling import (
    Decisions,
    check_groups,
    check_scores,
    interval_of,
    resample,
)
from hybridlesion.metrics.discrimination import Ranking

# Column -> metric, and the kinds of rows that it needs.
_MEASURES = {
    "auc": ("auc", ("malignant", "benign")),
    "sensitivity": ("recall", ("malignant",)),
    "specificity": ("specificity", ("benign",)),
    "calibration_in_the_large": ("calibration_in_the_large", ("malignant",)),
}


def evaluate_subgroups(
    y: np.ndarray,
    score: np.ndarray,
    attributes: pd.DataFrame,
    *,
    threshold: float,
    groups: np.ndarray | None = None,
    fewest: int = 5,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    random_state: int | None = 0,
) -> pd.DataFrame:
    """Evaluate a score in each subgroup at a common threshold.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores.
    attributes : DataFrame of shape (n, attributes)
        One column per attribute (``sex``, ``site``, an age band ...), whose values are the groups.
        Rows without a value form the group ``unknown``.
    threshold : float
        Rows with at least this score are classified as malignant.
    groups : array-like of shape (n,), default=None
        Patient of each row. If None, each row is treated as its own patient.
    fewest : int, default=5
        Minimum number of rows from which a value is computed.
    n_bootstrap : int, default=2000
        Number of draws; if 0, the intervals are NaN.
    confidence : float, default=0.95
        Coverage of the intervals.
    random_state : int or None, default=0
        Random seed.

    Returns
    -------
    DataFrame of shape (subgroups, 18)
        ``attribute, group, n, n_malignant, n_groups``, then ``auc, sensitivity, specificity,
        calibration_in_the_large`` with ``_low`` and ``_high`` each, and ``note``. The first row,
        with attribute ``all``, covers every row. AUC needs `fewest` malignant and `fewest` benign
        rows, sensitivity and calibration need the malignant rows, and specificity the benign rows;
        otherwise the value is NaN, and the note gives the reason.

    Raises
    ------
    TableError
        If `attributes` and `y` differ in length.
    ValueError
        If `y` or `score` is invalid, or an option is out of range.

    Notes
    -----
    Intervals are those of `evaluate` on the rows of the subgroup only. A patient with lesions at
    two sites belongs to both subgroups. Intervals are not corrected for the number of subgroups: of
    twenty subgroups without a difference, one may appear to differ.

    Examples
    --------
    >>> y, score = [0, 0, 1, 1] * 20, [0.1, 0.4, 0.35, 0.8] * 20
    >>> sex = pd.DataFrame({"sex": ["female"] * 78 + ["male"] * 2})
    >>> table = evaluate_subgroups(y, score, sex, threshold=0.5, n_bootstrap=100)
    >>> table[["group", "n", "n_malignant", "sensitivity", "note"]].values.tolist()[1:]
    [['female', 78, 38, 0.5, ''], ['male', 2, 2, nan, '2 malignant, 0 benign: too few']]
    """
    y, score = check_scores(y, score)
    attributes = as_pandas(attributes)
    check_number("fewest", fewest, low=1, integer=True)
    if len(attributes) != len(y):
        raise TableError(
            f"attributes must have one row for each score, got {len(attributes)} for {len(y)}."
        )
    codes = check_groups(groups, len(y))
    rows = []
    for attribute, group, inside in _list_groups(attributes):
        truth, scores = y[inside], score[inside]
        numbers = check_groups(codes[inside], len(truth))
        counts = {"malignant": int(truth.sum()), "benign": int((~truth).sum())}
        few = {kind for kind, count in counts.items() if count < fewest}
        measures: list[Decisions | Ranking] = [Decisions(truth, scores, numbers, threshold)]
        if not few:
            measures.append(Ranking(truth, scores, numbers))
        n_groups = int(numbers.max()) + 1
        values = resample(measures, n_groups, n_bootstrap, random_state)
        row = {"attribute": attribute, "group": group, "n": len(truth)}
        row |= {"n_malignant": counts["malignant"], "n_groups": n_groups}
        for column, (measure, needed) in _MEASURES.items():
            cell = (np.nan, np.nan, np.nan)
            if few.isdisjoint(needed):
                cell = values[measure].value, *interval_of(values[measure], confidence)
            row |= dict(zip((column, f"{column}_low", f"{column}_high"), cell, strict=True))
        note = f"{counts['malignant']:,} malignant, {counts['benign']:,} benign: too few"
        rows.append(row | {"note": note if few else ""})
    return pd.DataFrame(rows)


def _list_groups(attributes: pd.DataFrame) -> Iterator[tuple[Hashable, str, np.ndarray]]:
    """Yield attribute, group and rows; categories keep their order, and unknown comes last."""
    yield "all", "all", np.ones(len(attributes), dtype=bool)
    for attribute, values in attributes.items():
        known = values.dropna()
        ordered = isinstance(values.dtype, pd.CategoricalDtype)
        names = list(values.cat.categories) if ordered else sorted(known.unique(), key=str)
        for name in names:
            inside = (values == name).to_numpy(dtype=bool, na_value=False)
            if inside.any():
                yield attribute, str(name), inside
        if len(known) < len(values):
            yield attribute, "unknown", values.isna().to_numpy()


# Upper ends of the bands, the last of which is open, and their names. Each end belongs to the band
# above. Skin tones: Chardon 1991, Del Bino 2013; the others are specific to this package.
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
    """Group numbers into named bands.

    Parameters
    ----------
    values : array-like of shape (n,)
        ``age`` in years, ``skin_tone`` as individual typology angle in degrees, ``hair`` and
        ``dark_corner`` as a share of the image, 0 to 1.
    kind : {"age", "skin_tone", "hair", "dark_corner"}
        Quantity that the numbers measure.

    Returns
    -------
    Series of shape (n,), ordered categorical
        Name of the band of each value, with bands in increasing order; missing values stay missing.

    Raises
    ------
    OptionError
        If `kind` is unknown.

    Notes
    -----
    Skin tone is very light from 55 degrees, light from 41, intermediate from 28, tan from 10, brown
    from -30, and dark below [1]_ [2]_. The angle measured on a photograph is only an estimate: it
    depends on lighting and camera, and published estimates for the same images disagree.

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
