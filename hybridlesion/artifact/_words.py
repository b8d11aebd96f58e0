"""A manifest, told to people."""

from __future__ import annotations

from collections.abc import Mapping

from hybridlesion._strangers import printable
from hybridlesion._words import measure_words, name_rule, threshold_words
from hybridlesion.exceptions import ArtifactError

__all__ = ["describe_manifest"]

_SIGNATURES = {
    "valid": ("Signed with this key.",),
    "unchecked": ("Signed; give the key to check it (--key KEYFILE).",),
}


def describe_manifest(manifest: Mapping) -> str:
    """Tell a manifest in words.

    Parameters
    ----------
    manifest : mapping
        What `read_manifest` gave.

    Returns
    -------
    str
        A few paragraphs: what it is, what it learned from, how well it did, what made it. Nothing
        in it can steer a terminal.

    Raises
    ------
    ArtifactError
        If a part of the manifest is of another kind than this release writes.

    Examples
    --------
    >>> words = describe_manifest({"protocol": 1, "training": {"n_rows": 90, "n_positive": 9}})
    >>> print(words.splitlines()[2])
    Learned from 90 lesions, 9 of them malignant (10.0 %).
    """
    try:
        paragraphs = [
            _what_it_is(manifest),
            _training(manifest.get("training") or {}),
            _metrics(manifest),
            _features(manifest),
            _versions(manifest),
            [str(manifest["intended_use"])] if "intended_use" in manifest else [],
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"the manifest cannot be told in words ({type(error).__name__}): it is not as this "
            "release writes it. `hybridlesion inspect --json` shows it as it is."
        ) from error
    return printable("\n\n".join("\n".join(lines) for lines in paragraphs if lines))


def _what_it_is(manifest: Mapping) -> list[str]:
    model, folds = manifest.get("model") or {}, manifest.get("folds") or {}
    made = f", made {manifest['created']}" if "created" in manifest else ""
    line = f"{model.get('class', 'Model')}{made}, artifact protocol {manifest.get('protocol')}."
    if folds.get("n_splits"):
        line += (
            f" {folds['n_splits']} folds, {folds.get('n_seeds')} seed(s), random state "
            f"{folds.get('random_state')}."
        )
    return [line, *_SIGNATURES.get(manifest.get("signature"), ())]


def _training(facts: Mapping) -> list[str]:
    if "n_rows" not in facts:
        return ["Nothing is recorded of its training data."]
    n_rows, n_positive = facts["n_rows"], facts.get("n_positive", 0)
    patients = f" of {facts['n_patients']:,} patients" if facts.get("n_patients") else ""
    share = 100 * n_positive / max(n_rows, 1)
    lines = [
        f"Learned from {n_rows:,} lesions{patients}, {n_positive:,} of them malignant "
        f"({share:.1f} %)."
    ]
    if facts.get("tables"):
        lines.append(f"Tables: {', '.join(map(str, facts['tables']))}.")
    if facts.get("digest"):
        lines.append(f"Digest of the training rows: {facts['digest'][:16]}...")
    if facts.get("set_aside"):
        lines.append(f"Columns kept from it: {', '.join(facts['set_aside'])}.")
    return lines


def _metrics(manifest: Mapping) -> list[str]:
    rows, threshold = list(manifest.get("metrics") or ()), manifest.get("threshold")
    unit = _unit(manifest.get("training") or {})
    width = max((len(str(row.get("metric"))) for row in rows), default=0)
    lines = [f"Out-of-fold, with 95 % intervals over {unit}:"] if rows else []
    for row in rows:
        value, interval = measure_words(*(row.get(k) for k in ("metric", "value", "low", "high")))
        shown = f"  ({interval})" if interval else ""
        lines.append(f"  {row.get('metric')!s:<{width}}  {value}{shown}")
    if threshold is not None:
        # Files of earlier releases have no rule, but the parameters that it follows from.
        rule = manifest.get("threshold_rule") or name_rule(_parameters(manifest))
        lines.append(f"Lesions are called malignant from {threshold_words(threshold, rule)} on.")
    lines += [
        f"{at['sensitivity']:.0%} sensitivity: from {at['threshold']:.4g} on "
        f"({at['low']:.4g} to {at['high']:.4g})."
        for at in manifest.get("thresholds") or ()
    ]
    return lines


def _parameters(manifest: Mapping) -> Mapping:
    return (manifest.get("model") or {}).get("parameters") or {}


def _unit(facts: Mapping) -> str:
    """Name what the bootstrap drew: patients only where every group is one."""
    n_groups = facts.get("n_groups", facts.get("n_patients"))
    if facts.get("n_patients") and n_groups == facts["n_patients"]:
        return "patients"
    return "images" if n_groups in (None, facts.get("n_rows")) else "groups"


def _features(manifest: Mapping) -> list[str]:
    features, featurizer = manifest.get("features") or {}, manifest.get("featurizer")
    lines = []
    if features.get("names"):
        families = ", ".join(f"{name} {n}" for name, n in (features.get("families") or {}).items())
        digest = str(features.get("sha256", ""))[:16]
        lines.append(f"{len(features['names'])} features ({families}), schema {digest}...")
    if featurizer is None:
        return [*lines, "Scores tables; it cannot measure images."]
    settings = ", ".join(f"{name}={value}" for name, value in featurizer.items())
    lines.append(f"Measures images by itself: {settings}.")
    for name, facts in (manifest.get("files") or {}).items():
        where = f"Needs {facts['beside']} beside it for" if "beside" in facts else "Carries"
        lines.append(f"{where} {name} ({facts.get('bytes', 0) / 1e6:.1f} MB).")
    return lines


def _versions(manifest: Mapping) -> list[str]:
    versions = manifest.get("versions") or {}
    if not versions:
        return []
    return ["Made with " + ", ".join(f"{name} {version}" for name, version in versions.items())]
