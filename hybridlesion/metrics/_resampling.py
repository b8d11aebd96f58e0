"""Patients weighted at random: rows are never copied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtr, stdtrit

from hybridlesion._validation import check_number
from hybridlesion.exceptions import OptionError

__all__ = [
    "Drawn",
    "Prefixed",
    "Support",
    "check_cost_ratio",
    "check_groups",
    "check_probabilities",
    "check_scores",
    "compare_draws",
    "draw_weights",
    "interval_of",
    "resample",
    "wilson",
]

# Weights held at once: what follows from a million float64 stays near the processor, which
# halves the time against eight million.
_CHUNK = 1_000_000


@dataclass(frozen=True)
class Support:
    """Which interval suits a measure, and how much of the data bears on it.

    Parameters
    ----------
    kind : {"drawn", "quantile", "share", "ratio", "number", "gaps"}
        ``drawn`` takes percentiles of the draws and ``quantile`` expanded ones; ``share`` Wilson's
        interval, of a measure from 0 to 1; ``ratio`` and ``number`` Student's, of the logarithm
        and of the measure itself; ``gaps`` that of a sum of absolute values.
    groups : float, default=inf
        Groups that bear on it; few of them make the draws vary too little, which is corrected.
    freedom : float, default=inf
        Degrees of freedom of Student's t.
    rows : float, default=inf
        Rows that bear on a plain proportion.
    tail : float, default=0.5
        Share of the error probability of ``drawn`` and ``quantile`` that lies below the interval.
    """

    kind: str
    groups: float = np.inf
    freedom: float = np.inf
    rows: float = np.inf
    tail: float = 0.5


@dataclass(frozen=True)
class Drawn:
    """A measure of the data and of the draws.

    Parameters
    ----------
    value : float
        On the data.
    draws : ndarray of shape (B,)
        On each draw; of ``gaps``, how far all gaps together lie from those of the data.
    support : Support
        What bears on it.
    """

    value: float
    draws: np.ndarray
    support: Support


class _Measure(Protocol):
    """Measures by name: their support, values on the data, and draws by weights of groups."""

    support: dict[str, Support]

    def values(self) -> dict[str, float]: ...

    def draws(self, weights: np.ndarray) -> dict[str, np.ndarray]: ...


class Prefixed:
    """A measure under other names, so that two of a kind can share the draws.

    Parameters
    ----------
    prefix : str
        Put before each name.
    measure : Ranking, Decisions, Reliability or the like
        What is measured.
    """

    def __init__(self, prefix: str, measure: _Measure):
        self._rename = lambda found: {prefix + name: value for name, value in found.items()}
        self._measure = measure
        self.support = self._rename(measure.support)

    def values(self) -> dict[str, float]:
        """Measure the data.

        Returns
        -------
        dict of str to float
            Those of the measure.
        """
        return self._rename(self._measure.values())

    def draws(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """Measure draws.

        Parameters
        ----------
        weights : ndarray of shape (groups + 1, B)
            Weights of the groups.

        Returns
        -------
        dict of str to ndarray of shape (B,)
            Those of the measure.
        """
        return self._rename(self._measure.draws(weights))


def draw_weights(n_groups: int, n_bootstrap: int, random_state: int | None) -> Iterator[np.ndarray]:
    """Draw the weights of groups, chunk by chunk.

    Parameters
    ----------
    n_groups : int
        Number of groups.
    n_bootstrap : int
        Number of draws in all.
    random_state : int or None
        Seed.

    Yields
    ------
    ndarray of shape (n_groups + 1, draws of this chunk), float64
        Standard exponential weights. The last row is the weight of what lies beyond the highest
        malignant score; see `Ranking`.

    Notes
    -----
    The Bayesian bootstrap [1]_. Its weights are positive, so that no draw lacks a class.

    References
    ----------
    .. [1] D. B. Rubin, "The Bayesian bootstrap", Annals of Statistics 9, 130-134, 1981.

    Examples
    --------
    >>> chunk = next(draw_weights(5, 3, 0))
    >>> chunk.shape, bool((chunk > 0).all())
    ((6, 3), True)
    """
    rng = np.random.default_rng(random_state)
    step = max(1, _CHUNK // n_groups)
    for start in range(0, n_bootstrap, step):
        yield rng.standard_exponential((n_groups + 1, min(step, n_bootstrap - start)))


def resample(
    measures: list[_Measure], n_groups: int, n_bootstrap: int, random_state: int | None
) -> dict[str, Drawn]:
    """Measure the data as they are, then every draw.

    Parameters
    ----------
    measures : list of Ranking, Decisions, Reliability and the like
        What to measure; all of them see the same weights.
    n_groups : int
        Number of groups.
    n_bootstrap : int
        Number of draws; 0 measures the data alone.
    random_state : int or None
        Seed.

    Returns
    -------
    dict of str to Drawn
        The measures by name.

    Raises
    ------
    ValueError
        If `n_bootstrap` is no whole number from 0.
    """
    check_number("n_bootstrap", n_bootstrap, low=0, integer=True)
    chunks = [
        [measure.draws(weights) for measure in measures]
        for weights in draw_weights(n_groups, n_bootstrap, random_state)
    ]
    found = {}
    for number, measure in enumerate(measures):
        for name, value in measure.values().items():
            draws = [chunk[number][name] for chunk in chunks]
            joined = np.concatenate(draws) if draws else np.empty(0)
            found[name] = Drawn(float(value), joined, measure.support[name])
    return found


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
    - ``quantile``: expanded percentiles [3]_: those of the confidence at which a normal interval
      of the draws is as wide as Student's with one degree of freedom fewer than groups.
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


def check_scores(y: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return truth as bool and scores as float64, or say what is wrong with them.

    Parameters
    ----------
    y : array-like of shape (n,), 0 or 1
        Truth; 1 is malignant.
    score : array-like of shape (n,)
        Scores; the higher, the more likely malignant.

    Returns
    -------
    y : ndarray of shape (n,), bool
        True where malignant.
    score : ndarray of shape (n,), float64
        Scores.

    Raises
    ------
    ValueError
        If lengths differ, values are missing, `y` holds other values than 0 and 1, or only one
        of them.

    Examples
    --------
    >>> check_scores([0, 1], [0.2, 0.7])
    (array([False,  True]), array([0.2, 0.7]))
    """
    y, score = np.asarray(y), np.asarray(score, dtype=np.float64)
    if y.ndim != 1 or score.shape != y.shape:
        raise ValueError(
            f"y and score must be vectors of the same length, got shapes {y.shape} and "
            f"{score.shape}."
        )
    missing = int(pd.isna(y).sum()), int((~np.isfinite(score)).sum())
    if any(missing):
        raise ValueError(
            f"y has {missing[0]} missing values and score {missing[1]} that are missing or "
            "infinite. Drop those rows before evaluating."
        )
    values = set(np.unique(y).tolist())
    if not values <= {0, 1}:
        raise ValueError(f"y must hold 0 and 1 only, got {sorted(values)[:5]}.")
    if len(values) < 2:
        raise ValueError(
            f"y must hold both classes, got {len(y)} rows, all of them {values or 'absent'}. "
            "Ranking and calibration are undefined for one class."
        )
    return y.astype(bool), score


def check_probabilities(y: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and scores as they are, if the scores may be probabilities.

    Parameters
    ----------
    y : ndarray of shape (n,), bool
        True where malignant.
    score : ndarray of shape (n,), float64
        Scores.

    Returns
    -------
    y : ndarray of shape (n,), bool
        `y`.
    score : ndarray of shape (n,), float64
        `score`.

    Raises
    ------
    ValueError
        If a score lies outside 0 to 1.

    Examples
    --------
    >>> check_probabilities(np.array([False, True]), np.array([0.2, 0.7]))[1]
    array([0.2, 0.7])
    """
    if score.min() < 0 or score.max() > 1:
        raise ValueError(
            f"score must hold probabilities from 0 to 1, got {score.min():.4g} to "
            f"{score.max():.4g}."
        )
    return y, score


def check_cost_ratio(cost_ratio: float) -> float:
    """Return a ratio of costs, or say what is wrong with it.

    Parameters
    ----------
    cost_ratio : float
        Cost of one missed malignant lesion in needless calls.

    Returns
    -------
    float
        `cost_ratio`.

    Raises
    ------
    OptionError
        If it is not a finite number above 0.
    """
    ratio = float(check_number("cost_ratio", cost_ratio))
    if not 0 < ratio < np.inf:
        raise OptionError(
            f"cost_ratio must be a number above 0, got {cost_ratio!r}. It says how many needless "
            "calls one missed malignant lesion is worth, as 20."
        )
    return ratio


def check_groups(groups: np.ndarray | None, n: int) -> np.ndarray:
    """Return a code per row, 0 to the number of groups minus 1.

    Parameters
    ----------
    groups : array-like of shape (n,) or None
        Patient of each row; None makes each row its own group.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n,), int
        Codes by first appearance; a row whose group is missing is a group of its own.

    Raises
    ------
    ValueError
        If `groups` has another length.

    Examples
    --------
    >>> check_groups(["b", "a", "b", None], 4)
    array([0, 1, 0, 2])
    """
    if groups is None:
        return np.arange(n)
    if len(groups) != n:
        raise ValueError(f"groups must have one value a row, got {len(groups)} for {n} rows.")
    codes, unique = pd.factorize(pd.Series(groups).reset_index(drop=True))
    alone = codes < 0
    codes[alone] = len(unique) + np.arange(alone.sum())
    return codes
