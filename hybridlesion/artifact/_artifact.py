"""Save a fitted model as one file, and load it again without trusting the file."""

from __future__ import annotations

import importlib.metadata
import os
import warnings
from collections.abc import Mapping

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.validation import check_is_fitted

from hybridlesion._steps import split_steps
from hybridlesion.artifact._container import Container, read_container, write_container
from hybridlesion.artifact._manifest import make_manifest
from hybridlesion.artifact._pickler import dumps_model
from hybridlesion.artifact._unpickler import loads_listed
from hybridlesion.artifact._weights import attach_weights, detach_weights
from hybridlesion.exceptions import ArtifactError

__all__ = ["load_artifact", "read_manifest", "save_artifact"]

# Libraries whose fitted objects lie in the payload: another version may restore them differently.
_IN_PAYLOAD = ("scikit-learn", "lightgbm")


def save_artifact(
    path: str | os.PathLike,
    model: BaseEstimator,
    *,
    training: Mapping[str, object] | None = None,
    metrics: pd.DataFrame | None = None,
) -> dict:
    """Write a fitted model and its manifest to one joblib file.

    Parameters
    ----------
    path : str or path-like
        File to write, usually ``MODEL.joblib``.
    model : Pipeline or HybridLesionClassifier
        Fitted pipeline of `make_hybrid_pipeline`, which then scores raw images and feature tables,
        or a fitted classifier, which scores feature tables.
    training : mapping, default=None
        Facts on the training data, as `hybridlesion.training.describe_training` gives them.
    metrics : DataFrame, default=None
        Columns metric, value, low, high, as `hybridlesion.evaluation.evaluate` gives them.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    ArtifactError
        If the model holds a class that loading would refuse, or its weight file is gone.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Notes
    -----
    The digest tells accidents, not attackers: whoever can write the file can write its digest.
    What keeps loading safe is the list of classes.
    """
    check_is_fitted(split_steps(model)[1])
    model, files = detach_weights(model)
    manifest = make_manifest(model, training=training or {}, metrics=metrics, files=files)
    payload = dumps_model(model)
    try:
        loads_listed(payload)
    except ArtifactError as error:
        raise ArtifactError(
            f"this model cannot become an artifact, since it could not be loaded again: {error} "
            "Use the parts of hybridlesion, or keep the model with joblib.dump."
        ) from error
    write_container(path, Container(manifest, payload, files))
    return manifest


def load_artifact(path: str | os.PathLike) -> BaseEstimator:
    """Load the model of an artifact; only listed classes are admitted.

    Parameters
    ----------
    path : str or path-like
        File that `save_artifact` or ``hybridlesion fit`` wrote.

    Returns
    -------
    Pipeline or HybridLesionClassifier
        The fitted model.

    Raises
    ------
    ArtifactError
        If the file is foreign, changed, too new, or holds anything that is not listed.

    Warns
    -----
    UserWarning
        If scikit-learn or LightGBM have another version than the one the model was saved with.
    """
    container = read_container(path)
    _warn_of_versions(path, container.manifest.get("versions"))
    with warnings.catch_warnings():
        # Said above, once and for the whole model instead of once per estimator in it.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        model = loads_listed(container.payload)
    if not isinstance(model, BaseEstimator):
        raise ArtifactError(f"{path} holds a {type(model).__name__} where its model should be.")
    return attach_weights(model, container.files)


def read_manifest(path: str | os.PathLike) -> dict:
    """Read what an artifact says about itself; the model stays packed.

    Parameters
    ----------
    path : str or path-like
        File that `save_artifact` or ``hybridlesion fit`` wrote.

    Returns
    -------
    dict
        Manifest, with the file's ``protocol`` added.

    Raises
    ------
    ArtifactError
        If the file is foreign, changed or too new.
    """
    container = read_container(path)
    return {"protocol": container.protocol, **container.manifest}


def _warn_of_versions(path: str | os.PathLike, saved: object) -> None:
    saved = saved if isinstance(saved, dict) else {}
    differing = []
    for library in _IN_PAYLOAD:
        installed = importlib.metadata.version(library)
        if library in saved and saved[library] != installed:
            differing.append(f"{library} {saved[library]} (here: {installed})")
    if differing:
        warnings.warn(
            f"{path} was saved with {' and '.join(differing)}. Scores may differ or loading may "
            "fail; install the same versions, or fit the model again.",
            UserWarning,
            stacklevel=3,
        )
