"""The model card: what the file says of the model, as rows of a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hybridlesion._formatting import threshold_words
from hybridlesion.explain import FAMILY_TITLES, family_of
from hybridlesion.reporting.html._cases import Bar
from hybridlesion.reporting.html._report_data import Evidence

__all__ = ["LIMITS", "describe_data", "describe_model", "weigh_families"]

LIMITS = (
    "It knows only what its training data hold: other cameras, skin tones, ages or diagnoses may "
    "be scored wrongly, and the probabilities hold for a like share of malignant lesions.",
    "Missing age, sex or site is borne, and makes a score less certain. Images that cannot be read "
    "are listed, never scored; a picture without a lesion still gets a score.",
    "Reasons say what moved the model, not what causes disease.",
)


def describe_data(evidence: Evidence) -> list[tuple[str, str]]:
    """Tell what the model learned from, and how it was divided.

    Parameters
    ----------
    evidence : Evidence
        What is known.

    Returns
    -------
    list of tuple of str
        Title and words; "not recorded" where the file does not say.
    """
    facts, folds = (evidence.manifest.get(key) or {} for key in ("training", "folds"))
    n_rows, n_positive = facts.get("n_rows"), facts.get("n_positive")
    share = f" ({100 * n_positive / n_rows:.1f} %)" if n_rows and n_positive is not None else ""
    return [
        ("Lesions", _count(n_rows)),
        ("Malignant", f"{_count(n_positive)}{share}"),
        ("Patients", _count(facts.get("n_patients"))),
        ("Groups kept whole", _count(facts.get("n_groups"))),
        ("Tables", ", ".join(map(str, facts.get("tables") or ())) or "not recorded"),
        ("Folds", _text(folds.get("n_splits"))),
        ("Times the folds were drawn", _text(folds.get("n_seeds"))),
        ("Random state", _text(folds.get("random_state"))),
        ("Digest of the rows", str(facts.get("digest") or "not recorded")[:16]),
        *[("Note", note) for note in evidence.notes],
    ]


def describe_model(evidence: Evidence) -> list[tuple[str, str]]:
    """Tell what the model is.

    Parameters
    ----------
    evidence : Evidence
        What is known.

    Returns
    -------
    list of tuple of str
        Title and words.
    """
    manifest = evidence.manifest
    model, features = manifest.get("model") or {}, manifest.get("features") or {}
    featurizer = manifest.get("featurizer")
    families = ", ".join(f"{name} {n}" for name, n in (features.get("families") or {}).items())
    measured = "tables only" if featurizer is None else _pairs(featurizer)
    files = manifest.get("files") or {}
    return [
        ("Intended use", _text(manifest.get("intended_use"))),
        ("File", f"{evidence.name}, artifact protocol {_text(manifest.get('protocol'))}"),
        ("Made", _text(manifest.get("created"))),
        ("Kind", "Boosted trees (LightGBM) and a logistic regression, averaged over folds and "
                 "calibrated out of fold"),
        ("Class", _text(model.get("class"))),
        ("Parameters", _pairs(model.get("parameters") or {})),
        ("Columns", f"{len(features.get('names') or ())} ({families})"),
        ("Images are measured by", measured),
        ("Weights inside", ", ".join(files) or "none"),
        ("Labels", _labels(evidence)),
        ("Made with", _pairs(manifest.get("versions") or {}, " ")),
    ]  # fmt: skip


def weigh_families(evidence: Evidence) -> list[Bar]:
    """Add up the importance of the columns of each family.

    Parameters
    ----------
    evidence : Evidence
        What is known.

    Returns
    -------
    list of Bar
        The families by falling weight; empty where the classifier tells none.
    """
    names = getattr(evidence.classifier, "feature_names_", ())
    shares = getattr(evidence.classifier, "feature_importances_", None)
    if shares is None or not len(names):
        return []
    weights: dict[str, float] = {}
    for name, share in zip(names, np.asarray(shares), strict=True):
        family = family_of(str(name))
        weights[family] = weights.get(family, 0.0) + float(share)
    most = max(weights.values()) or 1.0
    ordered = sorted(weights, key=lambda family: -weights[family])
    return [
        Bar(FAMILY_TITLES[f], f"{100 * weights[f]:.0f} %", 0.0, weights[f] / most, "level")
        for f in ordered
    ]


def _labels(evidence: Evidence) -> str:
    if evidence.threshold is None:
        return "not recorded"
    return f"malignant from {threshold_words(evidence.threshold, evidence.rule)} on"


def _pairs(values: Mapping, joint: str = "=") -> str:
    return ", ".join(f"{name}{joint}{value}" for name, value in values.items()) or "not recorded"


def _text(value: object) -> str:
    if value is None:
        return "not recorded"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _count(value: object) -> str:
    return "not recorded" if value is None else f"{value:,}"
