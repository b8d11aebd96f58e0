"""Summary of the page: performance, caveats and subgroup gaps as text."""

from __future__ import annotations

import math
import tomllib
from importlib import resources

import pandas as pd

from hybridlesion._formatting import count_words, interval_words, measure_words, threshold_words
from hybridlesion.leakage import membership_warning
from hybridlesion.metrics import evaluate_subgroups, interval_caveats
from hybridlesion.reporting._score_report import attributes_of
from hybridlesion.reporting.html._report_data import Evaluation, ReportData

_METRICS = resources.files("hybridlesion.reporting.html").joinpath("metrics.toml")
METRIC_TITLES = tomllib.loads(_METRICS.read_text(encoding="utf-8"))
"""Title and explanation of the metrics of `hybridlesion.metrics.evaluate`."""

# An interval of the calibration slope that is wider than this excludes little.
_WIDE = 0.5
MetricRow = tuple[str, str, str, str]
"""Title, explanation, value and interval."""


def metric_rows(metrics: pd.DataFrame) -> list[MetricRow]:
    """Format metrics as rows of a table.

    Parameters
    ----------
    metrics : DataFrame
        Columns metric, value, low, high.

    Returns
    -------
    list of tuple of str
        Title, explanation, value and interval of each metric.

    Examples
    --------
    >>> row = {"metric": ["recall"], "value": [0.8], "low": [0.7], "high": [0.9]}
    >>> metric_rows(pd.DataFrame(row))[0][0], metric_rows(pd.DataFrame(row))[0][2:]
    ('Sensitivity', ('0.800', '0.700 to 0.900'))
    """
    rows = []
    for row in metrics.itertuples():
        title, explanation = METRIC_TITLES.get(row.metric, (row.metric.replace("_", " "), ""))
        rows.append((title, explanation, *measure_words(row.metric, row.value, row.low, row.high)))
    return rows


def describe_results(data: ReportData, gaps: list[str]) -> list[str]:
    """Describe the performance in a few sentences.

    Parameters
    ----------
    data : ReportData
        Contents of the report.
    gaps : list of str
        Result of `subgroup_gaps`.

    Returns
    -------
    list of str
        Paragraphs, most important first.
    """
    said = []
    for evaluation in data.evaluations:
        said += _did(evaluation)
    if not data.evaluations:
        said.append("The model file contains a table of metrics, but no scores to draw curves.")
    if data.cases is not None and not data.out_of_fold:
        facts = data.manifest.get("training") or {}
        said += [f"Caution: {note}" for note in membership_warning(facts, data.cases)]
    certain = [gap for gap in gaps if _SIGNIFICANT in gap]
    if certain:
        said.append(f"Performance differs between subgroups. {' '.join(certain)}")
    return said


def introduce_model(data: ReportData) -> str:
    """Describe purpose and training data in two sentences.

    Parameters
    ----------
    data : ReportData
        Contents of the report.

    Returns
    -------
    str
        Two sentences.
    """
    facts = data.manifest.get("training") or {}
    opening = "This model estimates the probability that a photographed skin lesion is malignant."
    if "n_rows" not in facts:
        return f"{opening} Its file does not describe the training data."
    positive = facts.get("n_positive", 0)
    of = f" of {count_words(facts['n_patients'], 'patient')}" if facts.get("n_patients") else ""
    return (
        f"{opening} It was trained on {count_words(facts['n_rows'], 'lesion')}{of}, {positive:,} "
        f"malignant ({100 * positive / max(facts['n_rows'], 1):.1f} %)."
    )


def _did(evaluation: Evaluation) -> list[str]:
    values = evaluation.metrics.set_index("metric")
    who = f"On {count_words(len(evaluation.y), 'lesion')} scored later,"
    if evaluation.key == "oof":
        who = "On the training lesions (out-of-fold scores),"
    auc, interval = interval_words(*values.loc["auc", ["value", "low", "high"]], form=".3f")
    interval = f" (95 % interval {interval})" if interval else ""
    threshold = threshold_words(evaluation.threshold, evaluation.rule)
    called = (
        f"Classifying lesions as malignant at or above {threshold} gives a sensitivity of "
        f"{_percent(values, 'recall')} and a specificity of {_percent(values, 'specificity')}."
    )
    said = f"{who} the AUC is {auc}{interval}. {called} {_calibration(values)}".strip()
    return [said] + [f"Caution: {caveat}" for caveat in interval_caveats(evaluation.metrics)]


def _percent(values: pd.DataFrame, metric: str) -> str:
    found = 100 * values.loc[metric, ["value", "low", "high"]]
    words, interval = interval_words(*found, form=".0f", unit=" %", unknown="unknown size")
    return f"{words} (95 % interval {interval})" if interval else words


def _calibration(values: pd.DataFrame) -> str:
    slope, low, high = values.loc["calibration_slope", ["value", "low", "high"]]
    if math.isnan(slope) or math.isnan(low):
        return ""
    verdict = judge_calibration(slope, low, high)
    if not low <= 1 <= high:
        worse = "their ranking is more reliable than their values"
        other = "high ones should be higher, low ones lower"
        verdict += f": {worse if slope < 1 else other}"
    return f"{verdict} (slope {slope:.2f}, 95 % interval {low:.2f} to {high:.2f})."


def judge_calibration(slope: float, low: float, high: float) -> str:
    """Describe the calibration by the interval of its slope.

    Parameters
    ----------
    slope, low, high : float
        Calibration slope and its interval; NaN if undefined.

    Returns
    -------
    str
        One clause without a full stop.

    Examples
    --------
    >>> judge_calibration(0.9, 0.6, 1.2)
    'No miscalibration detected; the interval is wide'
    """
    if math.isnan(slope) or math.isnan(low):
        return "Too few lesions to judge"
    if low <= 1 <= high:
        wide = "; the interval is wide" if high - low > _WIDE else ""
        return f"No miscalibration detected{wide}"
    return "The scores are too extreme" if slope < 1 else "The scores are not extreme enough"


# Attributes to report; those without values are listed as unknown.
_WANTED = ("age", "sex", "site", "skin tone", "hair", "dark corner")
_GAPS = {"sensitivity": "sensitivity", "auc": "AUC"}
_SIGNIFICANT = "the intervals do not overlap"
# Smaller differences are not reported.
_LEAST_GAP = 0.02


def audit_subgroups(cases: pd.DataFrame, evaluation: Evaluation) -> tuple[pd.DataFrame, list[str]]:
    """Evaluate every subgroup of the cases.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Rows of the evaluation, with the columns that `attributes_of` reads.
    evaluation : Evaluation
        Truth, scores, patients and threshold of the cases.

    Returns
    -------
    rows : DataFrame
        Result of `hybridlesion.metrics.evaluate_subgroups`, without the row for all lesions.
    missing : list of str
        Attributes without values.
    """
    y, score, attributes = evaluation.y, evaluation.score, attributes_of(cases)
    options = {"threshold": evaluation.threshold, "groups": evaluation.groups, "n_bootstrap": 500}
    table = evaluate_subgroups(y, score, attributes, **options)
    missing = [name for name in _WANTED if name not in attributes]
    return table[table["attribute"] != "all"].reset_index(drop=True), missing


def subgroup_gaps(rows: pd.DataFrame, missing: list[str]) -> list[str]:
    """List differences between subgroups, small subgroups, and unknown attributes.

    Parameters
    ----------
    rows : DataFrame
        Rows of `audit_subgroups`.
    missing : list of str
        Attributes without values.

    Returns
    -------
    list of str
        One sentence per finding.

    Examples
    --------
    >>> subgroup_gaps(pd.DataFrame({"attribute": []}), ["hair"])
    ['Hair: unknown for all lesions, so a difference would not be noticed.']
    """
    gaps = []
    for attribute, own in rows.groupby("attribute", sort=False):
        title = _title(attribute)
        for measure, words in _GAPS.items():
            gap = _gap(own[own[measure].notna()], measure)
            if gap:
                gaps.append(f"{title}: {words} is {gap}")
        few = own[own["sensitivity"].isna()]
        if len(few):
            names = [f"{r.group} ({r.n_malignant} of {r.n} malignant)" for r in few.itertuples()]
            gaps.append(f"{title}: too few lesions to evaluate {', '.join(names)}.")
    unknown = "unknown for all lesions, so a difference would not be noticed"
    return gaps + [f"{_title(name)}: {unknown}." for name in missing]


def _gap(rows: pd.DataFrame, measure: str) -> str:
    """Compare the worst subgroup with the best."""
    if len(rows) < 2:
        return ""
    worst, best = rows.loc[rows[measure].idxmin()], rows.loc[rows[measure].idxmax()]
    if best[measure] - worst[measure] < _LEAST_GAP:
        return ""
    apart = worst[f"{measure}_high"] < best[f"{measure}_low"]
    certain = _SIGNIFICANT if apart else "the difference may be due to chance"
    return (
        f"{worst[measure]:.2f} for {worst['group']} and {best[measure]:.2f} for {best['group']}; "
        f"{certain}."
    )


def _title(attribute: str) -> str:
    return attribute[:1].upper() + attribute[1:]
