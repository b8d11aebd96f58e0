"""Read tables of scores and join them to the truth."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from hybridlesion._formatting import printable, shorten
from hybridlesion.cnn import CLASSES
from hybridlesion.exceptions import TableError
from hybridlesion.metadata import (
    ID_COLUMNS,
    explain_near,
    match_ids,
    normalise_ids,
    normalise_image_id,
    read_source,
    refuse_unknown,
)
from hybridlesion.metrics import selective_risk
from hybridlesion.model_selection import GROUP_COLUMNS

_LONGEST_RULE = 60
# Columns with the probabilities of diagnoses, and the diagnosis predicted from them.
PROBABILITIES = [f"p_{code}" for code in CLASSES.values()]
PREDICTED = "diagnosis_predicted"
CERTAINTIES = ("applicability", "confidence")
"""Columns by which rows are ordered, see `hybridlesion.metrics.selective_risk`."""
TRAINED_ON = (
    "the scores are out of fold: their model was trained on other lesions of these sources, and "
    "may do worse at a new one. Name the sources when the model is fitted, too."
)
"""Note on metrics by source of out-of-fold scores."""
_PER_ROW = 1e-3
# Columns that only the scores provide.
_OF_SCORES = ["path", "score", *CERTAINTIES, *PROBABILITIES, PREDICTED]
# Columns with reasons, which a report shows.
_EXPLAINED = ("reason_", "share_", "base", "abcd__", "perceived__", "qa__")


@dataclass(frozen=True)
class ScoreTable:
    """Scores by image, read from a file.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        ``image_id`` and ``score``, then path, groups, scores before recalibration
        (``score_original``), ``prevalence``, ``applicability``, ``confidence`` and probabilities of
        diagnoses if the file has them. Rows without a score, on which the model abstained, are left
        out.
    threshold : float or None
        Threshold, if the file has exactly one.
    rule : str or None
        How the threshold was chosen, if the file states it; see
        `hybridlesion._formatting.threshold_words`.
    warnings : tuple of str
        Notes on what was ignored.
    reasons : DataFrame of shape (n, columns)
        ``image_id``, then reasons, shares and feature values if the file has them.
    n_unscored : int
        Number of rows without a score.
    """

    frame: pd.DataFrame
    threshold: float | None
    rule: str | None
    warnings: tuple[str, ...]
    reasons: pd.DataFrame
    n_unscored: int


def read_scores(path: str | os.PathLike) -> ScoreTable:
    """Read a table of scores.

    Parameters
    ----------
    path : str or path-like
        CSV or Parquet with an image id and ``score``.

    Returns
    -------
    ScoreTable
        The scores.

    Raises
    ------
    SourceError
        If the file cannot be opened.
    TableError
        If the file lacks ids or scores, a score is not a probability, an image occurs twice, or the
        probabilities of diagnoses are invalid.
    """
    source = read_source(path)
    source.check_numbers()
    table = source.frame
    names = [name for name in ID_COLUMNS if name in table]
    if not names or "score" not in table:
        raise TableError(
            f"{path} must have an image id ({', '.join(ID_COLUMNS)}) and a column named score; "
            f"found {', '.join(map(str, table.columns[:12]))}. `hybridlesion score` writes such a "
            "table."
        )
    refuse = partial(_refuse, path, source.rows)
    image_id = normalise_ids(table[names[0]]).map(normalise_image_id, na_action="ignore")
    refuse(image_id.isna(), f"{{}} rows have no {names[0]}", "Fill it in, or remove the rows.")
    refuse(image_id.duplicated(), "{} image ids occur more than once", "Keep one row per image.")
    unscored = _find_unscored(table)
    if unscored.all():
        raise TableError(f"{path} has no scores: the model abstained on every row.")
    table, image_id, rows = table[~unscored], image_id[~unscored], source.rows[~unscored]
    refuse = partial(_refuse, path, rows)
    kept = {"image_id": image_id, "score": _read_probabilities(table["score"], refuse)}
    if "score_original" in table:
        kept["score_original"] = _read_probabilities(table["score_original"], refuse)
    kept |= {name: normalise_ids(table[name]) for name in GROUP_COLUMNS if name in table}
    kept |= {name: table[name] for name in ("path", "prevalence") if name in table}
    certainties = {name: table[name] for name in CERTAINTIES if name in table}
    certainties = {n: pd.to_numeric(v, errors="coerce") for n, v in certainties.items()}
    kept |= {name: values for name, values in certainties.items() if values.between(0, 1).all()}
    kept |= _read_diagnoses(table, refuse)
    threshold, rule, warnings = _find_threshold(path, table)
    notes = (*source.notes, *warnings)
    ignored = [name for name in certainties if name not in kept]
    notes += tuple(f"{path}: {name} is not between 0 and 1: ignored." for name in ignored)
    if unscored.any():
        words = "rows without a score, on which the model abstained, were left out."
        notes += (f"{unscored.sum():,} of {len(unscored):,} {words}",)
    explained = [name for name in table if str(name).startswith(_EXPLAINED)]
    reasons = table[explained].assign(image_id=image_id)
    return ScoreTable(pd.DataFrame(kept), threshold, rule, notes, reasons, int(unscored.sum()))


def _find_unscored(table: pd.DataFrame) -> pd.Series:
    """Find the rows on which the model abstained: without a score, but with a reason."""
    if not {"abstain", "applicability_reason"} <= set(table):
        return pd.Series(False, table.index)
    blank = table[["score", "applicability_reason"]].replace("", np.nan).isna()
    return blank["score"] & ~blank["applicability_reason"]


def _refuse(
    path: str | os.PathLike, rows: np.ndarray, bad: pd.Series, words: str, cure: str, more: str = ""
) -> None:
    """Raise an error that counts and lists the bad rows, if there are any."""
    if bad.any():
        lines = f"(lines {shorten(rows[bad])}{more})"
        raise TableError(f"{path}: {words.format(bad.sum())} {lines}. {cure}")


def _read_probabilities(written: pd.Series, refuse: Callable[..., None]) -> pd.Series:
    scores = pd.to_numeric(written, errors="coerce")
    cure = "Remove the rows, or score the images again."
    found = f"; found {shorten(written[scores.isna()].map(repr).unique())}"
    refuse(scores.isna(), "{} scores are missing or not numbers", cure, found)
    cure = "Divide percentages by 100; turn logits z into 1 / (1 + exp(-z))."
    found = f"; all scores run from {scores.min():g} to {scores.max():g}"
    refuse(~scores.between(0, 1), "{} scores are not between 0 and 1", cure, found)
    return scores.astype(float)


def _read_diagnoses(table: pd.DataFrame, refuse: Callable[..., None]) -> dict[str, pd.Series]:
    """Read diagnosis probabilities and predictions; empty if a probability column is missing."""
    if not set(PROBABILITIES) <= set(table):
        return {}
    p = table[PROBABILITIES].apply(pd.to_numeric, errors="coerce").astype(float)
    bad = ~((p >= 0).all(axis=1) & p.sum(axis=1).sub(1).abs().lt(_PER_ROW))
    predicted = pd.Series(list(CLASSES), PROBABILITIES)[p.fillna(0).idxmax(axis=1)]
    predicted = table.get(PREDICTED, predicted.set_axis(table.index))
    words = (
        "the probabilities of diagnoses of {} rows do not sum to 1, or their "
        f"{PREDICTED} is none of {', '.join(CLASSES)}"
    )
    cure = "Score the images again, or remove these columns."
    refuse(bad | ~predicted.isin(list(CLASSES)), words, cure)
    return {**p, PREDICTED: predicted}


def _find_threshold(
    path: str | os.PathLike, table: pd.DataFrame
) -> tuple[float | None, str | None, tuple[str, ...]]:
    """Read the threshold and its rule if there is exactly one, or note that it is ignored."""
    if "threshold" not in table:
        return None, None, ()
    values = pd.to_numeric(table["threshold"], errors="coerce").dropna().unique()
    if len(values) != 1 or not 0 <= values[0] <= 1:
        found = f"{len(values)} values" if len(values) != 1 else f"{values[0]:g}"
        note = f"{path}: the threshold {found} is not between 0 and 1: ignored."
        return None, None, (note,)
    rules = table.get("threshold_rule", pd.Series(dtype=str)).dropna().astype(str).unique()
    rule = printable(rules[0])[:_LONGEST_RULE] if len(rules) == 1 else ""
    return float(values[0]), rule or None, ()


def risk_curves(cases: pd.DataFrame, threshold: float) -> pd.DataFrame | None:
    """Compute the error of the lesions of highest applicability, and of highest confidence.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Result of `join_truth`.
    threshold : float
        Threshold of the label.

    Returns
    -------
    DataFrame or None
        Results of `hybridlesion.metrics.selective_risk`, with the column ``by``; None if the scores
        have neither column.
    """
    y, score = cases["target"].to_numpy(dtype=int), cases["score"].to_numpy()
    curves = [
        selective_risk(y, score, cases[name], threshold=threshold).assign(by=name)
        for name in CERTAINTIES
        if name in cases
    ]
    return pd.concat(curves, ignore_index=True) if curves else None


def join_truth(scored: pd.DataFrame, truth: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Join scores to the records of the truth.

    Parameters
    ----------
    scored : DataFrame of shape (n, columns)
        Frame from `read_scores`.
    truth : DataFrame of shape (m, columns)
        Records with ``target``.

    Returns
    -------
    cases : DataFrame of shape (k, columns)
        Records of the scored images with a known target.
    notes : list of str
        Notes on what was left out.

    Raises
    ------
    TableError
        If no scored image has a target, all targets are the same, or a diagnosis is unknown.
    """
    if "target" not in truth or truth["target"].isna().all():
        raise TableError(
            "the truth has no column of targets. Pass the column as `target`, or the malignant "
            "diagnoses as `malignant`."
        )
    refuse_unknown(truth[truth["image_id"].isin(scored["image_id"])])
    known = truth.loc[truth["target"].notna()]
    known = known.drop(columns=_OF_SCORES, errors="ignore")
    scored, notes = _respell(scored, known["image_id"])
    cases = known.merge(scored, on="image_id", suffixes=("", "_of_scores"))
    for name in set(GROUP_COLUMNS) & set(known) & set(scored):
        other = cases.pop(f"{name}_of_scores")
        cases[name] = cases[name].where(cases[name].notna(), other)
    if cases.empty:
        raise TableError(
            "no scored image is in the truth. Is this the right table? Scores begin with "
            f"{scored['image_id'].iloc[0]!r}, the truth with {known['image_id'].iloc[0]!r}. If "
            "another column has the image ids, pass it as `id_column`."
            + "".join(f" {note}" for note in explain_near(scored["image_id"], known["image_id"]))
        )
    _check_classes(cases, "scored images")
    without = scored.loc[~scored["image_id"].isin(cases["image_id"]), "image_id"]
    if len(without):
        notes.append(
            f"{len(without)} scored images are not in the truth and were left out, e.g. "
            f"{without.iloc[0]}."
        )
    unscored = known[~known["image_id"].isin(cases["image_id"])]
    if len(unscored):
        notes.append(
            f"{len(unscored):,} of {len(known):,} images of the truth "
            f"({unscored['target'].sum():,.0f} malignant) have no score and were left out, e.g. "
            f"{unscored['image_id'].iloc[0]}."
        )
    return cases, notes


def group_unit(cases: pd.DataFrame) -> str:
    """Return what the groups of rows are, as far as their ids are known.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Records or scores.

    Returns
    -------
    str
        "patients", "lesions" or "images".
    """
    if "patient_id" in cases and cases["patient_id"].notna().any():
        return "patients"
    others = [name for name in GROUP_COLUMNS if name in cases and cases[name].notna().any()]
    return "lesions" if others else "images"


def _respell(scores: pd.DataFrame, ids: pd.Series) -> tuple[pd.DataFrame, list[str]]:
    """Rename ids of scores that differ from the truth only in case or accents."""
    found = {its: one for one, its in match_ids(ids, scores["image_id"]).items() if one != its}
    if not found:
        return scores, []
    its, one = next(iter(found.items()))
    note = (
        f"{len(found)} scored images are spelt differently in the truth, e.g. {its} and {one}, "
        "and were matched."
    )
    return scores.assign(image_id=scores["image_id"].replace(found)), [note]


def add_baseline(cases: pd.DataFrame, baseline: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Add the scores to compare with, for the images that have both scores.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Result of `join_truth`.
    baseline : DataFrame of shape (m, columns)
        The other scores.

    Returns
    -------
    cases : DataFrame of shape (k, columns)
        Cases with both scores; the score to compare with is in the column ``against``.
    notes : list of str
        Notes on what was left out.

    Raises
    ------
    TableError
        If no image has both scores, or only images of one class do.
    """
    baseline, notes = _respell(baseline, cases["image_id"])
    against = baseline.set_index("image_id")["score"]
    both = cases.assign(against=cases["image_id"].map(against))
    both = both.loc[both["against"].notna()].reset_index(drop=True)
    if both.empty:
        raise TableError(
            f"no image has both scores: ids begin with {cases['image_id'].iloc[0]!r}, those of "
            f"`against` with {baseline['image_id'].iloc[0]!r}."
        )
    _check_classes(both, "images that have both scores")
    alone = len(cases) - len(both)
    if alone:
        notes.append(f"{alone} images are not in `against` and were left out of the comparison.")
    return both, notes


def _check_classes(cases: pd.DataFrame, what: str) -> None:
    if cases["target"].nunique() < 2:
        value = cases["target"].iloc[0]
        word = "malignant" if value else "benign"
        raise TableError(
            f"all {len(cases)} {what} have target {value:g} ({word}); metrics need both classes. "
            "Score images of both, or pass the right column as `target`."
        )
