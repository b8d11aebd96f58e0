"""Sections on who was studied: participants, flow of images, and metrics by source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from hybridlesion._formatting import count_words, interval_words
from hybridlesion.reporting.html._report_data import ReportData

_GROUPS = {"All": (0, 1), "Malignant": (1,), "Benign": (0,)}
_ATTRIBUTES = {"sex": "Sex", "site": "Site", "diagnosis": "Diagnosis"}
# Values of an attribute that are listed; rarer ones are counted together.
_MOST = 12

Row = tuple[str, tuple[str, ...]]


Step = tuple[int, str, str]
"""Images that remain, what they are, and how many were left out before (empty if none)."""


def describe_population(data: ReportData) -> dict[str, object]:
    """Fill the section on who was studied.

    Parameters
    ----------
    data : ReportData
        Contents of the report.

    Returns
    -------
    dict
        Variables of the template ``participants.html``.
    """
    known = [] if data.of_cases is None else describe_participants(data.cases)
    return {"flow": describe_flow(data), "participants": known}


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


def _steps(counts: Sequence[tuple[int, str]]) -> list[Step]:
    """Add the numbers that were left out."""
    lost = [0, *(before - n for (before, _), (n, _) in pairwise(counts))]
    left_out = [f"{count_words(n, 'image')} left out" if n else "" for n in lost]
    return [(n, words, left) for (n, words), left in zip(counts, left_out, strict=True)]


# Width of the forest plot in units of its view box, and room at both ends for half a marker.
_WIDTH, _ROOM = 220, 12
_METRICS = (
    *("auc", "sensitivity", "specificity"),
    *("calibration_in_the_large", "calibration_slope"),
)
_NUMBERS = tuple(f"{metric}{end}" for metric in _METRICS for end in ("", "_low", "_high"))


@dataclass(frozen=True)
class ForestRow:
    """One line of the forest plot, and of the table that contains it.

    Parameters
    ----------
    name : str
        Source, or what else the line is about.
    kind : {"source", "mean", "new"}
        Shape: marker, diamond or bar.
    counts : str
        Lesions and malignant lesions; empty except for sources.
    places : tuple of float or None
        Positions of value, lower and upper end of the AUC; None if unknown.
    home : float or None
        Position of the AUC of the model that was trained on the source, too.
    cells : tuple of tuple of str
        Value and interval of AUC, sensitivity, specificity, observed over expected malignant
        lesions, and calibration slope.
    """

    name: str
    kind: str
    counts: str
    places: tuple[float, float, float] | None
    home: float | None
    cells: tuple[tuple[str, str], ...]


def describe_by_source(data: ReportData) -> dict[str, object] | None:
    """Fill the section on sources: those left out of training, and those of scored lesions.

    Parameters
    ----------
    data : ReportData
        Contents of the report.

    Returns
    -------
    dict or None
        Variables of the template ``transport.html``; None if no sources are known.
    """
    left_out = (data.manifest.get("training") or {}).get("sources")
    found = [
        describe_transport(facts, left_out=facts is left_out)
        for facts in (left_out, data.sources)
        if isinstance(facts, Mapping)
    ]
    return {"transports": found} if found else None


def describe_transport(found: Mapping, *, left_out: bool) -> dict[str, object]:
    """Lay out the results by source.

    Parameters
    ----------
    found : mapping
        Result of `hybridlesion.training.SourceValidation.facts`, or the same for scored lesions.
    left_out : bool
        Whether each source was left out of training; otherwise, one model scored all.

    Returns
    -------
    dict
        Variables of one part of the template: ``column``, ``left_out``, ``words``
        (paragraphs), ``notes``, ``rows`` (of `ForestRow`), ``ticks`` (position and label),
        ``width``, and ``gains`` with ``families``.
    """
    table, summary, gains = (pd.DataFrame(found[name]) for name in ("table", "summary", "gains"))
    table = table.reindex(columns=[*{*table.columns, *_NUMBERS, "home_auc"}])
    table = table.astype(dict.fromkeys((*_NUMBERS, "home_auc"), float))
    numbers = ["value", "low", "high", "new_low", "new_high"]
    summary = summary.reindex(columns=["metric", *numbers]).set_index("metric").astype(float)
    means = summary.loc[summary.index == "auc", ["low", "new_low"]].to_numpy().ravel()
    ends = [table["auc_low"], table["home_auc"], means, [0.95]]
    lowest = np.nanmin(np.concatenate(ends).astype(float))
    axis = _Axis(max(np.floor(10 * lowest) / 10, 0.0))
    families = list(gains["without"].unique()) if len(gains) else []
    return {
        "column": found["column"],
        "left_out": left_out,
        "words": [*(_compare if left_out else _describe)(table), *found["new_source"]],
        "notes": found["notes"],
        "rows": [*_source_rows(table, axis), *_summary_rows(summary, axis)],
        "ticks": [(axis.place(tick), f"{tick:.1f}") for tick in axis.ticks()],
        "width": _WIDTH,
        "families": families,
        "gains": _gain_rows(gains, families),
    }


@dataclass(frozen=True)
class _Axis:
    """Horizontal axis that ends at 1."""

    start: float

    def place(self, value: float) -> float:
        share = (max(value, self.start) - self.start) / (1 - self.start)
        return round(_ROOM + share * (_WIDTH - 2 * _ROOM), 1)

    def ticks(self) -> np.ndarray:
        step = 0.1 if self.start >= 0.5 else 0.2
        return np.arange(1, self.start - 1e-9, -step)[::-1]


def _source_rows(table: pd.DataFrame, axis: _Axis) -> Iterator[ForestRow]:
    for row in table.astype(object).where(table.notna(), None).to_dict("records"):
        auc, home = row["auc"], row["home_auc"]
        ends = [auc if row[name] is None else row[name] for name in ("auc_low", "auc_high")]
        yield ForestRow(
            str(row["source"]),
            "source",
            f"{count_words(row['n'], 'lesion')}, {row['n_malignant']:,} malignant",
            None if auc is None else tuple(map(axis.place, (auc, *ends))),
            None if home is None else axis.place(home),
            tuple(_cell(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in _METRICS),
        )


def _summary_rows(summary: pd.DataFrame, axis: _Axis) -> Iterator[ForestRow]:
    """Yield the mean over sources and the prediction for a new one, as far as they are known."""
    for kind, name, low, high in (
        ("mean", "Mean of sources", "low", "high"),
        ("new", "New source", "new_low", "new_high"),
    ):
        if "auc" not in summary.index or np.isnan(summary.loc["auc", low]):
            continue
        found = summary.reindex(_METRICS)[["value", low, high]]
        places = tuple(axis.place(value) for value in found.loc["auc"])
        cells = tuple(_cell(*ends) for ends in found.to_numpy())
        if kind == "new":
            cells = tuple((interval, "") for _, interval in cells)
        yield ForestRow(name, kind, "", places, None, cells)


def _gain_rows(gains: pd.DataFrame, families: Sequence[str]) -> list[tuple]:
    """Return the differences by source: cells of value, interval and whether it excludes zero."""
    rows = []
    for source, own in gains.groupby("source", sort=False) if len(gains) else ():
        own = own.set_index("without").astype({"difference": float, "low": float, "high": float})
        cells = []
        for family in families:
            if family not in own.index:
                cells.append(("", "", False))
                continue
            value, low, high = own.loc[family, ["difference", "low", "high"]]
            shown = interval_words(value, low, high, form="+.3f", unknown="")
            cells.append((*shown, low > 0 or high < 0))
        rows.append((str(source), cells))
    return rows


def _cell(value: float | None, low: float | None, high: float | None) -> tuple[str, str]:
    return interval_words(value, low, high, unknown="too few")


def _compare(table: pd.DataFrame) -> list[str]:
    """Compare the AUC of the source that is left out with that of a model trained on it."""
    known = table.dropna(subset=["auc", "home_auc"])
    if known.empty:
        return []
    loss = (known["home_auc"] - known["auc"]).mean()
    change = f"{abs(loss):.2f} {'less' if loss > 0 else 'more'} than"
    return [
        f"Each source was left out of a model of the others. There the AUC is {_range(known)}, on "
        f"average {change if abs(loss) >= 0.005 else 'as'} with training on other lesions of the "
        "source.",
        f"At the threshold of the other sources, {_lowest_sensitivity(known)}.",
    ]


def _describe(table: pd.DataFrame) -> list[str]:
    """Describe the sources of lesions that one model scored."""
    known = table.dropna(subset=["auc"])
    if known.empty:
        return []
    said = [f"The AUC is {_range(known)}.", f"At the threshold, {_lowest_sensitivity(known)}."]
    ratio = "calibration_in_the_large"
    if known[ratio].notna().any():
        said.append(f"Observed over expected malignant lesions are {_range(known, ratio)}.")
    return said


def _range(table: pd.DataFrame, metric: str = "auc") -> str:
    low, high = table.loc[table[metric].idxmin()], table.loc[table[metric].idxmax()]
    lowest = f"{low[metric]:.2f} ({low['source']})"
    single = table[metric].count() == 1
    return lowest if single else f"{lowest} to {high[metric]:.2f} ({high['source']})"


def _lowest_sensitivity(table: pd.DataFrame) -> str:
    worst = table.loc[table["sensitivity"].idxmin()]
    which = "lowest sensitivity" if table["sensitivity"].count() > 1 else "sensitivity"
    return f"the {which} is {worst['sensitivity']:.2f} ({worst['source']})"
