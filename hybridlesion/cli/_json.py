"""What commands print for scripts: one JSON object on standard output, and nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hybridlesion.cli._lines import NOTES

if TYPE_CHECKING:
    import pandas as pd

    from hybridlesion.extraction import ExtractionResult

__all__ = ["measures", "outcome", "print_json"]


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
