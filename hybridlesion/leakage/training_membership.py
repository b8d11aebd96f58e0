"""Which images, patients and lesions a network learned from, in a form that names none of them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pandas as pd

from hybridlesion._formatting import count_words
from hybridlesion.exceptions import ArtifactError, TableError
from hybridlesion.leakage.audit import Finding, Severity, names_of
from hybridlesion.leakage.perceptual_hash import FINGERPRINT_BYTES, SAME_LOOK
from hybridlesion.metadata import normalise_image_id

__all__ = [
    "CNN_SEEN",
    "Match",
    "Seen",
    "hash_ids",
    "leave_out_optimistic",
    "optimistic_rows",
    "without_optimistic_scores",
]

_BONDS = ("patient_id", "lesion_id")

# How many bits are set in each byte.
_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.uint8)


class Match(IntEnum):
    """How a photograph is known to a network."""

    NEW = 0
    PICTURE = 1  # it looks like a training image
    NAME = 2  # its id is that of a training image, but it looks otherwise, or was not looked at
    GROUP = 3  # another picture of its patient or lesion was a training image


@dataclass(frozen=True)
class Seen:
    """What a network learned from.

    Parameters
    ----------
    salt : str
        Hashed before each id.
    names : ndarray of shape (n,), uint64
        Hashes of the image ids, sorted.
    fold : ndarray of shape (n,), int
        Fold that each image was left out of the training of.
    odds : ndarray of shape (n,), float32
        Out-of-fold log odds of each image.
    looks : ndarray of shape (n, 32), uint8
        Fingerprint of each image.
    groups : ndarray of shape (m,), uint64
        Hashes of patient and lesion ids, sorted.
    group_fold : ndarray of shape (m,), int
        Fold of each.

    Notes
    -----
    A hash is the first 8 bytes of SHA-256 over salt and id. Hashes hide ids from readers, not from
    someone who tries all ids that there could be.
    """

    salt: str
    names: np.ndarray
    fold: np.ndarray
    odds: np.ndarray
    looks: np.ndarray
    groups: np.ndarray
    group_fold: np.ndarray

    @classmethod
    def of(
        cls, records: pd.DataFrame, fold: np.ndarray, odds: np.ndarray, looks: np.ndarray
    ) -> Seen:
        """Remember training images.

        Parameters
        ----------
        records : DataFrame of shape (n, columns)
            Column ``image_id``, and ``patient_id`` and ``lesion_id`` where known.
        fold : ndarray of shape (n,), int
            Fold of each image.
        odds : ndarray of shape (n,), float
            Out-of-fold log odds.
        looks : ndarray of shape (n, 32), uint8
            Fingerprints.

        Returns
        -------
        Seen
            Sorted by hash: the order of the rows is nobody's business.
        """
        ids = records["image_id"].map(normalise_image_id)
        salt = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()[:16]
        names = hash_ids(ids, salt)
        order = np.argsort(names)
        fold = np.asarray(fold)
        bonds = _bonds(records, salt).assign(fold=np.tile(fold, len(_BONDS)))
        known = bonds[bonds["known"]].drop_duplicates("hash").sort_values("hash")
        return cls(
            salt,
            names[order],
            fold[order].astype(np.int16),
            np.asarray(odds, np.float32)[order],
            np.asarray(looks, np.uint8)[order],
            known["hash"].to_numpy(np.uint64),
            known["fold"].to_numpy(np.int16),
        )

    def match(
        self, records: pd.DataFrame | None, looks: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Look for images among those that were learned from.

        Parameters
        ----------
        records : DataFrame of shape (n, columns) or None
            ``image_id``, ``patient_id``, ``lesion_id`` where known; None goes by the looks alone.
        looks : ndarray of shape (n, 32), uint8
            Fingerprints.

        Returns
        -------
        match : ndarray of shape (n,), int
            A `Match` each.
        fold : ndarray of shape (n,), int
            Fold that its own kind was left out of; -1 for new ones.
        odds : ndarray of shape (n,), float32
            Out-of-fold log odds of that very picture; NaN for all others.
        """
        match = np.full(len(looks), Match.NEW)
        fold = np.full(len(looks), -1)
        odds = np.full(len(looks), np.nan, np.float32)
        if records is not None:
            bonds = _bonds(records, self.salt)
            for hashes in np.split(bonds["hash"].to_numpy(np.uint64), len(_BONDS)):
                _fill(hashes, self.groups, self.group_fold, Match.GROUP, match, fold)
            if "image_id" in records:
                names = hash_ids(records["image_id"].astype(str).map(normalise_image_id), self.salt)
                _fill(names, self.names, self.fold, Match.NAME, match, fold)
        for row, look in enumerate(looks if len(self.looks) else ()):
            distance = _BITS[self.looks ^ look].sum(axis=1)
            nearest = int(np.argmin(distance))
            if distance[nearest] <= SAME_LOOK:
                match[row] = Match.PICTURE
                fold[row], odds[row] = self.fold[nearest], self.odds[nearest]
        return match, fold, odds

    def to_bytes(self) -> bytes:
        """Pack into an npz file.

        Returns
        -------
        bytes
            What `from_bytes` reads.
        """
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **vars(self))
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Seen:
        """Unpack an npz file.

        Parameters
        ----------
        data : bytes
            From `to_bytes`.

        Returns
        -------
        Seen
            The same.

        Raises
        ------
        ArtifactError
            If it is damaged.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as packed:
                parts = {name: packed[name] for name in cls.__dataclass_fields__}
            seen = cls(**parts | {"salt": str(parts["salt"])})
            if seen.looks.shape != (len(seen.names), FINGERPRINT_BYTES):
                raise ValueError(f"fingerprints of shape {seen.looks.shape}")
        except Exception as error:  # zip, npy and numpy raise whatever they like on damaged data
            raise ArtifactError(f"the list of training images cannot be read: {error}.") from error
        return seen


def _fill(
    wanted: np.ndarray,
    known: np.ndarray,
    known_fold: np.ndarray,
    kind: Match,
    match: np.ndarray,
    fold: np.ndarray,
) -> None:
    if not len(known):
        return
    place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    found = known[place] == wanted
    match[found], fold[found] = kind, known_fold[place[found]]


def _bonds(records: pd.DataFrame, salt: str) -> pd.DataFrame:
    """Hashes of patients and then of lesions, one a row; what is missing hashes to its row."""
    parts = []
    for name in _BONDS:
        column = records[name] if name in records else pd.Series(None, index=records.index)
        known = column.notna().to_numpy()
        texts = [f"{name}/{value}" if k else "" for value, k in zip(column, known, strict=True)]
        parts.append(pd.DataFrame({"hash": hash_ids(texts, salt), "known": known}))
    return pd.concat(parts, ignore_index=True)


def hash_ids(values: Iterable[str], salt: str) -> np.ndarray:
    """Hash ids, so that they can be compared but not read.

    Parameters
    ----------
    values : iterable of str
        Ids.
    salt : str
        Hashed before each id.

    Returns
    -------
    ndarray of shape (n,), uint64
        The first 8 bytes of SHA-256 over salt and id, in the order given.
    """
    digests = [hashlib.sha256(f"{salt}/{value}".encode()).digest()[:8] for value in values]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


_SCORE, _SEEN = "cnn__score", "qa__cnn_seen"
_OPTIMISTIC = 2.0


def optimistic_rows(table: pd.DataFrame) -> np.ndarray:
    """Find rows whose ``cnn__score`` comes from a network that learned from them.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table; without ``cnn__score`` and ``qa__cnn_seen`` there are no such rows.

    Returns
    -------
    ndarray of shape (n,), bool
        True where ``qa__cnn_seen`` is 2 (see `CNNScorer`) and there is a score.

    Examples
    --------
    >>> table = pd.DataFrame({"cnn__score": [0.9, 0.2], "qa__cnn_seen": [2.0, 1.0]})
    >>> optimistic_rows(table).tolist()
    [True, False]
    """
    if _SCORE not in table or _SEEN not in table:
        return np.zeros(len(table), dtype=bool)
    return ((table[_SEEN] == _OPTIMISTIC) & table[_SCORE].notna()).to_numpy(dtype=bool)


def leave_out_optimistic(table: pd.DataFrame) -> pd.DataFrame:
    """Put NaN in the place of such scores; a model would come to trust them too much.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table.

    Returns
    -------
    DataFrame of shape (n, columns)
        The table, or a copy with fewer scores.

    Examples
    --------
    >>> table = pd.DataFrame({"cnn__score": [0.9, 0.2], "qa__cnn_seen": [2.0, 1.0]})
    >>> leave_out_optimistic(table)["cnn__score"].tolist()
    [nan, 0.2]
    """
    optimistic = optimistic_rows(table)
    if not optimistic.any():
        return table
    return table.assign(**{_SCORE: table[_SCORE].where(~optimistic)})


CNN_SEEN = ("blank", "drop", "keep")

_CNN_LEAKS_SCORE, _CNN_LEAKS_SEEN = "cnn__score", "qa__cnn_seen"
_OUT_OF_FOLD = 1.0


def without_optimistic_scores(
    table: pd.DataFrame, treatment: str
) -> tuple[pd.DataFrame, list[Finding]]:
    """Take care of scores that come from a network which learned from the row.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        With ``image_id``, and ``cnn__score`` and ``qa__cnn_seen`` where a fine-tuned network
        measured it.
    treatment : {"blank", "drop", "keep"}
        Leave out the score, the row, or nothing.

    Returns
    -------
    table : DataFrame of shape (m, columns)
        The rows that stay.
    findings : list of Finding
        What was found, and what was done.

    Raises
    ------
    TableError
        If no row is left.

    Examples
    --------
    >>> columns = {"image_id": ["a", "b"], "cnn__score": [0.9, 0.2], "qa__cnn_seen": [2.0, 0.0]}
    >>> without_optimistic_scores(pd.DataFrame(columns), "drop")[0]["image_id"].tolist()
    ['b']
    """
    optimistic, findings = optimistic_rows(table), _find_unknown(table)
    n, ids = len(table), table["image_id"]
    if (
        _CNN_LEAKS_SCORE in table
        and _CNN_LEAKS_SEEN in table
        and (table[_CNN_LEAKS_SEEN] == _OUT_OF_FOLD).any()
    ):
        rows = table[_CNN_LEAKS_SEEN] == _OUT_OF_FOLD
        words = (
            f"{count_words(int(rows.sum()), 'row')} of {n:,} were in the training of the CNN; "
            "their cnn__score is that of a network which did not see them"
        )
        findings.append(Finding("CNN overlap", Severity.NOTE, words))
    if not optimistic.any():
        return table, findings
    severity = Severity.WARN if treatment == "keep" else Severity.NOTE
    if treatment == "keep":
        done = "it was kept: the model trusts the CNN too much, and its measures are optimistic"
    elif treatment == "drop":
        done = "these rows were left out"
        table = table[~optimistic].reset_index(drop=True)
    else:
        done = "it was left out (--cnn-seen drop leaves out the rows)"
        table = leave_out_optimistic(table)
    found = f"{count_words(int(optimistic.sum()), 'row')} of {n:,} have a cnn__score of a network"
    words = f"{found} that learned from them; {done}"
    if table.empty:
        raise TableError(f"{words}. No row is left.")
    findings.append(Finding("CNN overlap", severity, words, rows=names_of(ids[optimistic])))
    return table, findings


def _find_unknown(table: pd.DataFrame) -> list[Finding]:
    """Name scores of networks of which nobody says what they learned from."""
    scores = [str(name) for name in table.columns if str(name).startswith("cnn__")]
    unknown = tuple(
        name for name in scores if name != _CNN_LEAKS_SCORE or _CNN_LEAKS_SEEN not in table
    )
    if not unknown:
        return []
    words = "nothing says which rows these scores' network learned from: they must be out of fold"
    return [Finding("CNN overlap", Severity.NOTE, words, unknown)]
