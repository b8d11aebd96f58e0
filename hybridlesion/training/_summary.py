"""Summary of training data, stored with the model."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from hybridlesion._validation import as_pandas
from hybridlesion.leakage import hash_ids
from hybridlesion.metadata import normalise_image_id

__all__ = ["describe_training", "note_seen", "remember_ids"]

_BYTES = 8


def remember_ids(table: pd.DataFrame, salt: str) -> dict[str, str]:
    """Hash the image and patient ids of training rows.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table; ``image_id`` and ``patient_id`` may be absent or missing.
    salt : str
        Hashed before each id, so that two models do not show which ids they share.

    Returns
    -------
    dict of str to str
        ``salt``, and by ``images`` and ``patients`` the sorted hashes in one base64 block: 11
        characters an id, 375 kB for the images and patients of ISIC 2020.

    Notes
    -----
    A hash is the first 8 bytes of SHA-256 over salt and id; a false match among 35,000 of them
    has a chance of 2e-15 an id. Hashes hide ids from readers, not from someone who tries all ids
    that there could be: names of patients do not belong in ``patient_id``.

    Examples
    --------
    >>> remember_ids(pd.DataFrame({"image_id": ["a", "b"]}), "salt")["patients"]
    ''
    """
    return {"salt": salt} | {
        kind: base64.b64encode(_hash(values, salt).tobytes()).decode("ascii")
        for kind, values in _ids(table).items()
    }


def note_seen(training: Mapping[str, object], records: pd.DataFrame) -> tuple[str, ...]:
    """Count the images and patients to score that were in the training.

    Parameters
    ----------
    training : mapping
        What `describe_training` gave, for example out of a manifest; of a model that remembers
        no ids nothing is said.
    records : DataFrame of shape (n, columns)
        What is to be scored, with ``image_id`` and ``patient_id`` where known.

    Returns
    -------
    tuple of str
        One note if any image or patient was in the training, else none.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": ["a", "b"], "patient_id": ["P", "P"]})
    >>> note_seen({"seen": remember_ids(table, "salt")}, table.head(1))
    ('1 of 1 images, 1 of 1 patients were in the training; their scores are optimistic.',)
    """
    seen = training.get("seen")
    if not isinstance(seen, Mapping):
        return ()
    counts, found = [], 0
    for kind, values in _ids(records).items():
        known = np.isin(_hash(values, str(seen.get("salt"))), _unpack(seen.get(kind)))
        found += int(known.sum())
        if len(known):
            counts.append(f"{known.sum():,} of {len(known):,} {kind}")
    if not found:
        return ()
    return (f"{', '.join(counts)} were in the training; their scores are optimistic.",)


def _ids(table: pd.DataFrame) -> dict[str, list[str]]:
    ids = {}
    for kind, column in (("images", "image_id"), ("patients", "patient_id")):
        values = table[column].dropna().unique() if column in table else ()
        ids[kind] = [str(value) for value in values]
    ids["images"] = list(dict.fromkeys(map(normalise_image_id, ids["images"])))
    return ids


def _hash(values: Iterable[str], salt: str) -> np.ndarray:
    # Sorted, so that the order of the rows is not revealed.
    return np.sort(hash_ids(values, salt)).astype("<u8")


def _unpack(block: object) -> np.ndarray:
    try:
        data = base64.b64decode(block, validate=True) if isinstance(block, str) else b""
    except binascii.Error:
        data = b""
    return np.frombuffer(data[: len(data) // _BYTES * _BYTES], dtype="<u8")


def describe_training(
    X: pd.DataFrame, y: np.ndarray, *, patients: np.ndarray | None = None
) -> dict[str, object]:
    """Count and digest the rows that a model was fitted on.

    Parameters
    ----------
    X : DataFrame of shape (n, columns)
        Training table.
    y : array-like of shape (n,), 0 or 1
        Truth, 1 for malignant.
    patients : array-like of shape (n,), default=None
        Patient of each row; None takes the table's ``patient_id``, if it has one.

    Returns
    -------
    dict
        ``digest`` (SHA-256 over ids, columns, values and truth, in row order), ``n_rows``,
        ``n_positive``, ``n_patients`` (None where patients are unknown), ``seen`` (salted hashes
        of image and patient ids, by which `score` knows them again).

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"patient_id": ["a", "a", "b"], "meta__age": [40.0, 41.0, 60.0]})
    >>> facts = describe_training(table, [0, 0, 1])
    >>> facts["n_rows"], facts["n_positive"], facts["n_patients"]
    (3, 1, 2)
    """
    X, y = as_pandas(X), np.asarray(y)
    if patients is None and "patient_id" in X:
        patients = X["patient_id"].to_numpy(dtype=object)
    ids = X[[name for name in ("image_id",) if name in X]]
    ids = ids if patients is None else ids.assign(patient_id=np.asarray(patients, dtype=object))
    digest = hashlib.sha256("\n".join(map(str, X.columns)).encode())
    digest.update(pd.util.hash_pandas_object(X, index=False).to_numpy("<u8").tobytes())
    digest.update(y.astype("<i8").tobytes())
    return {
        "seen": remember_ids(ids, digest.hexdigest()[:16]),
        "digest": digest.hexdigest(),
        "n_rows": len(X),
        "n_positive": int(y.sum()),
        "n_patients": None if patients is None else int(pd.Series(patients).nunique()),
    }
