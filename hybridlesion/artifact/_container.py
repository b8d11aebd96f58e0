"""The outer file: a joblib file of plain values only, so that reading it can run nothing."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import joblib

from hybridlesion._files import atomic_path
from hybridlesion.artifact._protocol import FORMAT, PROTOCOL
from hybridlesion.exceptions import ArtifactError

__all__ = ["Container", "read_container", "write_container"]

# What a damaged or hostile pickle stream makes the standard unpickler raise.
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
)


@dataclass(frozen=True)
class Container:
    """What one artifact file holds.

    Parameters
    ----------
    manifest : dict
        Plain JSON values.
    payload : bytes
        The pickled model; nothing but `loads_listed` may open it.
    files : dict of str to bytes
        Files the model needs to score images, by name.
    protocol : int, default=1
        Protocol number of the file.
    """

    manifest: dict
    payload: bytes
    files: dict[str, bytes]
    protocol: int = PROTOCOL

    def digest(self) -> str:
        """SHA-256 over everything in the file, as 64 hexadecimal digits."""
        manifest = json.dumps(self.manifest, sort_keys=True).encode()
        named = [(name.encode(), self.files[name]) for name in sorted(self.files)]
        total = hashlib.sha256(str(self.protocol).encode())
        for part in (manifest, self.payload, *(part for pair in named for part in pair)):
            # The length in front keeps bytes from wandering between neighbouring parts.
            total.update(len(part).to_bytes(8, "big"))
            total.update(part)
        return total.hexdigest()


class _PlainUnpickler(pickle.Unpickler):
    """Reads dicts, strings, numbers and bytes; a class or a function is refused by name."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise ArtifactError(f"it is a pickle of something else: it asks for {module}.{name}")

    def persistent_load(self, pid: object) -> NoReturn:
        raise ArtifactError("it is a pickle of something else: it asks for an outside object")


def write_container(path: str | Path, container: Container) -> None:
    """Write `container` to `path`, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file to write.
    container : Container
        What it shall hold.
    """
    content = {
        "format": FORMAT,
        "protocol": container.protocol,
        "sha256": container.digest(),
        "manifest": container.manifest,
        "files": container.files,
        "payload": container.payload,
    }
    with atomic_path(path) as temporary:
        joblib.dump(content, temporary)


def read_container(path: str | Path) -> Container:
    """Read an artifact file and check that it is one, whole and of a known protocol.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Container
        Its parts; the model is still packed.

    Raises
    ------
    ArtifactError
        If the file is missing, foreign, too new or changed; the message says which.
    """
    content = _read_plain(path)
    protocol = content.get("protocol")
    if not isinstance(protocol, int) or isinstance(protocol, bool) or protocol < 1:
        _refuse(path, f"its protocol number is {protocol!r}")
    if protocol > PROTOCOL:
        raise ArtifactError(
            f"{path} was written with artifact protocol {protocol}; this release of hybridlesion "
            f"reads up to {PROTOCOL}. Install a newer hybridlesion, or fit the model again."
        )
    container = _checked_container(path, content, protocol)
    if container.digest() != content.get("sha256"):
        raise ArtifactError(
            f"{path} was changed after it was written: its SHA-256 digest does not match its "
            "content. Copy the file again from where it came, or fit the model again."
        )
    return container


def _read_plain(path: str | Path) -> dict:
    try:
        with open(path, "rb") as file:
            content = _PlainUnpickler(file).load()
    except ArtifactError as error:
        _refuse(path, str(error))
    except OSError as error:
        raise ArtifactError(f"cannot read the model file {path}: {error.strerror}.") from error
    except _BROKEN as error:
        _refuse(path, f"it is no joblib file, or cut short ({type(error).__name__})")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        _refuse(path, "it lacks the format mark")
    return content


def _checked_container(path: str | Path, content: dict, protocol: int) -> Container:
    manifest, payload, files = (content.get(key) for key in ("manifest", "payload", "files"))
    if not (isinstance(manifest, dict) and isinstance(payload, bytes) and isinstance(files, dict)):
        _refuse(path, "its parts are missing or of another kind")
    for name, data in files.items():
        if not isinstance(name, str) or not isinstance(data, bytes):
            _refuse(path, "its files are of another kind")
    try:
        json.dumps(manifest)
    except (TypeError, ValueError, RecursionError):
        _refuse(path, "its manifest is not plain JSON")
    return Container(manifest, payload, files, protocol)


def _refuse(path: str | Path, reason: str) -> NoReturn:
    raise ArtifactError(
        f"{path} is not a hybridlesion model file: {reason}. Make one with "
        "`hybridlesion fit TABLE --out MODEL.joblib` or hybridlesion.save_artifact."
    ) from None
