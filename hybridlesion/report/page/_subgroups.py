"""Does the model do as well for everybody? Measures by age, sex, site, skin and picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hybridlesion.evaluation import evaluate
from hybridlesion.features.skin import BANDS
from hybridlesion.report.page._evidence import Evaluation

__all__ = ["SubgroupRow", "audit_subgroups", "name_gaps"]

_MEASURES = ("auc", "recall", "specificity")
# Fewer of either class say nothing about a group.
_FEWEST = 5
_TONES = ("very light", "light", "intermediate", "tan", "brown", "dark")
_ATTRIBUTES = (
    ("age", "Age", (40, 60), ("under 40 years", "40 to 59 years", "60 years and over")),
    ("sex", "Sex", None, None),
    ("site", "Site", None, None),
    ("abcd__skin_ita", "Skin tone, estimated by ITA", BANDS[::-1], _TONES[::-1]),
    ("qa__hair_share", "Hair", (0.01, 0.05), ("under 1 %", "1 to 5 %", "over 5 % of the picture")),
    ("qa__dark_corner_share", "Dark corner", (0.01,), ("none", "over 1 % of the picture")),
)


@dataclass(frozen=True)
class SubgroupRow:
    """One group of lesions.

    Parameters
    ----------
    attribute : str
        What the lesions are grouped by.
    group : str
        Which ones these are; ``"unknown"`` where the table does not say.
    n, n_positive : int
        Lesions, and malignant ones among them.
    measures : dict of str to tuple of float
        Value, low and high by measure; empty where there are too few lesions.
    """

    attribute: str
    group: str
    n: int
    n_positive: int
    measures: dict[str, tuple[float, float, float]]


def audit_subgroups(
    cases: pd.DataFrame, evaluation: Evaluation, *, n_bootstrap: int = 300
) -> tuple[list[SubgroupRow], list[str]]:
    """Measure every group of lesions that the cases tell apart.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Rows of the evaluation; columns age, sex, site, abcd__skin_ita, qa__hair_share and
        qa__dark_corner_share where known.
    evaluation : Evaluation
        Their truth, scores, patients and threshold.
    n_bootstrap : int, default=300
        Bootstrap samples behind each interval.

    Returns
    -------
    rows : list of SubgroupRow
        By attribute and group.
    missing : list of str
        Titles of the attributes that no row knows.
    """
    rows, missing = [], []
    for column, title, edges, names in _ATTRIBUTES:
        if column not in cases or cases[column].isna().all():
            missing.append(title)
            continue
        for group, chosen in _groups(cases[column], edges, names):
            y, score = evaluation.y[chosen], evaluation.score[chosen]
            measures = {}
            if min(y.sum(), (1 - y).sum()) >= _FEWEST:
                table = evaluate(
                    *(y, score),
                    groups=evaluation.groups[chosen],
                    threshold=evaluation.threshold,
                    n_bootstrap=n_bootstrap,
                ).set_index("metric")
                measures = {m: tuple(table.loc[m, ["value", "low", "high"]]) for m in _MEASURES}
            rows.append(SubgroupRow(title, group, len(y), int(y.sum()), measures))
    return rows, missing


def _groups(column: pd.Series, edges, names) -> Iterator[tuple[str, np.ndarray]]:
    unknown = column.isna().to_numpy()
    if edges is None:
        values = column.astype(object).where(~unknown, "").astype(str).to_numpy()
        for value in sorted(set(values[~unknown])):
            yield value, values == value
    else:
        codes = np.digitize(pd.to_numeric(column, errors="coerce"), edges)
        for code, name in enumerate(names):
            chosen = (codes == code) & ~unknown
            if chosen.any():
                yield name, chosen
    if unknown.any():
        yield "unknown", unknown


def name_gaps(rows: list[SubgroupRow], missing: list[str]) -> list[str]:
    """Say where the model does worse, where nothing is known, and where that is uncertain.

    Parameters
    ----------
    rows : list of SubgroupRow
        What `audit_subgroups` found.
    missing : list of str
        Attributes that no row knows.

    Returns
    -------
    list of str
        One sentence each.

    Examples
    --------
    >>> name_gaps([], ["Hair"])
    ['Hair: not known of any lesion, so a gap would go unseen.']
    """
    gaps = []
    for attribute in dict.fromkeys(row.attribute for row in rows):
        own = [row for row in rows if row.attribute == attribute]
        measured = [row for row in own if row.measures]
        for measure, words in (("recall", "sensitivity"), ("auc", "AUC")):
            gap = _gap(measured, measure, words)
            if gap:
                gaps.append(f"{attribute}: {gap}")
        few = [f"{row.group} ({row.n_positive} of {row.n} malignant)" for row in own
               if not row.measures]  # fmt: skip
        if few:
            gaps.append(f"{attribute}: too few lesions to measure {', '.join(few)}.")
    gaps += [f"{title}: not known of any lesion, so a gap would go unseen." for title in missing]
    return gaps


def _gap(rows: list[SubgroupRow], measure: str, words: str) -> str:
    if len(rows) < 2:
        return ""
    worst, best = (f(rows, key=lambda row: row.measures[measure][0]) for f in (min, max))
    low, high = worst.measures[measure], best.measures[measure]
    if high[0] - low[0] < 0.02:
        return ""
    apart = low[2] < high[1]
    certain = "their intervals do not meet" if apart else "their intervals overlap"
    return (
        f"{words} is {low[0]:.2f} for {worst.group} and {high[0]:.2f} for {best.group}; {certain}."
    )
