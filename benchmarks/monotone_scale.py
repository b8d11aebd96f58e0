"""Fit of the monotone scales that ship, such as the perceived asymmetry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import nnls
from scipy.stats import rankdata

from hybridlesion.features.scores import MonotoneScale, Term

RIDGE = 10.0  # spreads the weight over correlated features in a fit to a thousand images


def fit_scale(
    features: Mapping[str, np.ndarray], strength: Sequence[float], *, least: float = 0.2
) -> MonotoneScale:
    """Fit a monotone scale to perceived strengths.

    Parameters
    ----------
    features : mapping of str to ndarray of shape (n,)
        Candidate columns of a feature table.
    strength : sequence of float of length n
        Perceived strength, for example from paired comparisons; only its order matters.
    least : float, default=0.2
        Minimum absolute rank correlation with the strength for a feature to be used.

    Returns
    -------
    MonotoneScale
        Ridge regression in which each weight has the sign of the feature's own correlation with
        the strength; features with zero weight are dropped.

    Examples
    --------
    >>> x = np.linspace(0, 1, 50)
    >>> scale = fit_scale({"x": x, "noise": np.sin(97 * x)}, x**3)
    >>> [term.feature for term in scale.terms], scale.rank({"x": 0.9}) > scale.rank({"x": 0.1})
    (['x'], True)
    """
    target = rankdata(strength) / len(strength)
    terms, columns = [], []
    for name, values in features.items():
        column = np.asarray(values, float)
        low, middle, high = np.nanpercentile(column, (10, 50, 90)).tolist()
        ranks = rankdata(np.where(np.isnan(column), middle, column))
        with np.errstate(invalid="ignore"):  # the correlation with a constant is NaN
            correlation = np.corrcoef(ranks, target)[0, 1]
        if abs(correlation) >= least:
            term = Term(name, low, middle, high, weight=float(np.sign(correlation)))
            terms.append(term)
            columns.append([term.weight * term.place(value) for value in column])
    z = np.array(columns).T
    ridge = np.sqrt(RIDGE) * np.eye(len(terms))
    weights, _ = nnls(
        np.vstack([z - z.mean(axis=0), ridge]),
        np.concatenate([target - target.mean(), np.zeros(len(terms))]),
    )
    kept = [
        replace(term, weight=term.weight * float(weight))
        for term, weight in zip(terms, weights, strict=True)
        if weight > 1e-4
    ]
    return MonotoneScale(tuple(kept), float(z.mean(axis=0) @ weights))
