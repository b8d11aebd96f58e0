"""Distributions of the training rows, to which rows of other sites and days are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

WATCHED = (
    *("qa__segmentation_confidence", "qa__mask_share", "qa__hair_share", "qa__dark_corner_share"),
    *("qa__empty_mask", "qa__touches_border", "abcd__skin_ita", "abcd__skin_lightness"),
    *("abcd__texture_energy_fine", "abcd__color_lightness_mean", "abcd__dimension_area"),
    *("abcd__tds", "cnn__melanoma", "cnn__score", "meta__age"),
)
"""Columns of a feature table that are summarised, if it has them."""

LEVELS = np.linspace(0, 1, 401)
"""Levels of the stored quantiles."""


@dataclass(frozen=True)
class Distribution:
    """Distribution of a column over the training rows, each group with the same weight.

    Parameters
    ----------
    quantiles : ndarray of shape (401,), float64, or None
        Observed values at `LEVELS`; None if all values are missing.
    missing : float
        Share of missing values, 0 to 1.
    n_groups : int
        Number of groups (patients).
    """

    quantiles: np.ndarray | None
    missing: float
    n_groups: int

    @classmethod
    def of(cls, values: np.ndarray, weights: np.ndarray, n_groups: int) -> Distribution:
        """Summarise a column.

        Parameters
        ----------
        values : array-like of shape (n,)
            Values, NaN if missing.
        weights : ndarray of shape (n,)
            Weights of the rows, which sum to the number of groups.
        n_groups : int
            Number of groups.

        Returns
        -------
        Distribution
            The distribution.

        Examples
        --------
        >>> found = Distribution.of([3.0, 1.0, np.nan, 2.0], np.ones(4), 4)
        >>> found.missing, found.quantiles[[0, 200, 400]].tolist()
        (0.25, [1.0, 2.0, 3.0])
        """
        values = np.asarray(values, dtype=np.float64)
        known = ~np.isnan(values)
        missing = float(1 - weights[known].sum() / weights.sum())
        if not known.any():
            return cls(None, missing, n_groups)
        order = np.argsort(values[known], kind="stable")
        found, reached = values[known][order], np.cumsum(weights[known][order])
        # The smallest value that at least this share of the weight does not exceed.
        places = np.searchsorted(reached, LEVELS * reached[-1] - 1e-9)
        return cls(found[places], missing, n_groups)

    def beyond(self, values: np.ndarray, share: float, *, high: bool) -> np.ndarray:
        """Whether values lie beyond almost all training rows.

        Parameters
        ----------
        values : array-like of shape (n,)
            Values, NaN if missing.
        share : float
            Largest share of the training rows that lie as far out, 0 to 0.5.
        high : bool
            Whether large values are tested, instead of small ones.

        Returns
        -------
        ndarray of shape (n,), bool
            True beyond the quantile; False for missing values.
        """
        if self.quantiles is None:
            return np.zeros(len(values), dtype=bool)
        at = np.searchsorted(LEVELS, 1 - share if high else share)
        return values > self.quantiles[at] if high else values < self.quantiles[at]


def group_weights(groups: np.ndarray) -> tuple[np.ndarray, int]:
    """Weigh rows so that each group counts once.

    Parameters
    ----------
    groups : array-like of shape (n,)
        Group of each row.

    Returns
    -------
    weights : ndarray of shape (n,)
        Inverse sizes of the groups.
    n_groups : int
        Number of groups.

    Examples
    --------
    >>> weights, n_groups = group_weights(["a", "b", "b"])
    >>> weights.tolist(), n_groups
    ([1.0, 0.5, 0.5], 2)
    """
    _, number, size = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    return 1 / size[number], len(size)


def summarise_rows(
    table: pd.DataFrame, score: np.ndarray, groups: np.ndarray
) -> dict[str, Distribution]:
    """Summarise the score and the watched columns of a table.

    Parameters
    ----------
    table : DataFrame of shape (n, columns)
        Feature table.
    score : ndarray of shape (n,)
        Score of each row.
    groups : ndarray of shape (n,)
        Group of each row.

    Returns
    -------
    dict of str to Distribution
        Distribution of ``score`` and of the columns of `WATCHED` that `table` has.
    """
    columns: Mapping = {"score": score} | {name: table[name] for name in WATCHED if name in table}
    weights = group_weights(groups)
    return {name: Distribution.of(values, *weights) for name, values in columns.items()}
