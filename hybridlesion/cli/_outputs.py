"""Options that say where a command writes; what cannot be written is refused as wrong usage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["OutFolder", "OutModel", "OutScores", "OutTable", "OutWeights", "ending_in"]


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
