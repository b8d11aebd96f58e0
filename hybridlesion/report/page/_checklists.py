"""Which items of TRIPOD+AI and CLAIM this page answers, and which it cannot."""

from __future__ import annotations

from dataclasses import dataclass

from hybridlesion.report.page._checklist_items import CLAIM, TRIPOD
from hybridlesion.report.page._evidence import Evidence

__all__ = ["ChecklistItem", "answer_checklists"]

_SECTIONS = {
    "intended_use": "card",
    "tables": "data",
    "featurizer": "card",
    "features": "card",
    "measured": "card",
    "data": "data",
    "model": "card",
    "folds": "data",
    "curves": "performance",
    "subgroups": "subgroups",
    "threshold": "performance",
    "software": "card",
    "artifact": "card",
    "metrics": "performance",
    "limits": "card",
    "ablation": "ablation",
    "reasons": "gallery",
    "oof": "performance",
    "gallery": "gallery",
}


@dataclass(frozen=True)
class ChecklistItem:
    """One item of a guideline.

    Parameters
    ----------
    number, words : str
        Which one it is.
    section : str
        Where the page answers it; empty where it does not.
    """

    number: str
    words: str
    section: str


def answer_checklists(
    evidence: Evidence, *, with_subgroups: bool, with_ablation: bool
) -> dict[str, list[ChecklistItem]]:
    """Tell for every item whether the page reports it.

    Parameters
    ----------
    evidence : Evidence
        What is known.
    with_subgroups, with_ablation : bool
        Whether the page has these.

    Returns
    -------
    dict of str to list of ChecklistItem
        By guideline.
    """
    facts = evidence.manifest.get("training") or {}
    cases = evidence.cases
    known = {
        "intended_use": "intended_use" in evidence.manifest,
        "tables": bool(facts.get("tables")),
        "featurizer": evidence.manifest.get("featurizer") is not None,
        "features": bool((evidence.manifest.get("features") or {}).get("names")),
        "measured": evidence.manifest.get("featurizer") is not None,
        "data": "n_rows" in facts,
        "model": bool(evidence.manifest.get("model")),
        "folds": hasattr(evidence.classifier, "folds_"),
        "curves": bool(evidence.evaluations),
        "subgroups": with_subgroups,
        "threshold": evidence.threshold is not None,
        "software": bool(evidence.manifest.get("versions")),
        "artifact": True,
        "metrics": bool(evidence.evaluations or evidence.manifest.get("metrics")),
        "limits": True,
        "ablation": with_ablation,
        "reasons": cases is not None and "reason_1" in cases,
        "oof": any(evaluation.key == "oof" for evaluation in evidence.evaluations),
        "gallery": cases is not None and "target" in cases,
    }
    return {
        title: [
            ChecklistItem(number, words, _SECTIONS[fact] if known.get(fact) else "")
            for number, words, fact in items
        ]
        for title, items in (("TRIPOD+AI", TRIPOD), ("CLAIM 2024", CLAIM))
    }
