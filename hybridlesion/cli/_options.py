"""Options that several commands share, worded once."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AsJson",
    "Benign",
    "Columns",
    "CostRatio",
    "Device",
    "DeviceName",
    "Groups",
    "IdColumn",
    "Images",
    "Jobs",
    "Key",
    "LabelsFromFolders",
    "Malignant",
    "Metadata",
    "PathColumn",
    "Restart",
    "Roots",
    "Segmenter",
    "Target",
    "offer",
    "read_embedder",
    "split_columns",
    "split_words",
]


def offer(*words: str) -> Callable[[str], list[str]]:
    """Make the completion of an option that takes one of a few words, or a file.

    Parameters
    ----------
    *words : str
        The words.

    Returns
    -------
    callable
        For the option's ``autocompletion``: the words that begin as what is typed. Where it
        gives none, the shell completes files.

    Examples
    --------
    >>> offer("classical", "refined")("re")
    ['refined']
    """

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


class DeviceName(StrEnum):
    """Where the network runs."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def _check_jobs(value: int) -> int:
    if value == 0:
        raise typer.BadParameter("0 processes do nothing; give 1 or more, or -1 for every core.")
    return value


def _check_cost_ratio(value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise typer.BadParameter(
            f"it says how many needless calls one missed lesion is worth, as 20; got {value:g}."
        )
    return value


def _check_segmenter(name: str) -> str:
    from hybridlesion.exceptions import SourceError
    from hybridlesion.segmentation import check_segmenter

    try:
        return check_segmenter(name)
    except (ValueError, SourceError) as error:
        raise typer.BadParameter(str(error)) from error


def split_words(text: str | None) -> list[str] | None:
    """Split a comma-separated option.

    Parameters
    ----------
    text : str or None
        What the user gave.

    Returns
    -------
    list of str or None
        The words without blanks; None for None.

    Examples
    --------
    >>> split_words('mel, bcc, "nevus, other"')
    ['mel', 'bcc', 'nevus, other']
    """
    if text is None:
        return None
    import csv

    (words,) = csv.reader([" ".join(text.splitlines())], skipinitialspace=True)
    return [word.strip() for word in words if word.strip()]


def split_columns(pairs: list[str] | None) -> dict[str, str] | None:
    """Read ``RECORD=COLUMN`` options.

    Parameters
    ----------
    pairs : list of str or None
        What the user gave.

    Returns
    -------
    dict of str to str, or None
        Column of the table by record column; None if nothing was given.

    Raises
    ------
    typer.BadParameter
        If a pair has no equals sign, or records have no such column.

    Examples
    --------
    >>> split_columns(["age=AgeAtVisit"])
    {'age': 'AgeAtVisit'}
    """
    if not pairs:
        return None
    from hybridlesion._validation import check_choice
    from hybridlesion.exceptions import OptionError
    from hybridlesion.metadata import Role

    named = {}
    for pair in pairs:
        record, mark, column = pair.partition("=")
        if not (record and mark and column):
            raise typer.BadParameter(f"--column takes RECORD=COLUMN, as age=AGE; got {pair!r}.")
        try:
            named[check_choice("RECORD of --column", record, map(str, Role))] = column
        except OptionError as error:
            raise typer.BadParameter(str(error)) from error
    return named


Images = Annotated[
    str,
    typer.Argument(
        metavar="IMAGES",
        help="Folder, image, zip, HDF5, table with a path column, or fsspec address.",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print the result as JSON on standard output, and nothing else."),
]
Metadata = Annotated[
    list[str] | None,
    typer.Option(metavar="TABLE", help="CSV, Parquet or Excel in any ISIC layout; repeat to join."),
]
Segmenter = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        callback=_check_segmenter,
        autocompletion=offer("classical", "refined"),
        help="What draws the mask: classical, refined, or a weight file of train-refiner.",
    ),
]
Device = Annotated[
    DeviceName, typer.Option(metavar="auto|cpu|cuda", help="Where the network runs.")
]
Jobs = Annotated[
    int,
    typer.Option(min=-1, metavar="N", callback=_check_jobs, help="Processes; -1 takes every core."),
]
Restart = Annotated[bool, typer.Option("--restart", help="Forget what an interrupted run left.")]
Key = Annotated[
    Path | None,
    typer.Option(
        "--key", metavar="KEYFILE", help="Refuse a model that was not signed with this key."
    ),
]
IdColumn = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Column that names the image, if it is not found."),
]
PathColumn = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Column of paths, where IMAGES is a table; else found."),
]
Roots = Annotated[
    list[str] | None,
    typer.Option(
        "--root",
        metavar="DIR",
        help="Where images of a table may lie besides its folder; repeat for more.",
    ),
]
LabelsFromFolders = Annotated[
    bool,
    typer.Option(
        "--labels-from-folders",
        help="Take each image's folder as its label: benign and malignant, or a diagnosis.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="RECORD=COLUMN",
        help="Which column holds age, sex, site, patient_id ...; repeat for more.",
    ),
]
Target = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Column that says which are malignant; found if not named."),
]
Malignant = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Diagnoses that count as malignant where a table gives only those, as mel,bcc.",
    ),
]
Benign = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Words that count as benign though they are no known diagnosis, as other,misc.",
    ),
]
CostRatio = Annotated[
    float | None,
    typer.Option(
        metavar="X",
        callback=_check_cost_ratio,
        help="One missed malignant lesion costs as much as X needless calls.",
    ),
]
Groups = Annotated[
    str, typer.Option(metavar="NAME", help="Column whose rows stay on one side of every fold.")
]


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
    from hybridlesion._optional_imports import import_timm

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
    from hybridlesion.cnn import is_finetuned

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
    from hybridlesion.cnn.backbone import check_model_name
    from hybridlesion.exceptions import OptionError

    try:
        check_model_name(name)
    except OptionError as error:
        meant = difflib.get_close_matches(name, _WORDS, n=1, cutoff=0.7)
        hint = f" Did you mean {meant[0]!r}?" if meant else ""
        raise typer.BadParameter(f"{error}{hint}") from error
