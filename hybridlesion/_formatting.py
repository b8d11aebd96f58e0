"""Formatting of text for display: counts, metrics, thresholds, and untrusted text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeGuard

_COUNTS = ("n", "n_positive", "n_groups")
_AT_THRESHOLD = ("accuracy", "precision", "recall", "specificity", "f1", "net_benefit")
# Metrics that are small when malignancy is rare.
_SMALL = ("brier", "calibration_error", "net_benefit")
_RULES = {"f1": "for the highest F1", "youden": "for the highest Youden index"}
# First characters of a spreadsheet formula.
_FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r")


def count_words(count: int, noun: str) -> str:
    """Format a count with its noun, in the plural unless the count is one.

    Parameters
    ----------
    count : int
        Number of items.
    noun : str
        Singular noun that forms its plural with an s.

    Returns
    -------
    str
        For example ``"1 row"``, ``"1,200 rows"``.

    Examples
    --------
    >>> count_words(1, "row"), count_words(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def shorten(items: Iterable[object], most: int = 10) -> str:
    """Join items by commas, showing only the first of many.

    Parameters
    ----------
    items : iterable
        Items to show.
    most : int, default=10
        Largest number of items shown.

    Returns
    -------
    str
        The first items, followed by the number of the others.

    Examples
    --------
    >>> shorten([3, 4]), shorten(["a", "b", "c"], most=2)
    ('3, 4', 'a, b and 1 more')
    """
    words = list(map(str, items))
    more = f" and {len(words) - most:,} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def join_words(words: Iterable[str]) -> str:
    """Join words by commas and a final "and".

    Parameters
    ----------
    words : iterable of str
        At least one word.

    Returns
    -------
    str
        For example ``"a, b and c"``.

    Examples
    --------
    >>> join_words(["f1"]), join_words(["recall", "precision", "f1"])
    ('f1', 'recall, precision and f1')
    """
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def name_rule(parameters: Mapping[str, Any]) -> str:
    """Describe the rule by which a classifier chose its threshold.

    Parameters
    ----------
    parameters : mapping
        Parameters of a `HybridLesionClassifier` from this or an earlier release.

    Returns
    -------
    str
        Phrase to follow "the threshold"; empty if the parameters do not name a rule.

    Examples
    --------
    >>> name_rule({"threshold": None, "sensitivity": 0.9}), name_rule({"threshold": "f1"})
    ('for 90 % sensitivity', 'for the highest F1')
    """
    cost_ratio, threshold = parameters.get("cost_ratio"), parameters.get("threshold")
    if cost_ratio is not None:
        return f"for a cost ratio of {cost_ratio:g}"
    if threshold is not None:
        return _RULES.get(threshold, "set by the user")
    sensitivity = parameters.get("sensitivity")
    return "" if sensitivity is None else f"for {100 * sensitivity:.4g} % sensitivity"


def threshold_words(threshold: float, rule: str | None = None) -> str:
    """Format a threshold together with the rule that chose it.

    Parameters
    ----------
    threshold : float
        Score at or above which a lesion is classified as malignant.
    rule : str or None, default=None
        Result of `name_rule`; None or empty if the rule is unknown.

    Returns
    -------
    str
        A noun phrase.

    Examples
    --------
    >>> threshold_words(0.03412, "for 90 % sensitivity"), threshold_words(0.03412)
    ('the threshold for 90 % sensitivity (0.03412)', 'the threshold 0.03412')
    """
    return f"the threshold {rule} ({threshold:.4g})" if rule else f"the threshold {threshold:.4g}"


def explain_measures(
    metrics: Iterable[str], threshold: float | None = None, rule: str | None = None
) -> list[str]:
    """Explain the metrics in a table whose names are not self-explanatory.

    Parameters
    ----------
    metrics : iterable of str
        Names of the metrics in the table.
    threshold : float or None, default=None
        Operating point; None or NaN if unknown.
    rule : str or None, default=None
        Rule that chose the threshold; see `threshold_words`.

    Returns
    -------
    list of str
        Explanatory sentences.

    Examples
    --------
    >>> explain_measures(["auc", "recall", "f1"], 0.31694)
    ['recall and f1 are at the threshold 0.3169.']
    """
    metrics = set(metrics)
    lines = []
    if "pauc" in metrics:
        lines += ["pauc is the area under the ROC curve above a sensitivity of 0.8, at most 0.2."]
    if "calibration_in_the_large" in metrics:
        lines.append("calibration_in_the_large is the prevalence over the mean score; 1 is ideal.")
    named = [name for name in _AT_THRESHOLD if name in metrics]
    if _known(threshold) and named:
        verb = "is" if len(named) == 1 else "are"
        lines.append(f"{join_words(named)} {verb} at {threshold_words(threshold, rule)}.")
    return lines


def measure_words(
    metric: str, value: float | None, low: float | None = None, high: float | None = None
) -> tuple[str, str]:
    """Format one row of `hybridlesion.metrics.evaluate`.

    Parameters
    ----------
    metric : str
        Name of the metric.
    value : float or None
        Value; None or NaN if undefined.
    low, high : float or None, default=None
        Bounds of its interval; None or NaN if undefined.

    Returns
    -------
    value : str
        Value with three decimals, or four for metrics that are small when malignancy is rare;
        counts are whole numbers.
    interval : str
        ``"LOW to HIGH"``; empty if a bound is undefined.

    Examples
    --------
    >>> measure_words("auc", 0.9, 0.85, 0.94)
    ('0.900', '0.850 to 0.940')
    >>> measure_words("n", 1833.0)
    ('1,833', '')
    """
    if not _known(value):
        return "undefined", ""
    form = ".4f" if metric in _SMALL else ".3f"
    words, interval = interval_words(value, low, high, form=form)
    return f"{int(value):,}" if metric in _COUNTS else words, interval


def interval_words(
    value: float | None,
    low: float | None,
    high: float | None,
    *,
    form: str = ".2f",
    unit: str = "",
    unknown: str = "undefined",
) -> tuple[str, str]:
    """Format a value and its interval.

    Parameters
    ----------
    value : float or None
        Value; None or NaN if undefined.
    low, high : float or None
        Bounds of its interval; None or NaN if undefined.
    form : str, default=".2f"
        Format of each number.
    unit : str, default=""
        Text after the value and after the interval.
    unknown : str, default="undefined"
        Text for an undefined value.

    Returns
    -------
    value : str
        The value.
    interval : str
        ``"LOW to HIGH"``; empty if a bound is undefined.

    Examples
    --------
    >>> interval_words(90, 84.6, 94, form=".0f", unit=" %")
    ('90 %', '85 to 94 %')
    """
    words = f"{value:{form}}{unit}" if _known(value) else unknown
    if not _known(low) or not _known(high):
        return words, ""
    return words, f"{low:{form}} to {high:{form}}{unit}"


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and not math.isnan(value)


def printable(text: str) -> str:
    r"""Escape control characters that could manipulate a terminal.

    Parameters
    ----------
    text : str
        Text to escape; line breaks are kept.

    Returns
    -------
    str
        The text, with all other unprintable characters as Python escape sequences.

    Examples
    --------
    >>> printable("\x1b[2Jname\u202egpj.exe")
    '\\x1b[2Jname\\u202egpj.exe'
    """
    unified = text.replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in unified)


def is_formula(value: object) -> bool:
    """Check whether a spreadsheet program would interpret a CSV value as a formula.

    Parameters
    ----------
    value : object
        Value of a cell.

    Returns
    -------
    bool
        True for text that begins with ``= + - @``, a tab or a carriage return, and is not a number.

    Examples
    --------
    >>> [is_formula(cell) for cell in ("=1+1", "-5.5", "@a", "ISIC_1", None)]
    [True, False, True, False, False]
    """
    if not isinstance(value, str) or not value.startswith(_FORMULA_MARKS):
        return False
    try:
        return not math.isfinite(float(value))
    except ValueError:
        return True


def plain_cell(value: object) -> object:
    r"""Escape formulas and control characters in a table cell meant for display.

    Not meant for ids in tables that are joined later, since these must not change.

    Parameters
    ----------
    value : object
        Value of a cell.

    Returns
    -------
    object
        Escaped text, with an apostrophe before a formula; other objects are unchanged.

    Examples
    --------
    >>> plain_cell("=cmd|' /C calc'!A0"), plain_cell("a\x07\nb"), plain_cell(1.5)
    ("'=cmd|' /C calc'!A0", 'a\\x07\\nb', 1.5)
    """
    if not isinstance(value, str):
        return value
    shown = printable(value).replace("\n", "\\n")
    return f"'{shown}" if is_formula(value) else shown
