"""Who measures images: the options of it, worded once, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hybridlesion.batch import Runner

__all__ = ["Dask", "DaskResource", "TimeLimit", "check_resources", "choose_runner"]

Dask = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Scheduler of a Dask cluster that does the work."),
]
DaskResource = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=NUMBER", help="What its workers must offer, as GPU=1."),
]
TimeLimit = Annotated[
    float,
    typer.Option(
        min=1,
        metavar="SECONDS",
        help="Time for one image, in a process of its own (not --jobs 1).",
    ),
]


def check_resources(pairs: list[str] | None, dask: str | None) -> dict[str, float]:
    """Read ``NAME=NUMBER`` options.

    Parameters
    ----------
    pairs : list of str or None
        What ``--dask-resource`` gave.
    dask : str or None
        What ``--dask`` gave.

    Returns
    -------
    dict of str to float
        Number by name; empty if nothing was given.

    Raises
    ------
    typer.BadParameter
        If a pair is none, or there is no cluster to ask.

    Examples
    --------
    >>> check_resources(["GPU=1"], "tcp://10.0.0.1:8786")
    {'GPU': 1.0}
    """
    if pairs and dask is None:
        raise typer.BadParameter("--dask-resource asks workers of --dask ADDRESS; none is given.")
    resources = {}
    for pair in pairs or ():
        name, _, number = pair.partition("=")
        try:
            resources[name] = float(number)
        except ValueError as error:
            raise typer.BadParameter(
                f"--dask-resource takes NAME=NUMBER, as GPU=1; got {pair!r}."
            ) from error
    return resources


def choose_runner(
    jobs: int, dask: str | None, dask_resource: list[str] | None, time_limit: float
) -> Runner:
    """Choose who measures images.

    Parameters
    ----------
    jobs : int
        What ``--jobs`` gave.
    dask : str or None
        What ``--dask`` gave.
    dask_resource : list of str or None
        What ``--dask-resource`` gave.
    time_limit : float
        Seconds for one image.

    Returns
    -------
    Runner
        Processes of this machine, or the workers of a cluster.

    Raises
    ------
    typer.BadParameter
        If a resource is none, or there is no cluster to ask.
    """
    resources = check_resources(dask_resource, dask)
    from hybridlesion.batch import DaskRunner, ProcessRunner

    if dask is None:
        return ProcessRunner(jobs, time_limit=time_limit)
    return DaskRunner(dask, resources=resources, time_limit=time_limit)
