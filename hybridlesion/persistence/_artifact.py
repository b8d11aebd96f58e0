"""Save a fitted model as one file, and load it again without trusting the file."""

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
from hybridlesion.persistence._compatibility import check_versions
from hybridlesion.persistence._file_format import Container, read_container, write_container
from hybridlesion.persistence._manifest import check_schema, make_manifest
from hybridlesion.persistence._sidecar_files import gather_files, put_beside
from hybridlesion.persistence._state import dumps_model
from hybridlesion.persistence._unpickling import loads_listed
from hybridlesion.persistence._weights import attach_weights, detach_weights
from hybridlesion.pipeline import split_steps

__all__ = ["load_artifact", "read_manifest", "save_artifact"]


def save_artifact(
    path: str | os.PathLike,
    model: BaseEstimator,
    *,
    training: Mapping[str, object] | None = None,
    metrics: pd.DataFrame | None = None,
    key: bytes | None = None,
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
        Columns metric, value, low, high, as `hybridlesion.metrics.evaluate` gives them.
    key : bytes, default=None
        Key to sign the file with, as `read_key` gives it; None leaves it unsigned.

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
    What keeps loading safe is the list of classes; who wrote the file is told by the signature.

    Weight files of more than 256 MiB are written beside the model file, as ``MODEL.NAME`` (where a
    file of other content has that name, as ``MODEL.DIGEST.NAME``), and are checked by their digest
    when it is loaded.
    """
    check_is_fitted(split_steps(model)[1])
    model, files = detach_weights(model)
    payload = dumps_model(model)
    try:
        loads_listed(payload)
    except ArtifactError as error:
        raise ArtifactError(
            f"this model cannot become an artifact, since it could not be loaded again: {error} "
            "Use the parts of hybridlesion, or keep the model with joblib.dump."
        ) from error
    inside, beside = put_beside(Path(path), files)
    manifest = make_manifest(
        model, training=training or {}, metrics=metrics, files=files, beside=beside
    )
    write_container(path, Container(manifest, payload, inside), key)
    return manifest


def load_artifact(path: str | os.PathLike, *, key: bytes | None = None) -> BaseEstimator:
    """Load the model of an artifact; only listed classes are admitted.

    Parameters
    ----------
    path : str or path-like
        File that `save_artifact` or ``hybridlesion fit`` wrote.
    key : bytes, default=None
        Key that the file must be signed with, as `read_key` gives it. It is checked before
        anything is unpickled. None asks for no signature.

    Returns
    -------
    Pipeline or HybridLesionClassifier
        The fitted model.

    Raises
    ------
    ArtifactError
        If the file is not signed with the key, foreign, changed, too new, holds anything that is
        not listed, tells of other features than its model takes, or scores otherwise under the
        libraries here.

    Warns
    -----
    UserWarning
        If LightGBM, scikit-learn, numpy or scipy are of another release (but for its last number)
        than those the model was saved with, or this release measures images otherwise.

    Notes
    -----
    Where a library differs, 16 made-up rows are scored again, whose scores the file carries: if
    they are equal to 1e-6 the model is loaded with a warning, else it is refused. Boosted trees
    are kept as text, which every LightGBM since version 3 reads.
    """
    container = read_container(path, key)
    with warnings.catch_warnings():
        # Said above, once and for the whole model instead of once per estimator in it.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        model = loads_listed(container.payload)
    if not isinstance(model, BaseEstimator):
        raise ArtifactError(f"{path} holds a {type(model).__name__} where its model should be.")
    described = container.manifest.get("files") or {}
    model = attach_weights(model, gather_files(Path(path), container.files, described))
    check_schema(path, container.manifest, split_steps(model)[1])
    check_versions(path, container.manifest, split_steps(model)[1])
    return model


def read_manifest(path: str | os.PathLike, *, key: bytes | None = None) -> dict:
    """Read what an artifact says about itself; the model stays packed.

    Parameters
    ----------
    path : str or path-like
        File that `save_artifact` or ``hybridlesion fit`` wrote.
    key : bytes, default=None
        Key that the file must be signed with; None asks for no signature.

    Returns
    -------
    dict
        Manifest, with the file's ``protocol``, ``digest`` (SHA-256 over all it holds) and
        ``signature`` ("none", "unchecked" or "valid") added.

    Raises
    ------
    ArtifactError
        If the file is not signed with the key, foreign, changed or too new.
    """
    container = read_container(path, key)
    signature = "unchecked" if container.signed else "none"
    return {
        **container.manifest,
        "protocol": container.protocol,
        "digest": container.digest(),
        "signature": signature if key is None else "valid",
    }
