"""Who was studied: characteristics by outcome, and the flow of images into the analysis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from hybridlesion._formatting import count_words
from hybridlesion.reporting.html._report_data import ReportData

_GROUPS = {"All": (0, 1), "Malignant": (1,), "Benign": (0,)}
_ATTRIBUTES = {"sex": "Sex", "site": "Site", "diagnosis": "Diagnosis"}
# Values of an attribute that are listed; rarer ones are counted together.
_MOST = 12

Row = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Step:
    """A step of the flow of images.

    Parameters
    ----------
    n : int
        Images that remain.
    words : str
        What they are.
    left_out : str
        Number of images that were left out before this step; empty if none.
    """

    n: int
    words: str
    left_out: str


def describe_participants(cases: pd.DataFrame) -> list[tuple[str, list[Row]]]:
    """Tabulate the characteristics of lesions by outcome.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Records with ``target``.

    Returns
    -------
    list of (str, list of (str, tuple of str))
        Rows by heading: name, then the text for all, malignant and benign lesions.

    Examples
    --------
    >>> cases = pd.DataFrame({"target": [1, 0, 0], "age": [70.0, 40, None]})
    >>> describe_participants(cases)[1]
    ('Age in years', [('Median (quartiles)', ('55 (48 to 62)', '70 (70 to 70)', '40 (40 to 40)')), \
('Unknown', ('1 (33 %)', '0', '1 (50 %)'))])
    """
    parts = [cases[cases["target"].isin(targets)] for targets in _GROUPS.values()]
    counts = [("Lesions", tuple(f"{len(part):,}" for part in parts))]
    if "patient_id" in cases and cases["patient_id"].notna().any():
        patients = tuple(f"{part['patient_id'].nunique():,}" for part in parts)
        counts.append(("Patients", patients))
    found = [("Number", counts)]
    if "age" in cases and cases["age"].notna().any():
        rows = [("Median (quartiles)", tuple(_quartiles(part["age"]) for part in parts))]
        found.append(("Age in years", rows + _unknown(parts, "age")))
    for column, title in _ATTRIBUTES.items():
        if column in cases and cases[column].notna().any():
            found.append((title, [*_values(parts, column), *_unknown(parts, column)]))
    return found


def _quartiles(ages: pd.Series) -> str:
    if ages.isna().all():
        return "-"
    low, middle, high = ages.quantile([0.25, 0.5, 0.75])
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"


def _values(parts: list[pd.DataFrame], column: str) -> Iterator[Row]:
    names = parts[0][column].value_counts().index
    for name in names[:_MOST]:
        yield str(name), tuple(_share(part[column] == name) for part in parts)
    if len(names) > _MOST:
        title = f"{len(names) - _MOST} others"
        yield title, tuple(_share(part[column].isin(names[_MOST:])) for part in parts)


def _unknown(parts: list[pd.DataFrame], column: str) -> list[Row]:
    if parts[0][column].notna().all():
        return []
    return [("Unknown", tuple(_share(part[column].isna()) for part in parts))]


def _share(inside: pd.Series) -> str:
    n = int(inside.sum())
    return f"{n:,} ({100 * n / len(inside):.0f} %)" if n else "0"


def describe_flow(data: ReportData) -> list[tuple[str, list[Step]]]:
    """Follow the images from the tables to the analysis.

    Parameters
    ----------
    data : ReportData
        Contents of the report.

    Returns
    -------
    list of (str, list of Step)
        Steps by title: development of the model, then scoring; those that are not recorded are
        missing.
    """
    facts, found = data.manifest.get("training") or {}, []
    recorded = dict(facts.get("flow") or {})
    failed = int(facts.get("n_failed") or 0)
    if recorded:
        steps = [(int(n), str(words)) for words, n in recorded.items()]
        if failed:
            steps = [(steps[0][0] + failed, "rows and failed photographs"), *steps]
        found.append(("Development of the model", _steps(steps)))
    if data.cases is not None:
        steps = [(data.n_scored + data.n_failed, "images to score"), (data.n_scored, "scored")]
        if data.of_cases is not None:
            steps.append((len(data.cases), "with a known outcome, analysed"))
        found.append(("Evaluation" if data.of_cases else "Scoring", _steps(steps)))
    return found


def _steps(counts: Iterable[tuple[int, str]]) -> list[Step]:
    """Add the numbers that were left out; later steps that lose nothing are merged."""
    steps, before = [], None
    for n, words in counts:
        lost = 0 if before is None else before - n
        steps.append(Step(n, words, f"{count_words(lost, 'image')} left out" if lost else ""))
        before = n
    return steps
