"""The strongest reasons of each lesion, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion._validation import check_number
from hybridlesion.reasons._explain import split_explainable
from hybridlesion.reasons._labels import SITE, SITE_OF, column_label
from hybridlesion.reasons._values import points_words, rank_words, value_words

__all__ = ["reason_words"]


def reason_words(
    model: BaseEstimator, table: pd.DataFrame, parts: pd.DataFrame, *, n_reasons: int = 3
) -> list[list[str]]:
    """Word the columns that moved each score most.

    Parameters
    ----------
    model : Pipeline or HybridLesionClassifier
        Fitted model.
    table : DataFrame of shape (n, columns)
        The feature table that was scored, as a whole: context compares a patient's rows.
    parts : DataFrame of shape (n, columns)
        What `explain_scores` gave for it.
    n_reasons : int, default=3
        Most reasons a row, at least 1.

    Returns
    -------
    list of list of str
        For each row its reasons, the strongest first, up or down: name, value with unit, rank
        among the benign lesions of the training, and in brackets what it adds to the score in
        percentage points. The columns of the body site are one reason. What adds nothing is none.

    Examples
    --------
    >>> from hybridlesion.model import HybridLesionClassifier
    >>> from hybridlesion.reasons import explain_scores
    >>> y = np.arange(90) % 3 == 0
    >>> table = pd.DataFrame({"meta__age": 50 + 20.0 * y + np.arange(90) % 7})
    >>> model = HybridLesionClassifier(n_splits=3).fit(table, y)
    >>> words = reason_words(model, table, explain_scores(model, table))
    >>> words[0][0].split(" (")[0]
    'age 70 years, higher than 99 % of benign lesions'
    """
    check_number("n_reasons", n_reasons, low=1, integer=True)
    classifier = split_explainable(model)
    reference = getattr(classifier, "reference_", {})
    table = classifier.with_context(table)
    columns = _join_sites(parts.drop(columns=["score", "base"], errors="ignore"))
    shares = columns.to_numpy()
    strongest = np.argsort(-np.abs(shares), axis=1, kind="stable")[:, :n_reasons]
    return [
        [
            _word(columns.columns[k], row, shares[number, k], reference)
            for k in strongest[number]
            if shares[number, k] != 0
        ]
        for number, row in enumerate(_rows(table, parts.columns))
    ]


def _join_sites(parts: pd.DataFrame) -> pd.DataFrame:
    """Add the shares of the 0/1 columns of the site up, in the place of the first."""
    sites = [name for name in parts if name in SITE_OF]
    if len(sites) < 2:
        return parts
    joined = parts.assign(**{sites[0]: parts[sites].sum(axis=1)})
    return joined.drop(columns=sites[1:]).rename(columns={sites[0]: SITE})


def _rows(table: pd.DataFrame, names: pd.Index):
    known = [name for name in names if name in table]
    for values in table[known].itertuples(index=False, name=None):
        yield dict(zip(known, values, strict=True))


def _word(column: str, row: Mapping, share: float, reference: Mapping) -> str:
    value = row.get(column)
    if column == SITE:
        # The column of the lesion's own site stands for all.
        known = {name: row[name] for name in SITE_OF if pd.notna(row.get(name))}
        column = next((name for name in known if known[name] == 1), SITE)
        value = known.get(column, "of no known name" if known else None)
    said = [f"{column_label(column)} {value_words(column, value)}".rstrip()]
    rank = rank_words(column, value, reference)
    return f"{', '.join([*said, rank] if rank else said)} ({points_words(share)})"
