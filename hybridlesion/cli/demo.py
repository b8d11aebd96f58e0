"""``hybridlesion demo`` and ``hybridlesion app``: a first look, on synthetic or own photographs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._options import flag, option
from hybridlesion.cli._progress import show_progress

if TYPE_CHECKING:
    from hybridlesion.app import LesionReader


def demo(
    out: options.OutFolder = Path("demo"),
    jobs: options.Jobs = -1,
    seed: options.Seed = 0,
) -> None:
    """Run every stage on synthetic lesions, in about a minute."""
    from hybridlesion.demo import run_demo

    with show_progress("measuring") as progress:
        result = run_demo(
            out,
            n_jobs=jobs,
            random_state=seed,
            step=lambda text: typer.echo(f"{text} ...", err=True),
            progress=progress,
        )
    typer.echo("Held-out patients:")
    output.echo(output.format_metrics(result.held_out.metrics, result.held_out.threshold_rule))
    typer.echo(f"The highest AUC to expect here is {result.ceiling:.3f}.\n")
    for title, path in result.paths.items():
        typer.echo(f"  {title:<18} {path}")
    typer.echo(
        f"wrote {out}: {result.n_images:,} images, 0 failed, {result.seconds:.1f} s. "
        f"Open {result.paths['the report']} first."
    )


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

    if key is not None and model is None:
        raise typer.BadParameter("--key checks the signature of a model; name MODEL too.")
    if root and gallery is None:
        raise typer.BadParameter("--root is where the files of --gallery lie; name that too.")
    reader: LesionReader | Callable[[], LesionReader] = reference
    if model is not None:
        from hybridlesion.app import LesionReader

        fitted, manifest = options.load_model(model, key)
        reader = LesionReader(fitted, name=model.name, training=manifest.get("training"))

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
