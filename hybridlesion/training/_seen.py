"""Which images and patients a model learned from, in a form that names none of them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from hybridlesion.embedding.finetuning import hash_ids
from hybridlesion.metadata import normalise_image_id

__all__ = ["note_seen", "remember_ids"]

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
    """Say how many images and patients to be scored were learned from.

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
    # Sorted: the order of the rows is nobody's business.
    return np.sort(hash_ids(values, salt)).astype("<u8")


def _unpack(block: object) -> np.ndarray:
    try:
        data = base64.b64decode(block, validate=True) if isinstance(block, str) else b""
    except binascii.Error:
        data = b""
    return np.frombuffer(data[: len(data) // _BYTES * _BYTES], dtype="<u8")
