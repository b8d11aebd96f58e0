"""Save a fitted model to a single file and load it without trusting the file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.validation import check_is_fitted

from hybridlesion.exceptions import ArtifactError
from hybridlesion.persistence._allowlist import LISTED_CLASSES, loads_listed, read_pickle
from hybridlesion.persistence._file_format import (
    Container,
    check_content,
    read_container,
    write_container,
)
from hybridlesion.persistence._manifest import check_schema, check_versions, make_manifest
from hybridlesion.persistence._state import CALLS, dumps_model
from hybridlesion.persistence._weights import (
    attach_weights,
    collect_files,
    detach_weights,
    write_sidecar_files,
)
from hybridlesion.pipeline import split_steps


def save_artifact(
    path: str | os.PathLike,
    model: BaseEstimator,
    *,
    training: Mapping[str, object] | None = None,
    metrics: pd.DataFrame | None = None,
    key: bytes | None = None,
) -> dict:
    """Write a fitted model and its manifest to a joblib file.

    Parameters
    ----------
    path : str or path-like
        File to write, usually ``MODEL.joblib``.
    model : Pipeline or HybridLesionClassifier
        Fitted pipeline from `make_hybrid_pipeline`, which scores images and feature tables, or a
        fitted classifier, which scores feature tables.
    training : mapping, default=None
        Description of the training data, from `hybridlesion.training.describe_training`.
    metrics : DataFrame, default=None
        Table with columns metric, value, low and high, from `hybridlesion.metrics.evaluate`.
    key : bytes, default=None
        Key to sign the file with, from `read_key`. If None, the file is not signed.

    Returns
    -------
    dict
        Manifest of the model.

    Raises
    ------
    ArtifactError
        If the model contains a class that could not be loaded again, or a weight file is missing.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Notes
    -----
    The digest in the file detects corruption but not tampering: anyone who can change the file can
    also change its digest. The list of classes makes loading safe; the signature proves the origin.

    Weight files larger than 256 MiB are written to the same folder, as ``MODEL.NAME`` (or
    ``MODEL.DIGEST.NAME`` if that name is taken), and their digests are checked on loading.
    """
    check_is_fitted(split_steps(model)[1])
    model, files = detach_weights(model)
    payload = dumps_model(model)
    try:
        read_pickle(payload, CALLS, LISTED_CLASSES)
    except ArtifactError as error:
        raise ArtifactError(
            f"this model cannot become an artifact, because it could not be loaded again: {error} "
            "Use the estimators of hybridlesion, or save the model with joblib.dump."
        ) from error
    inside, sidecars = write_sidecar_files(Path(path), files)
    manifest = make_manifest(model, training or {}, metrics, files, sidecars)
    write_container(path, Container(manifest, payload, inside), key)
    return manifest


def load_artifact(path: str | os.PathLike, *, key: bytes | None = None) -> BaseEstimator:
    """Load the model from an artifact, allowing only listed classes.

    Parameters
    ----------
    path : str or path-like
        File written by `save_artifact` or ``hybridlesion fit``.
    key : bytes, default=None
        Key that the file must be signed with, from `read_key`. The signature is checked before
        anything is unpickled. If None, unsigned files are accepted, too.

    Returns
    -------
    Pipeline or HybridLesionClassifier
        The fitted model.

    Raises
    ------
    ArtifactError
        If the file is not signed with the key, not an artifact, damaged or too new; if it contains
        anything that is not listed; if the features in the manifest differ from those of the model;
        or if the model scores differently with the installed libraries.

    Warns
    -----
    UserWarning
        If the minor version of LightGBM, scikit-learn, numpy or scipy differs from that used to
        save the model, or if this release measures images differently.

    Notes
    -----
    If the version of a library differs, 16 synthetic rows are scored and compared with the scores
    stored in the file. If all agree to within 1e-6, the model is loaded with a warning; otherwise
    an error is raised. Boosted trees are stored as text that LightGBM 3 or later can read.

    ``joblib.load(path)`` returns the same model, but executes arbitrary code in untrusted files.
    """
    return _open(path, read_container(path, key), Path(path).parent)


def restore_model(content: dict) -> BaseEstimator:
    """Restore the model from the content of an artifact; called by ``joblib.load``.

    Parameters
    ----------
    content : dict
        Plain values from an artifact file.

    Returns
    -------
    Pipeline or HybridLesionClassifier
        The fitted model, which has passed the checks of `load_artifact` except for the signature.

    Raises
    ------
    ArtifactError
        As for `load_artifact`, or if weight files are stored in the folder of the artifact, which
        is not known to this function.

    Examples
    --------
    >>> import joblib
    >>> model = joblib.load("model.joblib")  # doctest: +SKIP
    >>> model.predict_proba(table)  # doctest: +SKIP
    """
    return _open("the model file", check_content("the model file", content), None)


# Files of protocol 3 refer to the function by this module.
restore_model.__module__ = "hybridlesion.persistence"


def _open(path: str | os.PathLike, container: Container, folder: Path | None) -> BaseEstimator:
    # check_versions warns once for the whole model instead of once per estimator.
    with warnings.catch_warnings(action="ignore", category=InconsistentVersionWarning):
        model = loads_listed(container.payload)
    if not isinstance(model, BaseEstimator):
        raise ArtifactError(f"{path} contains a {type(model).__name__} instead of a model.")
    manifest = container.manifest
    files = collect_files(path, folder, container.files, manifest.get("files") or {})
    model = attach_weights(model, files)
    classifier = split_steps(model)[1]
    check_schema(path, manifest, classifier)
    check_versions(path, manifest, classifier)
    return model


def read_manifest(path: str | os.PathLike, *, key: bytes | None = None) -> dict:
    """Read the manifest of an artifact without unpickling the model.

    Parameters
    ----------
    path : str or path-like
        File written by `save_artifact` or ``hybridlesion fit``.
    key : bytes, default=None
        Key that the file must be signed with. If None, unsigned files are accepted, too.

    Returns
    -------
    dict
        Manifest, plus the ``protocol``, ``digest`` (SHA-256 of the content) and ``signature``
        ("none", "unchecked" or "valid") of the file.

    Raises
    ------
    ArtifactError
        If the file is not signed with the key, not an artifact, damaged or too new.
    """
    container = read_container(path, key)
    unchecked = "unchecked" if container.signed else "none"
    signature = unchecked if key is None else "valid"
    facts = {"protocol": container.protocol, "digest": container.digest(), "signature": signature}
    return container.manifest | facts
