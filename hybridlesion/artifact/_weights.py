"""The files that a model measures images with travel with it: weights of its networks."""

from __future__ import annotations

import copy
import hashlib
import os
import tempfile
from pathlib import Path

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hybridlesion._files import atomic_path
from hybridlesion._steps import split_steps
from hybridlesion.artifact._network_files import check_file_name, embedder_file, segmenter_file
from hybridlesion.exceptions import ArtifactError, SourceError
from hybridlesion.segmentation import SEGMENTERS

__all__ = ["attach_weights", "detach_weights"]


def detach_weights(model: BaseEstimator) -> tuple[BaseEstimator, dict[str, bytes]]:
    """Take the weight files out of a model, so that no path of this machine is stored.

    Parameters
    ----------
    model : Pipeline or estimator
        Fitted model.

    Returns
    -------
    model : Pipeline or estimator
        A shallow copy that names its weight files without their folders.
    files : dict of str to bytes
        The files of the embedder and of the segmenter by these names; a fine-tuned folder as one
        packed file. What ships with the package or comes from timm's hub goes along, too: another
        release may ship, and the hub may hold, another one. Empty if the model has no network.

    Raises
    ------
    ArtifactError
        If a weight file is gone, or timm's hub holds other weights than the model was fitted with.
    """
    featurizer, _ = split_steps(model)
    if featurizer is None:
        return model, {}
    embedder, segmenter = embedder_file(featurizer), segmenter_file(featurizer)
    named = {"weights": embedder, "segmenter": segmenter}
    named = {parameter: file for parameter, file in named.items() if file is not None}
    files = dict(named.values())
    return _with_files(model, **{key: name for key, (name, _) in named.items()}), files


def attach_weights(model: BaseEstimator, files: dict[str, bytes]) -> BaseEstimator:
    """Put the weight files of a loaded model where its networks can read them.

    Parameters
    ----------
    model : Pipeline or estimator
        What `detach_weights` gave, after unpickling.
    files : dict of str to bytes
        The files of the artifact.

    Returns
    -------
    Pipeline or estimator
        The model, naming files in the user's cache folder and no other files of this machine.

    Raises
    ------
    ArtifactError
        If the artifact does not carry a file that the model names.
    """
    featurizer, _ = split_steps(model)
    if featurizer is None:
        return model
    named = {"weights": featurizer.weights}
    if featurizer.segmenter not in SEGMENTERS:
        named["segmenter"] = featurizer.segmenter
    placed = {}
    for parameter, name in named.items():
        if name is not None and name not in files:
            raise ArtifactError(
                f"the model needs the weight file {name!r}, which its artifact lacks. Fit again, "
                "or save again with the weight file at hand."
            )
        placed[parameter] = None if name is None else str(_materialise(name, files[name]))
    return _with_files(model, **placed)


def _materialise(name: str, data: bytes) -> Path:
    """Write the file once per content; a file that someone changed is written again."""
    digest = hashlib.sha256(data).hexdigest()
    path = _cache_folder() / "weights" / digest[:32] / check_file_name(name)
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        with atomic_path(path) as temporary:
            temporary.write_bytes(data)
    return path


def _cache_folder() -> Path:
    """The user's cache folder, or a private temporary one where there is none to write to."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(home) / "hybridlesion"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except (OSError, SourceError):
        return Path(tempfile.mkdtemp(prefix="hybridlesion-"))


def _with_files(model: Pipeline, **named: str | None) -> Pipeline:
    """Copy the pipeline and its featurizer, with other files; fitted parts are shared."""
    featurizer = copy.copy(model[0])
    for parameter, name in named.items():
        setattr(featurizer, parameter, name)
    if "weights" in named and getattr(featurizer, "embedder_", None) is not None:
        featurizer.embedder_ = copy.copy(featurizer.embedder_)
        featurizer.embedder_.weights = named["weights"]
    pipeline = copy.copy(model)
    pipeline.steps = [(model.steps[0][0], featurizer), *model.steps[1:]]
    return pipeline
