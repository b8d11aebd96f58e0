"""Numbers that decide: headline tiles, the movable threshold, operating points, comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybridlesion._formatting import interval_words, join_words, measure_words
from hybridlesion.metrics import LOWER_IS_BETTER, decision_intervals, operating_points, roc_band
from hybridlesion.reporting.html._report_data import Comparison, Evaluation, ReportData
from hybridlesion.reporting.html._summary import judge_calibration

_SHARES = ("sensitivity", "specificity", "precision", "npv")
# Thresholds of each class that the slider can reach.
_STEPS = 200
_SENSITIVITIES = (0.8, 0.9, 0.95, 0.98)


@dataclass(frozen=True)
class Tile:
    """A number in large type.

    Parameters
    ----------
    title, value, interval, words : str
        Name, value, 95 % interval (empty without one) and explanation.
    """

    title: str
    value: str
    interval: str
    words: str


def make_tiles(evaluation: Evaluation) -> list[Tile]:
    """Make the tiles at the head of the page.

    Parameters
    ----------
    evaluation : Evaluation
        Evaluation that the page is about.

    Returns
    -------
    list of Tile
        AUC, sensitivity, specificity, calibration, and numbers of lesions and patients.
    """
    rows = evaluation.metrics.set_index("metric")[["value", "low", "high"]]
    often = "A malignant lesion scores higher than a benign one this often"
    tiles = [Tile("AUC", *measure_words("auc", *rows.loc["auc"]), often)]
    for metric, title, words in (
        ("recall", "Sensitivity", "of malignant lesions are found"),
        ("specificity", "Specificity", "of benign lesions are left alone"),
    ):
        shown = interval_words(*(100 * rows.loc[metric]), form=".0f", unit=" %")
        tiles.append(Tile(title, *shown, f"{words} at {evaluation.threshold:.3g}"))
    slope = rows.loc["calibration_slope"]
    tiles.append(Tile("Calibration slope", *interval_words(*slope), judge_calibration(*slope)))
    y, n_groups = evaluation.y, len(np.unique(evaluation.groups))
    words = f"{y.sum():,} of them malignant ({100 * y.mean():.1f} %)"
    of = f"of {n_groups:,} patients" if evaluation.unit == "patients" else "patients unknown"
    return [*tiles, Tile("Lesions", f"{len(y):,}", of, words)]


def describe_threshold(data: ReportData) -> dict[str, object]:
    """Fill the section on the threshold.

    Parameters
    ----------
    data : ReportData
        Contents of the report.

    Returns
    -------
    dict
        Variables of the template ``threshold.html``.
    """
    if not data.evaluations:
        return {"decisions": None}
    last = data.evaluations[-1]
    found = decide(last)
    own = {"static": static_values(found), "points": point_rows(found), "unit": last.unit}
    return {"decisions": found, **own}


@dataclass(frozen=True)
class ThresholdCounts:
    """Decisions at every threshold that the slider can reach.

    Parameters
    ----------
    threshold : ndarray of shape (k,)
        Thresholds in increasing order.
    true, false : ndarray of shape (k,), int
        Malignant and benign lesions at or above each threshold.
    n_malignant, n_benign : int
        Number of lesions.
    at : int
        Position of the threshold of the model.
    marks : dict of int to str
        Names of thresholds by position.
    band : DataFrame
        Result of `hybridlesion.metrics.roc_band`.
    points : DataFrame
        Result of `hybridlesion.metrics.operating_points`, without intervals.
    shares : DataFrame
        Result of `hybridlesion.metrics.decision_intervals` at every threshold.
    """

    threshold: np.ndarray
    true: np.ndarray
    false: np.ndarray
    n_malignant: int
    n_benign: int
    at: int
    marks: dict[int, str]
    band: pd.DataFrame
    points: pd.DataFrame
    shares: pd.DataFrame

    @property
    def steps(self) -> dict[str, object]:
        """Return what the script needs, as plain lists."""
        return {
            "t": self.threshold.tolist(),
            "tp": self.true.tolist(),
            "fp": self.false.tolist(),
            "p": self.n_malignant,
            "n": self.n_benign,
            "at": self.at,
            "ends": {
                name: [self._plain(f"{name}_low"), self._plain(f"{name}_high")] for name in _SHARES
            },
            "sd": [self._plain("positive_sd"), self._plain("negative_sd")],
        }

    def _plain(self, column: str) -> list[float | None]:
        """Round for the script; JSON has no NaN."""
        return [round(one, 6) if math.isfinite(one) else None for one in self.shares[column]]

    @property
    def curve(self) -> str:
        """Return the ROC curve as points of a drawing of 100 x 100 units."""
        x = np.r_[100 * self.false / self.n_benign, 0]
        y = np.r_[100 - 100 * self.true / self.n_malignant, 100]
        return " ".join(f"{a:.4g},{b:.4g}" for a, b in zip(x, y, strict=True))

    @property
    def area(self) -> str:
        """Return the band around the curve as points of the same drawing."""
        band = self.band.dropna()
        ends = [(band["high"], band["sensitivity"]), (band["low"][::-1], band["sensitivity"][::-1])]
        pairs = [pair for low, at in ends for pair in zip(1 - low, 1 - at, strict=True)]
        return " ".join(f"{100 * a:.4g},{100 * b:.4g}" for a, b in pairs)


def decide(evaluation: Evaluation) -> ThresholdCounts:
    """Count decisions at many thresholds.

    Parameters
    ----------
    evaluation : Evaluation
        Scores and truth.

    Returns
    -------
    ThresholdCounts
        Counts, band and operating points.
    """
    y, score, groups = evaluation.y.astype(bool), evaluation.score, evaluation.groups
    rules = {"sensitivities": _SENSITIVITIES, "threshold": evaluation.threshold}
    points = operating_points(y, score, **rules, groups=groups, n_bootstrap=0)
    malignant, benign = np.sort(score[y]), np.sort(score[~y])
    reached = [_spread(malignant), _spread(benign), points["threshold"]]
    threshold = np.unique(np.concatenate(reached))
    true, false = (len(one) - np.searchsorted(one, threshold) for one in (malignant, benign))
    places = np.searchsorted(threshold, points["threshold"]).tolist()
    # The threshold of the model comes first among the points.
    marks: dict[int, str] = {}
    for place, at in zip(places[1:], _SENSITIVITIES, strict=True):
        # With few malignant lesions, one threshold reaches several sensitivities.
        marks[place] = f"{marks[place][:-2]}, " if place in marks else ""
        marks[place] += f"{100 * at:.0f} %"
    marks[places[0]] = f"{marks[places[0]]}, model" if places[0] in marks else "model"
    return ThresholdCounts(
        *(threshold, true, false, len(malignant), len(benign), places[0], marks),
        band=roc_band(y, score, groups=groups, n_bootstrap=500),
        points=points,
        shares=decision_intervals(y, score, threshold, groups=groups),
    )


def _spread(ordered: np.ndarray) -> np.ndarray:
    """Keep scores at evenly spaced ranks."""
    places = np.linspace(0, len(ordered) - 1, min(len(ordered), _STEPS)).astype(int)
    return ordered[places]


def static_values(decisions: ThresholdCounts) -> dict[str, str]:
    """Format the decisions at the threshold of the model, as the script does.

    Parameters
    ----------
    decisions : ThresholdCounts
        Result of `decide`.

    Returns
    -------
    dict of str to str
        Text by name.
    """
    at, n_malignant, n_benign = decisions.at, decisions.n_malignant, decisions.n_benign
    true, false = int(decisions.true[at]), int(decisions.false[at])
    missed, spared = n_malignant - true, n_benign - false
    n = n_malignant + n_benign
    counts = {"tp": true, "fp": false, "fn": missed, "tn": spared}
    values = {
        "threshold": f"{decisions.threshold[at]:.4g}",
        "prevalence": f"{100 * n_malignant / n:.3g}",
        "missed": f"{1000 * missed / n:.1f}",
        "referred": f"{1000 * (true + false) / n:.0f}",
        **{name: f"{count:,}" for name, count in counts.items()},
    }
    # The prevalence here is that of the lesions: plain shares of the counts.
    shares = {
        "sensitivity": (true, n_malignant),
        "specificity": (spared, n_benign),
        "ppv": (true, true + false),
        "npv": (spared, spared + missed),
    }
    for name, (part, whole) in shares.items():
        column = "precision" if name == "ppv" else name
        ends = 100 * decisions.shares.iloc[at][[f"{column}_low", f"{column}_high"]]
        share = 100 * (part / whole) if whole else None
        values[name], values[f"{name}_interval"] = interval_words(
            share, *ends, form=".1f", unit=" %"
        )
    return values


def point_rows(decisions: ThresholdCounts) -> list[dict[str, str]]:
    """Format the operating points.

    Parameters
    ----------
    decisions : ThresholdCounts
        Result of `decide`.

    Returns
    -------
    list of dict
        ``name``, ``threshold``, and ``sensitivity``, ``specificity`` and ``precision`` with their
        intervals as pairs, and ``called``.
    """
    rows = []
    for point in decisions.points.to_dict("records"):
        share = decisions.shares.iloc[np.searchsorted(decisions.threshold, point["threshold"])]
        name = "Threshold of the model"
        if point["rule"] == "sensitivity":
            name = f"{100 * point['at']:.0f} % sensitivity"
        row = {"name": name, "threshold": f"{point['threshold']:.4g}"}
        for column in ("sensitivity", "specificity", "precision"):
            found = 100 * share[[column, f"{column}_low", f"{column}_high"]]
            row[column] = interval_words(*found, form=".0f", unit=" %")
        rows.append(row | {"called": f"{1000 * point['called']:.0f}"})
    return rows


_COMPARED = {
    "auc": "AUC",
    "average_precision": "Average precision",
    **{
        f"specificity_at_{k}_sensitivity": f"Specificity at {k} % sensitivity" for k in (80, 90, 95)
    },
    "brier": "Brier score",
}


def compare_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Format the paired differences of two scores.

    Parameters
    ----------
    comparison : Comparison
        Two scores of the same lesions.

    Returns
    -------
    list of tuple of str
        Metric, value of the model, value of the other, difference, interval, and verdict.
    """
    rows, found = [], comparison.differences.set_index("metric")
    for metric, title in _COMPARED.items():
        row = found.loc[metric]
        # Scores that are not probabilities have no Brier score.
        if math.isnan(row["difference"]) or math.isnan(row["low"]):
            continue
        verdict = "may be chance"
        if row["low"] > 0 or row["high"] < 0:
            higher = row["difference"] > 0
            verdict = "better" if higher != (metric in LOWER_IS_BETTER) else "worse"
        form = ".4f" if metric == "brier" else ".3f"
        values = [f"{row[name]:{form}}" for name in ("value", "against")]
        change = interval_words(*row[["difference", "low", "high"]], form=f"+{form}")
        rows.append((title, *values, *change, verdict))
    return rows


# Baselines that a reader expects, by a word in the name of a comparison.
_BASELINES = {
    "metadata": "metadata alone",
    "logistic": "a logistic regression",
    "cnn": "the CNN alone",
}


def missing_baselines(comparisons: Sequence[Comparison]) -> str:
    """Name the usual baselines that the page does not show.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Comparisons of the page.

    Returns
    -------
    str
        One or two sentences; empty if none is missing.
    """
    given = " ".join(one.name.lower() for one in comparisons)
    names = [words for key, words in _BASELINES.items() if key not in given]
    if not names:
        return ""
    return (
        f"A model should also beat {join_words(names)}: not available. The model file does not "
        "contain these scores; fit it again on a table with these columns, or give tables of them "
        "for comparison."
    )
