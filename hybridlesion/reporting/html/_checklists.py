"""Which items of TRIPOD+AI and CLAIM this page answers, and which it cannot."""

from __future__ import annotations

from dataclasses import dataclass

from hybridlesion.reporting.html._report_data import Evidence

__all__ = ["CLAIM", "TRIPOD", "ChecklistItem", "answer_checklists"]

TRIPOD: tuple[tuple[str, str, str], ...] = (
    ("1", "Title names development or evaluation of a prediction model", ""),
    ("2", "Structured abstract", ""),
    ("3a", "Healthcare context and rationale", ""),
    ("3b", "Target population, purpose and users", "intended_use"),
    ("3c", "Known health inequalities", ""),
    ("4", "Objectives", ""),
    ("5a", "Sources of data", "tables"),
    ("5b", "Dates of the data", ""),
    ("6a", "Setting, number and place of centres", ""),
    ("6b", "Eligibility", ""),
    ("6c", "Treatments", ""),
    ("7", "Data preparation and quality checks", "featurizer"),
    ("8a", "Outcome and how it was assessed", ""),
    ("8b", "Who assessed the outcome", ""),
    ("8c", "Blinding of the assessment", ""),
    ("9a", "Choice of predictors", "features"),
    ("9b", "Definition of predictors", "features"),
    ("9c", "Who assessed predictors that need judgement", "measured"),
    ("10", "Sample size", "data"),
    ("11", "Handling of missing data", "model"),
    ("12a", "How data were divided", "folds"),
    ("12b", "How predictors were handled", "model"),
    ("12c", "Type of model, building and internal validation", "model"),
    ("12d", "Heterogeneity across clusters", ""),
    ("12e", "Measures and plots of performance", "curves"),
    ("12f", "Updating of the model", ""),
    ("12g", "How predictions were calculated", "model"),
    ("13", "Class imbalance", "model"),
    ("14", "Fairness", "subgroups"),
    ("15", "Output of the model and thresholds", "threshold"),
    ("16", "Differences of training and evaluation data", ""),
    ("17", "Ethical approval", ""),
    ("18a", "Funding", ""),
    ("18b", "Conflicts of interest", ""),
    ("18c", "Protocol", ""),
    ("18d", "Registration", ""),
    ("18e", "Availability of the data", ""),
    ("18f", "Availability of the code", "software"),
    ("19", "Involvement of patients and the public", ""),
    ("20a", "Flow and number of participants", "data"),
    ("20b", "Characteristics of participants", "subgroups"),
    ("20c", "Comparison of development and evaluation data", ""),
    ("21", "Participants and events in each analysis", "data"),
    ("22", "The full model, so that it can be used", "artifact"),
    ("23a", "Performance with intervals", "metrics"),
    ("23b", "Heterogeneity of performance", "subgroups"),
    ("24", "Results of updating", ""),
    ("25", "Interpretation", ""),
    ("26", "Limitations", "limits"),
    ("27a", "Poor or missing input", "limits"),
    ("27b", "What users must do and know", "intended_use"),
    ("27c", "Next steps", ""),
)
"""Number, words, and the fact that answers it; no fact where none can."""

CLAIM: tuple[tuple[str, str, str], ...] = (
    ("1", "Title names the artificial intelligence", ""),
    ("2", "Structured abstract", ""),
    ("3", "Background and intended role", "intended_use"),
    ("4", "Aims, objectives, hypotheses", ""),
    ("5", "Prospective or retrospective", ""),
    ("6", "Goal of the study", ""),
    ("7", "Sources of data", "tables"),
    ("8", "Inclusion and exclusion criteria", ""),
    ("9", "Data preprocessing", "featurizer"),
    ("10", "Selection of subsets", ""),
    ("11", "De-identification", ""),
    ("12", "Missing data", "model"),
    ("13", "Image acquisition", ""),
    ("14", "Definition of the reference standard", ""),
    ("15", "Rationale of the reference standard", ""),
    ("16", "Source of its annotations", ""),
    ("17", "Annotation of the test set", ""),
    ("18", "Variability within and between raters", ""),
    ("19", "Assignment to partitions", "folds"),
    ("20", "Level at which partitions are disjoint", "folds"),
    ("21", "Intended sample size", ""),
    ("22", "Description of the model", "model"),
    ("23", "Software and packages", "software"),
    ("24", "Initial parameters", "model"),
    ("25", "Training: augmentation, hyperparameters", "model"),
    ("26", "How the final model was selected", "model"),
    ("27", "Ensembling", "model"),
    ("28", "Measures of performance", "metrics"),
    ("29", "Significance and uncertainty", "metrics"),
    ("30", "Robustness or sensitivity", "ablation"),
    ("31", "Explainability", "reasons"),
    ("32", "Evaluation on internal data", "oof"),
    ("33", "Testing on external data", ""),
    ("34", "Trial registration", ""),
    ("35", "Numbers included and excluded", "data"),
    ("36", "Demographic and clinical characteristics", "subgroups"),
    ("37", "Performance on all partitions", "metrics"),
    ("38", "Diagnostic performance and its precision", "metrics"),
    ("39", "Failure analysis", "gallery"),
    ("40", "Limitations", "limits"),
    ("41", "Implications for practice", "intended_use"),
    ("42", "Full protocol and technical details", ""),
    ("43", "Availability of software, model and data", "software"),
    ("44", "Funding", ""),
)
"""Number, words, and the fact that answers it; no fact where none can."""


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
