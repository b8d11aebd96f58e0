"""Compare batches of scores or measurements with the training rows of a model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact, kstwo
from sklearn.base import BaseEstimator

from hybridlesion._formatting import shorten
from hybridlesion._validation import check_number
from hybridlesion.exceptions import TableError
from hybridlesion.inference import score_table
from hybridlesion.metadata import read_source
from hybridlesion.model import FAMILIES, LEVELS, Distribution, group_weights
from hybridlesion.model_selection import grouping
from hybridlesion.pipeline import split_steps
from hybridlesion.reporting._score_table import group_unit

# Smallest difference of two distribution functions, or of two shares, that raises an alarm.
_RELEVANT = 0.1

# Days are joined until a batch has this many rows.
_ROWS_A_BATCH = 50

# Rows below which only large shifts are found.
_FEW = 20

_SCORED_AT = "scored_at"
_COLUMNS = ("batch", "check", "kind", "training", "observed", "distance", "p_value", "alarm")


@dataclass(frozen=True)
class DriftResult:
    """Result of `detect_drift`.

    Parameters
    ----------
    batches : DataFrame of shape (n, 4)
        ``batch`` (file, or days), ``n_rows``, ``n_groups`` (see `unit`) and ``n_alarms``.
    checks : DataFrame of shape (m, 8)
        ``batch``; ``check``, the column; ``kind``, "distribution" or "missing"; ``training`` and
        ``observed``, means or shares of missing values; ``distance``, the largest difference of
        the distribution functions or the difference of the shares; ``p_value``, adjusted for all
        checks of all batches; and ``alarm``.
    rate : float
        Highest probability of any false alarm.
    notes : tuple of str
        Notes for the user.
    unit : str, default="patients"
        What the groups are: "patients", "lesions" or "images", or "groups" if batches differ.
    """

    batches: pd.DataFrame
    checks: pd.DataFrame
    rate: float
    notes: tuple[str, ...]
    unit: str = "patients"

    @property
    def alarm(self) -> bool:
        """Whether any check of any batch raised an alarm."""
        return bool(self.checks["alarm"].any())


def detect_drift(
    model: BaseEstimator,
    tables: Sequence[str | os.PathLike],
    *,
    date: str | None = None,
    rate: float = 0.05,
) -> DriftResult:
    """Compare batches of scores or features with the training rows of a model.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model.
    tables : sequence of str or path-like
        Score files, written with this model, or feature tables, which are scored. A feature table
        allows more checks.
    date : str, default=None
        Column of dates (ISO 8601), by which rows are split into batches of one day, or of as many
        days as 50 rows take. If None, it is ``scored_at`` in tables that have it; other tables are
        one batch.
    rate : float, default=0.05
        Highest probability, above 0 and below 1, that there is any alarm although all rows are like
        those of training.

    Returns
    -------
    DriftResult
        Checks by batch.

    Raises
    ------
    TableError
        If the model has no summary of its training rows, or a table cannot be used.

    Notes
    -----
    The score before recalibration, the applicability and some measurements are compared by their
    distribution (one-sided bounds of the two-sample Kolmogorov-Smirnov statistic [1]_ from stored
    quantiles of the training rows) and by their share of missing values (Fisher's exact test). Each
    patient has the same weight and counts as one observation. P-values are adjusted for the number
    of checks and batches by Holm's method [2]_. An alarm also requires a distance of at least 0.1,
    since in large batches irrelevant shifts are significant.

    A shift does not prove that scores are wrong, nor does its absence prove that they are right:
    accuracy is measured on lesions of known diagnosis only.

    References
    ----------
    .. [1] J. L. Hodges, "The significance probability of the Smirnov two-sample test", Arkiv for
       Matematik 3, 469-486, 1958.
    .. [2] S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal
       of Statistics 6, 65-70, 1979.
    """
    check_number("rate", rate, low=1e-6, high=1 - 1e-6)
    summary = getattr(split_steps(model)[1], "training_summary_", None)
    if not summary:
        raise TableError(
            "the model has no summary of its training rows: an earlier release wrote it, or it was "
            "fitted on a plain matrix. Fit it again with this release on a feature table."
        )
    notes: list[str] = []
    ends = [Path(table).name for table in tables]
    batches: dict[str, pd.DataFrame] = {}
    for table, end in zip(tables, ends, strict=True):
        # Files of the same name in several folders are different batches.
        name = end if ends.count(end) == 1 else os.fspath(table)
        batches |= _read(model, table, name, date, notes)
    few = [name for name, rows in batches.items() if len(rows) < _FEW]
    if few:
        words = f"fewer than {_FEW} rows, in which only large shifts are found"
        notes.append(f"{len(few):,} of {len(batches):,} batches have {words}: {shorten(few)}.")
    found, sizes = [], []
    for name, rows in batches.items():
        weights, n_groups = group_weights(grouping(rows))
        sizes.append((name, len(rows), n_groups))
        found += [(name, *check) for check in _compare(rows, weights, n_groups, summary)]
    checks = pd.DataFrame(found, columns=list(_COLUMNS[:-1]))
    checks["p_value"] = holm(checks["p_value"].to_numpy())
    checks["alarm"] = (checks["p_value"] < rate) & (checks["distance"] >= _RELEVANT)
    counts = pd.DataFrame(sizes, columns=["batch", "n_rows", "n_groups"])
    alarms = checks.groupby("batch")["alarm"].sum()
    counts["n_alarms"] = counts["batch"].map(alarms).fillna(0).astype(int)
    units = {group_unit(rows) for rows in batches.values()}
    unit = units.pop() if len(units) == 1 else "groups"
    return DriftResult(counts, checks, rate, tuple(dict.fromkeys(notes)), unit)


def _read(
    model: BaseEstimator,
    path: str | os.PathLike,
    name: str,
    date: str | None,
    notes: list[str],
) -> dict[str, pd.DataFrame]:
    """Read the batches of a table, with the columns ``score`` and ``applicability``."""
    source = read_source(path)
    source.check_numbers()
    table = source.frame.reset_index(drop=True)
    if table.empty:
        raise TableError(f"{path} has no rows.")
    if "score" not in table:
        if not any(str(column).startswith((*FAMILIES, "qa__")) for column in table):
            raise TableError(
                f"{path} is neither a score file nor a feature table: it has no column named "
                "score, and no measurements."
            )
        scores = score_table(model, table)
        extra = [column for column in scores if column not in table]
        table = table.join(scores[extra])
    if "prevalence" in table:
        notes.append(f"{name}: scores adjusted to a prevalence are not compared.")
        table = table.drop(columns="score")
    elif "score_original" in table:
        table = table.assign(score=table["score_original"])
    column = date or (_SCORED_AT if _SCORED_AT in table else None)
    if column is None:
        return {name: table}
    if column not in table:
        raise TableError(f"{path} has no column {column!r}, which `date` names.")
    days = pd.to_datetime(table[column], format="ISO8601", errors="coerce", utc=True)
    if days.isna().any():
        bad = table[column][days.isna()].iloc[0]
        raise TableError(
            f"{path}: {column} has values that are not dates, such as {bad!r}. Write 2026-11-29."
        )
    return {f"{name} {days}": rows for days, rows in _split_days(table, days.dt.date)}


def _split_days(table: pd.DataFrame, days: pd.Series) -> Iterator[tuple[str, pd.DataFrame]]:
    """Split a table into batches of whole days; the last one may be small."""
    start, rows = None, []
    for day, part in table.groupby(days, sort=True):
        start, rows = start or day, [*rows, part]
        if sum(map(len, rows)) >= _ROWS_A_BATCH or day == days.max():
            yield str(day) if day == start else f"{start} to {day}", pd.concat(rows)
            start, rows = None, []


def _compare(
    rows: pd.DataFrame, weights: np.ndarray, n_groups: int, summary: Mapping[str, Distribution]
) -> Iterator[tuple[str, str, float, float, float, float]]:
    """Yield a check for each column that the rows share with the training rows."""
    uniform = Distribution(LEVELS, 0.0, summary["score"].n_groups)
    for name, training in {**summary, "applicability": uniform}.items():
        if name not in rows:
            continue
        values = pd.to_numeric(rows[name], errors="coerce").to_numpy(dtype=float)
        known = ~np.isnan(values)
        # A model may leave out scores on purpose.
        if name not in ("score", "applicability"):
            missing = 1 - weights[known].sum() / n_groups
            both = ((missing, n_groups), (training.missing, training.n_groups))
            counts = [[share * n, (1 - share) * n] for share, n in both]
            p = fisher_exact(np.rint(counts).astype(int)).pvalue
            shift = abs(missing - training.missing)
            yield name, "missing", training.missing, missing, shift, p
        if known.any() and training.quantiles is not None:
            distance = _distance(values[known], weights[known], training.quantiles)
            own = weights[known].sum()
            other = training.n_groups * (1 - training.missing)
            p = kstwo.sf(distance, max(round(own * other / (own + other)), 1))
            means = float(training.quantiles.mean()), values[known] @ weights[known] / own
            yield name, "distribution", *means, distance, p


def _distance(values: np.ndarray, weights: np.ndarray, quantiles: np.ndarray) -> float:
    """Lower bound of the Kolmogorov-Smirnov distance from quantiles."""
    order = np.argsort(values)
    reached = np.r_[0, np.cumsum(weights[order])] / weights.sum()
    upto = reached[np.searchsorted(values[order], quantiles, side="right")]
    below = reached[np.searchsorted(values[order], quantiles, side="left")]
    # At a quantile q of level t, training rows below q make up at most t, those up to q at least t.
    return float(max((LEVELS - upto).max(), (below - LEVELS).max(), 0.0))


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p-values for multiple tests by Holm's method.

    Parameters
    ----------
    p_values : ndarray of shape (n,)
        P-values.

    Returns
    -------
    ndarray of shape (n,)
        Adjusted p-values, at most 1: the probability of any that is smaller than x, if all null
        hypotheses hold, is at most x.

    Examples
    --------
    >>> holm(np.array([0.01, 0.5, 0.02])).tolist()
    [0.03, 0.5, 0.04]
    """
    order = np.argsort(p_values)
    factors = np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return adjusted
