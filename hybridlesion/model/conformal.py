"""Sets of labels that hold the truth as often as promised, in each class."""

from __future__ import annotations

import numpy as np

from hybridlesion._validation import check_number
from hybridlesion.metrics import check_scores

__all__ = ["ConformalSets"]


class ConformalSets:
    """Class-conditional conformal prediction from held-out scores.

    Attributes
    ----------
    strangeness_ : tuple of two ndarrays, float64
        Of the benign and the malignant calibration rows, in rising order: how strange their own
        label looked, which is one minus its probability.

    Notes
    -----
    The set of a new row holds every label that looks no stranger on it than on the required share
    of the calibration rows *of that class*. If new lesions and calibration lesions are exchangeable
    within each class, the truth is in the set with at least the promised probability, for
    malignant as well as for benign lesions [1]_. Where that is not so (another camera, another
    clinic, another choice of lesions) nothing is promised. Lesions of one patient are not
    exchangeable one by one, so that the promise holds on average over many patients. With m
    malignant calibration rows nothing above ``m / (m + 1)`` can be promised; the set then always
    holds malignant.

    References
    ----------
    .. [1] V. Vovk, "Conditional validity of inductive conformal predictors", Machine Learning 92,
       349-376, 2013.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(400) % 4 == 0
    >>> score = np.clip(0.3 + 0.4 * y + rng.normal(0, 0.15, 400), 0, 1)
    >>> sets = ConformalSets().fit(y, score)
    >>> sets.predict([0.05, 0.5, 0.9], coverage=0.95).tolist()
    [[True, False], [True, True], [False, True]]
    """

    def fit(self, y: np.ndarray, score: np.ndarray) -> ConformalSets:
        """Keep the strangeness of held-out rows.

        Parameters
        ----------
        y : array-like of shape (n,), 0 or 1
            Truth; 1 is malignant.
        score : array-like of shape (n,)
            Probabilities of rows that their model never saw.

        Returns
        -------
        ConformalSets
            Itself.

        Raises
        ------
        ValueError
            If `y` holds one class, or the scores cannot be used.
        """
        y, score = check_scores(y, score)
        self.strangeness_ = (np.sort(score[~y]), np.sort(1 - score[y]))
        return self

    def predict(self, score: np.ndarray, coverage: float = 0.9) -> np.ndarray:
        """Name the labels that cannot be ruled out.

        Parameters
        ----------
        score : array-like of shape (n,)
            Probabilities of malignancy.
        coverage : float, default=0.9
            How often, at least, the truth shall be among them, above 0 and below 1.

        Returns
        -------
        ndarray of shape (n, 2), bool
            Whether benign, and whether malignant, is among them. Both: the model abstains. None:
            the row is unlike either class.

        Raises
        ------
        OptionError
            If `coverage` is out of range.
        """
        check_number("coverage", coverage, low=1e-6, high=1 - 1e-6)
        score = np.asarray(score, dtype=np.float64)
        found = []
        for strange, own in zip(self.strangeness_, (score, 1 - score), strict=True):
            # The row itself counts as one more: rounding must not ask for one row too many.
            needed = int(np.ceil(coverage * (len(strange) + 1) - 1e-9))
            limit = strange[needed - 1] if needed <= len(strange) else np.inf
            found.append(own <= limit)
        return np.column_stack(found)
