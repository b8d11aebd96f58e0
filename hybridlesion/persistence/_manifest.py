"""Manifest of a model file: plain JSON values, their checks and their description as text."""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
import os
import platform
import warnings
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion import __version__
from hybridlesion._formatting import (
    count_words,
    measure_words,
    name_rule,
    printable,
    threshold_words,
)
from hybridlesion.exceptions import ArtifactError
from hybridlesion.featurizer import FEATURE_VERSION
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.persistence._weights import SIDECAR
from hybridlesion.pipeline import split_steps

INTENDED_USE = (
    "Research on triage of dermoscopic images. Not a medical device: no score may decide about a "
    "patient. The scores are calibrated for the prevalence and the cameras of the training data."
)

_LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "scikit-image", "lightgbm")
_IMAGE_LIBRARIES = ("torch", "timm", "opencv-python", "pillow")
# Libraries that compute the scores.
_SCORING_LIBRARIES = ("scikit-learn", "lightgbm", "numpy", "scipy")

# Number of rows by which a model is checked, and the largest difference of their scores.
_N_ROWS = 16
_TOLERANCE = 1e-6


def make_manifest(
    model: BaseEstimator,
    training: Mapping[str, object],
    metrics: pd.DataFrame | None,
    files: Mapping[str, bytes],
    sidecars: Mapping[str, str],
) -> dict:
    """Create the manifest of a fitted model.

    Parameters
    ----------
    model : Pipeline or estimator
        Fitted model.
    training : mapping
        Description of the training data, from `hybridlesion.training.describe_training`.
    metrics : DataFrame or None
        Table with columns metric, value, low and high.
    files : mapping of str to bytes
        Weight files of the model.
    sidecars : mapping of str to str
        Names of weight files stored in the folder of the artifact because they are too large to be
        stored inside.

    Returns
    -------
    dict
        Plain JSON values, with NaN and infinities replaced by None.
    """
    featurizer, classifier = split_steps(model)
    parameters = classifier.get_params(deep=False)
    folds = {name: parameters.get(name) for name in ("n_splits", "n_seeds", "random_state")}
    if hasattr(classifier, "folds_"):  # few patients allow fewer folds than requested
        folds["n_splits"] = int(classifier.folds_.max()) + 1
    scores = _score_rows(classifier) if isinstance(classifier, HybridLesionClassifier) else []
    recalibration = getattr(classifier, "recalibration_", None)
    manifest = {
        "intended_use": INTENDED_USE,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": _versions(with_images=featurizer is not None),
        "model": {"class": type(classifier).__name__, "parameters": parameters},
        "folds": folds,
        "threshold": getattr(classifier, "threshold_", None),
        "threshold_rule": name_rule(parameters),
        "thresholds": [
            {"sensitivity": key, "threshold": at.value, "low": at.low, "high": at.high}
            for key, at in getattr(classifier, "threshold_intervals_", {}).items()
        ],
        "diagnoses": _describe_diagnoses(classifier),
        "features": _describe_features(classifier),
        "featurizer": None if featurizer is None else featurizer.get_params(deep=False),
        "files": {
            name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            | ({SIDECAR: sidecars[name]} if name in sidecars else {})
            for name, data in files.items()
        },
        "checks": {"scores": scores, "measuring": FEATURE_VERSION},
        "training": dict(training),
        "recalibration": None if recalibration is None else recalibration.facts(),
        "metrics": [] if metrics is None else metrics.to_dict("records"),
    }
    return _plain(manifest)


def check_schema(path: str | os.PathLike, manifest: Mapping, classifier: BaseEstimator) -> None:
    """Check that the columns of a model match the description in its manifest.

    Parameters
    ----------
    path : str or path-like
        File of the model, for the message.
    manifest : mapping
        Manifest of the model.
    classifier : estimator
        Loaded classifier.

    Raises
    ------
    ArtifactError
        If the digests of the column names differ, so that the manifest belongs to another model.
    """
    described = manifest.get("features")
    digest = described.get("sha256") if isinstance(described, Mapping) else None
    if digest is not None and digest != _describe_features(classifier)["sha256"]:
        raise ArtifactError(
            f"{path}: its manifest describes features that its model does not take. Save it again."
        )


def check_versions(path: str | os.PathLike, manifest: Mapping, classifier: BaseEstimator) -> None:
    """Check that a model gives the same scores with the installed libraries.

    Parameters
    ----------
    path : str or path-like
        File of the model, for messages.
    manifest : mapping
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

    Notes
    -----
    LightGBM, scikit-learn, numpy and scipy, which compute the scores, are compared by version:

    1. If the major and minor versions agree (1.5.0 and 1.5.2), the model is accepted silently.
    2. Otherwise, 16 synthetic rows are scored and compared with the scores stored in the manifest.
       If all agree to within 1e-6, the model is loaded with a warning; otherwise it is rejected.
    3. Files of protocol 1 store no such scores, so a warning lists the versions that differ.

    A warning is also issued if this release of hybridlesion measures images differently: the model
    cannot score images then, while earlier feature tables remain valid.
    """
    checks = manifest.get("checks")
    checks = checks if isinstance(checks, dict) else {}
    measuring = checks.get("measuring")
    if manifest.get("featurizer") is not None and measuring not in (None, FEATURE_VERSION):
        _warn(
            f"{path} was fitted on features of version {measuring}, but this release computes "
            f"version {FEATURE_VERSION}: it can score tables of that version, but no images. "
            "Extract the features again and fit again."
        )
    differing = _differing(manifest.get("versions"))
    if not differing:
        return
    saved, expected = f"{path} was saved with {differing}", checks.get("scores")
    if not expected or not isinstance(classifier, HybridLesionClassifier):
        _warn(f"{saved}. Scores may differ; install the same versions, or fit the model again.")
    elif _agree(expected, classifier):
        _warn(f"{saved}. Its check rows score the same here.")
    else:
        raise ArtifactError(
            f"{saved}, and its check rows score differently here. Install the same versions, or "
            "fit the model again."
        )


def _agree(expected: object, classifier: HybridLesionClassifier) -> bool:
    try:
        difference = _score_rows(classifier) - np.asarray(expected, dtype=float)
    except Exception:  # an error of another library version, too, means different scores
        return False
    return bool(np.all(np.abs(difference) <= _TOLERANCE))


def _differing(saved: object) -> str:
    saved = saved if isinstance(saved, dict) else {}
    here = {library: importlib.metadata.version(library) for library in _SCORING_LIBRARIES}
    return " and ".join(
        f"{library} {saved[library]} (here: {version})"
        for library, version in here.items()
        if library in saved and str(saved[library]).split(".")[:2] != version.split(".")[:2]
    )


def _score_rows(classifier: HybridLesionClassifier) -> np.ndarray:
    """Score rows with values of all magnitudes and both signs, and a row of missing values."""
    row, column = np.mgrid[:_N_ROWS, : classifier.n_features_in_]
    # Sines rather than random numbers, because random streams may change between numpy versions.
    values = np.sin(1 + 7.1 * row + 1.3 * column) * 10.0 ** (row % 8 - 3)
    values[-1] = np.nan
    names = getattr(classifier, "feature_names_in_", None)
    table = values if names is None else pd.DataFrame(values, columns=names)
    if names is not None and classifier.encoder_ is not None:
        known = classifier.encoder_.categories_.items()
        text = {name: np.resize(words, _N_ROWS) for name, words in known if name in table}
        # Patients with three lesions and a patient with a single lesion, scored differently.
        patients = [f"patient {k // 3}" for k in range(_N_ROWS)]
        table = table.assign(**text, patient_id=patients)
    return classifier.predict_proba(table)[:, 1]


def _warn(text: str) -> None:
    warnings.warn(text, UserWarning, stacklevel=5)


def _versions(*, with_images: bool) -> dict[str, str]:
    found = {"python": platform.python_version(), "hybridlesion": __version__}
    for library in (*_LIBRARIES, *(_IMAGE_LIBRARIES if with_images else ())):
        # It may be installed under another name, such as opencv-python-headless.
        with suppress(importlib.metadata.PackageNotFoundError):
            found[library] = importlib.metadata.version(library)
    return found


def _describe_features(classifier: BaseEstimator) -> dict:
    names = [str(name) for name in getattr(classifier, "feature_names_in_", ())]
    families = Counter(name.split("__")[0] if "__" in name else "other" for name in names)
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    return {"names": names, "sha256": digest, "families": families}


def _describe_diagnoses(classifier: BaseEstimator) -> dict[str, bool]:
    """Return the diagnoses that a classifier learned, and whether each counts as malignant."""
    learned = getattr(classifier, "diagnosis_", None)
    if learned is None:
        return {}
    return dict(zip(learned.classes_, classifier.malignant_diagnoses_, strict=True))


def _plain(value: Any) -> Any:
    """Convert numpy values, tuples and mappings to JSON values, and other objects to their repr."""
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


# Metrics before recalibration that the description shows.
_BEFORE = ("auc", "recall", "specificity", "calibration_in_the_large", "calibration_slope")

_SIGNATURES = {
    "valid": ["Signed with this key."],
    "unchecked": ["Signed; give the key to check the signature (`key`)."],
}


def describe_manifest(manifest: Mapping) -> str:
    """Describe a manifest as text.

    Parameters
    ----------
    manifest : mapping
        Manifest, as returned by `read_manifest`.

    Returns
    -------
    str
        Paragraphs on the model, its training data, its performance and library versions, with
        control characters escaped.

    Raises
    ------
    ArtifactError
        If part of the manifest does not have the form that this release writes.

    Examples
    --------
    >>> text = describe_manifest({"protocol": 1, "training": {"n_rows": 90, "n_positive": 9}})
    >>> print(text.splitlines()[2])
    Trained on 90 lesions, 9 of them malignant (10.0 %).
    """
    try:
        named = (manifest.get("versions") or {}).items()
        versions = [f"{name} {version}" for name, version in named]
        paragraphs = [
            _model_lines(manifest),
            _training_lines(manifest.get("training") or {}),
            _metric_lines(manifest),
            _recalibration_lines(manifest.get("recalibration") or {}),
            _feature_lines(manifest),
            [f"Created with {', '.join(versions)}."] if versions else [],
            [str(manifest["intended_use"])] if "intended_use" in manifest else [],
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"the manifest cannot be described ({type(error).__name__}): this release writes it in "
            "another form. hybridlesion.persistence.read_manifest returns it unchanged; with "
            "`hybridlesion inspect`, pass `as_json`."
        ) from error
    return printable("\n\n".join("\n".join(lines) for lines in paragraphs if lines))


def _model_lines(manifest: Mapping) -> list[str]:
    model, folds = manifest.get("model") or {}, manifest.get("folds") or {}
    created = f", created {manifest['created']}" if "created" in manifest else ""
    line = f"{model.get('class', 'Model')}{created}, artifact protocol {manifest.get('protocol')}."
    if folds.get("n_splits"):
        seeds = f"{folds.get('n_seeds')} seed(s), random state {folds.get('random_state')}"
        line += f" {folds['n_splits']} folds, {seeds}."
    return [line, *_SIGNATURES.get(manifest.get("signature"), ())]


def _training_lines(facts: Mapping) -> list[str]:
    if "n_rows" not in facts:
        return ["Its training data are not described."]
    n_rows, n_positive = facts["n_rows"], facts.get("n_positive", 0)
    patients = f" of {facts['n_patients']:,} patients" if facts.get("n_patients") else ""
    share = f"{n_positive:,} of them malignant ({100 * n_positive / max(n_rows, 1):.1f} %)"
    lines = [f"Trained on {n_rows:,} lesions{patients}, {share}."]
    if facts.get("tables"):
        lines.append(f"Tables: {', '.join(map(str, facts['tables']))}.")
    if facts.get("digest"):
        lines.append(f"Digest of the training rows: {facts['digest'][:16]}...")
    if facts.get("leading_score"):
        lines.append(f"Leading score of the network: {facts['leading_score']}.")
    if facts.get("set_aside"):
        lines.append(f"Excluded columns: {', '.join(facts['set_aside'])}.")
    return lines


def _metric_lines(manifest: Mapping) -> list[str]:
    rows, threshold = list(manifest.get("metrics") or ()), manifest.get("threshold")
    unit = _unit(manifest.get("training") or {})
    width = max((len(str(row.get("metric"))) for row in rows), default=0)
    lines = [f"Out-of-fold, with 95 % intervals over {unit}:"] if rows else []
    for row in rows:
        value, interval = measure_words(*(row.get(k) for k in ("metric", "value", "low", "high")))
        shown = f"  ({interval})" if interval else ""
        lines.append(f"  {row.get('metric')!s:<{width}}  {value}{shown}")
    if threshold is not None:
        # Files from earlier releases lack the rule, but it follows from the parameters.
        parameters = (manifest.get("model") or {}).get("parameters") or {}
        rule = manifest.get("threshold_rule") or name_rule(parameters)
        lines.append(
            f"Lesions are classified as malignant at or above {threshold_words(threshold, rule)}."
        )
    lines += [
        f"{100 * at['sensitivity']:.4g} % sensitivity: from {at['threshold']:.4g} on "
        f"({at['low']:.4g} to {at['high']:.4g})."
        for at in manifest.get("thresholds") or ()
    ]
    return lines


def _recalibration_lines(facts: Mapping) -> list[str]:
    if not facts:
        return []
    share = 100 * facts["n_positive"] / facts["n_rows"]
    losses = ", ".join(f"{name} {loss:.4f}" for name, loss in facts["log_loss"].items())
    lines = [
        f"Recalibrated ({facts['method']}) on {count_words(facts['n_rows'], 'lesion')} in "
        f"{count_words(facts['n_groups'], 'group')}, {facts['n_positive']:,} of them malignant "
        f"({share:.1f} %). Scores and thresholds, but not the out-of-fold metrics, are those after "
        "recalibration.",
        f"Cross-validated log loss: {losses}.",
        f"Before, on these lesions, at the threshold {facts['threshold']:.4g}:",
    ]
    for row in facts["before"]:
        if row["metric"] in _BEFORE:
            value, interval = measure_words(*(row[k] for k in ("metric", "value", "low", "high")))
            lines.append(f"  {row['metric']} {value}" + (f" ({interval})" if interval else ""))
    return lines


def _unit(facts: Mapping) -> str:
    """Return the unit of the bootstrap, which is "patients" only if every group is a patient."""
    n_groups = facts.get("n_groups", facts.get("n_patients"))
    if facts.get("n_patients") and n_groups == facts["n_patients"]:
        return "patients"
    return "images" if n_groups in (None, facts.get("n_rows")) else "groups"


def _feature_lines(manifest: Mapping) -> list[str]:
    features, featurizer = manifest.get("features") or {}, manifest.get("featurizer")
    lines = []
    if features.get("names"):
        families = ", ".join(f"{name} {n}" for name, n in (features.get("families") or {}).items())
        digest = str(features.get("sha256", ""))[:16]
        lines.append(f"{len(features['names'])} features ({families}), schema {digest}...")
    learned = manifest.get("diagnoses") or {}
    if learned:
        named = [f"{name}{' (malignant)' if side else ''}" for name, side in learned.items()]
        lines.append(f"Gives the probabilities of {', '.join(named)}.")
    if featurizer is None:
        return [*lines, "Scores feature tables; cannot measure images."]
    settings = ", ".join(f"{name}={value}" for name, value in featurizer.items())
    lines.append(f"Measures images with: {settings}.")
    for name, facts in (manifest.get("files") or {}).items():
        verb = f"Needs {facts[SIDECAR]} in its folder:" if SIDECAR in facts else "Includes"
        lines.append(f"{verb} {name} ({facts.get('bytes', 0) / 1e6:.1f} MB).")
    return lines
