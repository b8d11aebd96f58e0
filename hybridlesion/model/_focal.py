"""Focal loss for boosted trees: rows that are clear already count less."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_expit

__all__ = ["FocalLoss"]


class FocalLoss:
    """Gradient and curvature of ``-(1 - p_t)^gamma log p_t`` for LightGBM.

    Parameters
    ----------
    gamma : float, default=1.0
        0 is the log loss; larger values pass over rows whose probability ``p_t`` of their own
        class is high.

    References
    ----------
    .. [1] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar, "Focal loss for dense object
       detection", ICCV 2017.

    Examples
    --------
    >>> gradient, curvature = FocalLoss(gamma=0.0).derivatives(np.array([0.0]), np.array([True]))
    >>> float(gradient[0]), float(curvature[0])
    (-0.5, 0.25)
    """

    def __init__(self, gamma: float = 1.0):
        self.gamma = gamma

    def __call__(self, logits: np.ndarray, data: object) -> tuple[np.ndarray, np.ndarray]:
        """Answer LightGBM.

        Parameters
        ----------
        logits : ndarray of shape (n,)
            Raw scores.
        data : lightgbm.Dataset
            Holds the labels.

        Returns
        -------
        tuple of two ndarrays of shape (n,)
            Gradient and curvature.
        """
        return self.derivatives(logits, data.get_label() > 0)

    def derivatives(self, logits: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """First and second derivative by the logit.

        Parameters
        ----------
        logits : ndarray of shape (n,)
            Logits of the positive class.
        y : ndarray of shape (n,), bool
            Target.

        Returns
        -------
        tuple of two ndarrays of shape (n,)
            Gradient, and the curvature, held above zero, where a tree could not divide by it.
        """
        sign = np.where(y, 1.0, -1.0)
        own, log_own = expit(sign * logits), log_expit(sign * logits)
        rest = expit(-sign * logits)
        slope = self.gamma * own * log_own - rest
        gradient = sign * rest**self.gamma * slope
        turn = rest * (self.gamma * log_own + self.gamma + 1.0) - self.gamma * slope
        curvature = own * rest**self.gamma * turn
        return gradient, np.maximum(curvature, 1e-6)
