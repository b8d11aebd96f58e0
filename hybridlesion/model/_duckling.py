"""How far a lesion lies from its patient's others in many columns at once."""

from __future__ import annotations

import numpy as np

__all__ = ["embedding_distance", "outlier_factor"]

# Neighbours that the local outlier factor looks at, and lesions below which it is not defined.
_NEIGHBOURS = 10
_LEAST = 4


def embedding_distance(
    embedding: np.ndarray, patient: np.ndarray, lesion: np.ndarray
) -> np.ndarray:
    """One minus the cosine to the mean direction of the patient's other lesions.

    Parameters
    ----------
    embedding : ndarray of shape (n, d), float32
        Vectors; rows with NaN are passed over.
    patient, lesion : ndarray of shape (n,), int
        Numbers of patients and, within them, of lesions.

    Returns
    -------
    ndarray of shape (n,), float64
        0 to 2; NaN without others.
    """
    length = np.linalg.norm(embedding, axis=1)
    known = np.isfinite(length) & (length > 0)
    unit = np.where(known[:, None], embedding / np.where(known, length, 1.0)[:, None], 0.0)
    others = _sum_by(unit, patient) - _sum_by(unit, lesion)
    size = np.linalg.norm(others, axis=1)
    cosine = np.einsum("ij,ij->i", unit, others) / np.where(size > 1e-6, size, np.nan)
    return np.where(known, 1.0 - cosine, np.nan)


def _sum_by(rows: np.ndarray, group: np.ndarray) -> np.ndarray:
    if not len(rows):
        return rows
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(group[order]) > 0])
    sums = np.add.reduceat(rows[order].astype(np.float64), starts)
    return sums[np.unique(group, return_inverse=True)[1]]


def outlier_factor(values: np.ndarray, patient: np.ndarray) -> np.ndarray:
    """Local outlier factor of each row among the rows of its patient.

    Parameters
    ----------
    values : ndarray of shape (n, d), float64
        Columns, standardised here by median and absolute deviation within the patient.
    patient : ndarray of shape (n,), int
        Numbers of patients.

    Returns
    -------
    ndarray of shape (n,), float64
        About 1 amid others, larger apart from them, at most 10; NaN for patients with fewer than
        four complete rows.
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
        found = LocalOutlierFactor(n_neighbors=min(_NEIGHBOURS, len(rows) - 1)).fit(standard)
        factor[rows] = np.minimum(-found.negative_outlier_factor_, 10.0)
    return factor
