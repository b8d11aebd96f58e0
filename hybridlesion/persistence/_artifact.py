"""Save a fitted model to a single file and load it without trusting the file.

The file contains plain values in a pickled call, followed by an optional signature.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.validation import check_is_fitted

from hybridlesion._atomic import atomic_path
from hybridlesion.exceptions import ArtifactError
from hybridlesion.persistence._allowlist import LISTED_CLASSES, loads_listed, read_pickle
from hybridlesion.persistence._manifest import check_schema, check_versions, make_manifest
from hybridlesion.persistence._state import CALLS, dumps_model
from hybridlesion.persistence._weights import (
    attach_weights,
    collect_files,
    detach_weights,
    write_sidecar_files,
)
from hybridlesion.pipeline import split_steps

FORMAT = "hybridlesion-artifact"

# 1: boosters and pipelines pickled by their libraries. 2: boosters as text. 3: the file is a call
# to `restore_model`, so that joblib.load returns the model. Increment it when older releases could
# not read the file, and keep supporting all earlier protocols.
PROTOCOL = 3

_MAX_BYTES = 8 << 30

# Limits for a manifest as JSON, in which parts shared within the pickle are written out in full.
_MAX_VALUES, _MAX_CHARACTERS = 1_000_000, 1 << 28

_SIGNATURE_MARK = b"\nhybridlesion-hmac-sha256:"
_SIGNATURE_LENGTH = len(_SIGNATURE_MARK) + 64
# Prevents the signature of a model from being valid for other data signed with the same key.
_PURPOSE = b"hybridlesion-artifact\0"
_MIN_KEY, _MAX_KEY = 16, 1 << 16


def save_artifact(
    path: str | os.PathLike,
    model: BaseEstimator,
    *,
    training: Mapping[str, object] | None = None,
    metrics: pd.DataFrame | None = None,
    key: bytes | None = None,
) -> dict:
    """Write a fitted model and its manifest to a joblib file.

    Parameters
    ----------
    path : str or path-like
        File to write, usually ``MODEL.joblib``.
    model : Pipeline or HybridLesionClassifier
        Fitted pipeline from `make_hybrid_pipeline`, which scores images and feature tables, or a
        fitted classifier, which scores feature tables.
    training : mapping, default=None
        Description of the training data, from `hybridlesion.training.describe_training`.
    metrics : DataFrame, default=None
        Table with columns metric, value, low and high, from `hybridlesion.metrics.evaluate`.
    key : bytes, default=None
        Key to sign the file with, from `read_key`. If None, the file is not signed.

    Returns
    -------
    dict
        Manifest of the model.

    Raises
    ------
    ArtifactError
        If the model contains a class that could not be loaded again, or a weight file is missing.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Notes
    -----
    The digest in the file detects corruption but not tampering: anyone who can change the file can
    also change its digest. The list of classes makes loading safe; the signature proves the origin.

    Weight files larger than 256 MiB are written to the same folder, as ``MODEL.NAME`` (or
    ``MODEL.DIGEST.NAME`` if that name is taken), and their digests are checked on loading.
    """
    check_is_fitted(split_steps(model)[1])
    model, files = detach_weights(model)
    payload = dumps_model(model)
    try:
        read_pickle(payload, CALLS, LISTED_CLASSES)
    except ArtifactError as error:
        raise ArtifactError(
            f"this model cannot become an artifact, because it could not be loaded again: {error} "
            "Use the estimators of hybridlesion, or save the model with joblib.dump."
        ) from error
    inside, sidecars = write_sidecar_files(Path(path), files)
    manifest = make_manifest(model, training or {}, metrics, files, sidecars)
    write_container(path, Container(manifest, payload, inside), key)
    return manifest


def load_artifact(path: str | os.PathLike, *, key: bytes | None = None) -> BaseEstimator:
    """Load the model from an artifact, allowing only listed classes.

    Parameters
    ----------
    path : str or path-like
        File written by `save_artifact` or ``hybridlesion fit``.
    key : bytes, default=None
        Key that the file must be signed with, from `read_key`. The signature is checked before
        anything is unpickled. If None, unsigned files are accepted, too.

    Returns
    -------
    Pipeline or HybridLesionClassifier
        The fitted model.

    Raises
    ------
    ArtifactError
        If the file is not signed with the key, not an artifact, damaged or too new; if it contains
        anything that is not listed; if the features in the manifest differ from those of the model;
        or if the model scores differently with the installed libraries.

    Warns
    -----
    UserWarning
        If the minor version of LightGBM, scikit-learn, numpy or scipy differs from that used to
        save the model, or if this release measures images differently.

    Notes
    -----
    If the version of a library differs, 16 synthetic rows are scored and compared with the scores
    stored in the file. If all agree to within 1e-6, the model is loaded with a warning; otherwise
    an error is raised. Boosted trees are stored as text that LightGBM 3 or later can read.

    ``joblib.load(path)`` returns the same model, but executes arbitrary code in untrusted files.
    """
    return _open(path, read_container(path, key), Path(path).parent)


def restore_model(content: dict) -> BaseEstimator:
    """Restore the model from the content of an artifact; called by ``joblib.load``.

    Parameters
    ----------
    content : dict
        Plain values from an artifact file.

    Returns
    -------
    Pipeline or HybridLesionClassifier
        The fitted model, which has passed the checks of `load_artifact` except for the signature.

    Raises
    ------
    ArtifactError
        As for `load_artifact`, or if weight files are stored in the folder of the artifact, which
        is not known to this function.

    Examples
    --------
    >>> import joblib
    >>> model = joblib.load("model.joblib")  # doctest: +SKIP
    >>> model.predict_proba(table)  # doctest: +SKIP
    """
    return _open("the model file", check_content("the model file", content), None)


# Files of protocol 3 refer to the function by this module.
restore_model.__module__ = "hybridlesion.persistence"


def _open(path: str | os.PathLike, container: Container, folder: Path | None) -> BaseEstimator:
    # check_versions warns once for the whole model instead of once per estimator.
    with warnings.catch_warnings(action="ignore", category=InconsistentVersionWarning):
        model = loads_listed(container.payload)
    if not isinstance(model, BaseEstimator):
        raise ArtifactError(f"{path} contains a {type(model).__name__} instead of a model.")
    manifest = container.manifest
    files = collect_files(path, folder, container.files, manifest.get("files") or {})
    model = attach_weights(model, files)
    classifier = split_steps(model)[1]
    check_schema(path, manifest, classifier)
    check_versions(path, manifest, classifier)
    return model


def read_manifest(path: str | os.PathLike, *, key: bytes | None = None) -> dict:
    """Read the manifest of an artifact without unpickling the model.

    Parameters
    ----------
    path : str or path-like
        File written by `save_artifact` or ``hybridlesion fit``.
    key : bytes, default=None
        Key that the file must be signed with. If None, unsigned files are accepted, too.

    Returns
    -------
    dict
        Manifest, plus the ``protocol``, ``digest`` (SHA-256 of the content) and ``signature``
        ("none", "unchecked" or "valid") of the file.

    Raises
    ------
    ArtifactError
        If the file is not signed with the key, not an artifact, damaged or too new.
    """
    container = read_container(path, key)
    unchecked = "unchecked" if container.signed else "none"
    signature = unchecked if key is None else "valid"
    facts = {"protocol": container.protocol, "digest": container.digest(), "signature": signature}
    return container.manifest | facts


@dataclass(frozen=True)
class Container:
    """Content of an artifact file.

    Parameters
    ----------
    manifest : dict
        Plain JSON values.
    payload : bytes
        Pickled model, which must only be unpickled by `loads_listed`.
    files : dict of str to bytes
        Weight files that the model needs to score images, by name.
    protocol : int, default=3
        Protocol number of the file.
    signed : bool, default=False
        Whether the file has a signature, checked or not.
    """

    manifest: dict
    payload: bytes
    files: dict[str, bytes]
    protocol: int = 3
    signed: bool = False

    def digest(self) -> str:
        """Return the SHA-256 digest of the whole content, as 64 hexadecimal digits."""
        manifest = json.dumps(self.manifest, sort_keys=True).encode()
        named = [part for name in sorted(self.files) for part in (name.encode(), self.files[name])]
        total = hashlib.sha256(str(self.protocol).encode())
        for part in (manifest, self.payload, *named):
            # The length prefix prevents bytes from moving between adjacent parts.
            total.update(len(part).to_bytes(8, "big"))
            total.update(part)
        return total.hexdigest()


class _Call:
    """Object that is pickled as a call to `restore_model` with `content`."""

    def __init__(self, content: dict):
        self.content = content

    def __reduce__(self):
        return restore_model, (self.content,)


def write_container(path: str | os.PathLike, container: Container, key: bytes | None = None):
    """Write an artifact file atomically.

    Parameters
    ----------
    path : str or path-like
        File to write.
    container : Container
        Content of the file.
    key : bytes, default=None
        Key to sign the file with. If None, the file is not signed.
    """
    content = {
        "format": FORMAT,
        "protocol": container.protocol,
        "sha256": container.digest(),
        "manifest": container.manifest,
        "files": container.files,
        "payload": container.payload,
    }
    data = pickle.dumps(_Call(content), protocol=4)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data + (b"" if key is None else _signature(data, key)))


def read_container(path: str | os.PathLike, key: bytes | None = None) -> Container:
    """Read an artifact file without executing anything.

    Parameters
    ----------
    path : str or path-like
        File to read.
    key : bytes, default=None
        Key that the file must be signed with. The signature is checked before anything else. If
        None, unsigned files are accepted, too.

    Returns
    -------
    Container
        Content of the file, with the model still pickled.

    Raises
    ------
    ArtifactError
        If the file is missing, not signed with the key, not an artifact, too new or damaged.
    """
    data = _read(path, "model", _MAX_BYTES)
    if len(data) > _MAX_BYTES:
        _refuse(path, f"it is larger than {_MAX_BYTES >> 30} GiB")
    signed = data[-_SIGNATURE_LENGTH:].startswith(_SIGNATURE_MARK)
    if key is not None:
        _check_signature(path, data, signed, key)
    # Every uncompressed pickle begins with this byte; compressed files are never unpacked.
    if not data.startswith(b"\x80"):
        _refuse(path, "it is not a joblib file" if data else "it is empty")
    calls = {"hybridlesion.persistence.restore_model": lambda content: content}
    try:
        content = read_pickle(data, calls)
    except ArtifactError as error:
        _refuse(path, str(error).removesuffix("."))
    return check_content(path, content, signed=signed)


def check_content(path: str | os.PathLike, content: object, *, signed: bool = False) -> Container:
    """Check that the content of a file is a complete artifact of a known protocol.

    Parameters
    ----------
    path : str or path-like
        Path of the file, for messages.
    content : object
        Plain values from the file.
    signed : bool, default=False
        Whether the file has a signature.

    Returns
    -------
    Container
        Checked content.

    Raises
    ------
    ArtifactError
        If the content is not an artifact, is too new or is damaged.
    """
    if type(content) is not dict or content.get("format") != FORMAT:
        _refuse(path, "it lacks the format mark")
    protocol = content.get("protocol")
    if type(protocol) is not int or protocol < 1:
        _refuse(path, f"its protocol number is {str(protocol)[:40]}")
    if protocol > PROTOCOL:
        raise ArtifactError(
            f"{path} was written with artifact protocol {protocol}; this release of hybridlesion "
            f"reads up to {PROTOCOL}. Install a newer hybridlesion, or fit the model again."
        )
    manifest, payload, files = (content.get(key) for key in ("manifest", "payload", "files"))
    if not (type(manifest) is dict and type(payload) is bytes and type(files) is dict):
        _refuse(path, "its parts are missing or of the wrong type")
    if not all(type(name) is str and type(data) is bytes for name, data in files.items()):
        _refuse(path, "its files are of the wrong type")
    _check_extent(path, manifest)
    container = Container(manifest, payload, files, protocol, signed)
    try:
        digest = container.digest()
    except (TypeError, ValueError, RecursionError):
        _refuse(path, "its manifest is not plain JSON")
    if digest != content.get("sha256"):
        raise ArtifactError(
            f"{path} was changed after it was written: its SHA-256 digest does not match its "
            "content. Copy the file again from its source, or fit the model again."
        )
    return container


def _check_extent(path: str | os.PathLike, manifest: dict) -> None:
    """Reject a manifest that is small in the file but huge or endless as JSON."""
    waiting: list = [manifest]
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
        if values + len(waiting) > _MAX_VALUES or characters > _MAX_CHARACTERS:
            _refuse(path, "its manifest is too large")


def _refuse(path: str | os.PathLike, reason: str) -> NoReturn:
    raise ArtifactError(
        f"{path} is not a hybridlesion model file: {reason}. Create one with `hybridlesion fit` or "
        "hybridlesion.save_artifact."
    ) from None


def read_key(path: str | os.PathLike) -> bytes:
    """Read a key file.

    Parameters
    ----------
    path : str or path-like
        File of at least 16 bytes, not counting trailing line breaks.

    Returns
    -------
    bytes
        Key without trailing line breaks.

    Raises
    ------
    ArtifactError
        If the file cannot be read, or is too short or too long for a key.
    """
    key = _read(path, "key", _MAX_KEY).rstrip(b"\r\n")
    if not _MIN_KEY <= len(key) <= _MAX_KEY:
        raise ArtifactError(
            f"the key file {path} has {len(key)} bytes; a key has {_MIN_KEY} to {_MAX_KEY}. Create "
            f"one with: openssl rand -hex 32 > {path}"
        )
    return key


def _read(path: str | os.PathLike, kind: str, limit: int) -> bytes:
    """Read a file, up to one byte more than the limit."""
    try:
        with open(path, "rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        raise ArtifactError(f"cannot read the {kind} file {path}: {error.strerror}.") from error


def _signature(data: bytes, key: bytes) -> bytes:
    return _SIGNATURE_MARK + hmac.new(key, _PURPOSE + data, hashlib.sha256).hexdigest().encode()


def _check_signature(path: str | os.PathLike, data: bytes, signed: bool, key: bytes) -> None:
    if not signed:
        raise ArtifactError(
            f"{path} is not signed, but a key was given. Nothing was loaded. A model is signed "
            "when it is saved: give the key to `hybridlesion fit` or save_artifact."
        )
    expected = _signature(data[:-_SIGNATURE_LENGTH], key)
    if not hmac.compare_digest(data[-_SIGNATURE_LENGTH:], expected):
        raise ArtifactError(
            f"the signature of {path} does not match this key: the file was changed, or signed "
            "with another key. Nothing was loaded."
        )
