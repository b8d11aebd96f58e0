"""Section on transport: metrics at sources left out of training, and at those of scored lesions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybridlesion._formatting import count_words

# Width of the forest plot in units of its view box, and room at both ends for half a marker.
_WIDTH, _ROOM = 220, 12
_ENDS = ("auc_low", "auc_high")
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
        Variables of the template ``transport.html``: ``column``, ``left_out``, ``words``
        (paragraphs), ``notes``, ``rows`` (of `ForestRow`), ``ticks`` (position and label),
        ``width``, and ``gains`` with ``families``.
    """
    table, summary, gains = (pd.DataFrame(found[name]) for name in ("table", "summary", "gains"))
    table = table.reindex(columns=[*{*table.columns, *_NUMBERS, "home_auc"}])
    table = table.astype(dict.fromkeys((*_NUMBERS, "home_auc"), float))
    numbers = ["value", "low", "high", "new_low", "new_high"]
    summary = summary.reindex(columns=["metric", *numbers]).set_index("metric").astype(float)
    ends = [table["auc_low"], table["home_auc"], summary.loc[summary.index == "auc", "new_low"]]
    lowest = np.nanmin(np.concatenate([*ends, [0.95]]).astype(float))
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


def _source_rows(table: pd.DataFrame, axis: _Axis) -> list[ForestRow]:
    rows = []
    for row in table.astype(object).where(table.notna(), None).to_dict("records"):
        places = home = None
        if row["auc"] is not None:
            ends = [row["auc"] if row[name] is None else row[name] for name in _ENDS]
            places = tuple(map(axis.place, (row["auc"], *ends)))
        if row["home_auc"] is not None:
            home = axis.place(row["home_auc"])
        cells = [_cell(row[name], row[f"{name}_low"], row[f"{name}_high"]) for name in _METRICS]
        counts = f"{count_words(row['n'], 'lesion')}, {row['n_malignant']:,} malignant"
        rows.append(ForestRow(str(row["source"]), "source", counts, places, home, tuple(cells)))
    return rows


def _summary_rows(summary: pd.DataFrame, axis: _Axis) -> list[ForestRow]:
    """Return the mean over sources and the prediction for a new one, as far as they are known."""
    rows = []
    kinds = (
        ("mean", "Mean of sources", "low", "high"),
        ("new", "New source", "new_low", "new_high"),
    )
    for kind, name, low, high in kinds:
        if "auc" not in summary.index or np.isnan(summary.loc["auc", low]):
            continue
        found = summary.reindex(_METRICS)[["value", low, high]]
        places = tuple(axis.place(value) for value in found.loc["auc"])
        cells = tuple(_cell(*ends) for ends in found.to_numpy())
        if kind == "new":
            cells = tuple((interval, "") for _, interval in cells)
        rows.append(ForestRow(name, kind, "", places, None, cells))
    return rows


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
            interval = "" if np.isnan(low) else f"{low:+.3f} to {high:+.3f}"
            cells.append((f"{value:+.3f}", interval, low > 0 or high < 0))
        rows.append((str(source), cells))
    return rows


def _cell(value: float | None, low: float | None, high: float | None) -> tuple[str, str]:
    if value is None or np.isnan(value):
        return "too few", ""
    known = low is not None and not np.isnan(low)
    return f"{value:.2f}", f"{low:.2f} to {high:.2f}" if known else ""


def _compare(table: pd.DataFrame) -> list[str]:
    """Compare the AUC of the source that is left out with that of a model trained on it."""
    known = table.dropna(subset=["auc", "home_auc"])
    if known.empty:
        return []
    loss = (known["home_auc"] - known["auc"]).mean()
    change = (
        f"{abs(loss):.2f} {'less' if loss > 0 else 'more'} than" if abs(loss) >= 0.005 else "as"
    )
    said = (
        f"Each source was left out of a model of the others. There the AUC is {_range(known)}, on "
        f"average {change} with training on other lesions of the source."
    )
    return [said, f"At the threshold of the other sources, {_lowest_sensitivity(known)}."]


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
    return f"{low[metric]:.2f} ({low['source']}) to {high[metric]:.2f} ({high['source']})"


def _lowest_sensitivity(table: pd.DataFrame) -> str:
    worst = table.loc[table["sensitivity"].idxmin()]
    return f"the lowest sensitivity is {worst['sensitivity']:.2f} ({worst['source']})"
