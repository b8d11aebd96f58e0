"""``hybridlesion demo``: the whole road on synthetic lesions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridlesion.cli._options import Jobs
from hybridlesion.cli._print import show

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write into.")] = Path("demo"),
    jobs: Jobs = -1,
    random_state: Annotated[int, typer.Option(min=0, metavar="N", help="Seed.")] = 0,
) -> None:
    """Run every stage on drawn lesions, in under three minutes."""
    from hybridlesion.cli._print import format_metrics
    from hybridlesion.cli._progress import show_progress
    from hybridlesion.demo import run_demo

    with show_progress("measuring") as progress:
        result = run_demo(
            out,
            n_jobs=jobs,
            random_state=random_state,
            step=lambda text: typer.echo(f"{text} ...", err=True),
            progress=progress,
        )
    typer.echo("Patients that the model never saw:")
    show(format_metrics(result.held_out.metrics, result.held_out.threshold_rule))
    typer.echo(f"The highest AUC to be expected here is {result.ceiling:.3f}.\n")
    for what, path in result.paths.items():
        typer.echo(f"  {what:<18} {path}")
    typer.echo(
        f"wrote {out}: {result.n_images:,} images, 0 failed, {result.seconds:.1f} s. "
        f"Open {result.paths['the report']} first."
    )
