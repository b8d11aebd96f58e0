"""The files of one output: the table, its shards and its list of failures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from hybridlesion.exceptions import SourceError
from hybridlesion.extraction._folder import ShardFolder
from hybridlesion.extraction._folder_place import FolderPlace
from hybridlesion.extraction._lock import check_lock
from hybridlesion.extraction._outcome import (
    check_errors,
    errors_path,
    is_error_list,
    write_errors,
    write_failures,
)
from hybridlesion.extraction._place import check_place, open_place, written_whole
from hybridlesion.images._locators import is_address
from hybridlesion.table import Failure

__all__ = ["Target", "check_output"]


def check_output(out: str | os.PathLike) -> None:
    """Make sure, before long work, that a table and what stands beside it can be written.

    Parameters
    ----------
    out : str or path-like
        Path or fsspec address of the file to come.

    Raises
    ------
    SourceError
        If it cannot be written, or if ``OUT.errors.csv``, ``OUT.lock`` or ``OUT.shards`` beside it
        are of other origin.
    """
    Target(out)


class Target:
    """An output file by path or address, and what stands beside it.

    Parameters
    ----------
    out : str or path-like
        The finished file.

    Raises
    ------
    SourceError
        If it cannot be written, or if ``OUT.errors.csv``, ``OUT.lock`` or ``OUT.shards`` beside it
        are of other origin.
    """

    def __init__(self, out: str | os.PathLike):
        parent, self.name = os.path.split(os.fspath(out))
        if is_address(os.fspath(out)) and not is_address(parent):
            raise SourceError(
                f"{out} names no folder or bucket; give one, as s3://bucket/f.parquet."
            )
        self.place = open_place(parent or ".")
        check_place(self.place, self.name)
        self.shards = ShardFolder(open_place(f"{self.place}/{self.name}.shards"))
        written = f"{self.place}/{self.name}" if is_address(os.fspath(out)) else out
        self.path: Path | str = Path(written) if self._is_local else written
        self._check_beside()

    @property
    def _is_local(self) -> bool:
        return isinstance(self.place, FolderPlace)

    def _check_beside(self) -> None:
        self.shards.check()
        check_lock(self.place, self.name)
        errors = f"{self.name}.errors.csv"
        if self._is_local:
            check_errors(self.path)
        elif self.place.has(errors) and not is_error_list(self.place.read(errors)):
            raise SourceError(
                f"{self.place}/{errors} is in the way: it is no list of failures of this program. "
                "Move it, or name another output."
            )

    def local_files(self) -> list[Path]:
        """List what a run writes under a name of its own; none for an address."""
        return [self.path, errors_path(self.path)] if self._is_local else []

    def make_folder(self) -> None:
        """Make the folder of the output where it is one of this machine; a bucket must be there."""
        if self._is_local:
            self.place.make()

    def writing(self) -> AbstractContextManager[Path]:
        """Give a local path to write to, which becomes the output when the block ends well.

        Returns
        -------
        context manager
            Yields the temporary path.
        """
        return written_whole(self.place, self.name)

    def write_errors(self, failures: Sequence[Failure]) -> Path | str | None:
        """Write the list of failures, or remove an old one if nothing failed.

        Parameters
        ----------
        failures : sequence of Failure
            What failed, in record order.

        Returns
        -------
        Path, str or None
            Where the list is; None if nothing failed.
        """
        if self._is_local:
            return write_errors(self.path, failures)
        name = f"{self.name}.errors.csv"
        if not failures:
            self.place.remove(name)
            return None
        with written_whole(self.place, name) as temporary:
            write_failures(temporary, failures)
        return f"{self.place}/{name}"
