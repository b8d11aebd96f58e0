"""Options shared by several commands, with checks of their values."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

    from hybridlesion.batch import Runner
    from hybridlesion.metadata import DataMapping

DeviceName = StrEnum("DeviceName", ["auto", "cpu", "cuda"])
"""Values of ``--device``."""


IN_TABLES, RUNNING, EXPERT = "Tables and labels", "Speed, cluster and cache", "Expert"
"""Groups of options in the help, after the ones that everyone needs."""


def option(
    metavar: str,
    help: str,
    check: Callable | None = None,
    group: str | None = None,
    **settings: Any,
) -> Any:
    """Declare an option with a value.

    Parameters
    ----------
    metavar : str
        Placeholder for the value.
    help : str
        Help text.
    check : callable, default=None
        Function that returns a valid value, and raises `typer.BadParameter` for all others.
    group : str, default=None
        Group in the help. If None, the option is one that everyone needs.
    **settings : object
        Other parameters of `typer.Option`.

    Returns
    -------
    OptionInfo
        Annotation for a parameter.
    """
    shown = {"metavar": metavar, "help": help, "rich_help_panel": group}
    return typer.Option(callback=check, **shown, **settings)


def flag(
    name: str,
    help: str,
    check: Callable | None = None,
    group: str | None = None,
    **settings: Any,
) -> Any:
    """Declare an option without a value.

    Parameters
    ----------
    name : str
        Name of the option, such as ``"--json"``.
    help : str
        Help text.
    check : callable, default=None
        Function that is called with True if the option is given, and with False otherwise.
    group : str, default=None
        Group in the help. If None, the option is one that everyone needs.
    **settings : object
        Other parameters of `typer.Option`.

    Returns
    -------
    OptionInfo
        Annotation for a parameter.
    """
    return typer.Option(name, help=help, callback=check, rich_help_panel=group, **settings)


def argument(metavar: str, help: str) -> Any:
    """Declare an argument.

    Parameters
    ----------
    metavar : str
        Placeholder for the value.
    help : str
        Help text.

    Returns
    -------
    ArgumentInfo
        Annotation for a parameter.
    """
    return typer.Argument(metavar=metavar, help=help)


def ending_in(*suffixes: str) -> Callable[[Path | None], Path | None]:
    """Create a check for the suffix of an output file.

    Parameters
    ----------
    *suffixes : str
        Allowed suffixes.

    Returns
    -------
    callable
        Check for an option, which returns the path or None unchanged.

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


def check_range(is_allowed: Callable[[float], bool], rule: str) -> Callable[[Any], Any]:
    """Create a check for a number.

    Parameters
    ----------
    is_allowed : callable
        Function that tells whether a number is allowed.
    rule : str
        Beginning of the error message, such as ``"it must be above 0"``.

    Returns
    -------
    callable
        Check for an option, which returns the number or None unchanged.
    """

    def check(value: float | None) -> float | None:
        if value is not None and not is_allowed(value):
            raise typer.BadParameter(f"{rule}; got {value:g}.")
        return value

    return check


_check_jobs = check_range(lambda n: n != 0, "it must be 1 or more, or -1 for every core")
_check_cost_ratio = check_range(
    lambda ratio: 0 < ratio < float("inf"),
    "it must be above 0, such as 20 false positives for one missed lesion",
)


def _check_segmenter(name: str) -> str:
    from hybridlesion.exceptions import SourceError
    from hybridlesion.segmentation import check_segmenter

    try:
        return check_segmenter(name)
    except (ValueError, SourceError) as error:
        raise typer.BadParameter(str(error)) from error


TABLES = ending_in(".csv", ".parquet")

AsJson = Annotated[bool, flag("--json", "Print the result as JSON and nothing else.")]
_BENIGN = "Unknown diagnoses that count as benign, for example other,misc."
Benign = Annotated[str | None, option("NAMES", _BENIGN, group=IN_TABLES)]
_COLUMNS = "Column with age, sex, site, patient_id ...; repeat for more."
Columns = Annotated[list[str] | None, option("RECORD=COLUMN", _COLUMNS, group=IN_TABLES)]
_FALSE_POSITIVES = "False positives that cost as much as one missed malignant lesion."
CostRatio = Annotated[float | None, option("X", _FALSE_POSITIVES, _check_cost_ratio, group=EXPERT)]
Dask = Annotated[
    str | None, option("ADDRESS", "Scheduler of a Dask cluster to run on.", group=RUNNING)
]
_RESOURCE = "Resource that Dask workers must have, such as GPU=1."
DaskResource = Annotated[list[str] | None, option("NAME=NUMBER", _RESOURCE, group=RUNNING)]
Device = Annotated[DeviceName, option("auto|cpu|cuda", "Device of the network.", group=RUNNING)]
Epochs = Annotated[int, option("N", "Passes over the images.", min=1)]
Groups = Annotated[
    str,
    option(
        "NAME",
        "Column of groups kept in one fold; patient_id also joins lesions and duplicates.",
        group=EXPERT,
    ),
]
IdColumn = Annotated[
    str | None, option("NAME", "Column of image ids; default: detected.", group=IN_TABLES)
]
_SOURCES = "Folder, image, zip, HDF5, table with a path column, or fsspec address."
Images = Annotated[str, argument("IMAGES", _SOURCES)]
Jobs = Annotated[
    int, option("N", "Processes; -1 uses every core.", _check_jobs, min=-1, group=RUNNING)
]
Key = Annotated[
    Path | None, option("KEYFILE", "Refuse a model not signed with this key.", group=EXPERT)
]
_FOLDER_NAMES = "Use folder names as labels: benign and malignant, or diagnoses."
LabelsFromFolders = Annotated[bool, flag("--labels-from-folders", _FOLDER_NAMES, group=IN_TABLES)]
_MALIGNANT = "Diagnoses that count as malignant, if a table has only diagnoses: mel,bcc."
Malignant = Annotated[str | None, option("NAMES", _MALIGNANT)]
_MAPPING = "Columns and labels, as written by `check`; options given here win."
MappingFile = Annotated[Path | None, option("FILE", _MAPPING, group=IN_TABLES)]
_METADATA = "CSV, Parquet or Excel in any ISIC layout; repeat to join."
Metadata = Annotated[list[str] | None, option("TABLE", _METADATA)]
Model = Annotated[Path, argument("MODEL.joblib", "Model file written by `fit`.")]
OutFolder = Annotated[Path, option("DIR", "Folder to write into.")]
OutModel = Annotated[Path, option("MODEL.joblib", "Model file to write.", ending_in(".joblib"))]
_FEATURE_TABLE = "Feature table to write, .parquet; a file or an fsspec address."
OutTable = Annotated[str, option("FILE|ADDRESS", _FEATURE_TABLE, ending_in(".parquet"))]
_WEIGHTS = "Weight file to write, .safetensors."
OutWeights = Annotated[Path, option("FILE", _WEIGHTS, ending_in(".safetensors"))]
_PATH_COLUMN = "Column of paths, if IMAGES is a table; default: detected."
PathColumn = Annotated[str | None, option("NAME", _PATH_COLUMN, group=IN_TABLES)]
Restart = Annotated[bool, flag("--restart", "Discard an interrupted run.", group=RUNNING)]
_ROOTS = "Another folder to search for the images of a table; repeat for more."
Roots = Annotated[list[str] | None, option("DIR", _ROOTS, group=IN_TABLES)]
Seed = Annotated[int, option("N", "Seed of the random numbers.", min=0, group=EXPERT)]
_METHODS = "Segmentation: classical, refined, or a weight file of train-refiner."
Segmenter = Annotated[
    str,
    option("NAME", _METHODS, _check_segmenter, autocompletion=lambda: ["classical", "refined"]),
]
_SOURCE = (
    "Column of hospitals, devices or data sets, to validate across them; or table: each is one."
)
Source = Annotated[str | None, option("COLUMN", _SOURCE, group=EXPERT)]
_TARGET = "Column that says what is malignant; default: detected."
Target = Annotated[str | None, option("NAME", _TARGET)]
_TIME_LIMIT = "Time limit for one image; not applied with --jobs 1."
TimeLimit = Annotated[float, option("SECONDS", _TIME_LIMIT, min=1, group=RUNNING)]


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


def merge_mapping(
    path: Path | None,
    tables: list[str] | None = None,
    *,
    labels: bool = True,
    **given: Any,
) -> DataMapping:
    """Read a mapping file, and let options take precedence.

    Parameters
    ----------
    path : Path or None
        Mapping file, or None if there are only options.
    tables : list of str or None, default=None
        Tables that may lack columns of the mapping. If None, it is an error if they do.
    labels : bool, default=True
        Whether diagnosis and target are wanted from `tables`.
    **given : object
        Parameters of `DataMapping.override`.

    Returns
    -------
    DataMapping
        The merged mapping.

    Raises
    ------
    typer.BadParameter
        If the file is not a mapping, or names a record column that does not exist.
    """
    from hybridlesion.cli._output import note
    from hybridlesion.exceptions import OptionError
    from hybridlesion.metadata import DataMapping, read_mapping

    if path is None:
        return DataMapping().override(**given)
    try:
        stored = read_mapping(path)
    except OptionError as error:
        raise typer.BadParameter(str(error)) from error
    if tables:
        stored, missing = stored.select(tables, labels=labels)
        if missing:
            note(f"no table has the columns {', '.join(missing)} of {path}; left out.")
    return stored.override(**given)


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


def read_key(path: Path | None) -> bytes | None:
    """Read the key that signs a model, if one is given.

    Parameters
    ----------
    path : Path or None
        File of the key.

    Returns
    -------
    bytes or None
        The key.
    """
    from hybridlesion import persistence

    return None if path is None else persistence.read_key(path)


def load_model(path: Path, key: Path | None) -> tuple[BaseEstimator, dict[str, Any]]:
    """Load a model and its manifest.

    Parameters
    ----------
    path : Path
        Model file.
    key : Path or None
        File of the key that the model must be signed with, if any.

    Returns
    -------
    model : Pipeline or HybridLesionClassifier
        The fitted model.
    manifest : dict
        Its manifest.
    """
    from hybridlesion.persistence import load_artifact, read_manifest

    secret = read_key(key)
    return load_artifact(path, key=secret), read_manifest(path, key=secret)


_EMBEDDERS = ("none", "finetuned", "finetuned-embedding")
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
    if path.suffix in _WEIGHT_SUFFIXES:
        if weights is not None:
            raise typer.BadParameter(
                "give the weight file once: --embedder PATH or --weights PATH."
            )
        return {"embedder": _read_architecture(path), "weights": str(path)}
    if path.is_file():
        raise typer.BadParameter(
            f"{path} is not a weight file: these end in {', '.join(_WEIGHT_SUFFIXES)}, fine-tuned "
            "networks in .zip."
        )
    if text not in _EMBEDDERS:
        _check_timm_model(text)
    elif weights is not None and text != "finetuned-embedding":
        raise typer.BadParameter(
            f"--weights {weights} needs its model, for example --embedder mobilenetv2_100."
        )
    return {"embedder": text, "weights": None if weights is None else str(weights)}


def _read_architecture(path: Path) -> str:
    """Read the name of a timm model from the name of a weight file or of its folder."""
    from hybridlesion._optional_imports import import_timm

    if not path.is_file():
        raise typer.BadParameter(f"the weight file {path} does not exist.")
    timm = import_timm()
    for name in (path.name, path.resolve().parent.name):
        architecture = name.split(".")[0]
        if timm.is_model(architecture):
            return architecture
    raise typer.BadParameter(
        f"the name of {path} does not state its architecture. Give it: --embedder mobilenetv2_100 "
        f"--weights {path}"
    )


def _check_timm_model(name: str) -> None:
    from hybridlesion.cnn.backbone import check_model_name
    from hybridlesion.exceptions import OptionError

    try:
        check_model_name(name)
    except OptionError as error:
        meant = difflib.get_close_matches(name, _EMBEDDERS, n=1, cutoff=0.7)
        hint = f" Did you mean {meant[0]!r}?" if meant else ""
        raise typer.BadParameter(f"{error}{hint}") from error
