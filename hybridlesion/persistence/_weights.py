"""The files that a model measures images with travel with it: weights of its networks."""

from __future__ import annotations

import copy
import hashlib
import os
import tempfile
from pathlib import Path

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hybridlesion._atomic import atomic_path
from hybridlesion.cnn import SHIPPED, Finetuned
from hybridlesion.exceptions import ArtifactError, SourceError
from hybridlesion.featurizer import FINETUNED, LesionFeaturizer
from hybridlesion.pipeline import split_steps
from hybridlesion.segmentation import SEGMENTERS
from hybridlesion.segmentation.refiner import SHIPPED_WEIGHTS

__all__ = ["attach_weights", "check_file_name", "detach_weights", "embedder_file", "segmenter_file"]


def embedder_file(featurizer: LesionFeaturizer) -> tuple[str, bytes] | None:
    """Read the network that embeds or scores images.

    Parameters
    ----------
    featurizer : LesionFeaturizer
        Of the model.

    Returns
    -------
    tuple of str and bytes, or None
        Name and bytes of one file; None without a network.

    Raises
    ------
    ArtifactError
        If it is gone, or timm's hub holds another one than the model was fitted with.
    """
    if featurizer.embedder == "none":
        return None
    if featurizer.embedder == FINETUNED:
        path = Path(featurizer.weights or SHIPPED)
        return _plain_name(f"{path.stem}.zip"), _packed(path)
    if featurizer.weights is None:
        return _plain_name(f"{featurizer.embedder}.safetensors"), _from_hub(featurizer)
    path = Path(featurizer.weights)
    return _plain_name(path.name), _read(path, "weights")


def segmenter_file(featurizer: LesionFeaturizer) -> tuple[str, bytes] | None:
    """Read the refiner.

    Parameters
    ----------
    featurizer : LesionFeaturizer
        Of the model.

    Returns
    -------
    tuple of str and bytes, or None
        Name and bytes of its file; None where masks are drawn without a network.

    Raises
    ------
    ArtifactError
        If it is gone.
    """
    if featurizer.segmenter == "classical":
        return None
    shipped = featurizer.segmenter in SEGMENTERS
    path = SHIPPED_WEIGHTS if shipped else Path(featurizer.segmenter)
    return _plain_name(f"segmenter-{path.name}"), _read(path, "segmenter")


def _from_hub(featurizer: LesionFeaturizer) -> bytes:
    """Pack timm's own weights, which this machine has since the model was fitted with them."""
    from safetensors.torch import save

    from hybridlesion.cnn.backbone import create_pretrained, weights_digest

    try:
        network = create_pretrained(featurizer.embedder)
    except SourceError as error:
        raise ArtifactError(f"the model's network is gone: {error}") from error
    fitted = getattr(featurizer, "embedder_", None)
    if fitted is not None and weights_digest(network) != fitted.weights_digest_:
        raise ArtifactError(
            f"timm's weights of {featurizer.embedder!r} are not those the model was fitted with. "
            "Fit again, or set features__weights to the file of then."
        )
    return save({name: value.contiguous() for name, value in network.state_dict().items()})


def check_file_name(name: object) -> str:
    """Make sure that a name from an artifact is that of a file and leads nowhere else.

    Parameters
    ----------
    name : object
        What the artifact says.

    Returns
    -------
    str
        `name`.

    Raises
    ------
    ArtifactError
        If it holds a folder or unprintable characters, is hidden, or too long.

    Examples
    --------
    >>> check_file_name("model.safetensors")
    'model.safetensors'
    """
    plain = isinstance(name, str) and name.isprintable() and 0 < len(name.encode()) <= 200
    if not plain or name.startswith(".") or any(mark in name for mark in "/\\:"):
        raise ArtifactError(f"the artifact carries a file of the name {str(name)[:80]!r}.")
    return name


def _plain_name(name: str) -> str:
    kept = "".join(c if c.isalnum() or c in "._- " else "_" for c in name).lstrip(".")
    return check_file_name(kept[-100:])


def _read(path: Path, parameter: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"the model's weight file {path} cannot be read ({error.strerror}); the artifact must "
            f"carry it to score images. Put it back, or set features__{parameter} to where it is "
            "now."
        ) from error


def _packed(path: Path) -> bytes:
    try:
        return Finetuned.read(path).pack()
    except SourceError as error:
        raise ArtifactError(f"the model's fine-tuned networks are gone: {error}") from error


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
