"""Sections of the page: data, model card, leakage checks and reporting checklists."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion import __version__
from hybridlesion._formatting import count_words, threshold_words
from hybridlesion.explain import FAMILY_TITLES, family_of
from hybridlesion.leakage import membership_warning
from hybridlesion.plotting import MAP_KEY, RESEARCH_ONLY
from hybridlesion.reporting.html._cases import ERRORS, Bar, Card
from hybridlesion.reporting.html._decisions import (
    describe_threshold,
    make_tiles,
    missing_baselines,
)
from hybridlesion.reporting.html._populations import describe_by_source, describe_population
from hybridlesion.reporting.html._report_data import ReportData
from hybridlesion.reporting.html._summary import (
    audit_subgroups,
    describe_results,
    introduce_model,
    metric_rows,
    subgroup_gaps,
)


def describe_data(data: ReportData) -> list[tuple[str, str]]:
    """Describe the training data and the folds.

    Parameters
    ----------
    data : ReportData
        Contents of the report.

    Returns
    -------
    list of tuple of str
        Title and text; "not recorded" if the file has no value.
    """
    facts, folds = (data.manifest.get(key) or {} for key in ("training", "folds"))
    n_rows, n_positive = facts.get("n_rows"), facts.get("n_positive")
    share = f" ({100 * n_positive / n_rows:.1f} %)" if n_rows and n_positive is not None else ""
    return [
        ("Lesions", _count(n_rows)),
        ("Malignant", f"{_count(n_positive)}{share}"),
        ("Patients", _count(facts.get("n_patients"))),
        ("Groups, each in one fold", _count(facts.get("n_groups"))),
        ("Tables", ", ".join(map(str, facts.get("tables") or ())) or "not recorded"),
        ("Folds", _text(folds.get("n_splits"))),
        ("Repetitions of the folds", _text(folds.get("n_seeds"))),
        ("Random state", _text(folds.get("random_state"))),
        ("Digest of the training data", str(facts.get("digest") or "not recorded")[:16]),
        *[("Note", note) for note in data.notes],
    ]


def describe_model(data: ReportData) -> list[tuple[str, str]]:
    """Describe the model.

    Parameters
    ----------
    data : ReportData
        Contents of the report.

    Returns
    -------
    list of tuple of str
        Title and text.
    """
    manifest = data.manifest
    model, features = manifest.get("model") or {}, manifest.get("features") or {}
    featurizer, labels = manifest.get("featurizer"), "not recorded"
    if data.threshold is not None:
        labels = f"malignant at or above {threshold_words(data.threshold, data.rule)}"
    families = _pairs(features.get("families") or {}, " ", "")
    measured = "none (feature tables only)" if featurizer is None else _pairs(featurizer)
    return [
        ("Intended use", _text(manifest.get("intended_use"))),
        ("File", f"{data.name}, artifact protocol {_text(manifest.get('protocol'))}"),
        ("Created", _text(manifest.get("created"))),
        ("Type", "Boosted trees (LightGBM) and a logistic regression, averaged over folds and "
                 "calibrated out of fold"),
        ("Class", _text(model.get("class"))),
        ("Parameters", _pairs(model.get("parameters") or {})),
        ("Columns", f"{len(features.get('names') or ())} ({families})"),
        ("Featurizer", measured),
        ("Network weights in the file", ", ".join(manifest.get("files") or ()) or "none"),
        ("Labels", labels),
        ("Diagnoses", ", ".join(manifest.get("diagnoses") or ()) or "none"),
        ("Versions", _pairs(manifest.get("versions") or {}, " ")),
    ]  # fmt: skip


def weigh_families(data: ReportData) -> list[Bar]:
    """Sum the importance of the columns of each family.

    Parameters
    ----------
    data : ReportData
        Contents of the report.

    Returns
    -------
    list of Bar
        Families by decreasing importance; empty if the classifier has no importances.
    """
    names = getattr(data.classifier, "feature_names_", ())
    shares = getattr(data.classifier, "feature_importances_", None)
    if shares is None or not len(names):
        return []
    families = [family_of(str(name)) for name in names]
    weights = pd.Series(shares, dtype=float).groupby(families, sort=False).sum()
    weights = weights.sort_values(ascending=False, kind="stable")
    most = weights.iloc[0] or 1.0
    return [
        Bar(FAMILY_TITLES[family], f"{100 * weight:.0f} %", 0.0, weight / most, "level")
        for family, weight in weights.items()
    ]


def _pairs(values: Mapping, joint: str = "=", none: str = "not recorded") -> str:
    return ", ".join(f"{name}{joint}{value}" for name, value in values.items()) or none


def _text(value: object) -> str:
    if value is None:
        return "not recorded"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _count(value: object) -> str:
    return "not recorded" if value is None else f"{value:,}"


_Answer = tuple[str, str]
"""Verdict, one of "clear", "caution" and "not known", and its explanation."""


def check_leakage(data: ReportData) -> dict[str, _Answer]:
    """Run the leakage checks that the model file and the scored lesions allow.

    Parameters
    ----------
    data : ReportData
        Contents of the report.

    Returns
    -------
    dict of str to (str, str)
        Verdict and explanation by question; the verdict is ``"not known"`` if the data do not allow
        one.
    """
    facts = data.manifest.get("training") or {}
    unbiased = (
        "Each lesion was calibrated on other patients. The threshold was chosen on all out-of-fold "
        "scores: metrics at the threshold are slightly optimistic for these, and unbiased for "
        "lesions scored later."
    )
    return {
        "Is any patient in two folds?": _folds(data.classifier),
        "Were patients identified?": _patients(facts),
        "Does a column encode the diagnosis?": _columns(facts),
        "Was the CNN trained on the lesions of this model?": _network(data.classifier),
        "Were the scored lesions part of the training data?": _scored(data, facts),
        "What did the leakage audit of the training data find?": _audit(facts),
        "Are calibration and threshold unbiased?": ("caution", unbiased),
    }


def _folds(classifier: BaseEstimator) -> _Answer:
    folds, groups = getattr(classifier, "folds_", None), getattr(classifier, "groups_", None)
    if folds is None or groups is None:
        return "not known", "The model file does not store the folds."
    pairs = np.unique(np.column_stack([groups, folds]), axis=0)
    split = len(pairs) - len(np.unique(groups))
    n_folds = int(np.max(folds)) + 1
    if split:
        return "caution", f"{split} groups are in more than one fold."
    counted = f"None of the {len(pairs):,} groups, over {n_folds} folds"
    return "clear", f"{counted} (recounted for this report)."


def _patients(facts: Mapping) -> _Answer:
    n_patients, n_groups = facts.get("n_patients"), facts.get("n_groups")
    if not n_patients:
        risk = "images of one patient may be in training and test folds, which inflates the metrics"
        return "caution", f"No: {risk}."
    other = "" if n_groups in (None, n_patients) else f", {n_groups:,} groups in total"
    return "clear", f"Yes, {n_patients:,} patients{other}; each is in one fold."


def _columns(facts: Mapping) -> _Answer:
    set_aside = facts.get("set_aside")
    if set_aside is None:
        return "not known", "The model file does not record excluded columns."
    if not set_aside:
        return "clear", "The tables contained no column known to leak."
    reasons = defaultdict(list)
    for column, reason in dict(set_aside).items():
        reasons[str(reason)].append(str(column))
    listed = "; ".join(f"{', '.join(columns)} ({reason})" for reason, columns in reasons.items())
    return "clear", f"Excluded from the model: {listed}."


def _network(classifier: BaseEstimator) -> _Answer:
    names = [str(name) for name in getattr(classifier, "feature_names_in_", ())]
    if any(name.startswith("cnn__") for name in names):
        trained = "Lesions that it was trained on have an out-of-fold score, or none."
        used = "The score of a fine-tuned CNN is one of the columns"
        if "cnn__melanoma" in names:
            leading = getattr(classifier, "leading_", "cnn__melanoma")
            used = f"Scores of a fine-tuned CNN are among the columns; {leading} leads"
        return "clear", f"{used}. {trained}"
    if any(name.startswith("emb__") for name in names):
        origin = "whether the network was trained on these images is not recorded"
        return "not known", f"The model uses CNN embeddings; {origin}."
    return "clear", "The model uses no CNN."


def _audit(facts: Mapping) -> _Answer:
    audit = facts.get("audit")
    if not isinstance(audit, Mapping):
        return "not known", "The model file contains no audit."
    checks = ", ".join(map(str, audit.get("checks") or ()))
    found = [_format_finding(finding) for finding in audit.get("findings") or ()]
    if not found:
        return "clear", f"Nothing. Checks: {checks}."
    return "caution", " ".join(found) + f" Checks: {checks}."


def _format_finding(finding: Mapping) -> str:
    """Format a finding as a sentence, with its number of rows."""
    words, n_rows = str(finding.get("words")), int(finding.get("n_rows") or 0)
    counted = f" ({count_words(n_rows, 'case')})" if n_rows else ""
    return f"{words[:1].upper()}{words[1:]}{counted}."


def _scored(data: ReportData, facts: Mapping) -> _Answer:
    if data.cases is None:
        return "not known", "This report contains no further scored lesions."
    if data.out_of_fold:
        origin = "no score comes from a model that was trained on the patient"
        return "clear", f"They are the training lesions, with out-of-fold scores: {origin}."
    if not facts.get("seen"):
        return "not known", "The model file does not list its training lesions."
    notes = membership_warning(facts, data.cases)
    if notes:
        return "caution", " ".join(notes)
    cases = count_words(len(data.cases), "lesion")
    return "clear", f"None of {cases} or their patients, compared by id."


def answer_checklists(
    data: ReportData, with_subgroups: bool, with_ablation: bool
) -> dict[str, list[dict[str, str]]]:
    """Find which items of TRIPOD+AI and CLAIM the page reports.

    Parameters
    ----------
    data : ReportData
        Contents of the report.
    with_subgroups, with_ablation : bool
        Whether the page has these sections.

    Returns
    -------
    dict of str to list of dict
        Items by guideline, each with its ``number``, text and ``section``, which is empty if the
        page does not report the item.
    """
    facts = data.manifest.get("training") or {}
    cases = data.cases
    who = pd.DataFrame() if cases is None else cases.filter(items=["age", "sex", "site"])
    known = {
        "intended_use": "intended_use" in data.manifest,
        "tables": bool(facts.get("tables")),
        **dict.fromkeys(("featurizer", "measured"), data.manifest.get("featurizer") is not None),
        "features": bool((data.manifest.get("features") or {}).get("names")),
        "data": "n_rows" in facts,
        "model": bool(data.manifest.get("model")),
        "folds": hasattr(data.classifier, "folds_"),
        "curves": bool(data.evaluations),
        "subgroups": with_subgroups,
        "threshold": data.threshold is not None,
        "software": bool(data.manifest.get("versions")),
        **dict.fromkeys(("artifact", "limits"), True),
        "metrics": bool(data.evaluations or data.manifest.get("metrics")),
        "ablation": with_ablation,
        "flow": "flow" in facts or data.of_cases is not None,
        "participants": data.of_cases is not None and who.notna().any(axis=None),
        "reasons": cases is not None and "reason_1" in cases,
        "oof": any(evaluation.key == "oof" for evaluation in data.evaluations),
        "gallery": cases is not None and "target" in cases,
    }
    checklists = defaultdict(list)
    text = resources.files("hybridlesion.reporting.html").joinpath("checklists.csv").read_text()
    for row in csv.DictReader(text.splitlines()):
        row["section"] = row["section"] if known.get(row["fact"]) else ""
        checklists[row["guideline"]].append(row)
    return checklists


class Section(NamedTuple):
    """A section of the page.

    Parameters
    ----------
    key : str
        Id on the page, and name of the template in ``templates/sections``.
    short, title : str
        Name in the list of sections, and heading.
    fill : callable, default=None
        Called with the `ReportData`; returns variables of the template, or None if the page has no
        such section. If `fill` is None, `fill_sections` provides the variables.
    """

    key: str
    short: str
    title: str
    fill: Callable[[ReportData], Mapping[str, object] | None] | None = None


SECTIONS = (
    Section("summary", "Summary", "The numbers that decide"),
    Section("threshold", "Threshold", "What a threshold does", describe_threshold),
    Section("performance", "Performance", "Performance and calibration"),
    Section("transport", "How it travels", "How it travels", describe_by_source),
    Section("comparison", "Comparison", "Comparison with other scores"),
    Section("participants", "Patients", "Who was studied", describe_population),
    Section("data", "Data", "Training data and folds", lambda data: {"data": describe_data(data)}),
    Section("ablation", "Ablation", "Feature importance and ablation"),
    Section("subgroups", "Subgroups", "Subgroups"),
    Section("leaks", "Leakage", "Leakage audit", lambda data: {"checks": check_leakage(data)}),
    Section("gallery", "Cases", "Cases"),
    Section("card", "Model card", "Model card"),
    Section("checklists", "Checklists", "Reporting checklists"),
)
"""Sections in their order on the page; a new one is a line here and a template."""

# Number of cases laid out at once; more follow on scrolling.
_BATCH = 24


def fill_sections(data: ReportData, cards: Sequence[Card], ablation: pd.DataFrame | None) -> dict:
    """Fill all sections of the page except the charts.

    Parameters
    ----------
    data : ReportData
        Contents of the report.
    cards : sequence of Card
        Lesions of the gallery.
    ablation : DataFrame or None
        Table of the section Ablation, if any.

    Returns
    -------
    dict
        Variables of the template.
    """
    subgroups, missing = pd.DataFrame({"attribute": []}), []
    if data.of_cases is not None:
        subgroups, missing = audit_subgroups(data.cases, data.of_cases)
    gaps = subgroup_gaps(subgroups, missing)
    own: dict[str, object] = {}
    shown = []
    for section in SECTIONS:
        found = section.fill(data) if section.fill else {}
        if found is not None:
            own |= found
            shown.append(section)
    last = data.evaluations[-1] if data.evaluations else None
    numbers = dict.fromkeys(("value", "low", "high"), float)
    stored = pd.DataFrame(data.manifest.get("metrics") or [], columns=["metric", *numbers])
    return {
        **own,
        "sections": shown,
        "name": Path(data.name).stem,
        "lead": introduce_model(data),
        "tiles": [] if last is None else make_tiles(last),
        "tiles_of": "" if last is None else last.title,
        "missing": missing_baselines(data.comparisons),
        "version": __version__,
        "created": data.manifest.get("created"),
        "research_only": RESEARCH_ONLY,
        "summary": describe_results(data, gaps),
        "evaluations": [(e.title, metric_rows(e.metrics)) for e in data.evaluations],
        "measures_stored": metric_rows(stored.astype(numbers)),
        "families": weigh_families(data),
        "ablation": ablation,
        "subgroups": list(subgroups.itertuples()),
        "gaps": gaps,
        "card_rows": describe_model(data),
        "checklists": answer_checklists(data, len(subgroups) > 0, ablation is not None),
        "cards": cards,
        "batch": _BATCH,
        "n_drawn": sum(bool(card.detail.sheet) for card in cards),
        "n_seen": sum(bool(card.detail.seen) for card in cards),
        "map_key": MAP_KEY,
        "n_scored": 0 if data.cases is None else len(data.cases),
        "errors": ERRORS,
        "threshold": data.threshold and threshold_words(data.threshold, data.rule),
    }
