"""Who wrote a model file: a keyed digest behind it, checked before anything is read of it.

The signature stands behind the joblib file as one line, where readers without a key pass over it.
It is HMAC-SHA256 over every byte before it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from hybridlesion.exceptions import ArtifactError

__all__ = ["check_signature", "read_key", "signature_of", "split_signature"]

_MARK = b"\nhybridlesion-hmac-sha256:"
_LENGTH = len(_MARK) + 64

# Keeps a signature of a model from being one of anything else under the same key.
_PURPOSE = b"hybridlesion-artifact\0"

_SHORTEST_KEY = 16
_LONGEST_KEY = 1 << 16


def read_key(path: str | os.PathLike) -> bytes:
    """Read the key of a key file.

    Parameters
    ----------
    path : str or path-like
        File of at least 16 bytes; a line end at its end does not count.

    Returns
    -------
    bytes
        The key.

    Raises
    ------
    ArtifactError
        If the file cannot be read, or is too short or too long for a key.
    """
    try:
        with Path(path).open("rb") as file:
            key = file.read(_LONGEST_KEY + 1).rstrip(b"\r\n")
    except OSError as error:
        raise ArtifactError(f"cannot read the key file {path}: {error.strerror}.") from error
    if not _SHORTEST_KEY <= len(key) <= _LONGEST_KEY:
        raise ArtifactError(
            f"the key file {path} holds {len(key)} bytes; a key has at least {_SHORTEST_KEY} (and "
            f"at most {_LONGEST_KEY}). Make one with: openssl rand -hex 32 > {path}"
        )
    return key


def signature_of(data: bytes, key: bytes) -> bytes:
    """Sign the bytes of a file.

    Parameters
    ----------
    data : bytes
        The file.
    key : bytes
        The key.

    Returns
    -------
    bytes
        What to put behind the file.

    Examples
    --------
    >>> signature_of(b"model", b"a key of 16 byte")[:26]
    b'\\nhybridlesion-hmac-sha256:'
    """
    return _MARK + hmac.new(key, _PURPOSE + data, hashlib.sha256).hexdigest().encode()


def split_signature(data: bytes) -> tuple[bytes, bytes | None]:
    """Part a file from its signature.

    Parameters
    ----------
    data : bytes
        Signed or unsigned file.

    Returns
    -------
    data : bytes
        What is signed.
    signature : bytes or None
        As `signature_of` gave it; None if there is none.
    """
    if data[-_LENGTH : -_LENGTH + len(_MARK)] != _MARK:
        return data, None
    return data[:-_LENGTH], data[-_LENGTH:]


def check_signature(
    path: str | os.PathLike, data: bytes, signature: bytes | None, key: bytes
) -> None:
    """Refuse a file that was not signed with this key.

    Parameters
    ----------
    path : str or path-like
        The file, for the message.
    data : bytes
        What is signed.
    signature : bytes or None
        What stands behind it.
    key : bytes
        The key.

    Raises
    ------
    ArtifactError
        If there is no signature, or it is that of another key or another file.
    """
    if signature is None:
        raise ArtifactError(
            f"{path} is not signed, and a key was given. Nothing of it was loaded. Sign models "
            "when they are made, with `hybridlesion fit ... --sign KEYFILE`."
        )
    if not hmac.compare_digest(signature, signature_of(data, key)):
        raise ArtifactError(
            f"the signature of {path} does not fit this key: the file was changed, or signed with "
            "another key. Nothing of it was loaded."
        )
