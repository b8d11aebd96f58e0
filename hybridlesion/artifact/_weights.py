"""The weight file of the network, or its fine-tuned folder, travels inside the artifact."""

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
from hybridlesion.embedding.finetuning import SHIPPED, Finetuned
from hybridlesion.exceptions import ArtifactError, SourceError
from hybridlesion.table import FINETUNED

__all__ = ["attach_weights", "detach_weights"]


def detach_weights(model: BaseEstimator) -> tuple[BaseEstimator, dict[str, bytes]]:
    """Take the weight file out of a model, so that no path of this machine is stored.

    Parameters
    ----------
    model : Pipeline or estimator
        Fitted model.

    Returns
    -------
    model : Pipeline or estimator
        A shallow copy that names the weight file without its folder.
    files : dict of str to bytes
        The weight file by that name, a fine-tuned folder as one packed file; empty if the model
        has none.

    Raises
    ------
    ArtifactError
        If the weight file is gone.
    """
    featurizer, _ = split_steps(model)
    weights = getattr(featurizer, "weights", None)
    if getattr(featurizer, "embedder", None) == FINETUNED:
        # The network that ships goes along, too: another release may ship another one.
        return _detach_finetuned(model, Path(weights or SHIPPED))
    if weights is None:
        return model, {}
    path = Path(weights)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"the model's weight file {path} cannot be read ({error.strerror}); the artifact must "
            "carry it to score images. Put it back, or set features__weights to where it is now."
        ) from error
    return _with_weights(model, path.name), {path.name: data}


def _detach_finetuned(model: Pipeline, path: Path) -> tuple[Pipeline, dict[str, bytes]]:
    try:
        packed = Finetuned.read(path).pack()
    except SourceError as error:
        raise ArtifactError(f"the model's fine-tuned networks are gone: {error}") from error
    name = f"{path.stem}.zip"
    return _with_weights(model, name), {name: packed}


def attach_weights(model: BaseEstimator, files: dict[str, bytes]) -> BaseEstimator:
    """Put the weight file of a loaded model where timm can read it.

    Parameters
    ----------
    model : Pipeline or estimator
        What `detach_weights` gave, after unpickling.
    files : dict of str to bytes
        The files of the artifact.

    Returns
    -------
    Pipeline or estimator
        The model, its `weights` pointing to a file in the user's cache folder.

    Raises
    ------
    ArtifactError
        If the artifact does not carry the file that the model names.
    """
    featurizer, _ = split_steps(model)
    name = getattr(featurizer, "weights", None)
    if name is None:
        return model
    if name not in files:
        raise ArtifactError(
            f"the model needs the weight file {name!r}, which its artifact lacks. Fit again, or "
            "save again with the weight file at hand."
        )
    return _with_weights(model, str(_materialise(name, files[name])))


def _materialise(name: str, data: bytes) -> Path:
    """Write the file once per content; a file that someone changed is written again."""
    digest = hashlib.sha256(data).hexdigest()
    path = _cache_folder() / "weights" / digest[:32] / Path(name).name
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


def _with_weights(model: Pipeline, weights: str) -> Pipeline:
    """Copy the pipeline and its featurizer, with other weights; fitted parts are shared."""
    featurizer = copy.copy(model[0])
    featurizer.weights = weights
    if getattr(featurizer, "embedder_", None) is not None:
        featurizer.embedder_ = copy.copy(featurizer.embedder_)
        featurizer.embedder_.weights = weights
    pipeline = copy.copy(model)
    pipeline.steps = [(model.steps[0][0], featurizer), *model.steps[1:]]
    return pipeline
