"""Whether a model that other library versions wrote scores here as it did there.

The rule, for LightGBM, scikit-learn, numpy and scipy, whose code scores:

1. The same release but for its last number (1.5.0 and 1.5.2): nothing is said.
2. Any other release: 16 made-up rows, whose scores the file carries, are scored again. If all are
   equal to one in a million, the model is loaded, with a warning that says so; else it is refused.
3. A file of protocol 1 carries no such rows: a warning says which versions differ.

A release of hybridlesion that measures images otherwise is told by a warning: the scores of images
would not be those the model was fitted for, while feature tables of its own time are still good.
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

__all__ = ["check_versions", "describe_checks"]

_SCORING = ("scikit-learn", "lightgbm", "numpy", "scipy")
_N_ROWS = 16
_TOLERANCE = 1e-6


def describe_checks(classifier: BaseEstimator) -> dict:
    """Score the check rows of a model, for its manifest.

    Parameters
    ----------
    classifier : estimator
        Fitted classifier.

    Returns
    -------
    dict
        ``scores`` of the check rows (none for a classifier of other makers) and ``measuring``, the
        number of the code that measures images.
    """
    scores = []
    if isinstance(classifier, HybridLesionClassifier):
        scores = _score_rows(classifier).tolist()
    return {"scores": scores, "measuring": FEATURE_VERSION}


def check_versions(path: str | os.PathLike, manifest: dict, classifier: BaseEstimator) -> None:
    """Apply the rule of this module to a loaded model.

    Parameters
    ----------
    path : str or path-like
        Its file, for messages.
    manifest : dict
        Its manifest.
    classifier : estimator
        The loaded classifier.

    Raises
    ------
    ArtifactError
        If a library differs and the check rows score otherwise.

    Warns
    -----
    UserWarning
        If a library differs, or images are measured otherwise.
    """
    checks = manifest.get("checks")
    checks = checks if isinstance(checks, dict) else {}
    _warn_of_measuring(path, manifest, checks.get("measuring"))
    differing = _differing(manifest.get("versions"))
    if not differing:
        return
    expected = checks.get("scores")
    if not expected or not isinstance(classifier, HybridLesionClassifier):
        _warn(
            f"{path} was saved with {differing}. Scores may differ; install the same versions, or "
            "fit the model again."
        )
        return
    if not _agree(expected, classifier):
        raise ArtifactError(
            f"{path} was saved with {differing}, and here it scores its check rows otherwise. "
            "Install the same versions, or fit the model again."
        )
    _warn(f"{path} was saved with {differing}. Its check rows score the same here.")


def _agree(expected: object, classifier: HybridLesionClassifier) -> bool:
    try:
        difference = _score_rows(classifier) - np.asarray(expected, dtype=float)
    except Exception:  # whatever another version raises: it does not score as it did
        return False
    return bool(np.all(np.abs(difference) <= _TOLERANCE))


def _warn_of_measuring(path: str | os.PathLike, manifest: dict, measuring: object) -> None:
    if manifest.get("featurizer") is not None and measuring not in (None, FEATURE_VERSION):
        _warn(
            f"{path} was fitted on images measured by code of number {measuring}; this release "
            f"has number {FEATURE_VERSION} and measures otherwise: scores of images will be off. "
            "Extract the features again and fit again."
        )


def _differing(saved: object) -> str:
    saved = saved if isinstance(saved, dict) else {}
    parts = []
    for library in _SCORING:
        here = importlib.metadata.version(library)
        if library in saved and _release(str(saved[library])) != _release(here):
            parts.append(f"{library} {saved[library]} (here: {here})")
    return " and ".join(parts)


def _release(version: str) -> list[str]:
    return version.split(".")[:2]


def _score_rows(classifier: HybridLesionClassifier) -> np.ndarray:
    """Score rows of all magnitudes and both signs, and one without any value."""
    n_columns = classifier.n_features_in_
    row, column = np.mgrid[:_N_ROWS, :n_columns]
    # Sines rather than random numbers, whose streams a version of numpy may change.
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
    # Patients of three lesions, and one of a single lesion: both are scored in their own way.
    patients = [f"patient {k // 3}" for k in range(_N_ROWS)]
    return classifier.predict_proba(table.assign(**text, patient_id=patients))[:, 1]


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=4)
