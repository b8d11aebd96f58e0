"""Shards: slices of the records, and what the result of each depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from hybridlesion.featurizer import FEATURE_VERSION

__all__ = ["Shard", "ShardPlan", "file_state", "shard_facts", "why_different"]


# Records per shard, by the most records that a run of such shards may have. Small shards lose
# little to an interruption; many files burden a shared folder. Towards the end a shard has at most
# the given part of what is left, so that no worker is long alone with the last one.
_SIZES = ((100_000, 32, 8), (2_000_000, 256, 64), (float("inf"), 1024, 64))


@dataclass(frozen=True)
class Shard:
    """A slice of the records, and what its result depends on.

    Parameters
    ----------
    number : int
        Position among the shards.
    records : DataFrame
        The slice.
    facts : mapping
        What `shard_facts` says of it.
    culprits : mapping of int to str, optional
        Reason by position, for images that must not be touched: a worker died over them.
    """

    number: int
    records: pd.DataFrame
    facts: Mapping[str, object]
    culprits: Mapping[int, str] = field(default_factory=dict)


class ShardPlan:
    """The division of the records; a shard is cut only when it is asked for.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records.
    configuration : dict
        Everything else that the result depends on; must go into JSON.
    size : int or None
        Records of every shard; None chooses by the number of records, and makes the last ones
        smaller.
    least : int, default=32
        Records that the last shards may come down to.

    Notes
    -----
    The division follows from the number of records alone, so that a run may go on with more or
    fewer workers than it began with.
    """

    def __init__(
        self, records: pd.DataFrame, configuration: dict, size: int | None, *, least: int = 32
    ):
        self.records = records
        self.configuration = configuration
        most, part = next((size, part) for n, size, part in _SIZES if len(records) <= n)
        size, part, least = (most, part, min(least, most)) if size is None else (size, 1, size)
        self._bounds = _divide(len(records), size, part, least)

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def n_records(self, number: int) -> int:
        """Count the records of one shard.

        Parameters
        ----------
        number : int
            Position among the shards.

        Returns
        -------
        int
            How many.
        """
        return self._bounds[number + 1] - self._bounds[number]

    def shard(self, number: int) -> Shard:
        """Cut one shard.

        Parameters
        ----------
        number : int
            Position among the shards.

        Returns
        -------
        Shard
            With the state in which its image files are now.
        """
        rows = self.records.iloc[self._bounds[number] : self._bounds[number + 1]]
        return Shard(number, rows, shard_facts(rows, self.configuration))


def _divide(n_records: int, size: int, part: int, least: int) -> list[int]:
    """Where shards begin and end; each is a multiple of `least`, so that batches stay whole."""
    size, bounds = size // least * least, [0]
    while bounds[-1] < n_records:
        left = n_records - bounds[-1]
        step = max(least, min(size, left // part // least * least))
        bounds.append(min(n_records, bounds[-1] + step))
    return bounds


def shard_facts(records: pd.DataFrame, configuration: dict) -> dict:
    """List what the result of a shard depends on.

    Parameters
    ----------
    records : DataFrame
        Its records.
    configuration : dict
        Everything else; must go into JSON.

    Returns
    -------
    dict
        ``protocol`` of the code, ``configuration``, ``records`` (a SHA-256) and ``images``: size
        and time of each file, None where that is not known.
    """
    images = [file_state(path) for path in records["path"]] if "path" in records else []
    digest = hashlib.sha256(records.to_csv(index=False).encode()).hexdigest()
    return {
        "protocol": FEATURE_VERSION,
        "configuration": configuration,
        "records": digest,
        "images": images,
    }


def why_different(stored: Mapping, wanted: Mapping, records: pd.DataFrame) -> str | None:
    """Say why a stored result does not hold any more.

    Parameters
    ----------
    stored, wanted : mapping
        Facts of then and now.
    records : DataFrame
        The records of now.

    Returns
    -------
    str or None
        The reason; None if the result holds.

    Examples
    --------
    >>> then = {"protocol": 2, "configuration": {"long_side": 512}}
    >>> why_different(then, {"protocol": 2, "configuration": {"long_side": 256}}, None)
    'long_side was 512 and is now 256'
    """
    if stored.get("protocol") != wanted["protocol"]:
        return (
            f"the code measures otherwise now (protocol {stored.get('protocol')} then, "
            f"{wanted['protocol']} now)"
        )
    for name in sorted({*stored["configuration"], *wanted["configuration"]}):
        then, now = (facts["configuration"].get(name) for facts in (stored, wanted))
        if then != now:
            return f"{name} was {_short(then)} and is now {_short(now)}"
    if stored["records"] != wanted["records"]:
        return "the records, or their order, have changed"
    for position, (then, now) in enumerate(zip(stored["images"], wanted["images"], strict=True)):
        if then != now:
            return f"the image file of {records['image_id'].iloc[position]} has changed"
    return None


def file_state(path: object) -> list[int] | None:
    """Look at a local file, or at the archive that holds it.

    Parameters
    ----------
    path : object
        Path or locator.

    Returns
    -------
    list of int or None
        Size in bytes and time of change in nanoseconds; None for what is far away or absent.
    """
    container = str(path).rsplit("::", 1)[-1]
    try:
        state = Path(container).stat()
    except (OSError, ValueError):
        return None
    return [state.st_size, state.st_mtime_ns]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
