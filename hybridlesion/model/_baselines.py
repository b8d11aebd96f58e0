"""Baselines that a model should beat, scored out of fold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import expit

from hybridlesion.model._fold_model import LinearModel

_METADATA = ("meta__age", "meta__sex_", "meta__site_")


def score_baselines(
    encoded: np.ndarray,
    names: Sequence[str],
    y: np.ndarray,
    folds: np.ndarray,
    leading: str | None,
    seed: int = 0,
) -> pd.DataFrame:
    """Score training rows by simple models, each fitted on the other folds.

    Parameters
    ----------
    encoded : ndarray of shape (n, columns), float32
        Encoded training rows, NaN where values are missing.
    names : sequence of str
        Encoded column names.
    y : ndarray of shape (n,), bool
        Target.
    folds : ndarray of shape (n,), int
        Grouped fold of each row.
    leading : str or None
        Column with the score of a network, which is taken as it is.
    seed : int, default=0
        Seed of the negatives sampled from more than 25,000 rows.

    Returns
    -------
    DataFrame of shape (n, baselines), float64
        Scores, 0 to 1: ``metadata`` (logistic regression on age, sex and site), ``logistic``
        (logistic regression on all columns) and ``cnn`` (NaN where the network has no score),
        as far as there are such columns. Missing values count as the mean.
    """
    names = list(names)
    known = ~np.isnan(encoded).all(axis=0)
    metadata = known & np.array([name.startswith(_METADATA) for name in names], dtype=bool)
    parts = {"metadata": metadata, "logistic": known}
    if (metadata == known).all():
        del parts["logistic"]
    found = {}
    for name, columns in parts.items():
        if columns.any():
            found[name] = _score_out_of_fold(encoded[:, columns], y, folds, seed)
    if leading in names:
        found["cnn"] = np.clip(encoded[:, names.index(leading)].astype(float), 0, 1)
    return pd.DataFrame(found, index=range(len(y)))


def _score_out_of_fold(X: np.ndarray, y: np.ndarray, folds: np.ndarray, seed: int) -> np.ndarray:
    score = np.empty(len(y))
    for fold in np.unique(folds):
        held = folds == fold
        score[held] = expit(LinearModel().fit(X[~held], y[~held], seed).logit(X[held]))
    return score
