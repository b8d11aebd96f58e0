"""Random-effects summaries of metrics over sources, with prediction intervals for a new source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit, ndtri, stdtrit

from hybridlesion._formatting import count_words, join_words
from hybridlesion._validation import as_pandas, check_number
from hybridlesion.exceptions import OptionError, TableError

# Width of a prediction interval above which it says nothing about a new source.
_TOO_WIDE = 0.5
_TITLES = {"auc": "an AUC", "sensitivity": "a sensitivity", "specificity": "a specificity"}


@dataclass(frozen=True)
class RandomEffects:
    """Mean of a quantity over sources, and its interval at a new source.

    Parameters
    ----------
    value : float
        Mean over the population of sources.
    low, high : float
        Ends of its confidence interval; NaN for a single source.
    new_low, new_high : float
        Ends of the prediction interval for a new source; NaN for fewer than three sources.
    spread : float
        Standard deviation between sources; NaN for a single source.
    """

    value: float
    low: float
    high: float
    new_low: float
    new_high: float
    spread: float


def random_effects(
    values: np.ndarray, errors: np.ndarray, *, confidence: float = 0.95
) -> RandomEffects:
    """Combine estimates of several sources in a random-effects meta-analysis.

    Parameters
    ----------
    values : array-like of shape (k,)
        Estimate of each source, on a scale where it is nearly normal.
    errors : array-like of shape (k,)
        Standard errors, above 0.
    confidence : float, default=0.95
        Coverage of both intervals.

    Returns
    -------
    RandomEffects
        Mean, confidence interval, prediction interval and spread between sources.

    Raises
    ------
    OptionError
        If there is no estimate, lengths differ, a value is not finite, or an error is not above 0.

    Notes
    -----
    Sources with the variance ``v_i`` get the weight ``w_i = 1 / (v_i + t2)``, where the variance
    between sources ``t2`` maximises the restricted likelihood [1]_. The confidence interval of the
    mean uses Student's t with ``k - 1`` degrees of freedom and the variance of Hartung and Knapp,
    ``q / sum(w_i)`` with ``q = sum(w_i (y_i - mean)**2) / (k - 1)`` [2]_, where q is at least 1
    [3]_, since few sources may agree by chance. The prediction interval for a new source adds t2
    to this variance, with ``k - 2`` degrees of freedom [4]_ [5]_: with three or four sources it is
    very wide, because their spread is hardly known.

    References
    ----------
    .. [1] W. Viechtbauer, "Bias and efficiency of meta-analytic variance estimators in the
       random-effects model", Journal of Educational and Behavioral Statistics 30, 261-293, 2005.
    .. [2] J. Hartung, G. Knapp, "A refined method for the meta-analysis of controlled clinical
       trials with binary outcome", Statistics in Medicine 20, 3875-3889, 2001.
    .. [3] C. Roever, G. Knapp, T. Friede, "Hartung-Knapp-Sidik-Jonkman approach and its
       modification for random-effects meta-analysis with few studies", BMC Medical Research
       Methodology 15, 99, 2015.
    .. [4] R. D. Riley, J. P. T. Higgins, J. J. Deeks, "Interpretation of random effects
       meta-analyses", BMJ 342, d549, 2011.
    .. [5] T. P. A. Debray et al., "A guide to systematic review and meta-analysis of prediction
       model performance", BMJ 356, i6460, 2017.

    Examples
    --------
    >>> found = random_effects([1.0, 2.0, 3.0, 4.0], [0.1, 0.1, 0.1, 0.1])
    >>> round(found.value, 2), round(found.low, 2), round(found.new_low, 2)
    (2.5, 0.45, -3.7)
    """
    check_number("confidence", confidence, low=0, high=1)
    y, error = np.asarray(values, dtype=float), np.asarray(errors, dtype=float)
    if y.ndim != 1 or y.shape != error.shape or not len(y):
        raise OptionError(
            f"values and errors must be vectors of equal length, got {y.shape} and {error.shape}."
        )
    if not (np.isfinite(y).all() and np.isfinite(error).all() and (error > 0).all()):
        raise OptionError(
            f"values must be finite and errors above 0, got {y.tolist()} and {error.tolist()}. "
            "Leave out sources without an estimate."
        )
    k, nothing = len(y), float("nan")
    if k == 1:
        return RandomEffects(float(y[0]), nothing, nothing, nothing, nothing, nothing)
    between = _between_sources(y, error**2)
    weight = 1 / (error**2 + between)
    mean = float(np.average(y, weights=weight))
    excess = max(1.0, float(weight @ (y - mean) ** 2) / (k - 1))
    variance = excess / weight.sum()
    tail = (1 + confidence) / 2
    reach = stdtrit(k - 1, tail) * np.sqrt(variance)
    reach_new = stdtrit(k - 2, tail) * np.sqrt(variance + between) if k > 2 else nothing
    ends = (mean - reach, mean + reach, mean - reach_new, mean + reach_new)
    low, high, new_low, new_high = map(float, ends)
    return RandomEffects(mean, low, high, new_low, new_high, float(np.sqrt(between)))


def _between_sources(y: np.ndarray, variance: np.ndarray) -> float:
    """Estimate the variance between sources by restricted maximum likelihood."""
    between = float(np.var(y, ddof=1))
    for _ in range(1000):
        weight = 1 / (variance + between)
        gap = y - np.average(y, weights=weight)
        step = weight**2 @ (gap**2 - variance) / (weight @ weight) + 1 / weight.sum() - between
        if abs(step) <= 1e-10 * (between + variance.min()):
            break
        between = max(between + step, 0.0)
    return between


# Column of `evaluate_subgroups` -> scale on which it is nearly normal, and the way back.
_SCALES: dict[str, tuple[Callable, Callable]] = {
    "auc": (logit, expit),
    "sensitivity": (logit, expit),
    "specificity": (logit, expit),
    "calibration_in_the_large": (np.log, np.exp),
    "calibration_slope": (np.asarray, np.asarray),
}


def summarize_sources(table: pd.DataFrame, *, confidence: float = 0.95) -> pd.DataFrame:
    """Summarise metrics of several sources, and predict them for a new source.

    Parameters
    ----------
    table : DataFrame of shape (sources, columns)
        One row per source: the rows of one attribute of `evaluate_subgroups`, or published values,
        with ``auc, sensitivity, specificity, calibration_in_the_large`` or ``calibration_slope``,
        the ends of their intervals (``auc_low`` and ``auc_high`` etc.), and ``n``.
    confidence : float, default=0.95
        Coverage of the intervals in `table` and of those returned.

    Returns
    -------
    DataFrame of shape (metrics, 8)
        ``metric, n_sources``, then ``value, low, high`` (mean over sources), ``new_low, new_high``
        (prediction interval for a new source) and ``spread``, the standard deviation between
        sources on the scale described below. A metric without any estimate is omitted.

    Raises
    ------
    TableError
        If `table` has none of the metrics.

    Notes
    -----
    AUC, sensitivity and specificity are summarised as logits, and the calibration in the large (the
    ratio of observed to expected) as a logarithm, on which scales differences between sources are
    nearly normal [1]_; see `random_effects`. Standard errors come from the width of the intervals.
    Shares of 0 and 1 are moved by half a row. Values of sources that share training lesions are not
    fully independent, which the intervals ignore.

    References
    ----------
    .. [1] K. I. E. Snell, J. Ensor, T. P. A. Debray, K. G. M. Moons, R. D. Riley, "Meta-analysis of
       prediction model performance across multiple studies: which scale helps ensure between-study
       normality for the C-statistic and calibration measures?", Statistical Methods in Medical
       Research 27, 3505-3522, 2018.

    Examples
    --------
    >>> auc = np.array([0.80, 0.86, 0.82, 0.84, 0.81, 0.85])
    >>> ends = {"auc_low": auc - 0.04, "auc_high": auc + 0.04}
    >>> found = summarize_sources(pd.DataFrame({"n": 500, "auc": auc} | ends))
    >>> found.iloc[0, 2:7].astype(float).round(2).tolist()
    [0.83, 0.8, 0.85, 0.78, 0.86]
    """
    table = as_pandas(table)
    present = [name for name in _SCALES if f"{name}_low" in table]
    if not present:
        raise TableError(
            f"`table` has none of the metrics {', '.join(_SCALES)} with an interval; found "
            f"{', '.join(map(str, table.columns[:12]))}."
        )
    rows = []
    for metric in present:
        scale, back = _SCALES[metric]
        ends = table[[metric, f"{metric}_low", f"{metric}_high"]].to_numpy(dtype=float)
        if scale is logit:
            half = 0.5 / (table["n"].to_numpy(dtype=float)[:, None] + 1)
            ends = np.clip(ends, half, 1 - half)
        with np.errstate(divide="ignore"):
            value, low, high = scale(ends).T
        error = (high - low) / (2 * ndtri((1 + confidence) / 2))
        known = np.isfinite(value) & np.isfinite(error) & (error > 0)
        if not known.any():
            continue
        *shown, spread = astuple(random_effects(value[known], error[known], confidence=confidence))
        rows.append((metric, int(known.sum()), *map(float, map(back, shown)), spread))
    names = ["metric", "n_sources", "value", "low", "high", "new_low", "new_high", "spread"]
    return pd.DataFrame(rows, columns=names)


def describe_sources(summary: pd.DataFrame) -> list[str]:
    """State what to expect at a new source.

    Parameters
    ----------
    summary : DataFrame
        Result of `summarize_sources`.

    Returns
    -------
    list of str
        A sentence with the prediction intervals of AUC, sensitivity and specificity, and one if
        any is too wide to be of use; or a sentence on why there are none.

    Examples
    --------
    >>> row = {"metric": "auc", "n_sources": 2, "new_low": np.nan, "new_high": np.nan}
    >>> describe_sources(pd.DataFrame([row]))
    ['2 sources: a prediction for a new source needs at least 3.']
    >>> row = {"metric": "auc", "n_sources": 6, "new_low": 0.8, "new_high": 0.86}
    >>> describe_sources(pd.DataFrame([row]))
    ['At a new source, expect an AUC of 0.80 to 0.86 (95 % prediction interval from 6 sources).']
    """
    found = summary.set_index("metric").reindex(list(_TITLES)).dropna(subset=["new_low"])
    if found.empty:
        counted = "no source with intervals"
        if len(summary):
            counted = count_words(int(summary["n_sources"].max()), "source")
        return [f"{counted}: a prediction for a new source needs at least 3."]
    ranges = [
        f"{_TITLES[metric]} of {row['new_low']:.2f} to {row['new_high']:.2f}"
        for metric, row in found.iterrows()
    ]
    intervals = "interval" if len(ranges) == 1 else "intervals"
    n_sources = int(found["n_sources"].max())
    said = [
        f"At a new source, expect {join_words(ranges)} (95 % prediction {intervals} from "
        f"{n_sources} sources)."
    ]
    wide = found[found["new_high"] - found["new_low"] > _TOO_WIDE]
    if len(wide):
        names = join_words(_TITLES[metric].partition(" ")[2] for metric in wide.index)
        said.append(f"For {names}, the interval is too wide to be of use: add sources.")
    return said
