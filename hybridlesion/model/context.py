"""Patient context: each lesion compared with the other lesions of the patient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from hybridlesion._validation import as_pandas, check_choice
from hybridlesion.exceptions import TableError
from hybridlesion.model_selection import grouping

# Most neighbours of the local outlier factor, and fewest lesions for which it is defined.
_NEIGHBOURS = 10
_LEAST = 4


def embedding_distance(
    embedding: np.ndarray, patient: np.ndarray, lesion: np.ndarray
) -> np.ndarray:
    """One minus the cosine to the mean direction of the patient's other lesions.

    Parameters
    ----------
    embedding : ndarray of shape (n, d), float32
        Vectors; rows with NaN are ignored.
    patient, lesion : ndarray of shape (n,), int
        Patient number of each row, and lesion number within the patient.

    Returns
    -------
    ndarray of shape (n,), float64
        Distance from 0 to 2; NaN if the patient has no other lesion.
    """
    length = np.linalg.norm(embedding, axis=1)
    known = np.isfinite(length) & (length > 0)
    unit = np.where(known[:, None], embedding / np.where(known, length, 1.0)[:, None], 0.0)
    others = _sum_by(unit, patient) - _sum_by(unit, lesion)
    size = np.linalg.norm(others, axis=1)
    cosine = np.einsum("ij,ij->i", unit, others) / np.where(size > 1e-6, size, np.nan)
    return np.where(known, 1.0 - cosine, np.nan)


def _sum_by(rows: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Sum the rows of each group, numbered from 0, and return the sum of its group for each row."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    return np.add.reduceat(rows[order].astype(np.float64), starts)[group]


def outlier_factor(values: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """Local outlier factor of each row among the rows of its patient.

    The neighbours of a lesion are half of the patient's lesions, at most ten.

    Parameters
    ----------
    values : ndarray of shape (n, d), float64
        Columns; they are standardised by median and median absolute deviation within the patient.
    patient : ndarray of shape (n,), int
        Patient number of each row.

    Returns
    -------
    ndarray of shape (n,), float64
        About 1 for inliers, larger for outliers, at most 10; NaN for patients with fewer than four
        complete rows.
    """
    from sklearn.neighbors import LocalOutlierFactor

    factor = np.full(len(values), np.nan)
    complete = np.flatnonzero(np.isfinite(values).all(axis=1))
    order = complete[np.argsort(patient[complete], kind="stable")]
    ends = np.flatnonzero(np.diff(patient[order])) + 1
    for rows in np.split(order, ends):
        if len(rows) < _LEAST:
            continue
        spread = values[rows] - np.median(values[rows], axis=0)
        scale = 1.4826 * np.median(np.abs(spread), axis=0)
        varying = scale > 1e-9
        if not varying.any():
            continue
        standard = np.clip(spread[:, varying] / scale[varying], -10, 10)
        # With all other lesions as neighbours, each would be as close to the outlier as the outlier
        # is to them, and the outlier would seem the least unusual.
        found = LocalOutlierFactor(n_neighbors=min(_NEIGHBOURS, len(rows) // 2)).fit(standard)
        factor[rows] = np.minimum(-found.negative_outlier_factor_, 10.0)
    return factor


CONTEXT_KINDS = ("others", "excess", "z", "rank", "ratio")

_LOOKS = ("asymmetry", "border", "color")
_MEASURES = ("structures", "tds", "dimension_feret_max")
# Beginnings of the names of network scores and of measurements of total-body photography.
_COMPARED = ("cnn__", "meta__tbp_lv_", "meta__clin_size_")

# Largest distance, in standard deviations of the other lesions.
_REACH = 10.0
# Fewest other lesions whose standard deviation is used.
_ENOUGH = 3


def context_columns(table: pd.DataFrame) -> list[str]:
    """List the columns whose context may be informative.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table.

    Returns
    -------
    list of str
        CNN scores other than those of single diagnoses (``cnn__p_*``), the summary scores of the
        ABCD rule, the largest diameter, and the measurements of total-body photography, in table
        order.

    Examples
    --------
    >>> context_columns(pd.DataFrame(columns=["cnn__score", "abcd__tds", "meta__age"]))
    ['cnn__score', 'abcd__tds']
    """
    names = [str(name) for name in table.columns if not str(name).startswith("cnn__p_")]
    summaries = _summaries(names)
    return [name for name in names if name in summaries or name.startswith(_COMPARED)]


def _summaries(names: Iterable[object]) -> list[str]:
    """Summaries of a lesion among columns; the scales of perception had other names before."""
    known = set(names)
    looks = [f"perceived__{name}" for name in _LOOKS if f"perceived__{name}" in known]
    looks = looks or [f"abcd__{name}" for name in _LOOKS]
    return [name for name in (*looks, *(f"abcd__{one}" for one in _MEASURES)) if name in known]


def has_company(table: pd.DataFrame) -> np.ndarray:
    """Find the rows whose patient has another lesion.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table; without ``patient_id``, no row has siblings.

    Returns
    -------
    ndarray of shape (n,), bool
        True if the patient is known and has a row for another lesion.

    Examples
    --------
    >>> has_company(pd.DataFrame({"patient_id": ["a", "b", "a", None]})).tolist()
    [True, False, True, False]
    """
    return _Patients(table).count > 0


def patient_context(
    table: pd.DataFrame,
    columns: Sequence[str] | None = None,
    kinds: Sequence[str] = CONTEXT_KINDS,
    *,
    distances: bool = True,
) -> pd.DataFrame:
    """Compare each row with the other lesions of the same patient.

    Nothing is fitted: the context of a row depends only on the rows of the same patient in the
    table. Rows of the same ``lesion_id`` do not count as other lesions.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table with ``patient_id`` and, if known, ``lesion_id``.
    columns : sequence of str, default=None
        Numeric columns to compare. If None, those listed by `context_columns`.
    kinds : sequence of str, default=("others", "excess", "z", "rank", "ratio")
        ``others`` is the mean m of the patient's other lesions, ``excess`` is x - m, ``z`` is
        ``excess`` over the standard deviation of the other lesions (-10 to 10; needs at least
        three), ``rank`` is the share of the other lesions with lower values (0 to 1, ties count
        half), and ``ratio`` is x / m if m > 0.
    distances : bool, default=True
        Whether to add ``ctx__embedding_distance`` (one minus the cosine to the mean direction of
        the other lesions' ``emb__`` vectors, 0 to 2) and ``ctx__abcd_outlier`` (local outlier
        factor within the patient), if the table has the columns for them.

    Returns
    -------
    DataFrame of shape (n, columns x kinds + distances), float32
        Columns such as ``ctx__cnn_score_excess``, with the index of `table`. NaN if the patient is
        unknown or has only one lesion, or if a value is missing.

    Raises
    ------
    TableError
        If the table has no ``patient_id`` or lacks one of `columns`.
    ValueError
        If a kind is unknown.

    Notes
    -----
    The number of images of a patient reflects acquisition rather than disease. It is therefore not
    a column, and no kind grows with it by construction, as a share of the sum or a maximum would.

    References
    ----------
    .. [1] J. Grob, J. Bonerandi, "The 'ugly duckling' sign", Arch. Dermatol. 134, 1998.
    .. [2] M. Breunig, H.-P. Kriegel, R. Ng, J. Sander, "LOF: identifying density-based local
       outliers", SIGMOD 2000.

    Examples
    --------
    >>> table = pd.DataFrame({"patient_id": ["a", "a", "a", "b"], "cnn__score": [1.0, 2, 6, 3]})
    >>> patient_context(table, kinds=["excess", "rank"])
       ctx__cnn_score_excess  ctx__cnn_score_rank
    0                   -3.0                  0.0
    1                   -1.5                  0.5
    2                    4.5                  1.0
    3                    NaN                  NaN
    """
    table = as_pandas(table)
    if "patient_id" not in table:
        raise TableError(
            "context needs a patient_id column to find the lesions of a patient. Join a metadata "
            "table that has it."
        )
    columns = context_columns(table) if columns is None else list(columns)
    absent = [name for name in columns if name not in table]
    if absent:
        raise TableError(f"the table has no column {absent[0]!r} to compare within patients.")
    for kind in kinds:
        check_choice("kinds", kind, CONTEXT_KINDS)
    patients = _Patients(table)
    found = {}
    for name in columns:
        values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
        against = patients.compare(values, kinds)
        found |= {f"ctx__{name.replace('__', '_', 1)}_{kind}": against[kind] for kind in kinds}
    wide = [name for name in table.columns if str(name).startswith("emb__")]
    if distances and wide:
        embedding, of_row = table[wide].to_numpy(np.float32), (patients.patient, patients.lesion)
        found["ctx__embedding_distance"] = embedding_distance(embedding, *of_row)
    measured = _summaries(table.columns)
    if distances and len(measured) > 1:
        abcd = table[measured].to_numpy(np.float64)
        found["ctx__abcd_outlier"] = outlier_factor(abcd, patients.patient)
    return pd.DataFrame(found, index=table.index).astype(np.float32)


class _Patients:
    """Numbers of the patient, and of the lesion within the patient, for each row."""

    def __init__(self, table: pd.DataFrame):
        self.patient = grouping(table, ["patient_id"]).to_numpy()
        lesion = grouping(table, ["lesion_id"]).to_numpy()
        # Lesion ids are unique only within a patient; other clinics may use the same ids.
        self.lesion = pd.factorize(self.patient * np.int64(len(table) + 1) + lesion)[0]
        self.count = self._others(np.ones(len(table)))

    def _others(self, values: np.ndarray) -> np.ndarray:
        """Sum over the rows of the patient's other lesions."""
        patient = np.bincount(self.patient, weights=values)[self.patient]
        return patient - np.bincount(self.lesion, weights=values)[self.lesion]

    def compare(self, values: np.ndarray, kinds: Sequence[str]) -> dict[str, np.ndarray]:
        """Compare one column by the kinds of `patient_context`."""
        known = np.isfinite(values)
        # Sums of values far from zero lose precision; shifting all values changes no comparison.
        centre = float(np.median(values[known])) if known.any() else 0.0
        shifted = np.where(known, values - centre, 0.0)
        count = self._others(known.astype(np.float64))
        alone = ~known | (count < 0.5)
        count = np.where(alone, np.nan, count)
        mean = self._others(shifted) / count
        found = {"others": mean + centre, "excess": shifted - mean}
        if "z" in kinds:
            spread = np.sqrt(np.maximum(self._others(shifted**2) / count - mean**2, 0.0))
            spread = np.where((count >= _ENOUGH) & (spread > 1e-6), spread, np.nan)
            found["z"] = np.clip(found["excess"] / spread, -_REACH, _REACH)
        if "rank" in kinds:
            below = _count_below(shifted, known, self.patient)
            found["rank"] = (below - _count_below(shifted, known, self.lesion)) / count
        if "ratio" in kinds:
            others = found["others"]
            found["ratio"] = values / np.where(others > 1e-6, others, np.nan)
        return found


def _count_below(values: np.ndarray, known: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Count the lower known values in the same group, with ties as half."""
    return pd.Series(np.where(known, values, np.nan)).groupby(group).rank().to_numpy() - 0.5
