"""Patients weighted at random: rows are never copied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hybridlesion._validation import check_number

__all__ = ["Drawn", "Prefixed", "Support", "draw_weights", "resample"]

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
