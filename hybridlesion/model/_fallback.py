"""Fallback to the score of a network for images that are unlike the training images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import logit
from sklearn.covariance import LedoitWolf
from sklearn.linear_model import LogisticRegression

from hybridlesion.model._columns import leading_score
from hybridlesion.model._fold_model import mean_and_scale, standardise

# Columns in which images of two sites differ before the lesions do: light and skin around the
# lesion, sharpness and noise. A site may also see other diagnoses.
_GROUPS = {"skin": "abcd__skin_", "texture": "abcd__texture_", "diagnoses": "cnn__p_"}

_LEVELS = np.linspace(0, 1, 501)
_SMALLEST = 1e-5


class NetworkFallback:
    """Applicability of a model to images, and the network's score where it is low.

    Attributes
    ----------
    groups : dict of str to ndarray of int
        Encoded columns of ``skin``, ``texture`` and, if there are any, ``diagnoses``, which are
        probabilities.
    means, scales, precisions : list of ndarray
        Mean, scale and inverse covariance of each group.
    distances : list of ndarray of shape (501,)
        Percentiles of the Mahalanobis distance of held-out training rows, in each group.
    smallest : ndarray of shape (501,)
        Percentiles of the smallest share over the groups; see `applicability`.
    lead : int
        Column of the leading score.
    slope, intercept : float
        Calibration of its logit.
    centre : float
        Mean logit of the leading score.

    Notes
    -----
    What trees learn about handcrafted features at one site need not hold at another: a model
    fitted on HAM10000 ranked lesions of ISIC 2017 worse than the network alone, which has learned
    from several sites. The weight of the fold models in the score of a lesion is therefore the
    applicability of the model to its image, and the rest is the calibrated score of the network. At
    the site of the training rows, applicability is uniform between 0 and 1, as a conformal p-value
    [1]_.

    References
    ----------
    .. [1] V. Vovk, A. Gammerman, G. Shafer, "Algorithmic learning in a random world", Springer,
       2005.
    """

    groups: dict[str, np.ndarray]
    means: list[np.ndarray]
    scales: list[np.ndarray]
    precisions: list[np.ndarray]
    distances: list[np.ndarray]
    smallest: np.ndarray
    lead: int
    slope: float
    intercept: float
    centre: float

    @classmethod
    def fit(
        cls, encoded: np.ndarray, y: np.ndarray, folds: np.ndarray, names: Sequence[str], lead: str
    ) -> NetworkFallback | None:
        """Learn from training rows.

        Parameters
        ----------
        encoded : ndarray of shape (n, columns), float32
            Encoded table, NaN where values are missing.
        y : ndarray of shape (n,), bool
            Target.
        folds : ndarray of shape (n,), int
            Folds of whole groups, each of which is compared with the others.
        names : sequence of str
            Encoded column names.
        lead : str
            Preferred leading score; see `leading_score`.

        Returns
        -------
        NetworkFallback or None
            None without a leading score between 0 and 1 in both classes, or without measurements
            of skin and texture.
        """
        found = leading_score(names, lead)
        places = {
            group: np.flatnonzero([name.startswith(prefix) for name in names])
            for group, prefix in _GROUPS.items()
        }
        if found is None or not len(places["skin"]) or not len(places["texture"]):
            return None
        self = cls()
        self.groups = {group: columns for group, columns in places.items() if len(columns)}
        self.lead = list(names).index(found)
        score = encoded[:, self.lead].astype(float)
        known = ~np.isnan(score)
        if len(np.unique(y[known])) < 2 or score[known].min() < 0 or score[known].max() > 1:
            return None
        odds = _log_odds(score[known])
        regression = LogisticRegression(C=np.inf).fit(odds[:, None], y[known])
        self.slope, self.intercept = float(regression.coef_[0, 0]), float(regression.intercept_[0])
        self.centre = float(odds.mean())
        held_out = np.zeros((len(self.groups), len(y)))
        numbers = np.unique(folds)
        for fold in numbers:
            own = folds == fold
            self._fit_distances(encoded[~own if len(numbers) > 1 else own])
            held_out[:, own] = self._distances(encoded[own])
        self._fit_distances(encoded)
        self.distances = [np.quantile(found, _LEVELS) for found in held_out]
        self.smallest = np.quantile(self._shares(held_out).min(axis=0), _LEVELS)
        return self

    def applicability(self, encoded: np.ndarray) -> np.ndarray:
        """Share of the training rows that are at least as unusual as each row.

        Parameters
        ----------
        encoded : ndarray of shape (n, columns), float32
            Encoded rows.

        Returns
        -------
        ndarray of shape (n,), float64
            Share, 0 to 1, of the training rows of which the most unusual group of columns is at
            least as unusual as that of the row.
        """
        return np.interp(self.group_shares(encoded).min(axis=0), self.smallest, _LEVELS)

    def group_shares(self, encoded: np.ndarray) -> np.ndarray:
        """Share of the training rows that are at least as unusual, in each group of columns.

        Parameters
        ----------
        encoded : ndarray of shape (n, columns), float32
            Encoded rows.

        Returns
        -------
        ndarray of shape (groups, n), float64
            Shares, 0 to 1, in the order of `groups`.
        """
        return self._shares(self._distances(encoded))

    def blend(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weigh the fold models, and score rows by the network alone.

        Parameters
        ----------
        encoded : ndarray of shape (n, columns), float32
            Encoded rows.

        Returns
        -------
        weight : ndarray of shape (n,), float64
            Weight of the fold models: the applicability; 1 where the leading score is missing.
        constant : ndarray of shape (n,), float64
            Part of the weighted logit of the network that is the same for all scores.
        score : ndarray of shape (n,), float64
            Contribution of the leading score to the weighted logit of the network.
        """
        odds = encoded[:, self.lead].astype(float)
        weight = np.where(np.isnan(odds), 1.0, self.applicability(encoded))
        odds = np.where(np.isnan(odds), self.centre, _log_odds(odds)) - self.centre
        constant = (1 - weight) * (self.intercept + self.slope * self.centre)
        return weight, constant, (1 - weight) * self.slope * odds

    def _fit_distances(self, encoded: np.ndarray) -> None:
        self.means, self.scales, self.precisions = [], [], []
        for columns in self._columns(encoded):
            mean, scale = mean_and_scale(columns)
            standard = standardise(columns, mean, scale)
            covariance = LedoitWolf(assume_centered=True).fit(standard)
            self.means.append(mean)
            self.scales.append(scale)
            self.precisions.append(covariance.precision_)

    def _distances(self, encoded: np.ndarray) -> np.ndarray:
        """Squared Mahalanobis distances of the rows in each group."""
        fitted = zip(self._columns(encoded), self.means, self.scales, self.precisions, strict=True)
        return np.array(
            [
                _squared_norm(standardise(x, mean, scale), inverse)
                for x, mean, scale, inverse in fitted
            ]
        )

    def _columns(self, encoded: np.ndarray) -> list[np.ndarray]:
        parts = {group: np.take(encoded, places, axis=1) for group, places in self.groups.items()}
        if "diagnoses" in parts:  # probabilities differ most between sites where they are small
            parts["diagnoses"] = _log_odds(parts["diagnoses"])
        return list(parts.values())

    def _shares(self, distances: np.ndarray) -> np.ndarray:
        """Share of the training rows with a larger distance, in each group."""
        pairs = zip(distances, self.distances, strict=True)
        return np.array([1 - np.interp(found, known, _LEVELS) for found, known in pairs])


def _squared_norm(rows: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    # The last bit of a matrix product depends on the number of rows.
    product = sum(rows[:, [k]] * line for k, line in enumerate(inverse))
    return (product * rows).sum(axis=1)


def _log_odds(score: np.ndarray) -> np.ndarray:
    return logit(np.clip(score, _SMALLEST, 1 - _SMALLEST))
