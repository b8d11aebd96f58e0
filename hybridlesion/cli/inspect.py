"""``hybridlesion inspect``: show the manifest of a model file."""

from __future__ import annotations

from typing import Annotated

import typer

from hybridlesion.cli import _options as options


def inspect(
    model: options.Model,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole manifest.")] = False,
    key: options.Key = None,
) -> None:
    """Show the training data and the performance of a model.

    No code of the model is run.
    """
    import json

    from hybridlesion.persistence import describe_manifest, read_key, read_manifest

    manifest = read_manifest(model, key=None if key is None else read_key(key))
    typer.echo(json.dumps(manifest, indent=2) if as_json else describe_manifest(manifest))
