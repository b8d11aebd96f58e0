"""Check that a saved model gives the same scores with the installed libraries.

LightGBM, scikit-learn, numpy and scipy, which compute the scores, are compared by version:

1. If the major and minor versions agree (1.5.0 and 1.5.2), the model is accepted silently.
2. Otherwise, 16 synthetic rows are scored and compared with the scores stored in the manifest. If
   all agree to within 1e-6, the model is loaded with a warning; otherwise it is rejected.
3. Files of protocol 1 store no such scores, so a warning lists the versions that differ.

A warning is also issued if this release of hybridlesion measures images differently: the scores of
images would be unreliable, while earlier feature tables remain valid.
"""

from __future__ import annotations

import importlib.metadata
import os
import warnings

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion.exceptions import ArtifactError
from hybridlesion.featurizer import FEATURE_VERSION
from hybridlesion.model import HybridLesionClassifier

_LIBRARIES = ("scikit-learn", "lightgbm", "numpy", "scipy")
_N_ROWS = 16
_TOLERANCE = 1e-6


def describe_checks(classifier: BaseEstimator) -> dict:
    """Compute the check scores of a model for its manifest.

    Parameters
    ----------
    classifier : estimator
        Fitted classifier.

    Returns
    -------
    dict
        ``scores`` of the check rows (empty unless the classifier is a `HybridLesionClassifier`)
        and ``measuring``, the feature version.
    """
    scores = []
    if isinstance(classifier, HybridLesionClassifier):
        scores = _score_rows(classifier).tolist()
    return {"scores": scores, "measuring": FEATURE_VERSION}


def check_versions(path: str | os.PathLike, manifest: dict, classifier: BaseEstimator) -> None:
    """Apply the rules of this module to a loaded model.

    Parameters
    ----------
    path : str or path-like
        File of the model, for messages.
    manifest : dict
        Manifest of the model.
    classifier : estimator
        Loaded classifier.

    Raises
    ------
    ArtifactError
        If the version of a library differs and the scores of the check rows have changed.

    Warns
    -----
    UserWarning
        If the version of a library differs, or images are measured differently.
    """
    checks = manifest.get("checks")
    checks = checks if isinstance(checks, dict) else {}
    measuring = checks.get("measuring")
    if manifest.get("featurizer") is not None and measuring not in (None, FEATURE_VERSION):
        _warn(
            f"{path} was fitted on features of version {measuring}, but this release computes "
            f"version {FEATURE_VERSION}: image scores will be wrong. Extract the features again "
            "and fit again."
        )
    differing = _differing(manifest.get("versions"))
    if not differing:
        return
    expected = checks.get("scores")
    if not expected or not isinstance(classifier, HybridLesionClassifier):
        _warn(
            f"{path} was saved with {differing}. Scores may differ; install the same versions, or "
            "fit the model again."
        )
    elif _agree(expected, classifier):
        _warn(f"{path} was saved with {differing}. Its check rows score the same here.")
    else:
        raise ArtifactError(
            f"{path} was saved with {differing}, and its check rows score differently here. "
            "Install the same versions, or fit the model again."
        )


def _agree(expected: object, classifier: HybridLesionClassifier) -> bool:
    try:
        difference = _score_rows(classifier) - np.asarray(expected, dtype=float)
    except Exception:  # an error of another library version, too, means different scores
        return False
    return bool(np.all(np.abs(difference) <= _TOLERANCE))


def _differing(saved: object) -> str:
    saved = saved if isinstance(saved, dict) else {}
    here = {library: importlib.metadata.version(library) for library in _LIBRARIES}
    return " and ".join(
        f"{library} {saved[library]} (here: {version})"
        for library, version in here.items()
        if library in saved and str(saved[library]).split(".")[:2] != version.split(".")[:2]
    )


def _score_rows(classifier: HybridLesionClassifier) -> np.ndarray:
    """Score rows with values of all magnitudes and both signs, and a row of missing values."""
    n_columns = classifier.n_features_in_
    row, column = np.mgrid[:_N_ROWS, :n_columns]
    # Sines rather than random numbers, because random streams may change between numpy versions.
    values = np.sin(1 + 7.1 * row + 1.3 * column) * 10.0 ** (row % 8 - 3)
    values[-1] = np.nan
    names = getattr(classifier, "feature_names_in_", None)
    if names is None:
        return classifier.predict_proba(values)[:, 1]
    table = pd.DataFrame(values, columns=names)
    if classifier.encoder_ is None:
        return classifier.predict_proba(table)[:, 1]
    text = {
        name: [known[k % len(known)] for k in range(_N_ROWS)]
        for name, known in classifier.encoder_.categories_.items()
        if name in table
    }
    # Patients with three lesions and a patient with a single lesion, who are scored differently.
    patients = [f"patient {k // 3}" for k in range(_N_ROWS)]
    return classifier.predict_proba(table.assign(**text, patient_id=patients))[:, 1]


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=5)
