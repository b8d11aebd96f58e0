"""Weight files of a model's networks, which are stored with the model."""

from __future__ import annotations

import copy
import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hybridlesion._atomic import atomic_path
from hybridlesion.cnn import SHIPPED, Finetuned
from hybridlesion.exceptions import ArtifactError, SourceError
from hybridlesion.featurizer import FINETUNED_EMBEDDERS, LesionFeaturizer
from hybridlesion.pipeline import split_steps
from hybridlesion.segmentation import SEGMENTERS
from hybridlesion.segmentation.refiner import SHIPPED_WEIGHTS

# An artifact is read completely to check its digest, so a multi-gigabyte file would be slow to
# inspect.
MAX_INSIDE = 256 << 20

# Manifest key for the name of a weight file stored in the folder of the artifact.
SIDECAR = "beside"


def detach_weights(model: BaseEstimator) -> tuple[BaseEstimator, dict[str, bytes]]:
    """Extract the weight files from a model, so that no local path is stored.

    Parameters
    ----------
    model : Pipeline or estimator
        Fitted model.

    Returns
    -------
    model : Pipeline or estimator
        Shallow copy that refers to its weight files by name, without folders.
    files : dict of str to bytes
        Files of the embedder and of the segmenter, by name. A fine-tuned folder is packed into one
        file. Weights that ship with the package or come from timm's hub are included, because
        another release or the hub may change them. Empty if the model has no network.

    Raises
    ------
    ArtifactError
        If a weight file is missing, or the weights on timm's hub differ from those used in the fit.
    """
    featurizer, _ = split_steps(model)
    if featurizer is None:
        return model, {}
    named = {"weights": _embedder_file(featurizer), "segmenter": _segmenter_file(featurizer)}
    found = {parameter: file for parameter, file in named.items() if file is not None}
    names = {parameter: name for parameter, (name, _) in found.items()}
    return _with_files(model, **names), dict(found.values())


def attach_weights(model: BaseEstimator, files: Mapping[str, bytes]) -> BaseEstimator:
    """Write the weight files of a loaded model to the user's cache folder.

    Parameters
    ----------
    model : Pipeline or estimator
        Unpickled model from `detach_weights`.
    files : mapping of str to bytes
        Weight files of the artifact.

    Returns
    -------
    Pipeline or estimator
        Copy of the model that only refers to files in the cache folder.

    Raises
    ------
    ArtifactError
        If the artifact lacks a file that the model refers to.
    """
    featurizer, _ = split_steps(model)
    if featurizer is None:
        return model
    named = {"weights": featurizer.weights}
    if featurizer.segmenter not in SEGMENTERS:
        named["segmenter"] = featurizer.segmenter
    placed: dict[str, str | None] = {}
    for parameter, name in named.items():
        if name is not None and name not in files:
            raise ArtifactError(
                f"the model needs the weight file {name!r}, which its artifact lacks. Fit again."
            )
        placed[parameter] = None if name is None else str(_write_to_cache(name, files[name]))
    return _with_files(model, **placed)


def write_sidecar_files(
    path: Path, files: Mapping[str, bytes]
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Write files that are too large for the artifact to the artifact's folder.

    Parameters
    ----------
    path : Path
        Path of the artifact.
    files : mapping of str to bytes
        Weight files of the model.

    Returns
    -------
    inside : dict of str to bytes
        Files to store in the artifact.
    sidecars : dict of str to str
        Names of the files in the folder of `path`, by the names that the model uses.
    """
    inside, sidecars = {}, {}
    for name, data in files.items():
        if len(data) <= MAX_INSIDE:
            inside[name] = data
            continue
        digest = hashlib.sha256(data).hexdigest()
        file = path.with_name(f"{path.stem}.{name}")
        if _digest(file) not in (None, digest):
            # Do not overwrite the existing file, which another model or the user may need.
            file = path.with_name(f"{path.stem}.{digest[:16]}.{name}")
        with atomic_path(file) as temporary:
            temporary.write_bytes(data)
        sidecars[name] = file.name
    return inside, sidecars


def collect_files(
    path: str | os.PathLike,
    folder: Path | None,
    inside: Mapping[str, bytes],
    described: Mapping[str, object],
) -> dict[str, bytes]:
    """Collect the weight files of a model and check those outside its artifact.

    Parameters
    ----------
    path : str or path-like
        Path of the artifact, for messages.
    folder : Path or None
        Folder of the artifact, or None if unknown.
    inside : mapping of str to bytes
        Files stored in the artifact.
    described : mapping of str to object
        Descriptions of all files in the manifest.

    Returns
    -------
    dict of str to bytes
        All files by the names that the model uses.

    Raises
    ------
    ArtifactError
        If an outside file is missing or its content has changed.
    """
    files = {check_file_name(name): data for name, data in inside.items()}
    for name, facts in described.items():
        if not isinstance(facts, Mapping) or SIDECAR not in facts:
            continue
        sidecar = check_file_name(facts[SIDECAR])
        if folder is None:
            raise ArtifactError(
                f"the weights of this model are in the separate file {sidecar}, which joblib.load "
                "cannot find. Load the model with hybridlesion.load_artifact."
            )
        try:
            data = (folder / sidecar).read_bytes()
        except OSError as error:
            raise ArtifactError(
                f"{path} needs {sidecar} in the same folder ({error.strerror}): its weights are "
                "too large to be stored inside. Copy both."
            ) from error
        if hashlib.sha256(data).hexdigest() != facts.get("sha256"):
            raise ArtifactError(f"{folder / sidecar} is not the weight file that {path} needs.")
        files[check_file_name(name)] = data
    return files


def check_file_name(name: Any) -> str:
    """Check that a name in an artifact is a plain file name without a folder.

    Parameters
    ----------
    name : object
        Name from the artifact.

    Returns
    -------
    str
        The value of `name`.

    Raises
    ------
    ArtifactError
        If the name contains a folder or unprintable characters, is hidden, or is too long.

    Examples
    --------
    >>> check_file_name("model.safetensors")
    'model.safetensors'
    """
    plain = isinstance(name, str) and name.isprintable() and 0 < len(name.encode()) <= 200
    if not plain or name.startswith(".") or any(mark in name for mark in "/\\:"):
        raise ArtifactError(f"the artifact stores a file under the name {str(name)[:80]!r}.")
    return name


def _embedder_file(featurizer: LesionFeaturizer) -> tuple[str, bytes] | None:
    """Return name and content of the embedder's weight file, or None without an embedder."""
    if featurizer.embedder == "none":
        return None
    try:
        if featurizer.embedder in FINETUNED_EMBEDDERS:
            path = Path(featurizer.weights or SHIPPED)
            return _clean_name(f"{path.stem}.zip"), Finetuned.read(path).pack()
        if featurizer.weights is None:
            return _clean_name(f"{featurizer.embedder}.safetensors"), _from_hub(featurizer)
    except SourceError as error:
        raise ArtifactError(f"the model's network is missing: {error}") from error
    path = Path(featurizer.weights)
    return _clean_name(path.name), _read(path, "weights")


def _segmenter_file(featurizer: LesionFeaturizer) -> tuple[str, bytes] | None:
    """Return name and content of the refiner's weight file, or None without a refiner."""
    if featurizer.segmenter == "classical":
        return None
    shipped = featurizer.segmenter in SEGMENTERS
    path = SHIPPED_WEIGHTS if shipped else Path(featurizer.segmenter)
    return _clean_name(f"segmenter-{path.name}"), _read(path, "segmenter")


def _from_hub(featurizer: LesionFeaturizer) -> bytes:
    """Pack the pretrained timm weights, which were downloaded when the model was fitted."""
    from safetensors.torch import save

    from hybridlesion.cnn.backbone import create_pretrained, weights_digest

    network = create_pretrained(featurizer.embedder)
    fitted = getattr(featurizer, "embedder_", None)
    if fitted is not None and weights_digest(network) != fitted.weights_digest_:
        raise ArtifactError(
            f"timm's weights of {featurizer.embedder!r} are not those the model was fitted with. "
            "Fit again, or set features__weights to the file used then."
        )
    return save({name: value.contiguous() for name, value in network.state_dict().items()})


def _clean_name(name: str) -> str:
    kept = "".join(c if c.isalnum() or c in "._- " else "_" for c in name).lstrip(".")
    return check_file_name(kept[-100:])


def _read(path: Path, parameter: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"the model's weight file {path} cannot be read ({error.strerror}); the artifact must "
            f"include it to score images. Restore it, or set features__{parameter} to its new path."
        ) from error


def _digest(path: Path) -> str | None:
    """Return the SHA-256 digest of a file, or None if it does not exist."""
    if not path.is_file():
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_to_cache(name: str, data: bytes) -> Path:
    """Write a file to the cache once per content; a modified cached file is replaced."""
    digest = hashlib.sha256(data).hexdigest()
    path = _cache_folder() / "weights" / digest[:32] / check_file_name(name)
    if _digest(path) != digest:
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
    return path


def _cache_folder() -> Path:
    """Return the user's cache folder, or a private temporary folder if it is not writable."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(home) / "hybridlesion"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="hybridlesion-"))


def _with_files(model: Pipeline, **named: str | None) -> Pipeline:
    """Copy the pipeline and its featurizer with other files, sharing the fitted parts."""
    featurizer = copy.copy(model[0])
    for parameter, name in named.items():
        setattr(featurizer, parameter, name)
    if "weights" in named and getattr(featurizer, "embedder_", None) is not None:
        featurizer.embedder_ = copy.copy(featurizer.embedder_)
        featurizer.embedder_.weights = named["weights"]
    pipeline = copy.copy(model)
    pipeline.steps = [(model.steps[0][0], featurizer), *model.steps[1:]]
    return pipeline
