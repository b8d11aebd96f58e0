"""What could have let the answer into the model, and what was done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator

from hybridlesion._formatting import count_words
from hybridlesion.leakage import membership_warning
from hybridlesion.reporting.html._report_data import Evidence

__all__ = ["Check", "check_leaks"]


@dataclass(frozen=True)
class Check:
    """One way for the answer to leak.

    Parameters
    ----------
    question : str
        What was asked.
    verdict : {"clear", "mind", "not known"}
        What came out.
    words : str
        Why.
    """

    question: str
    verdict: str
    words: str


def check_leaks(evidence: Evidence) -> list[Check]:
    """Check what the model file and the scored lesions allow to be checked.

    Parameters
    ----------
    evidence : Evidence
        What is known.

    Returns
    -------
    list of Check
        One a question; what cannot be checked is ``"not known"``.
    """
    facts = evidence.manifest.get("training") or {}
    return [
        _folds(evidence.classifier),
        _patients(facts),
        _columns(facts),
        _network(evidence.classifier),
        _scored(evidence, facts),
        _audit(facts),
        Check(
            "Are calibration and threshold honest?",
            "mind",
            "Each lesion was calibrated on other patients. The threshold was chosen on all "
            "out-of-fold scores, so the measures at it are a little optimistic there, and honest "
            "on lesions scored later.",
        ),
    ]


def _folds(classifier: BaseEstimator) -> Check:
    question = "Does a patient lie in two folds?"
    folds, groups = getattr(classifier, "folds_", None), getattr(classifier, "groups_", None)
    if folds is None or groups is None:
        return Check(question, "not known", "The file keeps no folds.")
    pairs = np.unique(np.column_stack([groups, folds]), axis=0)
    split = len(pairs) - len(np.unique(groups))
    n_folds = int(np.max(folds)) + 1
    if split:
        return Check(question, "mind", f"{split} groups lie in more than one fold.")
    return Check(
        question,
        "clear",
        f"None of {len(pairs):,} groups does, over {n_folds} folds; counted here.",
    )


def _patients(facts: Mapping) -> Check:
    question = "Were patients known?"
    n_patients, n_groups = facts.get("n_patients"), facts.get("n_groups")
    if not n_patients:
        return Check(
            question,
            "mind",
            "No: two pictures of one patient may lie on both sides of a fold, which flatters the "
            "measures.",
        )
    other = "" if n_groups in (None, n_patients) else f", {n_groups:,} groups in all"
    return Check(question, "clear", f"Yes, {n_patients:,} of them{other}; folds keep them whole.")


def _columns(facts: Mapping) -> Check:
    question = "Do columns know the answer?"
    set_aside = facts.get("set_aside")
    if set_aside is None:
        return Check(question, "not known", "The file does not say which columns were kept away.")
    if not set_aside:
        return Check(question, "clear", "The tables held no column known to leak.")
    reasons: dict[str, list[str]] = {}
    for column, reason in dict(set_aside).items():
        reasons.setdefault(str(reason), []).append(str(column))
    told = "; ".join(f"{', '.join(columns)} ({reason})" for reason, columns in reasons.items())
    return Check(question, "clear", f"Kept from the model: {told}.")


def _network(classifier: BaseEstimator) -> Check:
    question = "Did a network see the training lesions before?"
    names = [str(name) for name in getattr(classifier, "feature_names_in_", ())]
    if any(name.startswith("cnn__") for name in names):
        return Check(
            question,
            "clear",
            "A fine-tuned network's score is one of the columns. Rows that it learned from got the "
            "score of a network that had not seen them, or none.",
        )
    if any(name.startswith("emb__") for name in names):
        return Check(
            question,
            "not known",
            "An embedding is used; whether its network was trained on these pictures is not "
            "recorded.",
        )
    return Check(question, "clear", "No network takes part.")


def _audit(facts: Mapping) -> Check:
    question = "What did the audit of the training rows find?"
    audit = facts.get("audit")
    if not isinstance(audit, Mapping):
        return Check(question, "not known", "The file holds no audit; fit writes one.")
    checks = ", ".join(map(str, audit.get("checks") or ()))
    found = [_tell(finding) for finding in audit.get("findings") or ()]
    if not found:
        return Check(question, "clear", f"Nothing. Looked for: {checks}.")
    return Check(question, "mind", " ".join(found) + f" Looked for: {checks}.")


def _tell(finding: Mapping) -> str:
    """One finding as a sentence; how many rows, if it is about rows."""
    words, n_rows = str(finding.get("words")), int(finding.get("n_rows") or 0)
    counted = f" ({count_words(n_rows, 'case')})" if n_rows else ""
    return f"{words[:1].upper()}{words[1:]}{counted}."


def _scored(evidence: Evidence, facts: Mapping) -> Check:
    question = "Were the scored lesions in the training?"
    if evidence.cases is None:
        return Check(question, "not known", "No further lesions were scored for this page.")
    if evidence.out_of_fold:
        return Check(
            question,
            "clear",
            "They are the training lesions, but each score comes from members that never saw the "
            "lesion's group.",
        )
    if not facts.get("seen"):
        return Check(question, "not known", "The file does not remember what it learned from.")
    notes = membership_warning(facts, evidence.cases)
    if notes:
        return Check(question, "mind", " ".join(notes))
    cases = count_words(len(evidence.cases), "lesion")
    return Check(question, "clear", f"None of {cases} and their patients; compared by id.")
