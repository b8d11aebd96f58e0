"""Metrics for several diagnoses at once, with intervals over patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from hybridlesion.metrics._resampling import Measure, Support, check_groups, metric_table, resample
from hybridlesion.metrics.discrimination import Ranking

# Tolerance for the sum of a row's probabilities.
_TOLERANCE = 1e-3


def evaluate_diagnoses(
    y: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    *,
    predicted: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | None = 0,
) -> pd.DataFrame:
    """Evaluate the probabilities of several diagnoses.

    Parameters
    ----------
    y : array-like of shape (n,), str
        Diagnoses, each one of `classes`; at least two must occur.
    probabilities : array-like of shape (n, k), 0 to 1
        Probabilities in the order of `classes`; rows sum to 1.
    classes : sequence of str
        The k diagnoses.
    predicted : array-like of shape (n,), str, default=None
        Predicted diagnoses. If None, the most probable diagnoses are used.
    groups : array-like of shape (n,), default=None
        Patient of each row. If None, each row is treated as its own patient.
    n_bootstrap : int, default=1000
        Number of draws; if 0, the intervals are NaN.
    confidence : float, default=0.95
        Coverage of the intervals.
    random_state : int or None, default=0
        Random seed.

    Returns
    -------
    DataFrame of shape (metrics, 4)
        ``metric, value, low, high`` with rows ``balanced_accuracy`` (mean recall), ``macro_auc``
        (mean AUC of each diagnosis against the rest), ``log_loss``, ``accuracy``, then
        ``recall_CLASS`` and ``auc_CLASS`` of each diagnosis that occurs in `y`; both means are over
        these diagnoses. The last rows are ``n`` and ``n_groups``, without intervals.

    Raises
    ------
    ValueError
        If shapes differ, a diagnosis is not among `classes`, only one occurs, or a row of
        `probabilities` is not a distribution.

    Notes
    -----
    As in `evaluate`, draws are random weights of whole groups. Recalls and their mean have Wilson's
    interval with the effective number of rows, AUCs have percentiles of the draws, and the log loss
    has Student's interval. With few patients per diagnosis, the intervals of the means are too
    narrow. In the log loss, a probability of 0 counts as the machine epsilon of double precision,
    as in scikit-learn.

    Examples
    --------
    >>> p = [[0.8, 0.2], [0.6, 0.4], [0.3, 0.7], [0.6, 0.4]]
    >>> found = evaluate_diagnoses(["nevus", "nevus", "melanoma", "melanoma"], p, ["nevus",
    ...     "melanoma"])
    >>> found.set_index("metric")["value"].head(2).to_dict()
    {'balanced_accuracy': 0.75, 'macro_auc': 0.875}
    """
    truth, p = _check(y, probabilities, classes)
    calls = p.argmax(axis=1) if predicted is None else _places(predicted, classes, "predicted")
    measure = _Diagnoses(truth, p, calls, check_groups(groups, len(truth)), list(classes))
    drawn = resample({"": [measure]}, n_bootstrap, random_state)
    found = {name: one.interval(confidence) for name, one in drawn.items()}
    return metric_table(found, {"n": len(truth), "n_groups": measure.n_groups})


def confusion_matrix(y: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Count diagnoses by predicted diagnosis.

    Parameters
    ----------
    y : array-like of shape (n,), str
        Diagnoses, each one of `classes`.
    predicted : array-like of shape (n,), str
        Predicted diagnoses.
    classes : sequence of str
        The k diagnoses.

    Returns
    -------
    DataFrame of shape (k, k), int
        One row per diagnosis and one column per predicted diagnosis, in the order of `classes`.

    Raises
    ------
    ValueError
        If a diagnosis is not among `classes`.

    Examples
    --------
    >>> confusion_matrix(["nv", "mel", "mel"], ["nv", "nv", "mel"], ["mel", "nv"]).to_numpy()
    array([[1, 1],
           [0, 1]])
    """
    k = len(classes)
    pairs = _places(y, classes, "y") * k + _places(predicted, classes, "predicted")
    counts = np.bincount(pairs, minlength=k * k).reshape(k, k)
    names = {"index": pd.Index(classes, name="diagnosis"), "columns": list(classes)}
    return pd.DataFrame(counts, **names)


def _places(values: np.ndarray, classes: Sequence[str], name: str) -> np.ndarray:
    values = np.asarray(values, dtype=object)
    places = pd.Index(list(classes)).get_indexer(values)
    if (places < 0).any():
        unknown, known = values[places < 0][0], ", ".join(classes)
        raise ValueError(f"{name} has {unknown!r}, which is not one of the classes: {known}.")
    return places


def _check(
    y: np.ndarray, probabilities: np.ndarray, classes: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    truth, p = _places(y, classes, "y"), np.asarray(probabilities, dtype=float)
    if p.shape != (len(truth), len(classes)):
        raise ValueError(
            f"probabilities must have one row for each of {len(truth)} diagnoses and one column "
            f"for each of {len(classes)} classes, got shape {p.shape}."
        )
    if not (p >= 0).all() or not np.allclose(p.sum(axis=1), 1, atol=_TOLERANCE):
        raise ValueError("each row of probabilities must be at least 0 and sum to 1.")
    if len(np.unique(truth)) < 2:
        raise ValueError(f"y must hold at least two diagnoses, got {len(truth)} rows of one.")
    return truth, p


class _Diagnoses(Measure):
    """Recalls, AUCs of each diagnosis against the rest, and both means; accuracy and log loss."""

    def __init__(
        self, y: np.ndarray, p: np.ndarray, calls: np.ndarray, codes: np.ndarray, classes: list[str]
    ):
        present = np.unique(y)
        self._names = [classes[k] for k in present]
        self._rankings = [Ranking(y == k, p[:, k], codes) for k in present]
        own = y == present[:, None]
        loss = -np.log(np.maximum(p[np.arange(len(y)), y], np.finfo(float).eps))
        rows = np.vstack([own, own & (calls == y), loss])
        self._sums = np.array([np.bincount(codes, weights=row) for row in rows])
        n = self._sums[: len(own)]
        self.n_groups = groups = n.shape[1]
        freedom = groups - 1 if n.sum(axis=0).max() > 1 else np.inf
        self.support = {
            "balanced_accuracy": Support("share", groups, groups - 1),
            "macro_auc": Support("drawn"),
            "log_loss": Support("number", groups, groups - 1),
            "accuracy": Support("share", groups, freedom, len(y)),
        }
        for name, of, ranking in zip(self._names, n, self._rankings, strict=True):
            recall = Support("share", np.count_nonzero(of), freedom, of.sum())
            self.support |= {f"recall_{name}": recall, f"auc_{name}": ranking.support["auc"]}

    def draws(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        *sums, loss = self._sums @ weights[:-1]
        counts, hits = np.split(np.array(sums), 2)
        recalls = hits / counts
        areas = [_area(ranking, weights[:-1]) for ranking in self._rankings]
        total = counts.sum(axis=0)
        return {
            "balanced_accuracy": recalls.mean(axis=0),
            "macro_auc": np.mean(areas, axis=0),
            "log_loss": loss / total,
            "accuracy": hits.sum(axis=0) / total,
            **{f"recall_{name}": row for name, row in zip(self._names, recalls, strict=True)},
            **{f"auc_{name}": row for name, row in zip(self._names, areas, strict=True)},
        }


def _area(ranking: Ranking, weights: np.ndarray) -> np.ndarray:
    at_level, cumulated, negatives = ranking.tally(weights)
    # Twice the negatives above a level, ties counted once.
    above = negatives[0:-1:2] + negatives[1::2]
    return 1 - (at_level * above).sum(axis=0) / (2 * cumulated[-1] * negatives[-1])
