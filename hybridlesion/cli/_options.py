"""Options shared by several commands, with checks of their values."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hybridlesion.batch import Runner

DeviceName = StrEnum("DeviceName", ["auto", "cpu", "cuda"])
"""Values of ``--device``."""


def option(metavar: str, help: str, **settings: Any) -> Any:
    """Declare an option with a value.

    Parameters
    ----------
    metavar : str
        Placeholder for the value.
    help : str
        Help text.
    **settings : object
        Other parameters of `typer.Option`.

    Returns
    -------
    OptionInfo
        Annotation for a parameter.
    """
    return typer.Option(metavar=metavar, help=help, **settings)


def ending_in(*suffixes: str) -> Callable[[Path | None], Path | None]:
    """Create a check for the suffix of an output file.

    Parameters
    ----------
    *suffixes : str
        Allowed suffixes.

    Returns
    -------
    callable
        Function for the ``callback`` of an option, which returns the path or None unchanged.

    Examples
    --------
    >>> ending_in(".csv")(Path("scores.csv")).name
    'scores.csv'
    """

    def check(path: Path | None) -> Path | None:
        if path is not None and not str(path).lower().endswith(suffixes):
            given = Path(path).name
            raise typer.BadParameter(f"it must end in {' or '.join(suffixes)}, got {given!r}.")
        return path

    return check


def check_share(example: str, *, one: bool = False) -> Callable[[float | None], float | None]:
    """Create a check for a number between 0 and 1.

    Parameters
    ----------
    example : str
        Sensible value, for the error message.
    one : bool, default=False
        Whether 1 is allowed.

    Returns
    -------
    callable
        Function for the ``callback`` of an option, which returns the number or None unchanged.
    """

    def check(value: float | None) -> float | None:
        if value is not None and not (0 < value < 1 or (one and value == 1)):
            limits = "above 0 and at most 1" if one else "between 0 and 1"
            raise typer.BadParameter(f"it must be {limits}, such as {example}; got {value:g}.")
        return value

    return check


def _check_jobs(value: int) -> int:
    if value == 0:
        raise typer.BadParameter("it must be 1 or more, or -1 for every core; got 0.")
    return value


def _check_cost_ratio(value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise typer.BadParameter(
            f"it must be above 0, such as 20 false positives for one missed lesion; got {value:g}."
        )
    return value


def _check_segmenter(name: str) -> str:
    from hybridlesion.exceptions import SourceError
    from hybridlesion.segmentation import check_segmenter

    try:
        return check_segmenter(name)
    except (ValueError, SourceError) as error:
        raise typer.BadParameter(str(error)) from error


AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON and nothing else.")]
Benign = Annotated[
    str | None, option("NAMES", "Unknown diagnoses that count as benign, for example other,misc.")
]
Columns = Annotated[
    list[str] | None,
    option("RECORD=COLUMN", "Column with age, sex, site, patient_id ...; repeat for more."),
]
CostRatio = Annotated[
    float | None,
    option(
        "X",
        "False positives that cost as much as one missed malignant lesion.",
        callback=_check_cost_ratio,
    ),
]
Dask = Annotated[str | None, option("ADDRESS", "Scheduler of a Dask cluster to run on.")]
DaskResource = Annotated[
    list[str] | None, option("NAME=NUMBER", "Resource that Dask workers must have, such as GPU=1.")
]
Device = Annotated[DeviceName, option("auto|cpu|cuda", "Device of the network.")]
Epochs = Annotated[int, option("N", "Passes over the images.", min=1)]
Groups = Annotated[str, option("NAME", "Column of groups, each kept in one fold.")]
IdColumn = Annotated[str | None, option("NAME", "Column of image ids; default: detected.")]
Images = Annotated[
    str,
    typer.Argument(
        metavar="IMAGES",
        help="Folder, image, zip, HDF5, table with a path column, or fsspec address.",
    ),
]
Jobs = Annotated[int, option("N", "Processes; -1 uses every core.", min=-1, callback=_check_jobs)]
Key = Annotated[Path | None, option("KEYFILE", "Refuse a model not signed with this key.")]
LabelsFromFolders = Annotated[
    bool,
    typer.Option(
        "--labels-from-folders",
        help="Use folder names as labels: benign and malignant, or diagnoses.",
    ),
]
Malignant = Annotated[
    str | None,
    option("NAMES", "Diagnoses that count as malignant, if a table has only diagnoses: mel,bcc."),
]
Metadata = Annotated[
    list[str] | None, option("TABLE", "CSV, Parquet or Excel in any ISIC layout; repeat to join.")
]
Model = Annotated[Path, typer.Argument(metavar="MODEL.joblib", help="Model file written by `fit`.")]
OutFolder = Annotated[Path, option("DIR", "Folder to write into.")]
OutModel = Annotated[
    Path, option("MODEL.joblib", "Model file to write.", callback=ending_in(".joblib"))
]
OutScores = Annotated[
    Path,
    option(
        "FILE",
        "Table of scores to write, .csv or .parquet.",
        callback=ending_in(".csv", ".parquet"),
    ),
]
OutTable = Annotated[
    str,
    option(
        "FILE|ADDRESS",
        "Feature table to write, .parquet; a file or an fsspec address.",
        callback=ending_in(".parquet"),
    ),
]
OutWeights = Annotated[
    Path, option("FILE", "Weight file to write, .safetensors.", callback=ending_in(".safetensors"))
]
PathColumn = Annotated[
    str | None, option("NAME", "Column of paths, if IMAGES is a table; default: detected.")
]
Restart = Annotated[bool, typer.Option("--restart", help="Discard an interrupted run.")]
Roots = Annotated[
    list[str] | None,
    option("DIR", "Another folder to search for the images of a table; repeat for more."),
]
Seed = Annotated[int, option("N", "Seed of the random numbers.", min=0)]
Segmenter = Annotated[
    str,
    option(
        "NAME",
        "Segmentation: classical, refined, or a weight file of train-refiner.",
        callback=_check_segmenter,
        autocompletion=lambda: ["classical", "refined"],
    ),
]
Target = Annotated[
    str | None, option("NAME", "Column that says what is malignant; default: detected.")
]
TimeLimit = Annotated[
    float, option("SECONDS", "Time limit for one image; not applied with --jobs 1.", min=1)
]


def split_words(text: str | None) -> list[str] | None:
    """Split a comma-separated option.

    Parameters
    ----------
    text : str or None
        Value of the option.

    Returns
    -------
    list of str or None
        Stripped words, or None if `text` is None.

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
    """Parse ``RECORD=COLUMN`` options.

    Parameters
    ----------
    pairs : list of str or None
        Values of the option.

    Returns
    -------
    dict of str to str, or None
        Mapping from record columns to table columns, or None if `pairs` is empty.

    Raises
    ------
    typer.BadParameter
        If a pair has no equals sign, or the record column does not exist.

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
        record, _, column = pair.partition("=")
        if not (record and column):
            raise typer.BadParameter(
                f"--column takes RECORD=COLUMN, such as age=AGE; got {pair!r}."
            )
        try:
            named[check_choice("RECORD of --column", record, map(str, Role))] = column
        except OptionError as error:
            raise typer.BadParameter(str(error)) from error
    return named


def choose_runner(
    jobs: int, dask: str | None, resources: list[str] | None, time_limit: float
) -> Runner:
    """Create the runner that measures images.

    Parameters
    ----------
    jobs : int
        Number of processes.
    dask : str or None
        Address of a Dask scheduler. If None, local processes are used.
    resources : list of str or None
        Resources that the cluster workers must have, as NAME=NUMBER.
    time_limit : float
        Time limit per image in seconds.

    Returns
    -------
    Runner
        Runner for local processes or for the workers of a cluster.

    Raises
    ------
    typer.BadParameter
        If a resource is not of the form NAME=NUMBER, or is given without a cluster.

    Examples
    --------
    >>> choose_runner(1, "tcp://10.0.0.1:8786", ["GPU=1"], 120.0).resources
    {'GPU': 1.0}
    """
    from hybridlesion.batch import DaskRunner, ProcessRunner

    if dask is None:
        if resources:
            raise typer.BadParameter("--dask-resource needs a cluster: --dask ADDRESS.")
        return ProcessRunner(jobs, time_limit=time_limit)
    numbers = {}
    for pair in resources or ():
        name, _, number = pair.partition("=")
        try:
            numbers[name] = float(number)
        except ValueError as error:
            raise typer.BadParameter(
                f"--dask-resource takes NAME=NUMBER, such as GPU=1; got {pair!r}."
            ) from error
    return DaskRunner(dask, resources=numbers, time_limit=time_limit)


_EMBEDDERS = ("none", "finetuned")
_WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")


def read_embedder(text: str, weights: Path | None) -> dict[str, str | None]:
    """Distinguish a timm model name, a weight file and a folder of fine-tuned networks.

    Parameters
    ----------
    text : str
        Name of a timm model, ``"finetuned"``, ``"none"``, a weight file, or a folder written by
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
        If the timm model does not exist, `weights` is given without a model, the architecture of a
        weight file is unknown, or a folder does not contain fine-tuned networks.

    Notes
    -----
    A weight file or its folder should be named ``ARCHITECTURE.TAG``, as in timm, for example
    ``mobilenetv2_100.my_run.safetensors`` or ``mobilenetv2_100.my_run/model.safetensors``.
    """
    path = Path(text)
    if path.is_dir() or path.suffix == ".zip":
        from hybridlesion.cnn import is_finetuned

        if not is_finetuned(path):
            raise typer.BadParameter(
                f"{path} contains no fine-tuned networks from `hybridlesion finetune --out`. For a "
                "timm model, give its weight file, not the folder."
            )
        if weights is not None:
            raise typer.BadParameter(f"{path} contains its weights: leave out --weights.")
        return {"embedder": "finetuned", "weights": str(path)}
    if path.suffix not in _WEIGHT_SUFFIXES:
        if path.is_file():
            raise typer.BadParameter(
                f"{path} is not a weight file: these end in {', '.join(_WEIGHT_SUFFIXES)}, "
                "fine-tuned networks in .zip."
            )
        _check_embedder(text, weights)
        return {"embedder": text, "weights": None if weights is None else str(weights)}
    if weights is not None:
        raise typer.BadParameter("give the weight file once: --embedder PATH or --weights PATH.")
    if not path.is_file():
        raise typer.BadParameter(f"the weight file {path} does not exist.")
    from hybridlesion._optional_imports import import_timm

    timm = import_timm()
    for name in (path.name, path.resolve().parent.name):
        architecture = name.split(".")[0]
        if timm.is_model(architecture):
            return {"embedder": architecture, "weights": str(path)}
    raise typer.BadParameter(
        f"the name of {path} does not state its architecture. Give it: --embedder mobilenetv2_100 "
        f"--weights {path}"
    )


def _check_embedder(name: str, weights: Path | None) -> None:
    if name in _EMBEDDERS:
        if weights is not None:
            raise typer.BadParameter(
                f"--weights {weights} needs the model that it belongs to, for example --embedder "
                "mobilenetv2_100."
            )
        return
    from hybridlesion.cnn.backbone import check_model_name
    from hybridlesion.exceptions import OptionError

    try:
        check_model_name(name)
    except OptionError as error:
        meant = difflib.get_close_matches(name, _EMBEDDERS, n=1, cutoff=0.7)
        hint = f" Did you mean {meant[0]!r}?" if meant else ""
        raise typer.BadParameter(f"{error}{hint}") from error
