"""What a run over many images leaves behind: counts, and the list of failures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from hybridlesion._atomic import atomic_path, check_apart, check_writable, same_file
from hybridlesion.batch._lock import check_lock
from hybridlesion.batch._shard_files import ShardFolder
from hybridlesion.batch._storage import FolderPlace, check_place, open_place, written_whole
from hybridlesion.exceptions import SourceError
from hybridlesion.featurizer import Failure
from hybridlesion.io import is_address, split_locator

__all__ = [
    "ExtractionResult",
    "Target",
    "check_beside",
    "check_errors",
    "check_mask_folder",
    "check_originals",
    "check_output",
    "errors_path",
    "is_error_list",
    "write_errors",
    "write_failures",
]

_COLUMNS = [field.name for field in fields(Failure)]


@dataclass(frozen=True)
class ExtractionResult:
    """Outcome of one run.

    Parameters
    ----------
    path : Path or str
        What was written: a feature table, or a folder of masks; an address as text.
    n_rows : int
        Images that went through.
    n_failed : int
        Images that did not; each stands in `errors_path`.
    errors_path : Path, str or None
        ``OUT.errors.csv``, or None if nothing failed.
    seconds : float
        Wall time.
    n_reused : int, default=0
        Images whose result an earlier, interrupted run had left.
    """

    path: Path | str
    n_rows: int
    n_failed: int
    errors_path: Path | str | None
    seconds: float
    n_reused: int = 0


def errors_path(out: str | os.PathLike) -> Path:
    """Name the list of failures that belongs to an output.

    Parameters
    ----------
    out : str or path-like
        The output file or folder.

    Returns
    -------
    Path
        ``OUT.errors.csv`` beside it.

    Examples
    --------
    >>> errors_path("runs/features.parquet").as_posix()
    'runs/features.parquet.errors.csv'
    """
    out = Path(out)
    return out.with_name(out.name + ".errors.csv")


def is_error_list(data: bytes) -> bool:
    """Whether the begin of a file is that of a list of failures.

    Parameters
    ----------
    data : bytes
        First bytes of the file, or all.

    Returns
    -------
    bool
        Whether its first line is the header of `write_failures`.

    Examples
    --------
    >>> is_error_list(b"image_id,path,stage,reason\\nISIC_1,a.jpg,read,no image\\n")
    True
    >>> is_error_list(b"image_id,comment\\n")
    False
    """
    return data.split(b"\n", 1)[0].strip() == ",".join(_COLUMNS).encode()


def check_errors(out: str | os.PathLike) -> None:
    """Make sure, before long work, that no file of other origin is ``OUT.errors.csv``.

    Parameters
    ----------
    out : str or path-like
        The output file or folder.

    Raises
    ------
    SourceError
        If there is something of that name that is no list of failures.
    """
    check_beside(errors_path(out), _COLUMNS)


def check_beside(path: Path, columns: Sequence[str]) -> None:
    """Make sure that a table whose name the user did not give is absent, or one of ours.

    Parameters
    ----------
    path : Path
        CSV file that is to be written.
    columns : sequence of str
        What the header of ours begins with.

    Raises
    ------
    SourceError
        If there is something else of that name.
    """
    if not os.path.lexists(path):
        return
    try:
        with open(path, "rb") as stream:
            header = stream.readline(10_000).decode("utf-8", "replace").strip().split(",")
    except OSError:
        header = []
    if header[: len(columns)] != list(columns):
        raise SourceError(
            f"{path} is in the way: a table of that name is written beside the output, and this "
            f"one is of other origin (its header is not {','.join(columns)}). Move it, or name "
            "another output."
        )


def write_errors(out: str | os.PathLike, failures: Sequence[Failure]) -> Path | None:
    """Write the list of failures beside `out`, or remove an old one if nothing failed.

    Parameters
    ----------
    out : str or path-like
        The output file or folder.
    failures : sequence of Failure
        What failed, in record order.

    Returns
    -------
    Path or None
        Where the list is, None if nothing failed.

    Raises
    ------
    SourceError
        If a file of that name is no list of failures.
    """
    path = errors_path(out)
    check_errors(out)
    if not failures:
        path.unlink(missing_ok=True)
        return None
    with atomic_path(path) as temporary:
        write_failures(temporary, failures)
    return path


def write_failures(path: Path, failures: Sequence[Failure]) -> None:
    """Write failures as CSV.

    Parameters
    ----------
    path : Path
        File to write.
    failures : sequence of Failure
        What failed, in record order.
    """
    rows = pd.DataFrame([asdict(failure) for failure in failures], columns=_COLUMNS)
    rows.to_csv(path, index=False)


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


def check_originals(outputs: Iterable[str | os.PathLike], paths: Iterable[object]) -> None:
    """Make sure that no output is one of the images, or an archive that holds them.

    Parameters
    ----------
    outputs : iterable of str or path-like
        Files to be written.
    paths : iterable of object
        Paths or locators of the images; what is no text is passed over.

    Raises
    ------
    SourceError
        If a file is both.
    """
    outputs = list(outputs)
    # Of many images few are called like an output, and only those are looked at.
    names = {os.path.basename(path) for path in outputs}
    check_apart(outputs, (file for file in _local_files(paths) if os.path.basename(file) in names))


def check_mask_folder(folder: str | os.PathLike, paths: Iterable[object]) -> Path:
    """Make sure, before long work, that masks can be written, and not among the images.

    Parameters
    ----------
    folder : str or path-like
        Folder for ``IMAGEID_segmentation.png``.
    paths : iterable of object
        Paths or locators of the images.

    Returns
    -------
    Path
        The folder, absolute.

    Raises
    ------
    SourceError
        If it cannot be written, or holds images: true masks that lie beside them, under the same
        names, would be replaced.
    """
    folder = Path(os.path.abspath(folder))
    check_writable(folder / "IMAGEID_segmentation.png")
    for parent in {os.path.dirname(file) for file in _local_files(paths)}:
        if same_file(folder, parent or "."):
            raise SourceError(
                f"{folder} holds the images. Masks that lie there as IMAGEID_segmentation.png "
                "would be replaced: name another folder for those to be written."
            )
    return folder


def _local_files(paths: Iterable[object]) -> Iterator[str]:
    for path in paths:
        if isinstance(path, str):
            locator = split_locator(path)
            if locator.scheme != "fsspec":
                yield locator.container or locator.inner
