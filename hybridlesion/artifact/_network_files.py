"""The networks that a model measures images with, each as one file of plain bytes."""

from __future__ import annotations

from pathlib import Path

from hybridlesion.embedding.finetuning import SHIPPED, Finetuned
from hybridlesion.exceptions import ArtifactError, SourceError
from hybridlesion.segmentation import SEGMENTERS
from hybridlesion.segmentation.refiner import SHIPPED_WEIGHTS
from hybridlesion.table import FINETUNED, LesionFeaturizer

__all__ = ["check_file_name", "embedder_file", "segmenter_file"]


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

    from hybridlesion.embedding.hub import create_pretrained
    from hybridlesion.embedding.weights import weights_digest

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
