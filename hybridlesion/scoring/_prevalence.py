"""Scores for a clinic with more or fewer melanomas than the training data had."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from hybridlesion._validation import check_number
from hybridlesion.exceptions import OptionError

__all__ = ["shift_prevalence", "trained_prevalence"]


def trained_prevalence(training: Mapping[str, object]) -> float:
    """Read the share of malignant lesions that a model learned from.

    Parameters
    ----------
    training : mapping
        What `hybridlesion.training.describe_training` gave, for example out of a manifest.

    Returns
    -------
    float
        Above 0 and below 1.

    Raises
    ------
    OptionError
        If the training is not recorded.

    Examples
    --------
    >>> trained_prevalence({"n_rows": 200, "n_positive": 4})
    0.02
    """
    n_rows, n_positive = training.get("n_rows"), training.get("n_positive")
    known = isinstance(n_rows, int) and isinstance(n_positive, int) and 0 < n_positive < n_rows
    if not known:
        raise OptionError(
            "the model does not say how many lesions it learned from, and how many of them were "
            "malignant, so its scores cannot be moved to another prevalence. Leave --prevalence "
            "out, or fit the model with `hybridlesion fit`."
        )
    return n_positive / n_rows


def shift_prevalence(scores: pd.DataFrame, *, trained: float, prevalence: float) -> pd.DataFrame:
    """Move scores to the prevalence of the place where they are used.

    Parameters
    ----------
    scores : DataFrame of shape (n, columns)
        What `score_table` gave.
    trained : float
        Share of malignant lesions in the training data, above 0 and below 1.
    prevalence : float
        Share of malignant lesions where the scores are used, above 0 and below 1.

    Returns
    -------
    DataFrame of shape (n, columns + 1)
        ``score`` and ``threshold`` moved, ``label`` as it was, and ``prevalence``.

    Raises
    ------
    OptionError
        If `prevalence` is not between 0 and 1.

    Notes
    -----
    ``logit p' = logit p + logit P - logit P_trained``: right where the places differ only in how
    many lesions are malignant, and each kind looks the same. The threshold moves along, so that a
    lesion is called by the same evidence as before.

    References
    ----------
    .. [1] M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to new a
       priori probabilities", Neural Computation 14, 21-41, 2002.

    Examples
    --------
    >>> scores = pd.DataFrame({"score": [0.5], "threshold": [0.5], "label": [1]})
    >>> shift_prevalence(scores, trained=0.5, prevalence=0.02)["score"].round(4).tolist()
    [0.02]
    """
    check_number("prevalence", prevalence, low=0, high=1)
    if prevalence in (0, 1):
        raise OptionError(f"prevalence must lie between 0 and 1, got {prevalence!r}.")
    offset = logit(prevalence) - logit(trained)
    moved = {name: expit(logit(scores[name].to_numpy(float)) + offset) for name in _MOVED}
    return scores.assign(**moved, prevalence=np.float64(prevalence))


_MOVED = ("score", "threshold")
