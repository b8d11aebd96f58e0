"""What ``--embedder NAME|PATH|none`` means."""

from __future__ import annotations

import difflib
from pathlib import Path

import typer

__all__ = ["read_embedder"]

_WORDS = ("none", "finetuned")
_WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


def read_embedder(text: str, weights: Path | None) -> dict[str, str | None]:
    """Tell a timm model name from a weight file and from a fine-tuned folder.

    Parameters
    ----------
    text : str
        A timm model name, ``"finetuned"``, ``"none"``, a weight file, or a folder of
        `hybridlesion finetune`.
    weights : Path or None
        Weight file for a model given by name.

    Returns
    -------
    dict
        Parameters ``embedder`` and ``weights`` of `LesionFeaturizer`.

    Raises
    ------
    typer.BadParameter
        If timm has no such model, there is no network for `weights`, the architecture of a weight
        file cannot be told from its name, or a folder holds nothing fine-tuned.

    Notes
    -----
    A file or its folder is expected to be named as timm names weights, ``ARCHITECTURE.TAG``:
    ``mobilenetv2_100.my_run.safetensors`` or ``mobilenetv2_100.my_run/model.safetensors``.
    """
    path = Path(text)
    if path.is_file() and path.suffix not in (".zip", *_WEIGHT_SUFFIXES):
        raise typer.BadParameter(
            f"{path} is no weight file; these end in {', '.join(_WEIGHT_SUFFIXES)}, fine-tuned "
            "networks in .zip."
        )
    if path.is_dir() or path.suffix == ".zip":
        return _read_finetuned(path, weights)
    if path.suffix not in _WEIGHT_SUFFIXES:
        _check_name(text, weights)
        return {"embedder": text, "weights": None if weights is None else str(weights)}
    if weights is not None:
        raise typer.BadParameter("give the weight file once: as --embedder PATH, or as --weights.")
    if not path.is_file():
        raise typer.BadParameter(f"the weight file {path} does not exist.")
    from hybridlesion._optional import import_timm

    timm = import_timm()
    for name in (path.name, path.resolve().parent.name):
        architecture = name.split(".")[0]
        if timm.is_model(architecture):
            return {"embedder": architecture, "weights": str(path)}
    raise typer.BadParameter(
        f"cannot tell which network {path} belongs to. Name it: --embedder mobilenetv2_100 "
        f"--weights {path}"
    )


def _read_finetuned(path: Path, weights: Path | None) -> dict[str, str | None]:
    from hybridlesion.embedding.finetuning import is_finetuned

    if not is_finetuned(path):
        raise typer.BadParameter(
            f"{path} holds no fine-tuned networks; `hybridlesion finetune --out` writes such a "
            "folder. A weight file of a timm model is named itself, not its folder."
        )
    if weights is not None:
        raise typer.BadParameter(f"{path} brings its own weights: leave --weights out.")
    return {"embedder": "finetuned", "weights": str(path)}


def _check_name(name: str, weights: Path | None) -> None:
    if name in _WORDS:
        if weights is not None:
            raise typer.BadParameter(
                f"--weights {weights} needs the network it belongs to: name it, for example "
                "--embedder mobilenetv2_100."
            )
        return
    from hybridlesion.embedding.hub import check_model_name
    from hybridlesion.exceptions import OptionError

    try:
        check_model_name(name)
    except OptionError as error:
        meant = difflib.get_close_matches(name, _WORDS, n=1, cutoff=0.7)
        hint = f" Did you mean {meant[0]!r}?" if meant else ""
        raise typer.BadParameter(f"{error}{hint}") from error
