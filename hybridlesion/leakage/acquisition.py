"""Acquisition facts: how images were taken and stored, and whether that predicts malignancy."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np
import pandas as pd

from hybridlesion.exceptions import ImageError, SourceError
from hybridlesion.io import image_size
from hybridlesion.leakage.audit import Finding, Severity
from hybridlesion.metadata import column_key, is_acquisition, read_columns

_FEW_ROWS = 10_000

# Columns that describe later processing, not the acquisition.
_NO_FACTS = ("fold", "split", "tfrecord", "score_weight", "validation_weight", "mask_source")
# Number of texts of a fact that are distinguished; rarer texts are pooled.
_MAX_LEVELS = 100
# AUC at which acquisition facts start to cause a warning.
_WARN_AUC = 0.6
_PREDICTIVE = (
    "no model reads them as columns, but a network may detect them in the pixels, and they will "
    "not generalise to other sites: judge the model by how far its AUC exceeds this one"
)


def acquisition_facts(
    table: pd.DataFrame,
    sources: Sequence[str | os.PathLike],
    excluded: Iterable[str],
    id_column: str | None = None,
) -> pd.DataFrame:
    """Collect what is known about the acquisition of each image.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Training table with ``image_id`` and, if known, ``patient_id`` and ``path``.
    sources : sequence of str or path-like
        Tables from which it was joined.
    excluded : iterable of str
        Columns of these tables that are excluded from the features.
    id_column : str, default=None
        Column of the tables with the image id. If None, it is detected.

    Returns
    -------
    DataFrame of shape (n, facts)
        Acquisition columns of the tables, ``images of the patient``, and ``file size``, ``width``
        and ``height`` of local image files; constant columns are left out.
    """
    wanted = [
        name for name in excluded if is_acquisition(name) and column_key(name) not in _NO_FACTS
    ]
    facts = pd.DataFrame(index=table.index)
    for source in sources if wanted else ():
        facts = facts.combine_first(read_columns(source, wanted, table["image_id"], id_column))
    if "patient_id" in table:
        count = table["patient_id"].map(table["patient_id"].value_counts())
        facts["images of the patient"] = count.astype(float)
    if "path" in table:
        facts = facts.combine_first(_file_facts(table["path"]))
    facts = facts.loc[:, facts.nunique(dropna=False) > 1]
    return facts[sorted(facts)]


def find_acquisition_leaks(
    facts: pd.DataFrame, y: np.ndarray, groups: np.ndarray, folds: np.ndarray
) -> list[Finding]:
    """Measure how well acquisition facts alone discriminate, out of fold.

    Parameters
    ----------
    facts : DataFrame of shape (n, facts)
        Result of `acquisition_facts`.
    y : ndarray of shape (n,), 0 or 1
        Target.
    groups : ndarray of shape (n,), int
        Group of each row, for the confidence interval.
    folds : ndarray of shape (n,), int
        Grouped fold of each row.

    Returns
    -------
    list of Finding
        The AUC of a small gradient boosting model fitted to the facts; a warning if the AUC is at
        least 0.6 and its interval lies above 0.5.
    """
    if facts.empty:
        return []
    # Imports much of scikit-learn, which is not needed to measure images.
    from hybridlesion.metrics import evaluate

    measures = evaluate(y, _out_of_fold(facts, y, folds), groups=groups, n_bootstrap=200)
    auc, low, high = measures.set_index("metric").loc["auc", ["value", "low", "high"]]
    severity, meaning = Severity.NOTE, "they predict little"
    if auc >= _WARN_AUC and low > 0.5:
        severity, meaning = Severity.WARN, _PREDICTIVE
    reached = f"an AUC of {auc:.3f} ({low:.3f} to {high:.3f}) out of fold"
    words = f"acquisition data alone reach {reached}; {meaning}"
    return [Finding("acquisition", severity, words, columns=tuple(facts))]


def _file_facts(paths: pd.Series) -> pd.DataFrame:
    """Measure local files in bytes and pixels; NaN for archive members and remote files."""
    facts = []
    for path in paths:
        width, height, size = np.nan, np.nan, np.nan
        if isinstance(path, str) and os.path.isfile(path):
            # A file that was measured before may have been damaged since.
            with suppress(ImageError, SourceError):
                height, width = map(float, image_size(path))
                size = float(os.path.getsize(path))
        facts.append((size, width, height))
    return pd.DataFrame(facts, paths.index, ["file size", "width", "height"], dtype=float)


def _out_of_fold(facts: pd.DataFrame, y: np.ndarray, folds: np.ndarray) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    encoded = pd.DataFrame({name: _encode(column) for name, column in facts.items()})
    model = HistGradientBoostingClassifier(
        max_iter=60,
        max_leaf_nodes=8,
        min_samples_leaf=max(1, min(20, len(y) // 20)),
        early_stopping=False,
        class_weight="balanced",
        random_state=0,
    )
    score = np.empty(len(y))
    # With few rows, the overhead of several threads exceeds their benefit.
    with threadpool_limits(1 if len(y) < _FEW_ROWS else None):
        for fold in np.unique(folds):
            held = folds == fold
            model.fit(encoded.to_numpy()[~held], y[~held])
            score[held] = model.predict_proba(encoded.to_numpy()[held])[:, 1]
    return score


def _encode(column: pd.Series) -> np.ndarray:
    """Encode texts by the rank of their frequency, leaving numbers unchanged."""
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
    texts = column.astype(object)
    levels = texts.value_counts().index
    rank = pd.Series(np.arange(len(levels), dtype=float), levels).clip(upper=_MAX_LEVELS)
    return texts.map(rank).to_numpy(dtype=float)
