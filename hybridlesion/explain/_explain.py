"""Scores taken apart, row by row."""

from __future__ import annotations

import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion.exceptions import OptionError
from hybridlesion.pipeline import split_steps

__all__ = ["explain_scores", "split_explainable"]


def explain_scores(model: BaseEstimator, table: pd.DataFrame) -> pd.DataFrame:
    """Say what each measurement adds to each score, on the scale of probabilities.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model; of a pipeline, the classifier alone is used.
    table : DataFrame of shape (n, columns)
        Feature table with the columns of training; a patient's lesions belong into one call.

    Returns
    -------
    DataFrame of shape (n, 2 + columns)
        ``score`` (0 to 1); ``base``, the model's answer where nothing is known of a lesion; then
        what each column, given or of context, adds to it (above 0) or takes from it. ``base`` and
        the columns sum to ``score`` but for rounding, below 1e-9. An embedding is one column,
        ``emb__``.

    Raises
    ------
    OptionError
        If the classifier is none of this package.
    TableError
        If the table lacks a column.

    Notes
    -----
    TreeSHAP for the trees, distances from the mean for the linear part, both on the scale of
    logits; then each fold's calibrated probability is shared in proportion. See
    `HybridLesionClassifier.contributions` and `hybridlesion.model._contributions`. The shares
    say what moved the model, not what causes disease.

    Examples
    --------
    >>> import numpy as np
    >>> from hybridlesion.model import HybridLesionClassifier
    >>> y = np.arange(90) % 3 == 0
    >>> table = pd.DataFrame({"meta__age": 50 + 20.0 * y + np.arange(90) % 7})
    >>> model = HybridLesionClassifier(n_splits=3).fit(table, y)
    >>> parts = explain_scores(model, table)
    >>> bool(parts.loc[0, "meta__age"] > 0), bool(parts.loc[1, "meta__age"] < 0)
    (True, True)
    >>> bool(np.allclose(parts["base"] + parts["meta__age"], parts["score"]))
    True
    """
    classifier = split_explainable(model)
    parts = classifier.contributions(table)
    parts.insert(0, "score", classifier.predict_proba(table)[:, 1])
    return parts


def split_explainable(model: BaseEstimator) -> BaseEstimator:
    """Take the classifier out of a model, and refuse one that cannot be taken apart.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model.

    Returns
    -------
    HybridLesionClassifier
        Its classifier.

    Raises
    ------
    OptionError
        If the classifier is none of this package.
    """
    _, classifier = split_steps(model)
    if not hasattr(classifier, "contributions"):
        raise OptionError(
            f"the scores of a {type(classifier).__name__} cannot be taken apart: reasons are those "
            "of a HybridLesionClassifier. Score without reasons."
        )
    return classifier
