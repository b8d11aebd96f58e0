"""The picklable work on one shard."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa

from hybridlesion import __version__
from hybridlesion.batch._shard_files import ShardFolder, arrow_schema
from hybridlesion.batch._shards import Shard, file_state
from hybridlesion.batch._storage import CURE
from hybridlesion.batch._workers import time_limit
from hybridlesion.exceptions import HybridLesionError, SourceError
from hybridlesion.featurizer import FEATURE_VERSION, Failure, LesionFeaturizer
from hybridlesion.io import join_locator, split_locator

__all__ = ["ShardWork"]


def _this_code() -> tuple[str, int]:
    return __version__, FEATURE_VERSION


def _this_process() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


@dataclass(frozen=True)
class ShardWork:
    """Compute shards and store them, in whichever process and on whichever machine.

    Parameters
    ----------
    featurizer : LesionFeaturizer
        Fitted featurizer.
    folder : ShardFolder
        Where the results wait.
    masks : Path or None
        Folder that receives every mask.
    limit : float or None, default=None
        Seconds that one image may take in a process other than the one that made this object.
    root : str, optional
        Folder that relative paths start from.
    home : tuple of str and int, optional
        Machine and process that made this object; no limit holds there.
    code : tuple of str and int, optional
        Version and protocol of the code that made this object.
    """

    featurizer: LesionFeaturizer
    folder: ShardFolder
    masks: Path | None
    limit: float | None = None
    root: str = field(default_factory=os.getcwd)
    home: tuple[str, int] = field(default_factory=_this_process)
    code: tuple[str, int] = field(default_factory=_this_code)

    def limited(self, seconds: float | None) -> ShardWork:
        """Copy this object with another limit.

        Parameters
        ----------
        seconds : float or None
            Seconds that one image may take; None sets no limit.

        Returns
        -------
        ShardWork
            The copy.
        """
        return replace(self, limit=seconds)

    @property
    def schema(self) -> pa.Schema:
        """Columns and types of every shard."""
        nothing = pd.DataFrame(columns=list(self.featurizer.feature_names_in_))
        return arrow_schema(self.featurizer.featurize(nothing)[0])

    def __call__(self, shard: Shard) -> list[Failure]:
        """Measure a shard and store the result.

        Parameters
        ----------
        shard : Shard
            Which.

        Returns
        -------
        list of Failure
            What failed, in record order.

        Raises
        ------
        SourceError
            If the result cannot be stored, the images have vanished, or this process runs
            another version of the code.
        """
        mine = _this_code()
        if self.code != mine:
            raise SourceError(
                f"this worker runs hybridlesion {mine[0]} (protocol {mine[1]}), the run was "
                f"started by {self.code[0]} (protocol {self.code[1]}). Install the same version "
                "everywhere."
            )
        try:
            table, failures = self._measure(shard.records, shard.culprits, self.masks)
            self._check_still_there(shard, failures)
            failed = {failure.image_id for failure in failures}
            usable = table[~table["image_id"].isin(failed)]
            stored = pa.Table.from_pandas(usable, schema=self.schema, preserve_index=False)
            self.folder.write(shard, stored, failures)
        except HybridLesionError:
            raise
        except OSError as error:
            raise SourceError(
                f"cannot write the results of shard {shard.number}: {error}. {CURE}"
            ) from error
        return failures

    def try_out(self, records: pd.DataFrame) -> None:
        """Measure records and forget the result, to see whether this process survives it.

        Parameters
        ----------
        records : DataFrame
            Some of the records.
        """
        self._measure(records, {}, None)

    def _measure(
        self, records: pd.DataFrame, culprits: dict[int, str], masks: Path | None
    ) -> tuple[pd.DataFrame, list[Failure]]:
        away = self.home != _this_process()
        with time_limit(self.limit if away else None) as tick:
            table, failures = self.featurizer.featurize(
                self._reachable(records, culprits), masks=masks, tick=tick
            )
        if "path" in records:
            table = table.assign(path=records["path"])
        names = {str(records["image_id"].iloc[i]): reason for i, reason in culprits.items()}
        paths = dict(zip(records["image_id"].astype(str), records.get("path", ()), strict=False))
        return table, [_as_recorded(failure, paths, names) for failure in failures]

    def _reachable(self, records: pd.DataFrame, culprits: dict[int, str]) -> pd.DataFrame:
        """Give the records the paths by which this process reaches them; culprits get none."""
        if "path" not in records or (not culprits and self.root == os.getcwd()):
            return records
        paths = [_anchored(path, self.root) for path in records["path"]]
        # Without a path an image fails before it is touched, and its batch keeps its place.
        paths = [None if position in culprits else path for position, path in enumerate(paths)]
        return records.assign(path=pd.Series(paths, index=records.index, dtype=object))

    def _check_still_there(self, shard: Shard, failures: list[Failure]) -> None:
        """Refuse to note images as bad whose folder was lost on the way."""
        failed = {failure.image_id for failure in failures if failure.stage == "read"}
        if not failed:
            return
        records, states = shard.records, shard.facts["images"]
        for image_id, path, state in zip(records["image_id"], records["path"], states, strict=True):
            if str(image_id) in failed and state and file_state(_anchored(path, self.root)) is None:
                raise SourceError(
                    f"{path} was there when the run began, and cannot be found from here. {CURE}"
                )


def _as_recorded(failure: Failure, paths: dict[str, object], culprits: dict[str, str]) -> Failure:
    """Tell a failure with the path of the records, and that of a culprit with its own reason."""
    path = paths.get(failure.image_id)
    if isinstance(path, str):
        failure = replace(failure, path=path)
    if failure.image_id in culprits:
        failure = replace(failure, stage="worker", reason=culprits[failure.image_id])
    return failure


def _anchored(path: object, root: str) -> object:
    """Make a local path or locator absolute; leave addresses and what is no path alone."""
    if not isinstance(path, str):
        return path
    locator = split_locator(path)
    if locator.scheme == "fsspec":
        return path
    if locator.scheme == "file":
        return os.path.join(root, locator.inner)
    return join_locator(locator.scheme, locator.inner, os.path.join(root, locator.container))
