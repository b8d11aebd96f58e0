"""scikit-learn pipeline from records to calibrated malignancy scores."""

from __future__ import annotations

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hybridlesion._formatting import name_rule
from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.model import HybridLesionClassifier

__all__ = ["make_hybrid_pipeline", "split_steps", "threshold_rule"]


def make_hybrid_pipeline(
    embedder: str = "none",
    *,
    weights: str | None = None,
    segmenter: str = "refined",
    device: str = "auto",
    n_splits: int = 5,
    n_seeds: int = 1,
    n_jobs: int = 1,
    on_error: str = "warn",
    memory: str | None = None,
    random_state: int = 0,
) -> Pipeline:
    """Make a pipeline from records to calibrated malignancy scores.

    Parameters
    ----------
    embedder : str, default="none"
        A timm model name, ``"finetuned"``, or ``"none"``; see `LesionFeaturizer`.
    weights : str or None, default=None
        Local weight file for `embedder`. If None, timm's pretrained weights are used, or the
        fine-tuned network that ships with the package.
    segmenter : str, default="refined"
        One of `hybridlesion.segmentation.SEGMENTERS`, or the weight file of a refiner.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Device on which the networks run.
    n_splits : int, default=5
        Number of inner folds of the classifier, grouped by patient.
    n_seeds : int, default=1
        Number of times that the folds are drawn; all fold models are averaged.
    n_jobs : int, default=1
        Number of processes for measuring images, and of threads for training.
    on_error : {"warn", "raise"}, default="warn"
        How to handle an image that cannot be read: warn and set its features to NaN, so that its
        score depends only on age, sex and site, or raise an error.
    memory : str or None, default=None
        Folder in which features are cached between fits, as in scikit-learn.
    random_state : int, default=0
        Seed for the classifier.

    Returns
    -------
    Pipeline
        Steps ``features`` (`LesionFeaturizer`) and ``model`` (`HybridLesionClassifier`). All other
        settings are parameters of the steps: ``set_params(features__long_side=384)``.

    Notes
    -----
    The inner folds are grouped by the ``patient_id`` of the records. Other groups can be passed
    through scikit-learn's metadata routing: ``sklearn.set_config(enable_metadata_routing=True)``,
    then ``pipe.named_steps["model"].set_fit_request(groups=True)`` and
    ``pipe.fit(records, y, groups=...)``.

    After ``pipe.fit(records, y, model__diagnoses=records["diagnosis"])``, the classifier also
    predicts probabilities of diagnoses:
    ``pipe[-1].predict_diagnoses(pipe[:-1].transform(records))``, see
    `HybridLesionClassifier.predict_diagnoses`. Their out-of-fold values are in
    ``pipe[-1].oof_diagnoses_``.

    Examples
    --------
    >>> pipe = make_hybrid_pipeline(n_splits=3)
    >>> pipe.set_params(features__long_side=384).named_steps["features"].long_side
    384
    """
    # Ids are passed through to group folds and compare lesions by patient and lesion.
    featurizer = LesionFeaturizer(embedder, weights=weights, segmenter=segmenter, passthrough="ids")
    featurizer.set_params(device=device, n_jobs=n_jobs, on_error=on_error)
    classifier = HybridLesionClassifier(n_splits, n_seeds, n_jobs=n_jobs, random_state=random_state)
    return Pipeline([("features", featurizer), ("model", classifier)], memory=memory)


def split_steps(model: BaseEstimator) -> tuple[LesionFeaturizer | None, BaseEstimator]:
    """Split a pipeline of `make_hybrid_pipeline`, or a bare classifier, into its parts.

    Parameters
    ----------
    model : Pipeline or estimator
        A pipeline whose first step is a `LesionFeaturizer`, or a classifier for feature tables.

    Returns
    -------
    featurizer : LesionFeaturizer or None
        The first step; None for a bare classifier.
    classifier : estimator
        The remaining step, or a pipeline of the remaining steps.

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
    """Describe the rule by which a model chose its threshold.

    Parameters
    ----------
    model : Pipeline or estimator
        Pipeline or classifier, as for `split_steps`.

    Returns
    -------
    str
        Result of `hybridlesion._formatting.name_rule` for the classifier.

    Examples
    --------
    >>> from hybridlesion import make_hybrid_pipeline
    >>> threshold_rule(make_hybrid_pipeline())
    'for 90 % sensitivity'
    """
    return name_rule(split_steps(model)[1].get_params(deep=False))
