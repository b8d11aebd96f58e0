"""``hybridlesion demo``: run every stage on synthetic lesions."""

from __future__ import annotations

from pathlib import Path

import typer

from hybridlesion.cli import _options as options
from hybridlesion.cli import _output as output
from hybridlesion.cli._progress import show_progress


def demo(
    out: options.OutFolder = Path("demo"),
    jobs: options.Jobs = -1,
    seed: options.Seed = 0,
) -> None:
    """Run every stage on synthetic lesions, in a few minutes."""
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
