"""One run on one output: a lock file that names its owner."""

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

from hybridlesion.batch._storage import Place
from hybridlesion.exceptions import SourceError

__all__ = ["check_lock", "locked"]

# A live run signs its lock anew every minute. On another machine that is all one can know of it.
_BEAT = 60.0
_STALE = 10 * _BEAT


def check_lock(place: Place, name: str) -> None:
    """Make sure that nothing of other origin has the name of an output's lock.

    Parameters
    ----------
    place : FolderPlace or RemotePlace
        Where the output is written.
    name : str
        Name of the output.

    Raises
    ------
    SourceError
        If a file has that name that no run wrote.
    """
    lock = f"{name}.lock"
    if not place.has(lock):
        return
    if not _is_lock(_read(place, lock)):
        # It may be in the act of being written, or just gone.
        time.sleep(1)
        if place.has(lock) and not _is_lock(_read(place, lock)):
            raise SourceError(
                f"{lock} in {place} is in the way: the name is that of the lock of {name}, and no "
                "run of this program wrote it. Move it, or name another output."
            )


@contextmanager
def locked(place: Place, name: str) -> Iterator[None]:
    """Keep every other run off an output while the block lasts.

    Parameters
    ----------
    place : FolderPlace or RemotePlace
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
        If another run that lives writes the same output. The lock of a run that is dead is taken
        over: on this machine its process is looked for; of another machine, it has not been
        signed for ten minutes. Also if a file of other origin has the name of the lock.
    """
    lock = f"{name}.lock"
    owner = {"host": socket.gethostname(), "pid": os.getpid(), "token": secrets.token_hex(8)}
    owner |= {"born": _birth(os.getpid()), "started": time.strftime("%Y-%m-%d %H:%M:%S")}
    _acquire(place, lock, name, owner)
    done = threading.Event()
    beat = threading.Thread(target=_keep_signing, args=(place, lock, owner, done), daemon=True)
    beat.start()
    try:
        yield
    finally:
        done.set()
        beat.join()
        if _read(place, lock).get("token") == owner["token"]:
            with suppress(OSError):
                place.remove(lock)


def _acquire(place: Place, lock: str, name: str, owner: dict) -> None:
    # Twice: a lock that is found dead is removed, and then made anew.
    for _ in range(2):
        if place.create(lock, _signed(owner)):
            break
        check_lock(place, name)
        other = _read(place, lock)
        if _lives(other):
            raise SourceError(
                f"{name} in {place} is being written by another run: process {other.get('pid')} on "
                f"{other.get('host')}, since {other.get('started')}. Wait until it is done, or "
                f"choose another --out. If that run is dead, remove {lock} there."
            )
        # Another run may have found it dead too, and may have taken over in the meantime.
        if other and _read(place, lock).get("token") == other.get("token"):
            place.remove(lock)
    if _read(place, lock).get("token") != owner["token"]:
        raise SourceError(f"{name} in {place} has just been taken over by another run.")


def _keep_signing(place: Place, lock: str, owner: dict, done: threading.Event) -> None:
    while not done.wait(_BEAT):
        # A place that is gone for a while is told by the work itself, when it has to write.
        with suppress(OSError):
            if _read(place, lock).get("token") == owner["token"]:
                place.write(lock, _signed(owner))


def _signed(owner: dict) -> bytes:
    return json.dumps(owner | {"signed": time.time()}).encode()


def _read(place: Place, lock: str) -> dict:
    """Read who owns a lock; nothing is known of one that is gone or damaged."""
    try:
        owner = json.loads(place.read(lock))
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _is_lock(owner: dict) -> bool:
    return {"host", "pid", "token"} <= set(owner)


def _lives(owner: dict) -> bool:
    if not isinstance(owner.get("signed"), (int, float)):
        return False
    # Signal 0 only asks; on Windows it would be Ctrl-C.
    if owner.get("host") == socket.gethostname() and os.name == "posix":
        return _process_lives(owner)
    return time.time() - owner["signed"] < _STALE


def _process_lives(owner: dict) -> bool:
    try:
        os.kill(int(owner["pid"]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    # The number may have gone to another process since.
    return owner.get("born") == _birth(int(owner["pid"]))


def _birth(pid: int) -> str | None:
    """Time at which a process was started, in the kernel's own count; None where it hides that."""
    try:
        # Behind the name, which is in brackets and may hold anything.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None
