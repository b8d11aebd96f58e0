"""Read tables of scores and join them to the truth."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybridlesion._formatting import shorten
from hybridlesion._sanitize import printable
from hybridlesion.cnn import CLASSES
from hybridlesion.exceptions import TableError
from hybridlesion.metadata import (
    explain_near,
    match_ids,
    normalise_ids,
    normalise_image_id,
    read_source,
    refuse_unknown,
)
from hybridlesion.model_selection import GROUP_COLUMNS

_LONGEST_RULE = 60
# Columns with the probabilities of diagnoses, and the diagnosis predicted from them.
PROBABILITIES = [f"p_{code}" for code in CLASSES.values()]
PREDICTED = "diagnosis_predicted"
_PER_ROW = 1e-3
# Columns with reasons, which a report shows.
_EXPLAINED = ("reason_", "share_", "base", "abcd__", "qa__")
_ID_COLUMNS = ("image_id", "image_name", "isic_id", "image")


@dataclass(frozen=True)
class ScoreTable:
    """Scores by image, read from a file.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        ``image_id`` and ``score``, then path, groups and probabilities of diagnoses if the file has
        them.
    threshold : float or None
        Threshold, if the file has exactly one.
    rule : str or None
        How the threshold was chosen, if the file states it; see
        `hybridlesion._formatting.threshold_words`.
    warnings : tuple of str
        Notes on what was ignored.
    reasons : DataFrame of shape (n, columns)
        ``image_id``, then reasons, shares and feature values if the file has them.
    """

    frame: pd.DataFrame
    threshold: float | None
    rule: str | None
    warnings: tuple[str, ...]
    reasons: pd.DataFrame


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
    names = [name for name in _ID_COLUMNS if name in table]
    if not names or "score" not in table:
        raise TableError(
            f"{path} must have an image id ({', '.join(_ID_COLUMNS)}) and a column named score; "
            f"found {', '.join(map(str, table.columns[:12]))}. `hybridlesion score` writes such a "
            "table."
        )
    image_id = normalise_ids(table[names[0]]).map(normalise_image_id, na_action="ignore")
    _check_ids(path, names[0], image_id, source.rows)
    kept = {"image_id": image_id, "score": _check_scores(path, table["score"], source.rows)}
    kept |= {name: normalise_ids(table[name]) for name in GROUP_COLUMNS if name in table}
    if "path" in table:
        kept["path"] = table["path"]
    kept |= _read_diagnoses(path, table, source.rows)
    threshold, warnings = _find_threshold(path, table)
    rule = None if threshold is None else _find_rule(table)
    notes = (*source.notes, *warnings)
    explained = [name for name in table if str(name).startswith(_EXPLAINED)]
    reasons = table[explained].assign(image_id=image_id)
    return ScoreTable(pd.DataFrame(kept), threshold, rule, notes, reasons)


def _check_ids(path: str | os.PathLike, column: str, image_id: pd.Series, rows: np.ndarray) -> None:
    missing = image_id.isna()
    if missing.any():
        raise TableError(
            f"{path}: {missing.sum()} rows have no {column} (lines {shorten(rows[missing])}). "
            "Fill it in, or remove the rows."
        )
    if image_id.duplicated().any():
        raise TableError(
            f"{path}: {image_id.duplicated().sum()} image ids occur more than once, the first is "
            f"{image_id[image_id.duplicated()].iloc[0]!r}. Keep one row per image."
        )


def _check_scores(path: str | os.PathLike, written: pd.Series, rows: np.ndarray) -> pd.Series:
    scores = pd.to_numeric(written, errors="coerce")
    absent = scores.isna()
    if absent.any():
        raise TableError(
            f"{path}: {absent.sum()} scores are missing or not numbers (lines "
            f"{shorten(rows[absent])}; the first is {written[absent].iloc[0]!r}). Remove "
            "the rows, or score the images again."
        )
    outside = ~scores.between(0, 1)
    if outside.any():
        raise TableError(
            f"{path}: {outside.sum()} scores are not between 0 and 1 (lines "
            f"{shorten(rows[outside])}; all scores run from {scores.min():g} to "
            f"{scores.max():g}). Divide percentages by 100; turn logits z into 1 / (1 + exp(-z))."
        )
    return scores.astype(float)


def _read_diagnoses(
    path: str | os.PathLike, table: pd.DataFrame, rows: np.ndarray
) -> dict[str, pd.Series]:
    """Read diagnosis probabilities and predictions; empty if a probability column is missing."""
    if not set(PROBABILITIES) <= set(table):
        return {}
    p = table[PROBABILITIES].apply(pd.to_numeric, errors="coerce").astype(float)
    bad = ~((p >= 0).all(axis=1) & p.sum(axis=1).sub(1).abs().lt(_PER_ROW)).to_numpy()
    predicted = pd.Series(list(CLASSES), PROBABILITIES)[p.fillna(0).idxmax(axis=1)]
    predicted = table[PREDICTED] if PREDICTED in table else predicted.set_axis(table.index)
    bad |= ~predicted.isin(list(CLASSES)).to_numpy()
    if bad.any():
        raise TableError(
            f"{path}: the probabilities of diagnoses of {bad.sum()} rows do not sum to 1, or their "
            f"{PREDICTED} is none of {', '.join(CLASSES)} (lines {shorten(rows[bad])}). Score "
            "the images again, or remove these columns."
        )
    return {**p, PREDICTED: predicted}


def _find_threshold(
    path: str | os.PathLike, table: pd.DataFrame
) -> tuple[float | None, tuple[str, ...]]:
    if "threshold" not in table:
        return None, ()
    values = pd.to_numeric(table["threshold"], errors="coerce").dropna().unique()
    if len(values) == 1 and 0 <= values[0] <= 1:
        return float(values[0]), ()
    found = f"{len(values)} values" if len(values) != 1 else f"{values[0]:g}"
    note = f"{path}: the threshold {found} is not between 0 and 1: ignored."
    return None, (note,)


def _find_rule(table: pd.DataFrame) -> str | None:
    """Read the threshold rule, if the column has exactly one."""
    if "threshold_rule" not in table:
        return None
    rules = table["threshold_rule"].dropna().astype(str).unique()
    return printable(rules[0])[:_LONGEST_RULE] or None if len(rules) == 1 else None


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
    known = known.drop(columns=["path", "score", *PROBABILITIES, PREDICTED], errors="ignore")
    scored, notes = _respell(scored, known["image_id"])
    cases = known.merge(scored, on="image_id", suffixes=("", "_of_scores"))
    for name in GROUP_COLUMNS:
        if f"{name}_of_scores" in cases:
            other = cases.pop(f"{name}_of_scores")
            cases[name] = cases[name].where(cases[name].notna(), other)
    if cases.empty:
        raise TableError(
            f"no scored image is in the truth: scores begin with {scored['image_id'].iloc[0]!r}, "
            f"the truth with {known['image_id'].iloc[0]!r}. Pass the id column as `id_column`."
            + "".join(f" {note}" for note in explain_near(scored["image_id"], known["image_id"]))
        )
    _check_classes(cases, "scored images")
    without = scored.loc[~scored["image_id"].isin(cases["image_id"]), "image_id"]
    if len(without):
        notes.append(
            f"{len(without)} scored images are not in the truth and were left out, e.g. "
            f"{without.iloc[0]}."
        )
    return cases, notes


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
