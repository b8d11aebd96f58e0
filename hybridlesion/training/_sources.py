"""Leave-one-source-out validation: how a model does at a hospital that it never saw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import clone

from hybridlesion._formatting import join_words, shorten
from hybridlesion.exceptions import TableError
from hybridlesion.metrics import (
    describe_sources,
    evaluate_subgroups,
    paired_bootstrap,
    summarize_sources,
)
from hybridlesion.model import HybridLesionClassifier

# One fit for each source, and for each family without the source.
_MOST_SOURCES = 20
# Malignant and benign lesions from which a gain is computed, as in `evaluate_subgroups`.
_FEWEST = 5
# Families whose worth is measured, by their name in the results.
_PARTS = {
    "ABCD features": ("abcd__", "perceived__"),
    "CNN": ("cnn__", "emb__"),
    "metadata": ("meta__",),
}
_SEEN = (
    "the scores of the network are used as they are: it may have seen images of the source that is "
    "left out, so that its own transport is not measured."
)


@dataclass(frozen=True)
class SourceValidation:
    """Results of models that were fitted without one source each.

    Parameters
    ----------
    column : str
        Column of the sources.
    table : DataFrame of shape (sources, columns)
        ``source``, ``n_train`` (training rows of the other sources), ``n_shared`` (rows of other
        sources left out of training because they share a patient, lesion or near-duplicate),
        ``threshold`` (of the model without the source), ``home_auc`` with its interval (out of
        fold, by the model with all sources), and the columns of
        `hybridlesion.metrics.evaluate_subgroups` on the source.
    summary : DataFrame of shape (metrics, 8)
        Result of `hybridlesion.metrics.summarize_sources` on `table`.
    gains : DataFrame of shape (m, 5)
        ``source, without, difference, low, high``: AUC on the source of the model minus that of a
        model without a family of columns, or of the network alone, paired over patients. Without
        ABCD features, the model has no fallback to the network either. NaN at a source with fewer
        than five malignant or five benign lesions.
    score : ndarray of shape (n,), 0 to 1
        Score of each training row by the model without its source; NaN where the source is unknown.
    notes : tuple of str
        Notes for the user, such as sources that could not be left out.
    """

    column: str
    table: pd.DataFrame
    summary: pd.DataFrame
    gains: pd.DataFrame
    score: np.ndarray
    notes: tuple[str, ...]

    def facts(self) -> dict[str, object]:
        """Return the results for JSON and for the manifest of a model file, without scores.

        Returns
        -------
        dict
            ``column``; ``table``, ``summary`` and ``gains`` as lists of rows; ``notes``; and
            ``new_source``, sentences on what to expect there.
        """
        tables = {"table": self.table, "summary": self.summary, "gains": self.gains}
        rows = {name: table.to_dict("records") for name, table in tables.items()}
        said = {"notes": list(self.notes), "new_source": describe_sources(self.summary)}
        return {"column": self.column, **rows, **said}


def leave_one_source_out(
    fitted: HybridLesionClassifier,
    table: pd.DataFrame,
    y: np.ndarray,
    groups: np.ndarray,
    sources: pd.Series,
    *,
    column: str = "source",
    n_bootstrap: int = 1000,
) -> SourceValidation:
    """Fit a model without each source, and evaluate it there.

    Parameters
    ----------
    fitted : HybridLesionClassifier
        Model fitted on all rows; its parameters are used, with a single draw of folds.
    table : DataFrame of shape (n, columns)
        Training table.
    y : ndarray of shape (n,), 0 or 1
        Target.
    groups : ndarray of shape (n,)
        Groups such as patients. Rows whose group has a row of the source are not trained on.
    sources : Series of shape (n,)
        Source of each row; missing ones are trained on, and never left out.
    column : str, default="source"
        Name of the column of `sources`.
    n_bootstrap : int, default=1000
        Number of bootstrap samples for each interval.

    Returns
    -------
    SourceValidation
        Results by source, and what to expect at a new one.

    Raises
    ------
    TableError
        If there are more than 20 sources, or none has both classes and can be left out.
    """
    sources = sources.map(str, na_action="ignore")
    names = sorted(sources.dropna().unique())
    check_sources(sources, y)
    draw = {"n_bootstrap": n_bootstrap}
    score, cuts, rows, gains, notes = np.full(len(y), np.nan), {}, [], [], []
    few: list[str] = []
    for name in names:
        held = (sources == name).to_numpy(dtype=bool, na_value=False)
        train = ~np.isin(groups, groups[held])
        shared = int((~train & ~held).sum())
        split = (y, groups, train, held)
        try:
            score[held], cuts[name] = _score_held_out(fitted, table, *split)
        except ValueError as error:
            notes.append(f"{name} was not left out: {error}")
            continue
        rows.append({"source": name, "n_train": int(train.sum()), "n_shared": shared})
        for without, other in _score_without_each(fitted, table, split, notes).items():
            both = np.isfinite(other)
            truth, own = y[held][both], score[held][both]
            if min(truth.sum(), len(truth) - truth.sum()) < _FEWEST:
                few.append(name)
                gains.append({"source": name, "without": without})
                continue
            gap = paired_bootstrap(truth, other[both], own, groups=groups[held][both], **draw)
            found = {"difference": gap.difference, "low": gap.low, "high": gap.high}
            gains.append({"source": name, "without": without} | found)
    known = ~np.isnan(score)
    if len(set(y[known])) < 2:
        raise TableError(f"no source with both classes could be left out: {' '.join(notes)}")
    where = pd.DataFrame({"source": sources[known]})
    options = {"groups": groups[known], **draw}
    threshold = sources[known].map(cuts).to_numpy(dtype=float)
    left_out = evaluate_subgroups(y[known], score[known], where, threshold=threshold, **options)
    home = np.asarray(fitted.oof_score_)[known]
    at_home = evaluate_subgroups(y[known], home, where, threshold=fitted.threshold_, **options)
    ends = ["auc", "auc_low", "auc_high"]
    at_home = at_home[ends].add_prefix("home_")
    measured = pd.concat([left_out, at_home], axis=1).drop(columns="attribute").iloc[1:]
    measured = measured.rename(columns={"group": "source"})
    measured["threshold"] = measured["source"].map(cuts)
    found = pd.DataFrame(rows).merge(measured, on="source")
    summary = summarize_sources(found)
    if few:
        names = join_words(dict.fromkeys(few))
        counted = f"fewer than {_FEWEST} malignant or benign lesions"
        notes.append(f"no gains are computed at {names}: {counted}.")
    notes += [_SEEN] if any(str(one).startswith("cnn__") for one in table) else []
    columns = ["source", "without", "difference", "low", "high"]
    tables = (found, summary, pd.DataFrame(gains, columns=columns))
    return SourceValidation(column, *tables, score, tuple(dict.fromkeys(notes)))


def check_sources(sources: pd.Series, y: np.ndarray) -> None:
    """Refuse columns that do not allow a validation, before long work.

    Parameters
    ----------
    sources : Series of shape (n,)
        Source of each row, if known.
    y : ndarray of shape (n,), 0 or 1
        Target.

    Raises
    ------
    TableError
        If there are more than 20 sources, or none with malignant and benign lesions both inside
        and outside of it.
    """
    names = sources.dropna().unique()
    if len(names) > _MOST_SOURCES:
        raise TableError(
            f"`source` names a column with {len(names):,} values ({shorten(names)}); a model is "
            f"fitted without each, so that at most {_MOST_SOURCES} are allowed. Pass a column of "
            "hospitals, devices or data sets."
        )
    masks = [(sources == name).to_numpy(dtype=bool, na_value=False) for name in names]
    if not any(len(set(y[mask])) == len(set(y[~mask])) == 2 for mask in masks):
        raise TableError(
            f"none of the sources {shorten(names)} has malignant and benign lesions while the "
            "others have both, too. Add lesions, or leave out `source`."
        )


def _score_held_out(
    fitted: HybridLesionClassifier,
    table: pd.DataFrame,
    y: np.ndarray,
    groups: np.ndarray,
    train: np.ndarray,
    held: np.ndarray,
) -> tuple[np.ndarray, float]:
    """Return scores of the source that was not trained on, and the threshold."""
    model = clone(fitted).set_params(n_seeds=1)
    model.fit(table.loc[train], y[train], groups=groups[train])
    return model.predict_proba(table.loc[held])[:, 1], model.threshold_


def _score_without_each(
    fitted: HybridLesionClassifier,
    table: pd.DataFrame,
    rows: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    notes: list[str],
) -> dict[str, np.ndarray]:
    """Return scores of the source without each family, and those of the network alone."""
    of_part = {
        part: [str(name).startswith(prefixes) for name in table]
        for part, prefixes in _PARTS.items()
    }
    of_part = {part: columns for part, columns in of_part.items() if any(columns)}
    found = {}
    for part, columns in of_part.items() if len(of_part) > 1 else ():
        try:
            found[part], _ = _score_held_out(fitted, table.loc[:, ~np.array(columns)], *rows)
        except ValueError as error:
            notes.append(f"no model without {part}: {error}")
    if fitted.leading_ is not None:
        found["all but the CNN"] = table.loc[rows[-1], fitted.leading_].to_numpy(dtype=float)
    return found
