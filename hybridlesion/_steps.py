"""The two halves of a fitted model: what measures images, and what scores the measurements."""

from __future__ import annotations

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hybridlesion._words import name_rule
from hybridlesion.table import LesionFeaturizer

__all__ = ["split_steps", "threshold_rule"]


def split_steps(model: BaseEstimator) -> tuple[LesionFeaturizer | None, BaseEstimator]:
    """Take a pipeline of `make_hybrid_pipeline`, or a bare classifier, apart.

    Parameters
    ----------
    model : Pipeline or estimator
        A pipeline whose first step is a `LesionFeaturizer`, or a classifier of feature tables.

    Returns
    -------
    featurizer : LesionFeaturizer or None
        The first step; None for a bare classifier.
    classifier : estimator
        Everything after it.

    Examples
    --------
    >>> from hybridlesion import make_hybrid_pipeline
    >>> [type(part).__name__ for part in split_steps(make_hybrid_pipeline())]
    ['LesionFeaturizer', 'HybridLesionClassifier']
    """
    if not isinstance(model, Pipeline) or not isinstance(model[0], LesionFeaturizer):
        return None, model
    rest = model[1:]
    return model[0], rest[0] if len(rest) == 1 else rest


def threshold_rule(model: BaseEstimator) -> str:
    """Say by which rule a model chose its threshold.

    Parameters
    ----------
    model : Pipeline or estimator
        What `split_steps` takes.

    Returns
    -------
    str
        What `hybridlesion._words.name_rule` gives for its classifier.

    Examples
    --------
    >>> from hybridlesion import make_hybrid_pipeline
    >>> threshold_rule(make_hybrid_pipeline())
    'for 90 % sensitivity'
    """
    return name_rule(split_steps(model)[1].get_params(deep=False))
