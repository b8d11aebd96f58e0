"""The four scores of the ABCD rule and the total dermoscopy score."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources

import numpy as np

from hybridlesion.features._feature import family_rows

__all__ = ["CATALOGUE", "PerceptionScale", "Term", "fit_perception", "load_perception", "scores"]

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


_PRESENT = {
    "abcd__structure_network_share": (0.06, 0.02),
    "abcd__structure_structureless_share": (0.35, 0.1),
    "abcd__structure_streaks_octants": (2.0, 0.5),
    "abcd__structure_dots_count": (12.0, 4.0),
    "abcd__structure_globules_count": (12.0, 3.0),
}
"""Where each of the five structures counts as half present, and the width of that step."""


def scores(values: Mapping[str, float]) -> dict[str, float]:
    """Sum up the features of a lesion by the ABCD rule.

    Parameters
    ----------
    values : mapping of str to float
        All other features by column name.

    Returns
    -------
    dict of str to float
        ``asymmetry`` 0-2, ``border`` 0-8, ``color`` 1-6, ``structures`` 1-5 and ``tds`` 1.0-8.9.

    Notes
    -----
    Asymmetry, border and colour are ``low + (high - low) r``, r being the expected rank of the
    lesion among those whose asymmetry, border irregularity and colour variegation people compared
    in pairs (see `PerceptionScale`). Structures count softly: each of network, structureless areas,
    streaks, dots and globules adds ``1 / (1 + exp(-(x - half) / width))``, and one at least is
    there. ``TDS = 1.3 A + 0.1 B + 0.5 C + 0.5 D``. Stolz's limits 4.75 and 5.45 hold for
    scores that dermatologists give; they are no decision limits for these.

    References
    ----------
    Stolz et al. 1994, Eur. J. Dermatol. 4; Nachbar et al. 1994, J. Am. Acad. Dermatol. 30.
    """
    ranks = {name: scale.rank(values) for name, scale in load_perception().items()}
    present = sum(
        1.0 / (1.0 + np.exp(-np.clip((values[name] - half) / width, -50.0, 50.0)))
        for name, (half, width) in _PRESENT.items()
    )
    result = {
        "asymmetry": 2.0 * ranks["asymmetry"],
        "border": 8.0 * ranks["border"],
        "color": 1.0 + 5.0 * ranks["color"],
        "structures": float(max(present, 1.0)),
    }
    result["tds"] = (
        1.3 * result["asymmetry"]
        + 0.1 * result["border"]
        + 0.5 * result["color"]
        + 0.5 * result["structures"]
    )
    return result


CATALOGUE = (
    *family_rows(
        "score",
        "Stolz 1994; people's comparisons",
        (("asymmetry", "score", 0.0, 2.0, "A: 2 x expected rank of perceived asymmetry"),),
    ),
    *family_rows(
        "score",
        "Stolz 1994; people's comparisons",
        (
            ("border", "score", 0.0, 8.0, "B: 8 x expected rank of perceived border irregularity"),
            ("color", "score", 1.0, 6.0, "C: 1 + 5 x expected rank of perceived variegation"),
        ),
        invariance=("rotation", "mirror", "shift"),
    ),
    *family_rows(
        "score",
        "Stolz 1994",
        (("structures", "score", 1.0, 5.0, "D: soft count of five structures, at least 1"),),
    ),
    *family_rows(
        "score",
        "Stolz 1994",
        (("tds", "score", 1.0, 8.9, "1.3 A + 0.1 B + 0.5 C + 0.5 D"),),
        invariance=("rotation", "mirror", "shift"),
    ),
)
