"""Summary of training data, stored with the model."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from hybridlesion._validation import as_pandas
from hybridlesion.leakage import hash_training_ids

__all__ = ["describe_training"]


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
        "seen": hash_training_ids(ids, digest.hexdigest()[:16]),
        "digest": digest.hexdigest(),
        "n_rows": len(X),
        "n_positive": int(y.sum()),
        "n_patients": None if patients is None else int(pd.Series(patients).nunique()),
    }
