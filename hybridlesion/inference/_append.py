"""A score file that grows: each run adds what is new, and never mixes two models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion.exceptions import TableError

__all__ = ["SCHEMA", "GrowingScores"]

# Raised when a column of the file changes its meaning or goes away.
SCHEMA = 1

_NEEDED = (
    "image_id",
    "score",
    "label",
    "threshold",
    "image_sha256",
    "model",
    "scored_at",
    "schema",
)


@dataclass(frozen=True)
class GrowingScores:
    """The score file of former runs, and what this run puts into it.

    Parameters
    ----------
    out : Path
        The file; it need not exist.
    model_id : str
        What tells this model from others.
    prevalence : float, default=None
        Prevalence that the scores are moved to; None leaves them.
    """

    out: Path
    model_id: str
    prevalence: float | None = None

    def read(self) -> pd.DataFrame | None:
        """Read the file, and make sure that new rows belong into it.

        Returns
        -------
        DataFrame of shape (n, columns) or None
            Its rows, those of a CSV file as text; None if there is no file.

        Raises
        ------
        TableError
            If it has another schema, or was written by another model or for another prevalence.
        """
        if not self.out.exists():
            return None
        rows = _read(self.out)
        lacking = [name for name in _NEEDED if name not in rows]
        if lacking:
            raise TableError(
                f"{self.out} was not written with --append: it lacks {', '.join(lacking)}. Name "
                "another --out, or leave --append out to write it anew."
            )
        self._check_same(rows, "schema", str(SCHEMA))
        self._check_same(rows, "model", self.model_id)
        wanted = "" if self.prevalence is None else str(float(self.prevalence))
        found = rows["prevalence"] if "prevalence" in rows else pd.Series("", rows.index)
        self._check_same(rows.assign(prevalence=found), "prevalence", wanted)
        return rows

    def compare(
        self, rows: pd.DataFrame | None, found: pd.DataFrame, digests: Sequence[str | None]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Hold what was found against the rows of former runs.

        Parameters
        ----------
        rows : DataFrame of shape (n, columns) or None
            What `read` gave.
        found : DataFrame of shape (m, columns)
            Records with ``image_id``.
        digests : sequence of str or None
            SHA-256 of their images; None where there is none.

        Returns
        -------
        is_new : ndarray of shape (m,), bool
            Records that the file lacks.
        changed : ndarray of shape (m,), bool
            Records whose image is another than the one that was scored.
        """
        known = (
            {}
            if rows is None
            else dict(zip(rows["image_id"].astype(str), rows["image_sha256"], strict=True))
        )
        ids = found["image_id"].astype(str)
        is_new = [name not in known for name in ids]
        changed = [
            name in known and digest is not None and known[name] != digest
            for name, digest in zip(ids, digests, strict=True)
        ]
        return np.array(is_new, dtype=bool), np.array(changed, dtype=bool)

    def stamp(self, scores: pd.DataFrame, digests: Sequence[str | None]) -> pd.DataFrame:
        """Add to each row what later runs must know.

        Parameters
        ----------
        scores : DataFrame of shape (n, columns)
            New scores.
        digests : sequence of str or None
            SHA-256 of each image; None where there is none.

        Returns
        -------
        DataFrame of shape (n, columns + 4)
            With ``image_sha256``, ``model``, ``scored_at`` (UTC) and ``schema``.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return scores.assign(
            image_sha256=list(digests), model=self.model_id, scored_at=now, schema=SCHEMA
        )

    def merge(self, rows: pd.DataFrame | None, scores: pd.DataFrame) -> pd.DataFrame:
        """Put new rows behind the old; of an image that was scored again the old row goes.

        Parameters
        ----------
        rows : DataFrame of shape (n, columns) or None
            What `read` gave.
        scores : DataFrame of shape (m, columns)
            What `stamp` gave.

        Returns
        -------
        DataFrame
            What is to be written.
        """
        if rows is None:
            return scores
        ids = scores["image_id"].astype(str)
        kept = rows[~rows["image_id"].astype(str).isin(ids)]
        if kept.empty:
            return scores
        # Old cells of a CSV file stay as they were written, to the last digit.
        both = (
            [kept, scores.astype(object)] if self.out.suffix.lower() == ".csv" else [kept, scores]
        )
        return pd.concat(both, ignore_index=True)

    def _check_same(self, rows: pd.DataFrame, column: str, wanted: str) -> None:
        found = {_text(value) for value in rows[column].unique()} - {wanted}
        if found:
            other = sorted(found)[0] or "none"
            raise TableError(
                f"{self.out} holds scores of {column} {other[:40]}, and these have "
                f"{wanted or 'none'}: they cannot stand in one file. Name another --out, or leave "
                "--append out to write it anew."
            )


def _read(path: Path) -> pd.DataFrame:
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise TableError(f"{path} cannot be read as a table of scores: {error}") from error


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value)
