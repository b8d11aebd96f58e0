"""Rows of features to scores."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion._steps import split_steps, threshold_rule
from hybridlesion.exceptions import TableError
from hybridlesion.reasons import reason_columns
from hybridlesion.scoring._caveats import note_caveats, uses_context
from hybridlesion.splits import GROUP_COLUMNS
from hybridlesion.table import read_frame
from hybridlesion.training import known_metadata

__all__ = ["score_table"]


def score_table(
    model: BaseEstimator, table: pd.DataFrame, *, explain: bool = False
) -> pd.DataFrame:
    """Score the rows of a feature table.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model; of a pipeline, the classifier alone is used.
    table : DataFrame of shape (n, columns)
        Feature table, or records for a model of metadata alone, of pandas or polars. Age, sex and
        site are read as `hybridlesion.metadata.normalise_records` reads them.
    explain : bool, default=False
        Whether to add the columns of `hybridlesion.reasons.reason_columns`.

    Returns
    -------
    DataFrame of shape (n, columns)
        ``image_id``, ``path``, ``patient_id``, ``lesion_id`` and ``duplicate_cluster`` where
        known, ``score`` (0 to 1), ``label`` (1 where the score reaches the threshold),
        ``threshold`` and ``threshold_rule``, as "for 90 % sensitivity"; then the reasons, if asked
        for.

    Raises
    ------
    TableError
        If the table lacks measurements that the model needs.

    Warns
    -----
    UserWarning
        If the model uses metadata and no row has any, or the table lacks a column of it, if the CNN
        learned from images that are scored, or if a model of patient context gets patients with one
        lesion.
    """
    _, classifier = split_steps(model)
    names = list(classifier.feature_names_in_)
    table = _align(read_frame(table).reset_index(drop=True), names)
    for note in note_caveats(names, table, context=uses_context(classifier)):
        warnings.warn(note, UserWarning, stacklevel=3)
    score = np.asarray(classifier.predict_proba(table))[:, 1]
    known = [name for name in ("image_id", "path", *GROUP_COLUMNS) if name in table]
    threshold = float(classifier.threshold_)
    scores = table[known].assign(
        score=score,
        label=(score >= threshold).astype(int),
        threshold=threshold,
        threshold_rule=threshold_rule(classifier),
    )
    return scores.join(reason_columns(model, table)) if explain else scores


def _align(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Give the table every feature the model was fitted on, unknown metadata as missing."""
    extra = [name.removeprefix("meta__") for name in names if name.startswith("meta__")]
    unknown = _unknown_metadata(table, names)
    metadata = known_metadata(table, [name for name in extra if name in table])
    table = table.assign(**{name: metadata[name] for name in metadata if name in names})
    absent = [name for name in names if name not in table]
    needed = [name for name in absent if name.startswith(("abcd__", "emb__", "cnn__"))]
    if needed:
        raise TableError(
            f"the table lacks {len(needed)} measurements that the model was fitted on: "
            f"{', '.join(needed[:5])}{', ...' if len(needed) > 5 else ''}. Make it with "
            "`hybridlesion features` and the same options, or score the images themselves."
        )
    metadata = [name for name in names if name.startswith("meta__")]
    table = table.assign(**{name: np.float32("nan") for name in metadata if name in absent})
    if metadata and table[metadata].isna().all(axis=None):
        warnings.warn(
            "the model uses age, sex and site, and no row has any of them; scores would be better "
            "with --metadata TABLE.",
            UserWarning,
            stacklevel=4,
        )
    elif unknown:
        warnings.warn(
            f"the table lacks {', '.join(unknown)}, which the model was fitted on; every row "
            "counts as unknown there.",
            UserWarning,
            stacklevel=4,
        )
    return table


def _unknown_metadata(table: pd.DataFrame, names: list[str]) -> list[str]:
    """Name the metadata of which a table has neither the record's column nor the encoded one."""
    unknown = {}
    for name in names:
        if name.startswith("meta__") and name not in table:
            bare = name.removeprefix("meta__")
            record = next((word for word in ("sex", "site") if bare.startswith(f"{word}_")), bare)
            if record not in table:
                unknown[record] = None
    return list(unknown)
