"""The outer file: a joblib file of plain values only, so that reading it can run nothing."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import joblib

from hybridlesion._atomic import atomic_path
from hybridlesion.exceptions import ArtifactError
from hybridlesion.persistence._signing import check_signature, signature_of, split_signature
from hybridlesion.persistence._stream import PLAIN_OPCODES, StrictUnpickler, check_stream

__all__ = ["FORMAT", "PROTOCOL", "Container", "read_container", "write_container"]

FORMAT = "hybridlesion-artifact"
PROTOCOL = 2


# A file beyond this is no model, and shall not fill the memory.
_MOST_BYTES = 8 << 30

# What a manifest may unfold to: parts that are shared in the file are written out in full in JSON.
_MOST_VALUES, _MOST_CHARACTERS = 1_000_000, 1 << 28

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
    protocol : int, default=2
        Protocol number of the file.
    signed : bool, default=False
        Whether the file it was read from carries a signature, checked or not.
    """

    manifest: dict
    payload: bytes
    files: dict[str, bytes]
    protocol: int = PROTOCOL
    signed: bool = False

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


def write_container(path: str | Path, container: Container, key: bytes | None = None) -> None:
    """Write `container` to `path`, whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file to write.
    container : Container
        What it shall hold.
    key : bytes, default=None
        Key to sign it with; None writes it unsigned.
    """
    content = {
        "format": FORMAT,
        "protocol": container.protocol,
        "sha256": container.digest(),
        "manifest": container.manifest,
        "files": container.files,
        "payload": container.payload,
    }
    buffer = io.BytesIO()
    joblib.dump(content, buffer)
    data = buffer.getvalue()
    with atomic_path(path) as temporary:
        temporary.write_bytes(data + (b"" if key is None else signature_of(data, key)))


def read_container(path: str | Path, key: bytes | None = None) -> Container:
    """Read an artifact file and check that it is one, whole and of a known protocol.

    Parameters
    ----------
    path : str or Path
        The file.
    key : bytes, default=None
        Key that the file must be signed with, checked before anything of it is unpickled; None
        asks for no signature.

    Returns
    -------
    Container
        Its parts; the model is still packed.

    Raises
    ------
    ArtifactError
        If the file is missing, not signed with the key, foreign, too new or changed; the message
        says which.
    """
    data, signature = split_signature(_read_bytes(path))
    if key is not None:
        check_signature(path, data, signature, key)
    content = _read_plain(path, data)
    protocol = content.get("protocol")
    if not isinstance(protocol, int) or isinstance(protocol, bool) or protocol < 1:
        _refuse(path, f"its protocol number is {protocol!r}")
    if protocol > PROTOCOL:
        raise ArtifactError(
            f"{path} was written with artifact protocol {protocol}; this release of hybridlesion "
            f"reads up to {PROTOCOL}. Install a newer hybridlesion, or fit the model again."
        )
    container = _checked_container(path, content, protocol, signature is not None)
    if container.digest() != content.get("sha256"):
        raise ArtifactError(
            f"{path} was changed after it was written: its SHA-256 digest does not match its "
            "content. Copy the file again from where it came, or fit the model again."
        )
    return container


def _read_bytes(path: str | Path) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ArtifactError(f"cannot read the model file {path}: {error.strerror}.") from error
    if len(data) > _MOST_BYTES:
        _refuse(path, f"it is larger than {_MOST_BYTES >> 30} GiB")
    return data


def _read_plain(path: str | Path, data: bytes) -> dict:
    # The first byte of every pickle that joblib writes; a table or an image begins otherwise.
    if not data.startswith(b"\x80"):
        _refuse(path, "it is no joblib file" if data else "it is empty")
    try:
        check_stream(data, PLAIN_OPCODES)
        content = StrictUnpickler(data).load()
    except ArtifactError as error:
        _refuse(path, str(error))
    except _BROKEN:
        _refuse(path, "it is no joblib file, or cut short")
    if type(content) is not dict or content.get("format") != FORMAT:
        _refuse(path, "it lacks the format mark")
    return content


def _checked_container(path: str | Path, content: dict, protocol: int, signed: bool) -> Container:
    manifest, payload, files = (content.get(key) for key in ("manifest", "payload", "files"))
    if not (isinstance(manifest, dict) and isinstance(payload, bytes) and isinstance(files, dict)):
        _refuse(path, "its parts are missing or of another kind")
    for name, data in files.items():
        if not isinstance(name, str) or not isinstance(data, bytes):
            _refuse(path, "its files are of another kind")
    _check_extent(path, manifest)
    try:
        json.dumps(manifest)
    except (TypeError, ValueError, RecursionError):
        _refuse(path, "its manifest is not plain JSON")
    return Container(manifest, payload, files, protocol, signed)


def _check_extent(path: str | Path, manifest: dict) -> None:
    """Refuse a manifest that is small in the file and without end when it is written out."""
    waiting: list[object] = [manifest]
    values = characters = 0
    while waiting:
        value = waiting.pop()
        values += 1
        if type(value) is dict:
            waiting += [*value.keys(), *value.values()]
        elif type(value) in (list, tuple):
            waiting += value
        elif type(value) is str:
            characters += len(value)
        if values + len(waiting) > _MOST_VALUES or characters > _MOST_CHARACTERS:
            _refuse(path, "its manifest is larger than any")


def _refuse(path: str | Path, reason: str) -> NoReturn:
    raise ArtifactError(
        f"{path} is not a hybridlesion model file: {reason}. Make one with "
        "`hybridlesion fit TABLE --out MODEL.joblib` or hybridlesion.save_artifact."
    ) from None
