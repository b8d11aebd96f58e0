"""``hybridlesion app``: score photographs in the browser, on this machine only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import flag, option

if TYPE_CHECKING:
    from hybridlesion.app import LesionReader

_MODEL = "Model file from `hybridlesion fit`; default: the reference model that ships."
_PORT = "Port on 127.0.0.1; 0 takes a free one."
_GALLERY = "Folder, table of paths or feature table of cases to compare with."
_METADATA = "Table with image_id and diagnosis of the gallery; repeat to join."
_OPEN = "Open the page in the browser."


def web_app(
    model: Annotated[Path | None, typer.Argument(metavar="[MODEL]", help=_MODEL)] = None,
    port: Annotated[int, option("N", _PORT, min=0, max=65535)] = 8000,
    gallery: Annotated[str | None, option("SOURCE", _GALLERY)] = None,
    metadata: Annotated[list[str] | None, option("TABLE", _METADATA)] = None,
    root: options.Roots = None,
    key: options.Key = None,
    browser: Annotated[bool, flag("--open", _OPEN)] = False,
) -> None:
    """Score photographs in a page that runs on this machine only.

    Nothing leaves 127.0.0.1. Stop it with Ctrl-C; the photographs are then deleted.
    """
    from hybridlesion.app import serve

    def reference() -> LesionReader:
        from hybridlesion.app import LesionReader

        return LesionReader.reference()

    reader: LesionReader | Callable[[], LesionReader] = reference
    if model is not None:
        from hybridlesion.app import LesionReader
        from hybridlesion.persistence import load_artifact, read_key, read_manifest

        secret = None if key is None else read_key(key)
        training = read_manifest(model, key=secret).get("training")
        fitted = load_artifact(model, key=secret)
        reader = LesionReader(fitted, name=model.name, training=training)

    cases = None
    if gallery is not None:
        from hybridlesion.app import Gallery

        cases = Gallery(gallery, metadata=metadata or (), roots=root or ())
        output.print_notes(cases.notes)
    elif metadata:
        raise typer.BadParameter("--metadata describes the cases of --gallery; name that too.")

    def ready(address: str) -> None:
        typer.echo(f"open {address} in a browser; stop with Ctrl-C")
        if browser:
            typer.launch(address)

    serve(reader, gallery=cases, port=port, ready=ready)
