"""The score file: formats, safe contents, and appending to earlier scores."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion._atomic import atomic_path, check_writable
from hybridlesion._formatting import is_formula, plain_cell
from hybridlesion.batch import check_usable, write_errors
from hybridlesion.exceptions import TableError
from hybridlesion.featurizer import Failure
from hybridlesion.model_selection import GROUP_COLUMNS

_SUFFIXES = (".csv", ".parquet")


def check_score_file(out: str | os.PathLike) -> Path:
    """Check, before a long run, that scores can be written.

    Parameters
    ----------
    out : str or path-like
        File to write.

    Returns
    -------
    Path
        The path `out`.

    Raises
    ------
    TableError
        If the suffix is neither ``.csv`` nor ``.parquet``.
    SourceError
        If the file cannot be written.
    """
    if Path(out).suffix.lower() not in _SUFFIXES:
        raise TableError(f"scores are written as .csv or .parquet, got {Path(out).name!r}.")
    return check_writable(out)


def reject_unsafe_ids(records: pd.DataFrame, out: Path) -> tuple[pd.DataFrame, list[Failure]]:
    """Reject rows whose ids would be unsafe in a spreadsheet or terminal.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records to score.
    out : Path
        Score file.

    Returns
    -------
    records : DataFrame of shape (m, columns)
        Rows with safe ids.
    failures : list of Failure
        Rows with unsafe ids.

    Notes
    -----
    Ids are join keys and are never changed. If a spreadsheet would run the image, patient or lesion
    id as a formula, the image is rejected for CSV output (Parquet is safe). If an id contains
    control characters, the image is always rejected. A path that looks like a formula is prefixed
    with ``./``.
    """
    columns = [name for name in ("image_id", *GROUP_COLUMNS) if name in records]
    reasons = [_find_unsafe(row, out) for row in records[columns].to_dict("records")]
    paths = records["path"] if "path" in records else [""] * len(records)
    failures = [
        Failure(str(name), str(path), "read", reason)
        for name, path, reason in zip(records["image_id"], paths, reasons, strict=True)
        if reason is not None
    ]
    return records[[reason is None for reason in reasons]], failures


def _find_unsafe(row: dict[str, object], out: Path) -> str | None:
    for column, value in row.items():
        if isinstance(value, str) and not value.isprintable():
            return f"its {column} contains unprintable characters; rename it."
        if out.suffix.lower() == ".csv" and is_formula(value):
            reason = f"begins with {str(value)[0]!r} and is a formula in a spreadsheet"
            return f"its {column} {reason}; rename it, or write .parquet."
    return None


def write_failures(out: Path, failures: Sequence[Failure], n_rows: int) -> Path | None:
    """Write the list of failures for a score file, made safe for spreadsheets.

    Parameters
    ----------
    out : Path
        Score file.
    failures : sequence of Failure
        Failures.
    n_rows : int
        Number of rows that did not fail.

    Returns
    -------
    Path or None
        Path of the list, or None if nothing failed.

    Raises
    ------
    HybridLesionError
        If every row failed.
    """
    plain = [Failure(*map(plain_cell, astuple(failure))) for failure in failures]
    errors = write_errors(out, plain)
    check_usable(plain, len(plain) + n_rows, errors)
    return errors


def write_scores(scores: pd.DataFrame, out: Path) -> None:
    """Write scores atomically, in the format given by the suffix.

    Parameters
    ----------
    scores : DataFrame of shape (n, columns)
        Scores from `score_table`.
    out : Path
        File to write.
    """
    with atomic_path(out) as temporary:
        if out.suffix.lower() == ".parquet":
            scores.to_parquet(temporary, index=False)
            return
        if "path" in scores:
            scores = scores.assign(path=[f"./{p}" if is_formula(p) else p for p in scores["path"]])
        # Full precision: CSV, Parquet and in-memory scores are identical.
        scores.to_csv(temporary, index=False)


# Incremented when a column changes its meaning or is removed.
SCHEMA = 1

_NEEDED = ("image_id", "score", "label", "threshold")
_STAMPS = ("image_sha256", "model", "scored_at", "schema")

# Rows of a file that does not exist.
EMPTY = pd.DataFrame(columns=["image_id", "image_sha256"])


@dataclass(frozen=True)
class ScoreFile:
    """Score file from earlier runs, to which new rows are appended.

    Parameters
    ----------
    out : Path
        Path of the file, which need not exist.
    model_id : str
        Identifier of the model.
    prevalence : float, default=None
        Prevalence that the scores are adjusted to. If None, they are not adjusted.
    diagnoses : bool, default=False
        Whether the new rows contain probabilities of diagnoses.
    coverage : float, default=None
        Coverage of the conformal sets of the new rows, if they have any.
    abstain : float, default=None
        Promised error of the new rows, if the model abstains.
    """

    out: Path
    model_id: str
    prevalence: float | None = None
    diagnoses: bool = False
    coverage: float | None = None
    abstain: float | None = None

    def read(self) -> pd.DataFrame:
        """Read the file and check that new rows can be appended.

        Returns
        -------
        DataFrame of shape (n, columns)
            Rows of the file (as text if the format is CSV), or `EMPTY` if it does not exist.

        Raises
        ------
        TableError
            If the file has another schema, model, prevalence, coverage or abstention, or if only
            the old or only the new rows contain diagnoses.
        """
        if not self.out.exists():
            return EMPTY
        rows = _read(self.out)
        lacking = [name for name in (*_NEEDED, *_STAMPS) if name not in rows]
        if lacking:
            raise TableError(
                f"{self.out} was not written with `append`: it lacks {', '.join(lacking)}. Choose "
                "another `out`, or omit `append` to overwrite it."
            )
        wanted = {"schema": str(SCHEMA), "model": self.model_id}
        for name in ("prevalence", "coverage", "abstain"):
            value = getattr(self, name)
            wanted[name] = "" if value is None else str(float(value))
        for column, value in wanted.items():
            self._check_same(column, rows.get(column, pd.Series("", rows.index)), value)
        if self.diagnoses != ("diagnosis_predicted" in rows):
            raise TableError(
                f"{self.out} contains scores {'without' if self.diagnoses else 'with'} diagnoses. "
                f"{'Omit' if self.diagnoses else 'Pass'} `diagnoses`, or choose another `out`."
            )
        return rows

    def compare(
        self, rows: pd.DataFrame, found: pd.DataFrame, digests: Iterable[str | None]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Compare records with the rows of earlier runs.

        Parameters
        ----------
        rows : DataFrame of shape (n, columns)
            Rows of earlier runs, from `read`.
        found : DataFrame of shape (m, columns)
            Records with ``image_id``.
        digests : sequence of str or None
            SHA-256 digest of each image, or None if unknown.

        Returns
        -------
        is_new : ndarray of shape (m,), bool
            True for records that are not in the file.
        changed : ndarray of shape (m,), bool
            True for records whose image has changed since it was scored.
        """
        ids = found["image_id"].astype(str)
        known = dict(zip(rows["image_id"].astype(str), rows["image_sha256"], strict=True))
        is_new = ~ids.isin(known).to_numpy()
        changed = [
            digest is not None and known.get(name, digest) != digest
            for name, digest in zip(ids, digests, strict=True)
        ]
        return is_new, np.array(changed, dtype=bool)

    def merge(
        self, rows: pd.DataFrame, scores: pd.DataFrame, digests: Sequence[str | None]
    ) -> pd.DataFrame:
        """Append new rows, replacing the old rows of images that were scored again.

        Parameters
        ----------
        rows : DataFrame of shape (n, columns)
            Rows of earlier runs, from `read`.
        scores : DataFrame of shape (m, columns)
            New scores.
        digests : sequence of str or None
            SHA-256 digest of each new image, or None if unknown.

        Returns
        -------
        DataFrame of shape (r, columns + 4)
            Rows to write, with four columns for use by later runs: ``image_sha256``, ``model``,
            ``scored_at`` (UTC) and ``schema``.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        scores = scores.assign(
            image_sha256=list(digests), model=self.model_id, scored_at=now, schema=SCHEMA
        )
        kept = rows[~rows["image_id"].astype(str).isin(scores["image_id"].astype(str))]
        if kept.empty:
            return scores
        if self.out.suffix.lower() == ".csv":
            # Old cells are read as text, which preserves every digit.
            scores = scores.astype(object)
        return pd.concat([kept, scores], ignore_index=True)

    def _check_same(self, column: str, values: pd.Series, wanted: str) -> None:
        found = {"" if pd.isna(value) else str(value) for value in values.unique()} - {wanted}
        if found:
            other = sorted(found)[0] or "none"
            raise TableError(
                f"{self.out} has scores of {column} {other[:40]}, the new ones have "
                f"{wanted or 'none'}. Choose another `out`, or omit `append` to overwrite it."
            )


def _read(path: Path) -> pd.DataFrame:
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise TableError(f"{path} cannot be read as a table of scores: {error}") from error
