"""Outputs of a run over many images: files, lists of failures, locks, and checks before a run."""

from __future__ import annotations

import csv
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from hybridlesion._atomic import atomic_path, check_apart, check_writable, same_file
from hybridlesion.batch._shards import ShardStore
from hybridlesion.batch._storage import LocalStorage, Storage, in_the_way, open_storage
from hybridlesion.exceptions import HybridLesionError, SourceError
from hybridlesion.featurizer import Failure
from hybridlesion.io import is_address, split_locator

_COLUMNS = [field.name for field in fields(Failure)]

# A live run renews the timestamp of its lock every minute, and other machines rely on that.
_HEARTBEAT = 60.0
_STALE = 10 * _HEARTBEAT


@dataclass(frozen=True)
class ExtractionResult:
    """Outcome of one run.

    Parameters
    ----------
    path : Path or str
        File or mask folder that was written; a string if it is an address.
    n_rows : int
        Number of images that succeeded.
    n_failed : int
        Number of images that failed; they are listed in `errors_path`.
    errors_path : Path, str or None
        ``OUT.errors.csv``, or None if nothing failed.
    seconds : float
        Wall time.
    n_reused : int, default=0
        Number of images whose results were reused.
    n_unscored : int, default=0
        Number of rows without a score, on which the model abstained.
    reasons : mapping of str to int, default=None
        Number of rows by reason why a model applies to them less; None if nothing was scored.
    columns : tuple of str, default=()
        Columns of the table that was written; empty for other output.
    """

    path: Path | str
    n_rows: int
    n_failed: int
    errors_path: Path | str | None
    seconds: float
    n_reused: int = 0
    n_unscored: int = 0
    reasons: Mapping[str, int] | None = None
    columns: tuple[str, ...] = ()


def errors_path(out: str | os.PathLike) -> Path:
    """Return the path of the list of failures for an output.

    Parameters
    ----------
    out : str or path-like
        Output file or folder.

    Returns
    -------
    Path
        ``OUT.errors.csv`` in the same folder.

    Examples
    --------
    >>> errors_path("runs/features.parquet").as_posix()
    'runs/features.parquet.errors.csv'
    """
    out = Path(out)
    return out.with_name(out.name + ".errors.csv")


def count_errors(out: str | os.PathLike) -> int:
    """Count the failures that were listed for an output.

    Parameters
    ----------
    out : str or path-like
        Output file or folder.

    Returns
    -------
    int
        Rows of ``OUT.errors.csv``; 0 without such a list.
    """
    path = errors_path(out)
    if not path.is_file():
        return 0
    with open(path, newline="", encoding="utf-8", errors="replace") as stream:
        header, *rows = [*csv.reader(stream)] or [[]]
    return len(rows) if header[: len(_COLUMNS)] == _COLUMNS else 0


def check_errors(out: str | os.PathLike) -> None:
    """Check, before a long run, that ``OUT.errors.csv`` is absent or a list of failures.

    Parameters
    ----------
    out : str or path-like
        Output file or folder.

    Raises
    ------
    SourceError
        If a file with that name exists and is not a list of failures.
    """
    check_side_table(errors_path(out), _COLUMNS)


def check_side_table(path: Path, columns: Sequence[str]) -> None:
    """Check that a table at a derived path is absent or has the expected header.

    Parameters
    ----------
    path : Path
        CSV file to write.
    columns : sequence of str
        First columns of the expected header.

    Raises
    ------
    SourceError
        If a file with that name exists and has another header.
    """
    if not os.path.lexists(path):
        return
    try:
        with open(path, "rb") as stream:
            header = stream.readline(10_000)
    except OSError:
        header = b""
    _check_header(path, header, columns)


def _check_header(place: Path | str, header: bytes, columns: Sequence[str]) -> None:
    names = header.decode("utf-8", "replace").strip().split(",")
    if names[: len(columns)] != list(columns):
        raise in_the_way(place, f"a table with the header {','.join(columns)}")


def write_errors(out: str | os.PathLike, failures: Sequence[Failure]) -> Path | None:
    """Write the list of failures for `out`, or remove an old list if nothing failed.

    Parameters
    ----------
    out : str or path-like
        Output file or folder.
    failures : sequence of Failure
        Failures, in record order.

    Returns
    -------
    Path or None
        Path of the list, or None if nothing failed.

    Raises
    ------
    SourceError
        If a file with that name exists and is not a list of failures.
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
    """Write failures to a CSV file.

    Parameters
    ----------
    path : Path
        File to write.
    failures : sequence of Failure
        Failures, in record order.
    """
    rows = pd.DataFrame([asdict(failure) for failure in failures], columns=_COLUMNS)
    rows.to_csv(path, index=False)


def check_usable(failures: Sequence[Failure], total: int, errors: Path | str | None) -> None:
    """Check that at least one image could be used.

    Parameters
    ----------
    failures : sequence of Failure
        Failures, in record order.
    total : int
        Number of images.
    errors : Path, str or None
        Path of the list of failures.

    Raises
    ------
    HybridLesionError
        If every image failed.
    """
    if failures and len(failures) == total:
        raise HybridLesionError(
            f"none of the {total} images could be used; see {errors}. First: {failures[0].reason}"
        )


def check_output(out: str | os.PathLike) -> None:
    """Check, before a long run, that a table and its side files can be written.

    Parameters
    ----------
    out : str or path-like
        Path or fsspec address of the file.

    Raises
    ------
    SourceError
        If it cannot be written, or if ``OUT.errors.csv``, ``OUT.lock`` or ``OUT.shards`` exists
        but was not written by this program.
    """
    Output(out)


class Output:
    """Output file at a path or address, with its list of failures, lock and scratch folder.

    Parameters
    ----------
    out : str or path-like
        Path or address of the finished file.

    Raises
    ------
    SourceError
        If it cannot be written, or if ``OUT.errors.csv``, ``OUT.lock`` or ``OUT.shards`` exists
        but was not written by this program.
    """

    def __init__(self, out: str | os.PathLike):
        parent, self.name = os.path.split(os.fspath(out))
        if is_address(os.fspath(out)) and not is_address(parent):
            raise SourceError(f"{out} has no folder or bucket, unlike s3://bucket/f.parquet.")
        self.storage = open_storage(parent or ".")
        self.storage.check(self.name)
        place = f"{self.storage}/{self.name}"
        self.shards = ShardStore(open_storage(f"{place}.shards"))
        self.local: Path | None = None
        if isinstance(self.storage, LocalStorage):
            self.local = Path(place if is_address(os.fspath(out)) else out)
        self.path: Path | str = self.local or place
        self.shards.check()
        _check_lock(self.storage, self.name)
        if self.local:
            check_errors(self.local)
        elif self.storage.has(errors := f"{self.name}.errors.csv"):
            header = self.storage.read(errors).split(b"\n", 1)[0]
            _check_header(f"{self.storage}/{errors}", header, _COLUMNS)

    def local_files(self) -> list[Path]:
        """List the local files that a run writes; the list is empty for an address."""
        return [self.local, errors_path(self.local)] if self.local else []

    def make_folder(self) -> None:
        """Create the folder of the output if it is local; a bucket must already exist."""
        if self.local:
            self.storage.make()

    def write_errors(self, failures: Sequence[Failure]) -> Path | str | None:
        """Write the list of failures, or remove an old list if nothing failed.

        Parameters
        ----------
        failures : sequence of Failure
            Failures, in record order.

        Returns
        -------
        Path, str or None
            Path of the list, or None if nothing failed.
        """
        if self.local:
            return write_errors(self.local, failures)
        name = f"{self.name}.errors.csv"
        if not failures:
            self.storage.remove(name)
            return None
        with self.storage.replacing(name) as temporary:
            write_failures(temporary, failures)
        return f"{self.storage}/{name}"


def check_originals(outputs: Iterable[str | os.PathLike], paths: Iterable[object]) -> None:
    """Check that no output is one of the images or an archive that contains them.

    Parameters
    ----------
    outputs : iterable of str or path-like
        Files to be written.
    paths : iterable of object
        Paths or locators of the images; missing values are ignored.

    Raises
    ------
    SourceError
        If an output is an image or such an archive.
    """
    outputs = list(outputs)
    # Compare only the few images that share their file name with an output.
    names = {os.path.basename(path) for path in outputs}
    check_apart(outputs, (file for file in _local_files(paths) if os.path.basename(file) in names))


def check_mask_folder(folder: str | os.PathLike, paths: Iterable[object]) -> Path:
    """Check, before a long run, that masks can be written to a folder without images.

    Parameters
    ----------
    folder : str or path-like
        Folder for ``IMAGEID_segmentation.png``.
    paths : iterable of object
        Paths or locators of the images.

    Returns
    -------
    Path
        Absolute path of the folder.

    Raises
    ------
    SourceError
        If the folder cannot be written, or contains the images, because reference masks with the
        same names would be replaced.
    """
    folder = Path(os.path.abspath(folder))
    check_writable(folder / "IMAGEID_segmentation.png")
    for parent in {os.path.dirname(file) for file in _local_files(paths)}:
        if same_file(folder, parent or "."):
            raise SourceError(
                f"{folder} holds the images. Reference masks there, named "
                "IMAGEID_segmentation.png, would be replaced: choose another folder."
            )
    return folder


def _local_files(paths: Iterable[object]) -> Iterator[str]:
    for path in paths:
        if isinstance(path, str):
            locator = split_locator(path)
            if locator.scheme != "fsspec":
                yield locator.container or locator.inner


def _check_lock(storage: Storage, name: str) -> None:
    """Raise an error if the lock file of an output exists but was not written by this program."""
    lock = f"{name}.lock"
    # It may be momentarily incomplete, or have just been removed.
    for delay in (0, 1):
        time.sleep(delay)
        if not storage.has(lock) or {"host", "pid", "token"} <= set(_read_owner(storage, lock)):
            return
    raise in_the_way(f"{lock} in {storage}", "a lock file of that name")


@contextmanager
def locked(storage: Storage, name: str) -> Iterator[None]:
    """Lock an output while the block runs.

    Parameters
    ----------
    storage : LocalStorage or RemoteStorage
        Where the output is written.
    name : str
        Name of the output.

    Yields
    ------
    None
        Nothing.

    Raises
    ------
    SourceError
        If another live run is writing the same output, or the lock file was not written by this
        program. The lock of a dead run is replaced. A run on this machine is dead if its process
        no longer exists; a run on another machine, if its timestamp is over ten minutes old.
    """
    lock = f"{name}.lock"
    owner = {"host": socket.gethostname(), "pid": os.getpid(), "token": secrets.token_hex(8)}
    owner |= {"born": _birth(os.getpid()), "started": time.strftime("%Y-%m-%d %H:%M:%S")}
    _acquire(storage, lock, name, owner)
    done = threading.Event()
    thread = threading.Thread(target=_keep_fresh, args=(storage, lock, owner, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if _read_owner(storage, lock).get("token") == owner["token"]:
            with suppress(OSError):
                storage.remove(lock)


def _acquire(storage: Storage, lock: str, name: str, owner: dict) -> None:
    # Two attempts: the lock of a dead run is first removed, then created again.
    for _ in range(2):
        if storage.create(lock, _signed(owner)):
            break
        _check_lock(storage, name)
        other = _read_owner(storage, lock)
        if _lives(other):
            raise SourceError(
                f"{name} in {storage} is being written by another run: process {other.get('pid')} "
                f"on {other.get('host')}, since {other.get('started')}. Wait, or choose another "
                f"`out`. If that run is dead, remove {lock} there."
            )
        # Another run may have replaced it in the meantime.
        if other and _read_owner(storage, lock).get("token") == other.get("token"):
            storage.remove(lock)
    if _read_owner(storage, lock).get("token") != owner["token"]:
        raise SourceError(f"another run has just locked {name} in {storage}.")


def _keep_fresh(storage: Storage, lock: str, owner: dict, done: threading.Event) -> None:
    while not done.wait(_HEARTBEAT):
        # If the storage is unavailable, the run itself reports that when it writes a shard.
        with suppress(OSError):
            if _read_owner(storage, lock).get("token") == owner["token"]:
                storage.write(lock, _signed(owner))


def _signed(owner: dict) -> bytes:
    return json.dumps(owner | {"signed": time.time()}).encode()


def _read_owner(storage: Storage, lock: str) -> dict:
    """Read the owner of a lock; return an empty dict if the lock is missing or damaged."""
    try:
        owner = json.loads(storage.read(lock))
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _lives(owner: dict) -> bool:
    if not isinstance(owner.get("signed"), (int, float)):
        return False
    if owner.get("host") != socket.gethostname() or os.name != "posix":
        return time.time() - owner["signed"] < _STALE
    pid = int(owner["pid"])
    try:
        # Signal 0 only checks for existence on POSIX; on Windows it would be Ctrl-C.
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    # The process id may have been reused since.
    return owner.get("born") == _birth(pid)


def _birth(pid: int) -> str | None:
    """Return the start time of a process in clock ticks since boot; None if /proc lacks it."""
    try:
        # Skip the process name, which is in brackets and may contain any character.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
