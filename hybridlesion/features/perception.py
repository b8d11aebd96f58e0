"""Scores on the scale of what people see: a monotone sum, fitted to their comparisons."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources

import numpy as np

__all__ = ["PerceptionScale", "Term", "fit_perception", "load_perception"]

_RIDGE = 10.0  # keeps a thousand images from hanging everything on one of several like features


@dataclass(frozen=True)
class Term:
    """One feature's part in a scale.

    Parameters
    ----------
    feature : str
        Column name.
    low, middle, high : float
        10th, 50th and 90th percentile among the images of the fit.
    weight : float
        Weight; negative where people see less the larger the feature is.
    """

    feature: str
    low: float
    middle: float
    high: float
    weight: float


@dataclass(frozen=True)
class PerceptionScale:
    """Expected rank, from 0 to 1, of a lesion among those that people compared.

    Parameters
    ----------
    terms : tuple of Term
        Features with weights.
    offset : float
        Mean of the weighted sum among the images of the fit.

    Notes
    -----
    ``1 / (1 + exp(-4 (sum w z - offset)))`` with
    ``z = clip((x - middle) / (high - low), -1, 1)``; the slope at the middle is 1. A feature that
    is NaN counts as its middle. A weight never works against its feature's own correlation, so the
    scale is monotone as one expects.
    """

    terms: tuple[Term, ...]
    offset: float

    def rank(self, values: Mapping[str, float]) -> float:
        """Place one lesion.

        Parameters
        ----------
        values : mapping of str to float
            Features by column name.

        Returns
        -------
        float
            0 to 1.
        """
        total = -self.offset
        for term in self.terms:
            total += term.weight * _bounded(values[term.feature], term)
        return float(1.0 / (1.0 + np.exp(-4.0 * total)))


def _bounded(value: float, term: Term) -> float:
    if not math.isfinite(value):
        return 0.0
    return min(1.0, max(-1.0, (value - term.middle) / max(term.high - term.low, 1e-9)))


def fit_perception(
    features: Mapping[str, np.ndarray], strength: Sequence[float], *, least: float = 0.2
) -> PerceptionScale:
    """Fit a monotone scale to perceived strengths.

    Parameters
    ----------
    features : mapping of str to ndarray of shape (n,)
        Columns of a feature table to choose from.
    strength : sequence of float of length n
        Perceived strength, for example from paired comparisons; only its order matters.
    least : float, default=0.2
        Rank correlation with the strength from which a feature is used.

    Returns
    -------
    PerceptionScale
        Ridge least squares in which each feature may only push to the side to which it goes with
        the strength by itself; features of no weight are left out.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0, 1, 50)
    >>> scale = fit_perception({"x": x, "noise": np.sin(97 * x)}, x**3)
    >>> [term.feature for term in scale.terms], scale.rank({"x": 0.9}) > scale.rank({"x": 0.1})
    (['x'], True)
    """
    from scipy.optimize import nnls
    from scipy.stats import rankdata

    target = rankdata(strength) / len(strength)
    terms, columns = [], []
    for name, values in features.items():
        column = np.asarray(values, float)
        term = Term(name, *map(float, np.nanpercentile(column, (10, 50, 90))), weight=1.0)
        correlation = _correlation(
            rankdata(np.where(np.isnan(column), term.middle, column)), target
        )
        if abs(correlation) >= least:
            terms.append(replace(term, weight=float(np.sign(correlation))))
            columns.append([terms[-1].weight * _bounded(value, term) for value in column])
    z = np.array(columns).T
    ridge = np.sqrt(_RIDGE) * np.eye(len(terms))
    weights, _ = nnls(
        np.vstack([z - z.mean(axis=0), ridge]),
        np.concatenate([target - target.mean(), np.zeros(len(terms))]),
    )
    kept = [
        replace(term, weight=term.weight * float(weight))
        for term, weight in zip(terms, weights, strict=True)
        if weight > 1e-4
    ]
    return PerceptionScale(tuple(kept), float(z.mean(axis=0) @ weights))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's; 0 where one of them is constant."""
    one, other = one - one.mean(), other - other.mean()
    size = np.sqrt((one @ one) * (other @ other))
    return float(one @ other / size) if size > 0 else 0.0


@lru_cache(maxsize=1)
def load_perception() -> dict[str, PerceptionScale]:
    """Read the scales that ship with the package.

    Returns
    -------
    dict of str to PerceptionScale
        ``asymmetry``, ``border`` and ``color``; ``perception.json`` also holds their card.
    """
    text = resources.files(__package__).joinpath("perception.json").read_text(encoding="utf-8")
    return {
        name: PerceptionScale(tuple(Term(**term) for term in scale["terms"]), scale["offset"])
        for name, scale in json.loads(text)["scales"].items()
    }
