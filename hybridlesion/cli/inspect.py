"""``hybridlesion inspect``: what a model file says about itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridlesion.cli._options import Key

__all__ = ["inspect"]


def inspect(
    model: Annotated[Path, typer.Argument(metavar="MODEL.joblib", help="File from `fit`.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole manifest.")] = False,
    key: Key = None,
) -> None:
    """Say what a model learned from and how well it did.

    Nothing of the model is run.
    """
    import json

    from hybridlesion.persistence import describe_manifest, read_key, read_manifest

    manifest = read_manifest(model, key=None if key is None else read_key(key))
    typer.echo(json.dumps(manifest, indent=2) if as_json else describe_manifest(manifest))
