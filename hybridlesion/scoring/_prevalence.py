"""Scores for a clinic with more or fewer melanomas than the training data had."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion._steps import split_steps, threshold_rule
from hybridlesion.evaluation import shift_prevalence
from hybridlesion.exceptions import OptionError

__all__ = ["move_scores", "threshold_in_use", "trained_prevalence"]

_MOVED = ("score", "threshold")


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


def move_scores(scores: pd.DataFrame, *, trained: float, wanted: float) -> pd.DataFrame:
    """Move scores to the prevalence of the place where they are used.

    Parameters
    ----------
    scores : DataFrame of shape (n, columns)
        What `score_table` gave.
    trained : float
        Share of malignant lesions in the training data, above 0 and below 1.
    wanted : float
        Share of malignant lesions where the scores are used, above 0 and below 1.

    Returns
    -------
    DataFrame of shape (n, columns + 1)
        ``score`` and ``threshold`` moved by `hybridlesion.evaluation.shift_prevalence`, ``label``
        as it was, and ``prevalence``. The threshold moves along, so that a lesion is called by the
        same evidence as before.

    Raises
    ------
    OptionError
        If a prevalence is not between 0 and 1.

    Examples
    --------
    >>> scores = pd.DataFrame({"score": [0.5], "threshold": [0.5], "label": [1]})
    >>> move_scores(scores, trained=0.5, wanted=0.02)["score"].round(4).tolist()
    [0.02]
    """
    moved = {name: shift_prevalence(scores[name], trained, wanted) for name in _MOVED}
    return scores.assign(**moved, prevalence=float(wanted))


def threshold_in_use(
    model: BaseEstimator, training: Mapping[str, object], prevalence: float | None = None
) -> dict[str, object]:
    """Say from which score on lesions are labelled malignant, and how that was chosen.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model.
    training : mapping
        See `trained_prevalence`.
    prevalence : float or None, default=None
        Share of malignant lesions that the scores are moved to; None leaves them.

    Returns
    -------
    dict
        ``threshold`` and ``threshold_rule``, as every row of the scores has them.
    """
    threshold = float(split_steps(model)[1].threshold_)
    if prevalence is not None:
        threshold = float(shift_prevalence(threshold, trained_prevalence(training), prevalence))
    return {"threshold": threshold, "threshold_rule": threshold_rule(model)}
