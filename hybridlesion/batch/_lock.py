"""Lock file that keeps two runs from writing the same output."""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hybridlesion.batch._storage import Storage, in_the_way
from hybridlesion.exceptions import SourceError

# A live run renews the timestamp of its lock every minute, and other machines rely on that.
_HEARTBEAT = 60.0
_STALE = 10 * _HEARTBEAT


def check_lock(storage: Storage, name: str) -> None:
    """Check that the lock file of an output is absent or was written by this program.

    Parameters
    ----------
    storage : LocalStorage or RemoteStorage
        Where the output is written.
    name : str
        Name of the output.

    Raises
    ------
    SourceError
        If a file with that name exists and is not a lock file.
    """
    lock = f"{name}.lock"
    # It may be momentarily incomplete, or have just been removed.
    for delay in (0, 1):
        time.sleep(delay)
        if not storage.has(lock) or {"host", "pid", "token"} <= set(_read(storage, lock)):
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
        if _read(storage, lock).get("token") == owner["token"]:
            with suppress(OSError):
                storage.remove(lock)


def _acquire(storage: Storage, lock: str, name: str, owner: dict) -> None:
    # Two attempts: the lock of a dead run is first removed, then created again.
    for _ in range(2):
        if storage.create(lock, _signed(owner)):
            break
        check_lock(storage, name)
        other = _read(storage, lock)
        if _lives(other):
            raise SourceError(
                f"{name} in {storage} is being written by another run: process {other.get('pid')} "
                f"on {other.get('host')}, since {other.get('started')}. Wait, or choose another "
                f"`out`. If that run is dead, remove {lock} there."
            )
        # Another run may have replaced it in the meantime.
        if other and _read(storage, lock).get("token") == other.get("token"):
            storage.remove(lock)
    if _read(storage, lock).get("token") != owner["token"]:
        raise SourceError(f"another run has just locked {name} in {storage}.")


def _keep_fresh(storage: Storage, lock: str, owner: dict, done: threading.Event) -> None:
    while not done.wait(_HEARTBEAT):
        # If the storage is unavailable, the run itself reports that when it writes a shard.
        with suppress(OSError):
            if _read(storage, lock).get("token") == owner["token"]:
                storage.write(lock, _signed(owner))


def _signed(owner: dict) -> bytes:
    return json.dumps(owner | {"signed": time.time()}).encode()


def _read(storage: Storage, lock: str) -> dict:
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
