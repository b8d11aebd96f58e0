"""Explanations of scores: contributions of the columns, as numbers and in words."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion._validation import as_pandas, check_number
from hybridlesion.cnn import CLASSES
from hybridlesion.cnn.attribution import CnnMap, cnn_map
from hybridlesion.exceptions import OptionError
from hybridlesion.features import FEATURES
from hybridlesion.metadata import SITES
from hybridlesion.model import shares_among_benign
from hybridlesion.model_selection import grouping
from hybridlesion.pipeline import split_steps

__all__ = [
    "FAMILY_TITLES",
    "SHARE_PREFIX",
    "CnnMap",
    "cnn_map",
    "column_label",
    "explain_scores",
    "family_of",
    "family_shares",
    "points_words",
    "rank_words",
    "reason_columns",
    "reason_words",
    "value_words",
]


def explain_scores(model: BaseEstimator, table: pd.DataFrame) -> pd.DataFrame:
    """Contributions of the columns to each score, on the probability scale.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model; only the classifier of a pipeline is used.
    table : DataFrame of shape (n, columns)
        Feature table with the training columns. Pass all lesions of a patient together.

    Returns
    -------
    DataFrame of shape (n, 2 + columns)
        ``score`` (0 to 1); ``base``, the score before any column contributes; then the contribution
        of each column, including computed patient context. ``base`` and the contributions sum to
        ``score`` within 1e-9. An embedding forms one column, ``emb__``.

    Raises
    ------
    OptionError
        If the classifier is not a `HybridLesionClassifier`.
    TableError
        If the table lacks a column.

    Notes
    -----
    Contributions are TreeSHAP values for the trees and deviations from the mean for the linear
    model, both on the logit scale; the calibrated probability of each fold is then shared in
    proportion. See `HybridLesionClassifier.contributions`. They describe the model, not the causes
    of disease.

    Examples
    --------
    >>> import numpy as np
    >>> from hybridlesion.model import HybridLesionClassifier
    >>> y = np.arange(90) % 3 == 0
    >>> table = pd.DataFrame({"meta__age": 50 + 20.0 * y + np.arange(90) % 7})
    >>> model = HybridLesionClassifier(n_splits=3).fit(table, y)
    >>> parts = explain_scores(model, table)
    >>> bool(parts.loc[0, "meta__age"] > 0), bool(parts.loc[1, "meta__age"] < 0)
    (True, True)
    >>> bool(np.allclose(parts["base"] + parts["meta__age"], parts["score"]))
    True
    """
    classifier = _explainable_classifier(model)
    parts = classifier.contributions(table)
    parts.insert(0, "score", classifier.predict_proba(table)[:, 1])
    return parts


def _explainable_classifier(model: BaseEstimator) -> BaseEstimator:
    """Extract the classifier of a model and check that it can be explained."""
    _, classifier = split_steps(model)
    if not hasattr(classifier, "contributions"):
        raise OptionError(
            f"cannot explain the scores of a {type(classifier).__name__}: reasons need a "
            "HybridLesionClassifier. Score without reasons."
        )
    return classifier


_TEXTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

FAMILY_TITLES = MappingProxyType(_TEXTS["families"])
"""Title of each family, in display order."""

_PROBABILITY = "fine-tuned network's probability of"
_LABELS = _TEXTS["columns"] | {
    f"cnn__p_{code}": f"{_PROBABILITY} {name}" for name, code in CLASSES.items()
}
_ROWS = {row.name: row for row in FEATURES}
_PREFIXES = ("cnn", "emb", "meta", "ctx")


def family_of(column: str) -> str:
    """Return the family of a column.

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
    prefix, mark, name = column.partition("__")
    if column not in _ROWS:
        return prefix if mark and prefix in _PREFIXES else "other"
    family = _ROWS[column].family
    if family != "score":
        return family
    # A score belongs to the family that it summarises.
    return "structure" if name.startswith(("structures", "seven_point")) else name


def family_shares(parts: pd.DataFrame) -> pd.DataFrame:
    """Sum the contributions of each family.

    Parameters
    ----------
    parts : DataFrame of shape (n, columns)
        Result of `explain_scores`.

    Returns
    -------
    DataFrame of shape (n, families)
        One column per family that occurs, in the order of `FAMILY_TITLES`. Together with ``base``,
        they sum to ``score`` within rounding.

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


# Joint name of all columns of the body site, and the site of each 0/1 column.
_SITE = "meta__site"
_SITE_OF = {f"meta__site_{site.replace('/', '_').replace(' ', '_')}": site for site in SITES}


def column_label(column: str) -> str:
    """Return a human-readable name of a column.

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
    ('abrupt border', 'colour: lightness spread')
    >>> column_label("meta__site_torso"), column_label("ctx__perceived_border_excess")
    ('site', "perceived border irregularity above the patient's other lesions")
    """
    if column in _LABELS:
        return _LABELS[column]
    if column in _SITE_OF or column == _SITE:
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
    if kind not in _TEXTS["context"] or "_" not in compared:
        return f"against the patient's other lesions: {_spell(name)}"
    return _TEXTS["context"][kind].format(column_label(compared.replace("_", "__", 1)))


def _spell(name: str) -> str:
    words = (_TEXTS["words"].get(word, word) for word in name.split("_"))
    return " ".join(word for word in words if word)


_TONES = ("very light", "light", "intermediate", "tan", "brown", "dark")


def value_words(column: str, value: object) -> str:
    """Format a value with its unit.

    Parameters
    ----------
    column : str
        Column of a feature table.
    value : float or str
        Value of the column in one row; NaN, None or NA if missing.

    Returns
    -------
    str
        The value, its unit and, for a score, the highest possible value; ``"unknown"`` if missing,
        and empty for an embedding, whose label is sufficient.

    Examples
    --------
    >>> value_words("abcd__border", 5.0), value_words("abcd__color_share_black", 0.126)
    ('5 of 8 octants', '13 %')
    >>> value_words("meta__site_torso", 0.0), value_words("meta__sex_male", 1.0)
    ('not torso', 'male')
    >>> value_words("cnn__melanoma", 0.314)
    '31 %'
    """
    if column == "emb__":
        return ""
    if pd.isna(value):
        return "unknown"
    if not isinstance(value, Real | np.bool_):
        return str(value)  # words, dates
    number = float(value)
    if column in _SITE_OF:
        return f"{'' if number >= 0.5 else 'not '}{_SITE_OF[column]}"
    if column == "meta__sex_male":
        return "male" if number >= 0.5 else "female"
    if column in _ROWS:
        return _measure_words(_ROWS[column].unit, number, _ROWS[column].high)
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    is_share = column == "cnn__melanoma" or column.startswith("cnn__p_")
    return _measure_words("share" if is_share else _TEXTS["units"].get(column, "1"), number)


def _measure_words(unit: str, value: float, high: float = 1.0) -> str:
    if unit in ("share", "rank"):
        return f"{100 * value:.0f} %" if value >= 0.01 or value == 0 else f"{100 * value:.2g} %"
    if unit == "0/1":
        return "present" if value >= 0.5 else "absent"
    if unit == "band":
        return _TONES[round(value)]
    if unit == "score":
        return f"{value:.1f} of {high:g}"
    if unit in ("axes", "colours", "octants", "structures"):
        noun = f" {unit}" if unit in ("axes", "octants") else ""
        return f"{_number(value)} of {high:g}{noun}"
    return _number(value) if unit in ("1", "unit", "count") else f"{_number(value)} {unit}"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"


_BINARY = {*_SITE_OF, "meta__sex_male", *(row.name for row in FEATURES if row.unit == "0/1")}


def rank_words(column: str, value: object, reference: Mapping[str, np.ndarray]) -> str:
    """Describe the rank of a value among the benign training rows.

    Parameters
    ----------
    column : str
        Column of a feature table.
    value : float or str
        Value of the column in one row.
    reference : mapping of str to ndarray of shape (101,)
        The classifier's `reference_`.

    Returns
    -------
    str
        For example, ``"higher than 94 % of benign lesions"``, counting strictly lower values, or
        ``"as in 80 % of benign lesions"`` if ties are more frequent than values on either side, and
        for 0/1 columns. Empty for values that are missing or without order, and for columns without
        benign values.

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
    if column in _BINARY or np.isin(quantiles, (0, 1)).all():
        # References of earlier releases may contain values between 0 and 1.
        same = np.mean((quantiles >= 0.5) == (float(value) >= 0.5))
        if 0.01 <= same <= 0.99:
            return f"as in {100 * same:.0f} % of benign lesions"
        return f"as in {'more than 99' if same > 0.5 else 'fewer than 1'} % of benign lesions"
    below, equal, above = shares_among_benign(value, quantiles)
    words = {"as in": equal, "higher than": below, "lower than": above}
    word = max(words, key=words.get)
    # A finite sample cannot justify 100 %.
    return f"{word} {min(int(100 * words[word] + 1e-9), 99)} % of benign lesions"


def points_words(share: float) -> str:
    """Format a contribution in signed percentage points.

    Parameters
    ----------
    share : float
        Part of a probability, -1 to 1.

    Returns
    -------
    str
        Text with two digits, for example ``"+3.1 points"``.

    Examples
    --------
    >>> points_words(0.0312), points_words(-0.257), points_words(0.00004)
    ('+3.1 points', '-26 points', '+0.004 points')
    """
    points = 100 * share
    # Decimals that leave two digits, but at most three decimals.
    decimals = sum(abs(points) < limit for limit in (9.95, 0.995, 0.0995))
    return f"{points:+.{decimals}f} points"


def reason_words(
    model: BaseEstimator, table: pd.DataFrame, parts: pd.DataFrame, *, n_reasons: int = 3
) -> list[list[str]]:
    """Describe the columns with the largest contributions to each score.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model.
    table : DataFrame of shape (n, columns)
        The entire feature table that was scored, since context compares the rows of a patient.
    parts : DataFrame of shape (n, columns)
        Result of `explain_scores` for `table`.
    n_reasons : int, default=3
        Maximum number of reasons per row, at least 1.

    Returns
    -------
    list of list of str
        Reasons for each row by decreasing absolute contribution: name, value with unit, rank among
        the benign training lesions and, in brackets, the contribution in percentage points. The
        columns of the body site form one reason. Columns that contribute nothing are omitted.

    Examples
    --------
    >>> from hybridlesion.model import HybridLesionClassifier
    >>> from hybridlesion.explain import explain_scores
    >>> y = np.arange(90) % 3 == 0
    >>> table = pd.DataFrame({"meta__age": 50 + 20.0 * y + np.arange(90) % 7})
    >>> model = HybridLesionClassifier(n_splits=3).fit(table, y)
    >>> words = reason_words(model, table, explain_scores(model, table))
    >>> words[0][0].split(" (")[0]
    'age 70 years, higher than 99 % of benign lesions'
    """
    check_number("n_reasons", n_reasons, low=1, integer=True)
    classifier = _explainable_classifier(model)
    reference = getattr(classifier, "reference_", {})
    table = classifier.with_context(table)
    columns = _join_sites(parts.drop(columns=["score", "base"], errors="ignore"))
    shares = columns.to_numpy()
    strongest = np.argsort(-np.abs(shares), axis=1, kind="stable")[:, :n_reasons]
    rows = table[[name for name in parts.columns if name in table]].to_dict("records")
    return [
        [
            _word(columns.columns[k], row, shares[number, k], reference)
            for k in strongest[number]
            if shares[number, k] != 0
        ]
        for number, row in enumerate(rows)
    ]


def _join_sites(parts: pd.DataFrame) -> pd.DataFrame:
    """Replace the 0/1 columns of the site by the sum of their contributions."""
    sites = [name for name in parts if name in _SITE_OF]
    if len(sites) < 2:
        return parts
    joined = parts.assign(**{sites[0]: parts[sites].sum(axis=1)})
    return joined.drop(columns=sites[1:]).rename(columns={sites[0]: _SITE})


def _word(column: str, row: Mapping, share: float, reference: Mapping) -> str:
    value = row.get(column)
    if column == _SITE:
        # Show the lesion's own site.
        known = {name: row[name] for name in _SITE_OF if pd.notna(row.get(name))}
        column = next((name for name in known if known[name] == 1), _SITE)
        value = known.get(column, "not recognised" if known else None)
    said = [f"{column_label(column)} {value_words(column, value)}".rstrip()]
    rank = rank_words(column, value, reference)
    return f"{', '.join([*said, rank] if rank else said)} ({points_words(share)})"


SHARE_PREFIX = "share_"

# Columns that a report shows with a score: summary scores, and those of the subgroup audit.
_SHOWN = (
    *(row.name for row in FEATURES if row.family == "score" and row.unit != "rank"),
    *("abcd__skin_ita", "qa__hair_share", "qa__dark_corner_share"),
)
# Rows explained at once; the contributions of 400,000 lesions would not fit into memory.
_CHUNK = 4096


def reason_columns(
    model: BaseEstimator, table: pd.DataFrame, *, n_reasons: int = 3
) -> pd.DataFrame:
    """Compute the explanation columns of a score table.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model.
    table : DataFrame of shape (n, columns)
        Feature table with the training columns and a unique index.
    n_reasons : int, default=3
        Number of reasons per row, at least 1.

    Returns
    -------
    DataFrame of shape (n, columns)
        ``base`` and ``share_FAMILY`` (parts of a probability that sum to the score), then
        ``reason_1`` and so on in words and, if the table has them, the five ABCD scores, skin tone,
        hair and dark corner.
    """
    table = as_pandas(table)
    chunks = [_explain_chunk(model, table.iloc[rows], n_reasons) for rows in _split(table)]
    return pd.concat(chunks).reindex(table.index)


def _split(table: pd.DataFrame) -> list[np.ndarray]:
    """Split a table into chunks of several thousand rows without splitting patients."""
    groups = grouping(table).to_numpy()
    order = np.argsort(groups, kind="stable")
    ends = np.flatnonzero(np.diff(groups[order])) + 1
    wanted = np.arange(_CHUNK, len(table), _CHUNK)
    places = np.searchsorted(ends, wanted)
    cuts = np.unique(ends[places[places < len(ends)]])
    return [np.sort(rows) for rows in np.split(order, cuts)]


def _explain_chunk(model: BaseEstimator, rows: pd.DataFrame, n_reasons: int) -> pd.DataFrame:
    parts = explain_scores(model, rows)
    shares = family_shares(parts).add_prefix(SHARE_PREFIX)
    words = reason_words(model, rows, parts, n_reasons=n_reasons)
    padded = [[*row, *[np.nan] * (n_reasons - len(row))] for row in words]
    names = [f"reason_{number + 1}" for number in range(n_reasons)]
    reasons = pd.DataFrame(padded, index=rows.index, columns=names)
    shown = rows[[name for name in _SHOWN if name in rows]]
    return pd.concat([parts[["base"]], shares, reasons, shown], axis=1)
