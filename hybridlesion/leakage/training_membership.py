"""Training membership: the images, patients and lesions that a model or network was trained on."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import IntEnum
from functools import cached_property

import numpy as np
import pandas as pd

from hybridlesion._formatting import count_words
from hybridlesion.exceptions import ArtifactError, TableError
from hybridlesion.leakage.audit import Finding, Severity, names_of
from hybridlesion.leakage.near_duplicates import HASH_BYTES, HashIndex
from hybridlesion.metadata import normalise_image_id

_GROUP_COLUMNS = ("patient_id", "lesion_id")


class Match(IntEnum):
    """How an image is related to the training images of a network."""

    NEW = 0
    IMAGE = 1  # it is a near-duplicate of a training image
    IMAGE_ID = 2  # it has the id of a training image, but is not a near-duplicate
    GROUP = 3  # another image of its patient or lesion was a training image


@dataclass(frozen=True)
class TrainingMembership:
    """Training images of a fine-tuned network, with their out-of-fold scores.

    Parameters
    ----------
    salt : str
        Prefix added to every id before hashing.
    image_ids : ndarray of shape (n,), uint64
        Hashes of the image ids, sorted.
    fold : ndarray of shape (n,), int
        Fold in which each image was held out.
    oof_logit : ndarray of shape (n,) or (n, k), float32
        Out-of-fold logit of each image, or its logits for k classes.
    hashes : ndarray of shape (n, 32), uint8
        Perceptual hash of each image.
    groups : ndarray of shape (m,), uint64
        Hashes of patient and lesion ids, sorted.
    group_fold : ndarray of shape (m,), int
        Fold of each group.

    Notes
    -----
    Ids are stored as the first 8 bytes of SHA-256 over salt and id. This hides ids from readers,
    but not from an attacker who can enumerate all possible ids.
    """

    salt: str
    image_ids: np.ndarray
    fold: np.ndarray
    oof_logit: np.ndarray
    hashes: np.ndarray
    groups: np.ndarray
    group_fold: np.ndarray

    @classmethod
    def of(
        cls, records: pd.DataFrame, fold: np.ndarray, oof_logit: np.ndarray, hashes: np.ndarray
    ) -> TrainingMembership:
        """Create an instance from training images.

        Parameters
        ----------
        records : DataFrame of shape (n, columns)
            Table with ``image_id`` and, if known, ``patient_id`` and ``lesion_id``.
        fold : ndarray of shape (n,), int
            Fold of each image.
        oof_logit : ndarray of shape (n,) or (n, k), float
            Out-of-fold logits.
        hashes : ndarray of shape (n, 32), uint8
            Perceptual hashes.

        Returns
        -------
        TrainingMembership
            Training images, sorted by hash so that the order of `records` is not disclosed.
        """
        ids = records["image_id"].map(normalise_image_id)
        salt = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:16]
        image_ids = hash_ids(ids, salt)
        order = np.argsort(image_ids)
        fold = np.asarray(fold)
        groups = _hash_groups(records, salt).assign(fold=np.tile(fold, len(_GROUP_COLUMNS)))
        known = groups[groups["known"]].drop_duplicates("hash").sort_values("hash")
        return cls(
            salt,
            image_ids[order],
            fold[order].astype(np.int16),
            np.asarray(oof_logit, np.float32)[order],
            np.asarray(hashes, np.uint8)[order],
            known["hash"].to_numpy(np.uint64),
            known["fold"].to_numpy(np.int16),
        )

    def match(
        self, records: pd.DataFrame | None, hashes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Relate images to the training images.

        Parameters
        ----------
        records : DataFrame of shape (n, columns) or None
            Table with ``image_id``, ``patient_id`` and ``lesion_id``, if known. If None, only
            perceptual hashes are compared.
        hashes : ndarray of shape (n, 32), uint8
            Perceptual hashes.

        Returns
        -------
        match : ndarray of shape (n,), int
            A `Match` for each image; a near-duplicate takes precedence over an id, and an image id
            over a group.
        fold : ndarray of shape (n,), int
            Fold in which the matching image or group was held out; -1 for new images.
        oof_logit : ndarray of shape (n,) or (n, k), float32
            Out-of-fold logits of the near-duplicate; NaN for all other images.
        """
        match = np.full(len(hashes), Match.NEW)
        fold = np.full(len(hashes), -1)
        shape = (len(hashes), *self.oof_logit.shape[1:])
        oof_logit = np.full(shape, np.nan, np.float32)

        def fill(wanted: np.ndarray, known: np.ndarray, folds: np.ndarray, kind: Match) -> None:
            if len(known):
                place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
                found = known[place] == wanted
                match[found], fold[found] = kind, folds[place[found]]

        if records is not None:
            groups = _hash_groups(records, self.salt)["hash"].to_numpy(np.uint64)
            for wanted in np.split(groups, len(_GROUP_COLUMNS)):
                fill(wanted, self.groups, self.group_fold, Match.GROUP)
            if "image_id" in records:
                ids = hash_ids(records["image_id"].astype(str).map(normalise_image_id), self.salt)
                fill(ids, self.image_ids, self.fold, Match.IMAGE_ID)
        nearest = self._index.nearest(hashes)
        copies = nearest >= 0
        match[copies], fold[copies] = Match.IMAGE, self.fold[nearest[copies]]
        oof_logit[copies] = self.oof_logit[nearest[copies]]
        return match, fold, oof_logit

    @cached_property
    def _index(self) -> HashIndex:
        return HashIndex(self.hashes)

    def to_bytes(self) -> bytes:
        """Serialise to an npz file; logits of several classes are rounded to float16.

        Returns
        -------
        bytes
            Input for `from_bytes`.
        """
        buffer = io.BytesIO()
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        if self.oof_logit.ndim > 1:
            parts["oof_logit"] = self.oof_logit.astype(np.float16)
        np.savez_compressed(buffer, **{_KEYS.get(name, name): parts[name] for name in parts})
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> TrainingMembership:
        """Deserialise an npz file.

        Parameters
        ----------
        data : bytes
            Result of `to_bytes`.

        Returns
        -------
        TrainingMembership
            The object that was serialised.

        Raises
        ------
        ArtifactError
            If the data are damaged.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as packed:
                parts = {one.name: packed[_KEYS.get(one.name, one.name)] for one in fields(cls)}
            parts["salt"] = str(parts["salt"])
            parts["oof_logit"] = parts["oof_logit"].astype(np.float32)
            membership, n = cls(**parts), len(parts["image_ids"])
            if membership.hashes.shape != (n, HASH_BYTES) or len(membership.oof_logit) != n:
                raise ValueError(f"perceptual hashes of shape {membership.hashes.shape}")
        except Exception as error:  # zip, npy and numpy raise errors of many types on damaged data
            raise ArtifactError(f"cannot read the list of training images: {error}.") from error
        return membership


# Attribute -> array in the npz file, where these have the names of the first release.
_KEYS = {"image_ids": "names", "oof_logit": "odds", "hashes": "looks"}


def _hash_groups(records: pd.DataFrame, salt: str) -> pd.DataFrame:
    """Hash the patient of each row, then the lesion of each row."""
    parts = []
    for name in _GROUP_COLUMNS:
        column = records[name] if name in records else pd.Series(None, index=records.index)
        known = column.notna().to_numpy()
        texts = [f"{name}/{value}" if k else "" for value, k in zip(column, known, strict=True)]
        parts.append(pd.DataFrame({"hash": hash_ids(texts, salt), "known": known}))
    return pd.concat(parts, ignore_index=True)


def hash_ids(values: Iterable[str], salt: str) -> np.ndarray:
    """Hash ids so that they can be compared but not read.

    Parameters
    ----------
    values : iterable of str
        Ids.
    salt : str
        Prefix added to every id.

    Returns
    -------
    ndarray of shape (n,), uint64
        First 8 bytes of SHA-256 over salt and id, in the order of `values`.
    """
    digests = [hashlib.sha256(f"{salt}/{value}".encode()).digest()[:8] for value in values]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def hash_training_ids(table: pd.DataFrame, salt: str) -> dict[str, str]:
    """Hash the image and patient ids of a training table for a manifest.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table; ``image_id`` and ``patient_id`` may be absent or missing.
    salt : str
        Prefix added to every id, so that two models do not disclose which ids they share.

    Returns
    -------
    dict of str to str
        ``salt``, and under ``images`` and ``patients`` the sorted hashes as one base64 string: 11
        characters per id, 375 kB for the images and patients of ISIC 2020.

    Notes
    -----
    See `hash_ids`. Among 35,000 hashes the probability of a false match is 2e-15 per id. An
    attacker who can enumerate all possible ids can recover them: do not use names of patients as
    ``patient_id``.

    Examples
    --------
    >>> hash_training_ids(pd.DataFrame({"image_id": ["a", "b"]}), "salt")["patients"]
    ''
    """
    return {"salt": salt} | {
        kind: base64.b64encode(np.sort(hash_ids(values, salt)).astype("<u8").tobytes()).decode()
        for kind, values in _unique_ids(table).items()
    }


def membership_warning(training: Mapping[str, object], records: pd.DataFrame) -> tuple[str, ...]:
    """Warn about images and patients that a model was trained on.

    Parameters
    ----------
    training : mapping
        Training facts of a manifest, with the result of `hash_training_ids` under ``seen``; without
        it, there is never a warning.
    records : DataFrame of shape (n, columns)
        Records to score, with ``image_id`` and ``patient_id`` if known.

    Returns
    -------
    tuple of str
        One warning if any image or patient was in the training data, otherwise empty.

    Examples
    --------
    >>> table = pd.DataFrame({"image_id": ["a", "b"], "patient_id": ["P", "P"]})
    >>> membership_warning({"seen": hash_training_ids(table, "salt")}, table.head(1))
    ('1 of 1 images, 1 of 1 patients were in the training data; their scores are optimistic.',)
    """
    seen = training.get("seen")
    if not isinstance(seen, Mapping):
        return ()
    known = {
        kind: np.isin(hash_ids(values, str(seen.get("salt"))), _decode_block(seen.get(kind)))
        for kind, values in _unique_ids(records).items()
    }
    if not any(found.any() for found in known.values()):
        return ()
    counts = [f"{one.sum():,} of {len(one):,} {kind}" for kind, one in known.items() if len(one)]
    return (f"{', '.join(counts)} were in the training data; their scores are optimistic.",)


def _unique_ids(table: pd.DataFrame) -> dict[str, list[str]]:
    ids = {}
    for kind, column in (("images", "image_id"), ("patients", "patient_id")):
        values = table[column].dropna().unique() if column in table else ()
        ids[kind] = [str(value) for value in values]
    ids["images"] = list(dict.fromkeys(map(normalise_image_id, ids["images"])))
    return ids


def _decode_block(block: object) -> np.ndarray:
    try:
        data = base64.b64decode(block, validate=True)
    except (TypeError, ValueError):
        data = b""
    return np.frombuffer(data[: len(data) // 8 * 8], dtype="<u8")


CNN_SEEN = ("blank", "drop", "keep")

_SEEN = "qa__cnn_seen"
# Values of qa__cnn_seen, see `CNNScorer`.
_OUT_OF_FOLD, _IN_SAMPLE = 1.0, 2.0


def in_sample_mask(table: pd.DataFrame) -> np.ndarray:
    """Find rows whose CNN scores come from a network that was trained on them.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table; without scores and ``qa__cnn_seen``, no rows are found.

    Returns
    -------
    ndarray of shape (n,), bool
        True for rows with a score whose ``qa__cnn_seen`` is 2.

    Examples
    --------
    >>> table = pd.DataFrame({"cnn__score": [0.9, 0.2], "qa__cnn_seen": [2.0, 1.0]})
    >>> in_sample_mask(table).tolist()
    [True, False]
    """
    scores = _known_scores(table)
    if not scores:
        return np.zeros(len(table), dtype=bool)
    scored = table[scores].notna().any(axis=1)
    return ((table[_SEEN] == _IN_SAMPLE) & scored).to_numpy(dtype=bool)


def _known_scores(table: pd.DataFrame) -> list[str]:
    """List the columns of scores whose origin is given by ``qa__cnn_seen``."""
    return list(filter(is_network_score, map(str, table))) if _SEEN in table else []


def is_network_score(name: str) -> bool:
    """Whether a column is a score of `CNNScorer`, whose origin is given by ``qa__cnn_seen``.

    Parameters
    ----------
    name : str
        Column of a feature table.

    Returns
    -------
    bool
        True for ``cnn__score``, ``cnn__melanoma``, the probabilities ``cnn__p_*`` and the embedding
        ``emb__lesion_*``.

    Examples
    --------
    >>> is_network_score("cnn__p_bcc"), is_network_score("cnn__mine")
    (True, False)
    """
    return name in ("cnn__score", "cnn__melanoma") or name.startswith(("cnn__p_", "emb__lesion_"))


def blank_in_sample_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Set in-sample scores to NaN, because a model fitted on them would overrate the network.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table.

    Returns
    -------
    DataFrame of shape (n, columns)
        The table itself, or a copy with fewer scores.

    Examples
    --------
    >>> table = pd.DataFrame({"cnn__score": [0.9, 0.2], "qa__cnn_seen": [2.0, 1.0]})
    >>> blank_in_sample_scores(table)["cnn__score"].tolist()
    [nan, 0.2]
    """
    in_sample = in_sample_mask(table)
    if not in_sample.any():
        return table
    scores = _known_scores(table)
    return table.assign(**{name: table[name].where(~in_sample) for name in scores})


def treat_in_sample_scores(
    table: pd.DataFrame, cnn_seen: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """Blank, drop or keep rows with in-sample scores, and report them.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Table with ``image_id`` and, if a fine-tuned network was used, the scores and
        ``qa__cnn_seen``.
    cnn_seen : {"blank", "drop", "keep"}
        Whether to leave out the scores, the rows, or nothing.

    Returns
    -------
    table : DataFrame of shape (m, columns)
        The rows that remain.
    findings : list of Finding
        Overlap between the rows and the training images of the network.

    Raises
    ------
    TableError
        If no row remains.

    Examples
    --------
    >>> columns = {"image_id": ["a", "b"], "cnn__score": [0.9, 0.2], "qa__cnn_seen": [2.0, 0.0]}
    >>> treat_in_sample_scores(pd.DataFrame(columns), "drop")[0]["image_id"].tolist()
    ['b']
    """
    in_sample, n, ids = in_sample_mask(table), len(table), table["image_id"]
    known = _known_scores(table)
    scores = [name for name in map(str, table) if name.startswith("cnn__")]
    unknown = tuple(name for name in scores if name not in known)
    findings = []

    def add(severity: Severity, words: str, **named: tuple[str, ...]) -> None:
        findings.append(Finding("CNN overlap", severity, words, **named))

    if unknown:
        words = "the network's training images are unknown; its scores must be out of fold"
        add(Severity.NOTE, words, columns=unknown)
    if known and (out_of_fold := int((table[_SEEN] == _OUT_OF_FOLD).sum())):
        found = f"{count_words(out_of_fold, 'row')} of {n:,} were used to train the CNN"
        add(Severity.NOTE, f"{found}; their CNN scores are from a network not trained on them")
    if not in_sample.any():
        return table, findings
    if cnn_seen == "keep":
        done = "they were kept: the model overrates the CNN, and its metrics are optimistic"
    elif cnn_seen == "drop":
        done = "these rows were left out"
        table = table[~in_sample].reset_index(drop=True)
    else:
        done = "these scores were left out (`cnn_seen`='drop' leaves out the rows)"
        table = blank_in_sample_scores(table)
    found = f"{count_words(int(in_sample.sum()), 'row')} of {n:,} have CNN scores of a network"
    words = f"{found} that was trained on them; {done}"
    if table.empty:
        raise TableError(f"{words}. No rows remain.")
    severity = Severity.WARN if cnn_seen == "keep" else Severity.NOTE
    add(severity, words, rows=names_of(ids[in_sample]))
    return table, findings
