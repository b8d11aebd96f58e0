"""Intervals of measures, and of their differences, from draws."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit

from hybridlesion._validation import check_number
from hybridlesion.evaluation._resamples import Drawn, Support

__all__ = ["compare_draws", "interval_of", "wilson"]

_NOTHING = (float("nan"), float("nan"))
# Degrees of freedom from which Student's t is normal, and a quantile that holds everything.
_MANY = 1e9
# Logarithm of a ratio beyond which its interval says nothing.
_ANY_RATIO = np.log(1000)


def interval_of(drawn: Drawn, confidence: float) -> tuple[float, float]:
    """Return the interval of a measure.

    Parameters
    ----------
    drawn : Drawn
        The measure of the data and of the draws.
    confidence : float
        Coverage, between 0 and 1.

    Returns
    -------
    low, high : float
        Ends of the interval, which holds the value; NaN without draws, or where the value is
        undefined.

    Notes
    -----
    By the kind of `Support`:

    - ``drawn``: percentiles of the draws.
    - ``quantile``: expanded percentiles [3]_. With n groups, the normal quantile of the requested
      confidence is replaced by ``sqrt(n / (n - 1))`` times Student's with n - 1 degrees of
      freedom, and percentiles of the confidence that this quantile has are taken.
    - ``share``: Wilson's interval [1]_ with as many rows as a proportion of the draws' variance
      has (effective rows [2]_) and a quantile of Student's t. For single rows these are the rows
      themselves; in patients with several lesions alike there are fewer. Where all rows agree,
      each group counts as one row.
    - ``ratio`` and ``number``: value and standard deviation of the draws, by Student's t.
    - ``gaps``: value more or less the quantile of how far all gaps together lie from those of the
      data. By the triangle inequality this holds value and truth, given the bins, and is on the
      wide side; a resample's own sum of absolute values is always raised by its noise.

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
       Journal of the American Statistical Association 22, 209-212, 1927.
    .. [2] N. Dean, M. Pagano, "Evaluating confidence interval methods for binomial proportions in
       clustered surveys", Journal of Survey Statistics and Methodology 3, 484-503, 2015.
    .. [3] T. C. Hesterberg, "What teachers should know about the bootstrap: resampling in the
       undergraduate statistics curriculum", The American Statistician 69, 371-386, 2015.

    Examples
    --------
    >>> interval_of(Drawn(50.0, np.arange(101.0), Support("drawn")), 0.5)
    (25.0, 75.0)
    """
    check_number("confidence", confidence, low=0, high=1)
    value, draws, support = drawn.value, drawn.draws, drawn.support
    if not len(draws) or not np.isfinite(value):
        return _NOTHING
    if support.kind in ("drawn", "quantile"):
        if support.kind == "quantile":
            confidence = _expand(support.groups, confidence)
        below = (1 - confidence) * support.tail
        low, high = np.quantile(draws, [below, confidence + below])
    elif support.kind == "gaps":
        reach = np.quantile(draws, confidence) * _few(support)
        low, high = max(value - reach, 0), value + reach
    elif support.freedom < 1:
        return (0.0, 1.0) if support.kind == "share" else _NOTHING
    else:
        t = _quantile(support.freedom, confidence)
        if support.kind == "share":
            low, high = wilson(value, _effective_rows(drawn), t)
        elif support.kind == "ratio" and value > 0:
            reach = t * _deviation(draws, support) / value
            # Two or three groups allow any ratio.
            if reach > _ANY_RATIO:
                return _NOTHING
            low, high = value * np.exp(-reach), value * np.exp(reach)
        else:
            reach = t * _deviation(draws, support)
            low, high = value - reach, value + reach
    return float(min(low, value)), float(max(high, value))


def compare_draws(one: Drawn, other: Drawn, confidence: float) -> tuple[float, float, float, float]:
    """Compare a measure of two scores on the same draws.

    Parameters
    ----------
    one, other : Drawn
        The measure of either score.
    confidence : float
        Coverage of the interval.

    Returns
    -------
    difference, low, high, p_value : float
        ``one - other`` on the data, its interval, and its two-sided p-value: Student's t of the
        difference over the standard deviation of its draws. Of ``drawn`` measures both are of the
        mean of the draws, which varies less than the value on the data. NaN where it cannot be
        had; ``gaps`` have the interval of `interval_of` and no p-value.

    Examples
    --------
    >>> one = Drawn(0.9, np.array([0.8, 1.0]), Support("drawn", freedom=9))
    >>> other = Drawn(0.7, np.array([0.7, 0.7]), Support("drawn", freedom=9))
    >>> [round(value, 2) for value in compare_draws(one, other, 0.95)]
    [0.2, -0.03, 0.43, 0.08]
    """
    check_number("confidence", confidence, low=0, high=1)
    difference = one.value - other.value
    if not len(one.draws) or not np.isfinite(difference):
        return difference, *_NOTHING, float("nan")
    if one.support.kind == "gaps":
        reach = float(np.quantile(one.draws + other.draws, confidence)) * _few(one.support)
        return difference, difference - reach, difference + reach, float("nan")
    support = min(one.support, other.support, key=lambda support: support.freedom)
    draws = one.draws - other.draws
    deviation = _deviation(draws, support)
    if deviation == 0 and difference == 0:
        return 0.0, 0.0, 0.0, 1.0
    # Without spread, all groups that bear on it differ alike; none knows how others would.
    if support.freedom < 1 or deviation == 0:
        return difference, *_NOTHING, float("nan")
    centre = float(draws.mean()) if support.kind == "drawn" else difference
    reach = _quantile(support.freedom, confidence) * deviation
    p_value = 2 * stdtr(min(support.freedom, _MANY), -abs(centre) / deviation)
    low, high = min(centre - reach, difference), max(centre + reach, difference)
    if support.kind in ("drawn", "share"):
        low, high = max(low, -1.0), min(high, 1.0)
    return difference, low, high, float(p_value)


def wilson(share: np.ndarray, rows: np.ndarray, quantile: float) -> tuple[np.ndarray, np.ndarray]:
    """Return Wilson's interval of a proportion.

    Parameters
    ----------
    share : float or ndarray
        Proportion observed.
    rows : float or ndarray
        Rows that it was observed in; need not be whole.
    quantile : float
        Upper quantile of the normal, or of Student's, distribution.

    Returns
    -------
    low, high : float or ndarray
        Ends, within 0 and 1.

    References
    ----------
    .. [1] E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
       Journal of the American Statistical Association 22, 209-212, 1927.

    Examples
    --------
    >>> [round(float(end), 3) for end in wilson(0.9, 10, 1.96)]
    [0.596, 0.982]
    """
    z = quantile**2 / rows
    centre = (share + z / 2) / (1 + z)
    half = np.sqrt(share * (1 - share) * z + z**2 / 4) / (1 + z)
    return np.clip(centre - half, 0, 1), np.clip(centre + half, 0, 1)


def _effective_rows(drawn: Drawn) -> float:
    share, support = drawn.value, drawn.support
    spread = share * (1 - share)
    # Where all groups agree, how alike the rows of one are is unknown.
    variance = _deviation(drawn.draws, support) ** 2
    if np.isfinite(support.rows):
        variance *= 1 - 1 / support.rows if support.rows > 1 else 1
    return min(spread / variance if variance > 0 else support.groups, support.rows)


def _deviation(draws: np.ndarray, support: Support) -> float:
    """Return the standard deviation that the measure has, from that of its draws."""
    # Equal draws may differ in their last bits.
    deviation = float(np.std(draws))
    return deviation * _few(support) if deviation > 1e-12 else 0.0


def _few(support: Support) -> float:
    """Return by how much draws of few groups vary too little."""
    if not 1 < support.groups < np.inf:
        return 1.0
    return float(np.sqrt((support.groups + 1) / (support.groups - 1)))


def _expand(groups: float, confidence: float) -> float:
    if groups < 2:
        return 1.0
    wider = np.sqrt(groups / (groups - 1)) * _quantile(groups - 1, confidence)
    return float(2 * ndtr(wider) - 1)


def _quantile(freedom: float, confidence: float) -> float:
    return min(float(stdtrit(min(freedom, _MANY), (1 + confidence) / 2)), _MANY)
