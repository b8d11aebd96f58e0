"""Does the model do as well for everybody? What the subgroup table says, in sentences."""

from __future__ import annotations

import pandas as pd

from hybridlesion.evaluation import evaluate_subgroups
from hybridlesion.report._attributes import attributes_of
from hybridlesion.report.page._evidence import Evaluation

__all__ = ["audit_subgroups", "name_gaps"]

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
        What `hybridlesion.evaluation.evaluate_subgroups` gives, without the row of all lesions.
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
