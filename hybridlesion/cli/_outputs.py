"""Options that say where a command writes; what cannot be written is refused as wrong usage."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridlesion.cli._print import NOTES

if TYPE_CHECKING:
    import pandas as pd

    from hybridlesion.batch import ExtractionResult

__all__ = [
    "OutFolder",
    "OutModel",
    "OutScores",
    "OutTable",
    "OutWeights",
    "ending_in",
    "measures",
    "outcome",
    "print_json",
]


def ending_in(*suffixes: str) -> Callable[[Path | None], Path | None]:
    """Make the check of an option that names a file to write.

    Parameters
    ----------
    *suffixes : str
        What the name may end in.

    Returns
    -------
    callable
        For the option's ``callback``; it gives the path back, or None.

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


OutFolder = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write into.")]
OutModel = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="MODEL.joblib",
        callback=ending_in(".joblib"),
        help="Model file to write.",
    ),
]
OutScores = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="FILE",
        callback=ending_in(".csv", ".parquet"),
        help="Scores to write, .csv or .parquet.",
    ),
]
OutTable = Annotated[
    str,
    typer.Option(
        "--out",
        metavar="FILE|ADDRESS",
        callback=ending_in(".parquet"),
        help="Feature table to write, .parquet; a file or an fsspec address.",
    ),
]
OutWeights = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="FILE",
        callback=ending_in(".safetensors"),
        help="Weight file to write, .safetensors.",
    ),
]


def print_json(content: Mapping[str, object]) -> None:
    """Print a result for a script.

    Parameters
    ----------
    content : mapping
        What JSON can hold, and paths; numbers that are undefined or infinite become null.
    """
    typer.echo(json.dumps(_plain(content), indent=2, allow_nan=False))


def outcome(result: ExtractionResult) -> dict[str, object]:
    """Take what `print_result` tells.

    Parameters
    ----------
    result : ExtractionResult
        Outcome of the run.

    Returns
    -------
    dict
        ``path``, ``n_rows``, ``n_reused``, ``n_failed``, ``errors_path``, ``seconds`` and
        ``notes``, all that was said on the way.
    """
    names = ("path", "n_rows", "n_reused", "n_failed", "errors_path", "seconds")
    return {name: getattr(result, name) for name in names} | {"notes": list(NOTES)}


def measures(metrics: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Turn a table of measures into what `evaluate --json` prints of them.

    Parameters
    ----------
    metrics : DataFrame
        Columns metric, value, low, high.

    Returns
    -------
    dict
        ``value``, ``low`` and ``high`` by measure.

    Examples
    --------
    >>> import pandas as pd
    >>> row = {"metric": ["auc"], "value": [0.9], "low": [0.85], "high": [0.94]}
    >>> measures(pd.DataFrame(row))
    {'auc': {'value': 0.9, 'low': 0.85, 'high': 0.94}}
    """
    return {row.pop("metric"): row for row in metrics.to_dict("records")}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
