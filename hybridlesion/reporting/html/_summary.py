"""The first lines of the page: what was found, in plain words."""

from __future__ import annotations

import math

import pandas as pd

from hybridlesion._formatting import count_words, measure_words, threshold_words
from hybridlesion.leakage import membership_warning
from hybridlesion.metrics import evaluate_subgroups, interval_caveats
from hybridlesion.reporting._score_report import attributes_of
from hybridlesion.reporting.html._report_data import Evaluation, Evidence

__all__ = [
    "METRIC_TITLES",
    "MetricRow",
    "audit_subgroups",
    "describe_results",
    "metric_rows",
    "name_gaps",
]

METRIC_TITLES = {
    "auc": ("Area under the ROC curve", "how often a malignant lesion outscores a benign one"),
    "average_precision": ("Average precision", "precision over all thresholds"),
    "pauc": ("Partial AUC", "area above a sensitivity of 0.8, at most 0.2"),
    "brier": ("Brier score", "mean squared error of the probability; lower is better"),
    "accuracy": ("Accuracy", "at the threshold"),
    "precision": ("Precision", "share of called lesions that are malignant"),
    "recall": ("Sensitivity", "share of malignant lesions that are called"),
    "specificity": ("Specificity", "share of benign lesions that are not called"),
    "f1": ("F1", "at the threshold"),
    "net_benefit": (
        "Net benefit",
        "true positives a lesion less weighed false ones, at the threshold",
    ),
    "specificity_at_80_sensitivity": ("Specificity at 80 % sensitivity", ""),
    "specificity_at_90_sensitivity": ("Specificity at 90 % sensitivity", ""),
    "specificity_at_95_sensitivity": ("Specificity at 95 % sensitivity", ""),
    "calibration_slope": ("Calibration slope", "1 is right, below 1 scores are too extreme"),
    "calibration_in_the_large": (
        *("Calibration in the large", "share malignant over the mean score; 1 is right"),
    ),
    "calibration_error": ("Calibration error", "mean gap of score and truth"),
    "prevalence": ("Prevalence", "share of malignant lesions"),
    "threshold": ("Threshold", "from which score on a lesion is called"),
    "n": ("Lesions", ""),
    "n_positive": ("Malignant lesions", ""),
    "n_groups": ("Patients or groups", "drawn together for the intervals"),
}
"""Title and explanation of the measures of `hybridlesion.metrics.evaluate`."""

MetricRow = tuple[str, str, str, str]
"""Title, explanation, value and interval."""


def metric_rows(metrics: pd.DataFrame) -> list[MetricRow]:
    """Word the measures as rows of a table.

    Parameters
    ----------
    metrics : DataFrame
        Columns metric, value, low, high.

    Returns
    -------
    list of tuple of str
        Title, explanation, value and interval of each.

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


def describe_results(evidence: Evidence, gaps: list[str]) -> list[str]:
    """Say in a few sentences what the model learned from and how well it does.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    gaps : list of str
        Sentences of the subgroup audit.

    Returns
    -------
    list of str
        Paragraphs of plain text, the most important first.
    """
    said = [_learned_from(evidence)]
    for evaluation in evidence.evaluations:
        said += _did(evaluation)
    if not evidence.evaluations:
        said.append("The file keeps no scores to draw curves of: only its table of measures.")
    if evidence.cases is not None and not evidence.out_of_fold:
        facts = evidence.manifest.get("training") or {}
        said += [f"Mind: {note}" for note in membership_warning(facts, evidence.cases)]
    certain = [gap for gap in gaps if "do not meet" in gap]
    if certain:
        said.append(f"It does not serve every group alike. {' '.join(certain)}")
    return said


def _learned_from(evidence: Evidence) -> str:
    facts = evidence.manifest.get("training") or {}
    opening = "This model gives a photographed skin lesion a probability of being malignant."
    if "n_rows" not in facts:
        return f"{opening} Its file does not say what it learned from."
    positive = facts.get("n_positive", 0)
    of = f" of {count_words(facts['n_patients'], 'patient')}" if facts.get("n_patients") else ""
    return (
        f"{opening} It learned from {count_words(facts['n_rows'], 'lesion')}{of}, {positive:,} "
        f"malignant ({100 * positive / max(facts['n_rows'], 1):.1f} %)."
    )


def _did(evaluation: Evaluation) -> list[str]:
    values = evaluation.metrics.set_index("metric")
    who = (
        "On the training lesions, each scored by members that had not seen its patient,"
        if evaluation.key == "oof"
        else f"On {count_words(len(evaluation.y), 'lesion')} scored later,"
    )
    ranked = (
        f"{who} it put a malignant lesion above a benign one in {_percent(values, 'auc')} of pairs."
    )
    threshold = threshold_words(evaluation.threshold, evaluation.rule)
    called = (
        f"A lesion is called malignant from {threshold} on: that found "
        f"{_percent(values, 'recall')} of the malignant lesions and left alone "
        f"{_percent(values, 'specificity')} of the benign ones."
    )
    said = [f"{ranked} {called} {_calibration(values)}".strip()]
    return said + [f"Mind: {caveat}" for caveat in interval_caveats(evaluation.metrics)]


def _percent(values: pd.DataFrame, metric: str) -> str:
    value, low, high = values.loc[metric, ["value", "low", "high"]]
    if math.isnan(value):
        return "an unknown share"
    words = f"{100 * value:.0f} %"
    if math.isnan(low) or math.isnan(high):
        return words
    return f"{words} (95 % interval {100 * low:.0f} to {100 * high:.0f} %)"


def _calibration(values: pd.DataFrame) -> str:
    slope, low, high = values.loc["calibration_slope", ["value", "low", "high"]]
    if math.isnan(slope) or math.isnan(low):
        return ""
    if low <= 1 <= high:
        return "Its scores agree with the shares seen, as far as these lesions can tell."
    return (
        "Its scores are too extreme: trust their order more than their size."
        if slope < 1
        else "Its scores are too timid: high ones should be higher, low ones lower."
    )


# What a report must look at; an attribute that no row knows is a gap in knowledge.
_WANTED = ("age", "sex", "site", "skin tone", "hair", "dark corner")
_GAPS = {"sensitivity": "sensitivity", "auc": "AUC"}
# A smaller difference is no gap, however certain.
_LEAST_GAP = 0.02


def audit_subgroups(
    cases: pd.DataFrame, evaluation: Evaluation, *, n_bootstrap: int = 500
) -> tuple[pd.DataFrame, list[str]]:
    """Measure every group of lesions that the cases tell apart.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Rows of the evaluation, with what `attributes_of` reads.
    evaluation : Evaluation
        Their truth, scores, patients and threshold.
    n_bootstrap : int, default=500
        Draws behind each interval.

    Returns
    -------
    rows : DataFrame
        What `hybridlesion.metrics.evaluate_subgroups` gives, without the row of all lesions.
    missing : list of str
        Attributes that no row knows.
    """
    attributes = attributes_of(cases)
    table = evaluate_subgroups(
        *(evaluation.y, evaluation.score, attributes),
        threshold=evaluation.threshold,
        groups=evaluation.groups,
        n_bootstrap=n_bootstrap,
    )
    missing = [name for name in _WANTED if name not in attributes]
    return table[table["attribute"] != "all"].reset_index(drop=True), missing


def name_gaps(rows: pd.DataFrame, missing: list[str]) -> list[str]:
    """Say where the model does worse, where nothing is known, and how certain that is.

    Parameters
    ----------
    rows : DataFrame
        What `audit_subgroups` found.
    missing : list of str
        Attributes that no row knows.

    Returns
    -------
    list of str
        One sentence each.

    Examples
    --------
    >>> name_gaps(pd.DataFrame({"attribute": []}), ["hair"])
    ['Hair: not known of any lesion, so a gap would go unseen.']
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
            names = ", ".join(f"{r.group} ({r.n_malignant} of {r.n} malignant)"
                              for r in few.itertuples())  # fmt: skip
            gaps.append(f"{title}: too few lesions to measure {names}.")
    gaps += [
        f"{_title(name)}: not known of any lesion, so a gap would go unseen." for name in missing
    ]
    return gaps


def _gap(rows: pd.DataFrame, measure: str) -> str:
    """Compare the worst group with the best."""
    if len(rows) < 2:
        return ""
    worst, best = rows.loc[rows[measure].idxmin()], rows.loc[rows[measure].idxmax()]
    if best[measure] - worst[measure] < _LEAST_GAP:
        return ""
    apart = worst[f"{measure}_high"] < best[f"{measure}_low"]
    certain = "their intervals do not meet" if apart else "that may be chance"
    return (
        f"{worst[measure]:.2f} for {worst['group']} and {best[measure]:.2f} for {best['group']}; "
        f"{certain}."
    )


def _title(attribute: str) -> str:
    return attribute[:1].upper() + attribute[1:]
