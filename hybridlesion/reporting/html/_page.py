"""Everything that is known of a model, on one page that needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from hybridlesion import __version__
from hybridlesion._atomic import atomic_path, check_writable
from hybridlesion._formatting import threshold_words
from hybridlesion._validation import check_number
from hybridlesion.featurizer import LesionFeaturizer
from hybridlesion.io.discovery import find_images
from hybridlesion.metadata import normalise_image_id, read_table
from hybridlesion.plotting._case_sheet import choose_cases
from hybridlesion.plotting._cnn_sheet import KEY_WORDS
from hybridlesion.plotting._style import RESEARCH_ONLY
from hybridlesion.reporting.html._cases import (
    ERRORS,
    Card,
    Detail,
    Picture,
    draw_details,
    make_cards,
    take_pictures,
)
from hybridlesion.reporting.html._charts import draw_charts
from hybridlesion.reporting.html._checklists import answer_checklists
from hybridlesion.reporting.html._leakage_section import check_leaks
from hybridlesion.reporting.html._model_card import (
    LIMITS,
    describe_data,
    describe_model,
    weigh_families,
)
from hybridlesion.reporting.html._report_data import Evidence, gather_evidence
from hybridlesion.reporting.html._summary import (
    audit_subgroups,
    describe_results,
    metric_rows,
    name_gaps,
)

__all__ = ["PageResult", "write_page"]

# Beyond so many lesions, pictures get smaller: the page holds all of them.
_MANY = 600
_LONG_SIDES = (320, 200)
# So many are laid out at once; the next follow when the reader comes near them.
_BATCH = 24


@dataclass(frozen=True)
class PageResult:
    """What was written.

    Parameters
    ----------
    path : Path
        The page.
    n_cases : int
        Lesions in its gallery.
    n_failed : int
        Of these, lesions whose picture could not be shown.
    warnings : tuple of str
        What a user should know.
    seconds : float
        Wall time.
    """

    path: Path
    n_cases: int
    n_failed: int
    warnings: tuple[str, ...]
    seconds: float


def write_page(
    model: str | os.PathLike,
    out: str | os.PathLike,
    *,
    scores: str | os.PathLike | None = None,
    truth: Sequence[str | os.PathLike] = (),
    images: Sequence[str | os.PathLike] = (),
    masks: str | os.PathLike | None = None,
    ablation: str | os.PathLike | None = None,
    target: str | None = None,
    malignant: Sequence[str] | None = None,
    benign: Sequence[str] | None = None,
    id_column: str | None = None,
    n_cases: int = 600,
    n_sheets: int = 100,
    n_jobs: int = 1,
    progress: Callable[[int, int, int], None] | None = None,
) -> PageResult:
    """Write ``report.html``: one file that opens from disk and asks nothing of a network.

    Parameters
    ----------
    model : str or path-like
        Model file of ``hybridlesion fit``.
    out : str or path-like
        Folder for ``report.html``.
    scores : str or path-like, default=None
        Table of ``hybridlesion score``, with ``--explain`` for reasons; None leaves the gallery
        out.
    truth : sequence of str or path-like, default=()
        Tables that say which scored lesions are malignant, and their age, sex and site.
    images : sequence of str or path-like, default=()
        Where the pictures are; none takes the paths in `scores`.
    masks : str or path-like, default=None
        Folder of masks; None segments each image anew.
    ablation : str or path-like, default=None
        Table to show under Ablation, as it stands; None says that there is none.
    target : str, default=None
        Column of the truth that says which are malignant; None finds it.
    malignant, benign : sequence of str, default=None
        Diagnoses that count as malignant, and further words that count as benign.
    id_column : str, default=None
        Column of the truth that names the image; None finds it.
    n_cases : int, default=600
        Most lesions in the gallery, at least 1; `choose_cases` picks them.
    n_sheets : int, default=100
        Most lesions of the gallery whose ABCD sheet is drawn and, where the model has a fine-tuned
        network, what that sees; `choose_cases` picks them. 0 draws none.
    n_jobs : int, default=1
        Processes that read and draw pictures; -1 takes every core.
    progress : callable, default=None
        Called as ``progress(done, failed, total)`` while pictures are read, and once more from
        the beginning while sheets are drawn.

    Returns
    -------
    PageResult
        The file, and what it shows.

    Raises
    ------
    ArtifactError
        If the model file cannot be used.
    TableError
        If a table cannot be used.
    """
    started = time.monotonic()
    check_number("n_cases", n_cases, low=1, integer=True)
    check_number("n_sheets", n_sheets, low=0, integer=True)
    path = check_writable(Path(out) / "report.html")
    evidence = gather_evidence(
        *(model,),
        scores=scores,
        truth=truth,
        target=target,
        malignant=malignant,
        benign=benign,
        id_column=id_column,
    )
    shown = _choose(evidence, images, n_cases)
    featurizer = evidence.featurizer or LesionFeaturizer()
    options = {"masks": masks, "n_jobs": n_jobs, "progress": progress}
    pictures = take_pictures(
        _rows(shown),
        segmenter=featurizer.segmenter,
        measured_side=featurizer.long_side,
        long_side=_LONG_SIDES[len(shown) > _MANY],
        **options,
    )
    drawn = _rows(_to_draw(shown, pictures, n_sheets))
    details = draw_details(drawn, featurizer, **options)
    by_image = {row[0]: detail for row, detail in zip(drawn, details, strict=True)}
    cards = make_cards(shown, pictures, by_image, evidence.threshold)
    content = _content(evidence, cards, None if ablation is None else read_table(ablation))
    with atomic_path(path) as temporary:
        temporary.write_text(_render(content), encoding="utf-8")
    failed = [picture.error for picture in pictures if picture.error]
    notes = (*evidence.notes, *_tell_undrawn(details))
    if failed:
        of = f"{len(failed):,} of {len(pictures):,} lesions"
        notes += (f"{of} have no picture (the first: {failed[0]}); images says where they are.",)
    return PageResult(path, len(cards), len(failed), notes, time.monotonic() - started)


def _choose(evidence: Evidence, images: Sequence[str | os.PathLike], n_cases: int) -> pd.DataFrame:
    """Pick the lesions of the gallery, by falling score, and say where their pictures are."""
    if evidence.cases is None:
        return pd.DataFrame()
    cases = evidence.cases
    if images:
        found = find_images(list(images))
        names = [normalise_image_id(str(name)) for name in found["image_id"]]
        paths = pd.Series(found["path"].to_numpy(), index=names)
        cases = cases.assign(path=cases["image_id"].map(paths))
    elif "path" not in cases:
        cases = cases.assign(path=None)
    return choose_cases(cases, n_cases)


def _rows(cases: pd.DataFrame) -> list[tuple[str, str]]:
    return [] if cases.empty else list(zip(cases["image_id"], cases["path"], strict=True))


def _to_draw(shown: pd.DataFrame, pictures: list[Picture], n_sheets: int) -> pd.DataFrame:
    """Pick the lesions whose sheets are drawn, of those whose picture could be read."""
    readable = shown[[not picture.error for picture in pictures]]
    return choose_cases(readable, n_sheets) if n_sheets and len(readable) else pd.DataFrame()


def _tell_undrawn(details: list[Detail]) -> list[str]:
    reasons = [detail.error for detail in details if detail.error]
    if not reasons:
        return []
    return [
        f"{len(reasons)} of {len(details)} ABCD sheets could not be drawn; the first: {reasons[0]}"
    ]


def _content(evidence: Evidence, cards: list[Card], ablation: pd.DataFrame | None) -> dict:
    subgroups, missing = pd.DataFrame({"attribute": []}), []
    if evidence.of_cases is not None:
        subgroups, missing = audit_subgroups(evidence.cases, evidence.of_cases)
    gaps = name_gaps(subgroups, missing)
    return {
        "name": evidence.name,
        "version": __version__,
        "created": evidence.manifest.get("created"),
        "research_only": RESEARCH_ONLY,
        "summary": describe_results(evidence, gaps),
        "data": describe_data(evidence),
        "evaluations": [
            {
                "key": e.key,
                "title": e.title,
                "rows": metric_rows(e.metrics),
                "charts": draw_charts(e.key, e.y, e.score, e.threshold, e.metrics),
            }
            for e in evidence.evaluations
        ],
        "measures_stored": metric_rows(_stored_metrics(evidence)),
        "families": weigh_families(evidence),
        "ablation": ablation,
        "subgroups": list(subgroups.itertuples()),
        "gaps": gaps,
        "checks": check_leaks(evidence),
        "card_rows": describe_model(evidence),
        "limits": LIMITS,
        "checklists": answer_checklists(
            evidence, with_subgroups=len(subgroups) > 0, with_ablation=ablation is not None
        ),
        "cards": cards,
        "batch": _BATCH,
        "n_drawn": sum(bool(card.detail.sheet) for card in cards),
        "n_seen": sum(bool(card.detail.seen) for card in cards),
        "key_words": KEY_WORDS,
        "n_scored": 0 if evidence.cases is None else len(evidence.cases),
        "errors": ERRORS,
        "threshold": evidence.threshold and threshold_words(evidence.threshold, evidence.rule),
    }


def _stored_metrics(evidence: Evidence) -> pd.DataFrame:
    columns = ["metric", "value", "low", "high"]
    return pd.DataFrame(evidence.manifest.get("metrics") or [], columns=columns).astype(
        {"value": float, "low": float, "high": float}
    )


def _render(content: dict) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("hybridlesion.reporting.html"),
        autoescape=True,
        # A number and its percent sign stay on one line.
        finalize=lambda value: (
            value.replace(" %", "\N{NO-BREAK SPACE}%") if isinstance(value, str) else value
        ),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = environment.get_template("gallery.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    style = environment.get_template("style.css").render()
    return environment.get_template("page.html").render(
        content, script=script, script_digest=digest, style=style
    )
