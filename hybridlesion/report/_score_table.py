"""Tables of scores, read and joined to the truth."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybridlesion.exceptions import TableError
from hybridlesion.metadata import normalise_image_id, read_table, refuse_unknown
from hybridlesion.splits import GROUP_COLUMNS

__all__ = ["ScoreTable", "add_rival", "join_truth", "read_scores"]

_ID_COLUMNS = ("image_id", "image_name", "isic_id", "image")


@dataclass(frozen=True)
class ScoreTable:
    """Scores by image, as a file holds them.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        ``image_id`` and ``score``, then path and groups where the file has them.
    threshold : float or None
        The one threshold that the file holds.
    warnings : tuple of str
        What was left out of account.
    """

    frame: pd.DataFrame
    threshold: float | None
    warnings: tuple[str, ...]


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
        If it lacks ids or scores, a score is no probability, or an image occurs twice.
    """
    table = read_table(path)
    names = [name for name in _ID_COLUMNS if name in table]
    if not names or "score" not in table:
        raise TableError(
            f"{path} must have an image id ({', '.join(_ID_COLUMNS)}) and a column named score; "
            f"found {', '.join(map(str, table.columns[:12]))}. `hybridlesion score` writes such a "
            "table."
        )
    written = table[names[0]]
    text = written.astype(object).where(written.notna(), "").astype(str).str.strip()
    image_id = text.where(text != "").map(normalise_image_id, na_action="ignore")
    _check_ids(path, names[0], image_id)
    kept = {"image_id": image_id, "score": _check_scores(path, table["score"])}
    kept |= {name: table[name] for name in ("path", *GROUP_COLUMNS) if name in table}
    threshold, warnings = _find_threshold(path, table)
    return ScoreTable(pd.DataFrame(kept), threshold, warnings)


def _check_ids(path: str | os.PathLike, column: str, image_id: pd.Series) -> None:
    missing = image_id.isna()
    if missing.any():
        raise TableError(
            f"{path}: {missing.sum()} rows have no {column} (lines {_lines(missing)}). Fill it in, "
            "or take the rows out."
        )
    if image_id.duplicated().any():
        raise TableError(
            f"{path}: {image_id.duplicated().sum()} image ids occur more than once, the first is "
            f"{image_id[image_id.duplicated()].iloc[0]!r}. Keep one row an image."
        )


def _check_scores(path: str | os.PathLike, written: pd.Series) -> pd.Series:
    scores = pd.to_numeric(written, errors="coerce")
    absent = scores.isna()
    if absent.any():
        raise TableError(
            f"{path}: {absent.sum()} scores are missing or no numbers (lines {_lines(absent)}; the "
            f"first is {written[absent].iloc[0]!r}). Take the rows out, or score the images again."
        )
    outside = ~scores.between(0, 1)
    if outside.any():
        raise TableError(
            f"{path}: {outside.sum()} scores are not between 0 and 1 (lines {_lines(outside)}; all "
            f"scores run from {scores.min():g} to {scores.max():g}). Divide percentages by 100; "
            "turn logits z into 1 / (1 + exp(-z))."
        )
    return scores.astype(float)


def _lines(rows: pd.Series) -> str:
    """Name lines of a file whose header is line 1."""
    numbers = np.flatnonzero(rows) + 2
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return ", ".join(map(str, numbers[:5])) + more


def _find_threshold(
    path: str | os.PathLike, table: pd.DataFrame
) -> tuple[float | None, tuple[str, ...]]:
    if "threshold" not in table:
        return None, ()
    values = pd.to_numeric(table["threshold"], errors="coerce").dropna().unique()
    if len(values) == 1 and 0 <= values[0] <= 1:
        return float(values[0]), ()
    found = f"{len(values)} values" if len(values) != 1 else f"{values[0]:g}"
    note = f"{path}: the column threshold holds {found} and not one from 0 to 1: left out."
    return None, (note,)


def join_truth(scored: pd.DataFrame, truth: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Give each scored image its record.

    Parameters
    ----------
    scored : DataFrame of shape (n, columns)
        What `read_scores` read.
    truth : DataFrame of shape (m, columns)
        Records with ``target``.

    Returns
    -------
    cases : DataFrame of shape (k, columns)
        The records of the scored images whose target is known.
    notes : list of str
        What was left out.

    Raises
    ------
    TableError
        If no scored image has a target, all have the same, or one has a diagnosis that is
        not known.
    """
    if "target" not in truth or truth["target"].isna().all():
        raise TableError(
            "the truth does not say which lesions are malignant; name its column with --target, "
            "or the diagnoses with --malignant."
        )
    refuse_unknown(truth[truth["image_id"].isin(scored["image_id"])])
    known = truth.loc[truth["target"].notna()]
    known = known.drop(columns=["path", "score"], errors="ignore")
    cases = known.merge(scored, on="image_id", suffixes=("", "_of_scores"))
    for name in GROUP_COLUMNS:
        if f"{name}_of_scores" in cases:
            other = cases.pop(f"{name}_of_scores")
            cases[name] = cases[name].where(cases[name].notna(), other)
    if cases.empty:
        raise TableError(
            f"no scored image is in the truth: scores begin with {scored['image_id'].iloc[0]!r}, "
            f"the truth with {known['image_id'].iloc[0]!r}. Name the id column with --id-column."
        )
    _check_classes(cases, "scored images")
    without = len(scored) - len(cases)
    notes = [f"{without} scored images have no truth and were left out."] if without else []
    return cases, notes


def add_rival(cases: pd.DataFrame, rival: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Put the scores to hold against beside the scores, on the images that have both.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        What `join_truth` gave.
    rival : DataFrame of shape (m, columns)
        The other scores.

    Returns
    -------
    cases : DataFrame of shape (k, columns)
        Those with both scores; the other in the column ``against``.
    notes : list of str
        What the comparison leaves out.

    Raises
    ------
    TableError
        If no image has both, or those that have are of one class.
    """
    against = rival.set_index("image_id")["score"]
    both = cases.assign(against=cases["image_id"].map(against))
    both = both.loc[both["against"].notna()].reset_index(drop=True)
    if both.empty:
        raise TableError(
            f"no image has both scores: these begin with {cases['image_id'].iloc[0]!r}, those of "
            f"--against with {rival['image_id'].iloc[0]!r}."
        )
    _check_classes(both, "images that have both scores")
    alone = len(cases) - len(both)
    notes = [f"{alone} images are not in --against: the comparison leaves them out."]
    return both, notes if alone else []


def _check_classes(cases: pd.DataFrame, what: str) -> None:
    if cases["target"].nunique() < 2:
        value = cases["target"].iloc[0]
        word = "malignant" if value else "benign"
        raise TableError(
            f"all {len(cases)} {what} have target {value:g} ({word}); ranking cannot be measured "
            "with one class. Score images of both, or name the right column with --target."
        )
