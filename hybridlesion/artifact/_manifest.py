"""What a model file says about itself, in plain JSON values."""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion import __version__
from hybridlesion._steps import split_steps
from hybridlesion._words import name_rule
from hybridlesion.artifact._versions import describe_checks
from hybridlesion.exceptions import ArtifactError

__all__ = ["INTENDED_USE", "check_schema", "make_manifest"]

INTENDED_USE = (
    "Research on triage of dermoscopic images. Not a medical device: no score may decide about a "
    "patient. The scores are calibrated for the prevalence and the cameras of the training data."
)

_LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "scikit-image", "lightgbm")
_IMAGE_LIBRARIES = ("torch", "timm", "opencv-python", "pillow")


def make_manifest(
    model: BaseEstimator,
    *,
    training: Mapping[str, object],
    metrics: pd.DataFrame | None,
    files: Mapping[str, bytes],
    beside: Mapping[str, str],
) -> dict:
    """Describe a fitted model.

    Parameters
    ----------
    model : Pipeline or estimator
        The fitted model.
    training : mapping
        What `hybridlesion.training.describe_training` gave, and what else is worth keeping.
    metrics : DataFrame or None
        Columns metric, value, low, high.
    files : mapping of str to bytes
        Files that go with the artifact.
    beside : mapping of str to str
        Those of them that lie beside it, and how they are called there.

    Returns
    -------
    dict
        Plain JSON values; numbers that are no number become None.
    """
    featurizer, classifier = split_steps(model)
    parameters = classifier.get_params(deep=False)
    rows = [] if metrics is None else metrics.to_dict("records")
    manifest = {
        "intended_use": INTENDED_USE,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(with_images=featurizer is not None),
        "model": {"class": type(classifier).__name__, "parameters": parameters},
        "folds": _describe_folds(classifier, parameters),
        "threshold": getattr(classifier, "threshold_", None),
        "threshold_rule": name_rule(parameters),
        "thresholds": _describe_thresholds(classifier),
        "features": _describe_features(classifier),
        "featurizer": None if featurizer is None else featurizer.get_params(deep=False),
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            | ({"beside": beside[name]} if name in beside else {})
            for name, data in files.items()
        },
        "checks": describe_checks(classifier),
        "training": dict(training),
        "metrics": rows,
    }
    return _plain(manifest)


def check_schema(path: str | os.PathLike, manifest: Mapping, classifier: BaseEstimator) -> None:
    """Make sure that a model takes the columns that its manifest tells.

    Parameters
    ----------
    path : str or path-like
        Its file, for the message.
    manifest : mapping
        Its manifest.
    classifier : estimator
        The loaded classifier.

    Raises
    ------
    ArtifactError
        If the digests of the names differ: a manifest of one model, and another one inside.
    """
    told = manifest.get("features")
    told = told.get("sha256") if isinstance(told, Mapping) else None
    if told is not None and told != _describe_features(classifier)["sha256"]:
        raise ArtifactError(
            f"{path} tells of other features than its model takes: its parts do not belong "
            "together. Save the model again."
        )


def _versions(*, with_images: bool) -> dict[str, str]:
    libraries = (*_LIBRARIES, *(_IMAGE_LIBRARIES if with_images else ()))
    found = {"python": platform.python_version(), "hybridlesion": __version__}
    for library in libraries:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue  # opencv-python-headless, for one, goes by another name
    return found


def _describe_folds(classifier: BaseEstimator, parameters: Mapping) -> dict:
    """Tell the folds that were made: few patients allow fewer than were asked for."""
    folds = {name: parameters.get(name) for name in ("n_splits", "n_seeds", "random_state")}
    made = getattr(classifier, "folds_", None)
    return folds if made is None else folds | {"n_splits": int(made.max()) + 1}


def _describe_thresholds(classifier: BaseEstimator) -> list[dict]:
    """Tell from which score on each sensitivity is reached, with its interval."""
    found = getattr(classifier, "threshold_intervals_", {})
    return [
        {"sensitivity": key, "threshold": at.value, "low": at.low, "high": at.high}
        for key, at in found.items()
    ]


def _describe_features(classifier: BaseEstimator) -> dict:
    names = [str(name) for name in getattr(classifier, "feature_names_in_", ())]
    families: dict[str, int] = {}
    for name in names:
        family = name.split("__")[0] if "__" in name else "other"
        families[family] = families.get(family, 0) + 1
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    return {"names": names, "sha256": digest, "families": families}


def _plain(value: object) -> object:
    """Turn numpy values, tuples and mappings into what JSON knows; the rest into its repr."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray, pd.Series)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    return repr(value)
