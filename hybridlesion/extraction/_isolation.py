"""Shards over which workers die: the images that are to blame are found, and left out."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from hybridlesion.exceptions import HybridLesionError
from hybridlesion.extraction._measure import ShardWork
from hybridlesion.extraction._shards import Shard
from hybridlesion.extraction._workers import Lost, supervise
from hybridlesion.table import Failure

__all__ = ["compute_isolated"]


def compute_isolated(work: ShardWork, shard: Shard) -> list[Failure]:
    """Compute a shard without the images that no worker survives.

    Parameters
    ----------
    work : ShardWork
        The work, with its time limit.
    shard : Shard
        A shard over which workers have died.

    Returns
    -------
    list of Failure
        What failed, in record order.

    Raises
    ------
    HybridLesionError
        If workers die over the shard, though over none of its images alone.
    """
    culprits = find_culprits(work, shard.records)
    # With nobody to blame, the limit was too short for a batch, not for an image.
    work = work if culprits else work.limited(None)
    cleared = replace(shard, culprits=culprits)
    ((_, answer),) = supervise(work, [cleared], 1, expect_deaths=True)
    if isinstance(answer, Lost):
        raise HybridLesionError(
            f"{answer.reason(work.limit)}, at images {_span(shard.records)}, though each of them "
            "alone goes through. What is done is kept: see to the machine's memory, and run the "
            "same command again with fewer --jobs."
        )
    return answer


def find_culprits(work: ShardWork, records: pd.DataFrame) -> dict[int, str]:
    """Measure each image alone, in a process that it may take with it.

    Parameters
    ----------
    work : ShardWork
        The work, with its time limit.
    records : DataFrame of shape (n, columns)
        Records of a shard.

    Returns
    -------
    dict of int to str
        Reason by position, for every image over which the process died.
    """
    rows = [_Row(position, records.iloc[[position]]) for position in range(len(records))]
    return {
        row.position: answer.reason(work.limit)
        for row, answer in supervise(_TryOut(work), rows, 1, expect_deaths=True)
        if isinstance(answer, Lost)
    }


class _Row:
    """One record of a shard."""

    def __init__(self, position: int, record: pd.DataFrame):
        self.position, self.record = position, record


class _TryOut:
    """The picklable function that measures one record."""

    def __init__(self, work: ShardWork):
        self.work = work

    def __call__(self, row: _Row) -> None:
        self.work.try_out(row.record)


def _span(records: pd.DataFrame) -> str:
    first, last = records["image_id"].iloc[0], records["image_id"].iloc[-1]
    return f"{first} to {last}"
