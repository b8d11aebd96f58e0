"""One self-contained HTML page about a model, its performance and its cases."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hybridlesion import plotting
from hybridlesion._atomic import atomic_path, check_writable
from hybridlesion._validation import check_number
from hybridlesion.exceptions import OptionError
from hybridlesion.featurizer import FINETUNED_EMBEDDERS, LesionFeaturizer
from hybridlesion.io.discovery import find_images
from hybridlesion.metadata import normalise_image_id, read_table
from hybridlesion.metrics import decision_curve, roc_band, roc_curve
from hybridlesion.plotting import THEME
from hybridlesion.reporting.html._cases import draw_details, make_cards, take_pictures
from hybridlesion.reporting.html._decisions import compare_rows
from hybridlesion.reporting.html._report_data import (
    Comparison,
    Evaluation,
    ReportData,
    collect_report_data,
)
from hybridlesion.reporting.html._sections import fill_sections

# Above this number of lesions, the images are smaller, since the page contains all of them.
_MANY = 600
_LONG_SIDES = (320, 200)
_SCRIPTS = ("gallery.js", "threshold.js", "downloads.js")

MODEL, MALIGNANT, INK, NOTE = (THEME[name] for name in ("model", "malignant", "ink", "note"))


@dataclass(frozen=True)
class PageResult:
    """Result of `write_page`.

    Parameters
    ----------
    path : Path
        The page.
    n_cases : int
        Number of lesions in the gallery.
    n_failed : int
        Number of lesions in the gallery without an image.
    warnings : tuple of str
        Notes for the user.
    seconds : float
        Wall time in seconds.
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
    against: Sequence[str | os.PathLike] = (),
    images: Sequence[str | os.PathLike] = (),
    masks: str | os.PathLike | None = None,
    ablation: str | os.PathLike | None = None,
    target: str | None = None,
    malignant: Sequence[str] | None = None,
    benign: Sequence[str] | None = None,
    id_column: str | None = None,
    columns: Mapping[str, str] | None = None,
    source: str | None = None,
    key: bytes | None = None,
    n_cases: int = 600,
    n_sheets: int = 100,
    n_jobs: int = 1,
    progress: Callable[[int, int, int], None] | None = None,
) -> PageResult:
    """Write ``report.html``, a single file that needs no network.

    Parameters
    ----------
    model : str or path-like
        Model file written by ``hybridlesion fit``.
    out : str or path-like
        Folder for ``report.html``.
    scores : str or path-like, default=None
        Table written by ``hybridlesion score``, preferably with reasons. If None, the page has no
        cases.
    truth : sequence of str or path-like, default=()
        Tables with diagnosis, age, sex and site of the scored lesions.
    against : sequence of str or path-like, default=()
        Tables of other scores of the same lesions, to compare with; needs `truth`.
    images : sequence of str or path-like, default=()
        Image sources. If empty, the paths in `scores` are used.
    masks : str or path-like, default=None
        Folder of masks. If None, each image is segmented.
    ablation : str or path-like, default=None
        Table to show in the section Ablation. If None, the section states that it is missing.
    target : str, default=None
        Column of the truth that indicates malignant lesions. If None, it is detected automatically.
    malignant, benign : sequence of str, default=None
        Diagnoses that count as malignant, and further words that count as benign.
    id_column : str, default=None
        Column of image ids in the truth. If None, it is detected automatically.
    columns : mapping of str to str, default=None
        Mapping from record columns to the column names in the truth.
    source : str, default=None
        Column of the truth or of `scores` that names the hospital, device or data set of each
        lesion, for metrics by source and a prediction for a new source; needs `truth`.
    key : bytes, default=None
        Key that must have signed the model file. If None, signatures are not checked.
    n_cases : int, default=600
        Maximum number of lesions in the gallery, at least 1; `choose_cases` selects them.
    n_sheets : int, default=100
        Maximum number of ABCD sheets and, if the model has a fine-tuned network, attribution maps;
        `choose_cases` selects the lesions. If 0, none are drawn.
    n_jobs : int, default=1
        Number of processes that read images and draw; -1 uses all cores.
    progress : callable, default=None
        Called as ``progress(done, failed, total)`` while images are read, and again from the
        beginning while sheets are drawn.

    Returns
    -------
    PageResult
        Path and counts.

    Raises
    ------
    ArtifactError
        If the model file cannot be used.
    OptionError
        If `against` or `source` is given without `scores` and `truth`.
    TableError
        If a table cannot be used.
    """
    started = time.monotonic()
    check_number("n_cases", n_cases, low=1, integer=True)
    check_number("n_sheets", n_sheets, low=0, integer=True)
    for name, value in {"against": against, "source": source}.items():
        if value and not (scores and truth):
            raise OptionError(f"`{name}` needs `scores` and `truth` of the same lesions.")
    path = check_writable(Path(out) / "report.html")
    labels = {"target_column": target, "malignant": malignant, "benign": benign}
    options_of_truth = {"id_column": id_column, "columns": columns, **labels}
    data = collect_report_data(*(model, scores, truth, against, options_of_truth, source), key=key)
    shown = _choose(data, images, n_cases)
    featurizer = data.featurizer or LesionFeaturizer()
    options = {"masks": masks, "n_jobs": n_jobs, "progress": progress}
    reading = {"segmenter": featurizer.segmenter, "measured_side": featurizer.long_side}
    long_side = _LONG_SIDES[len(shown) > _MANY]
    pictures = take_pictures(_rows(shown), long_side=long_side, **reading, **options)
    # Sheets are drawn for lesions with a readable image.
    readable = shown[[not picture.error for picture in pictures]]
    drawn = _rows(plotting.choose_cases(readable, n_sheets)) if n_sheets and len(readable) else []
    column = getattr(data.classifier, "leading_", None)
    details = draw_details(drawn, featurizer, column=column, **options)
    by_image = {row[0]: detail for row, detail in zip(drawn, details, strict=True)}
    cards = make_cards(shown, pictures, by_image, data.threshold)
    content = fill_sections(data, cards, None if ablation is None else read_table(ablation))
    # One scale for all reliability diagrams.
    limit = max([plotting.reliability_limit(e.y, e.score) for e in data.evaluations], default=1.0)
    charts = [draw_charts(evaluation, limit) for evaluation in data.evaluations]
    compared = [_draw_comparison(number, one) for number, one in enumerate(data.comparisons)]
    with atomic_path(path) as temporary:
        page = _render(content | {"charts": charts, "compared": compared})
        temporary.write_text(page, encoding="utf-8")
    failed, undrawn = ([one.error for one in found if one.error] for found in (pictures, details))
    notes = list(data.notes)
    if undrawn:
        first = f"could not be drawn. The first: {undrawn[0]}"
        notes.append(f"{len(undrawn)} of {len(details)} ABCD sheets {first}")
    drawn_maps = [one.seen for one in details if one.sheet]
    if featurizer.embedder in FINETUNED_EMBEDDERS and drawn_maps and not any(drawn_maps):
        notes.append("CNN attribution maps are left out, because torch is not installed.")
    if failed:
        first = f"(the first: {failed[0]}); pass their location as `images`."
        notes.append(f"{len(failed):,} of {len(pictures):,} lesions have no image {first}")
    seconds = time.monotonic() - started
    return PageResult(path, len(cards), len(failed), tuple(notes), seconds)


def _choose(data: ReportData, images: Sequence[str | os.PathLike], n_cases: int) -> pd.DataFrame:
    """Select the lesions with the highest scores for the gallery, and locate their images."""
    if data.cases is None:
        return pd.DataFrame()
    cases = data.cases
    if images:
        found = find_images(list(images))
        names = found["image_id"].astype(str).map(normalise_image_id)
        cases = cases.assign(path=cases["image_id"].map(found["path"].set_axis(names)))
    elif "path" not in cases:
        cases = cases.assign(path=None)
    return plotting.choose_cases(cases, n_cases)


def _rows(cases: pd.DataFrame) -> list[tuple[str, str]]:
    return [] if cases.empty else list(zip(cases["image_id"], cases["path"], strict=True))


def draw_charts(evaluation: Evaluation, limit: float | None = None) -> list[dict[str, str]]:
    """Draw the ROC, precision-recall, reliability, decision and risk-coverage curves.

    Parameters
    ----------
    evaluation : Evaluation
        Scores and truth; both classes must occur.
    limit : float, default=None
        Upper end of both axes of the reliability diagram. If None, that of these scores.

    Returns
    -------
    list of dict
        Charts, each with ``key``, the prefix of its ids; ``svg``, the drawing, which contains
        no external text; ``alt``, the text alternative; and ``caption``.
    """
    y, score, threshold = evaluation.y, evaluation.score, evaluation.threshold
    legend = plotting.legend_words(evaluation.metrics)
    words = defaultdict(lambda: "not available", legend)
    band = roc_band(y, score, groups=evaluation.groups)
    # A panel is too narrow for two intervals.
    area, slope = (
        {name: legend[name]} if name in legend else {} for name in ("auc", "calibration_slope")
    )
    drawn: dict[str, tuple[Callable[[Axes], None], str, str]] = {
        "roc": (
            lambda axes: plotting.draw_roc(axes, y, score, threshold, area, band),
            f"ROC curve, area {words['auc']}.",
            "A curve closer to the upper left corner is better; the dotted line is chance. The "
            "band is the 95 % interval at each sensitivity.",
        ),
        "pr": (
            lambda axes: plotting.draw_precision_recall(axes, y, score, threshold, legend),
            f"Precision-recall curve, average precision {words['average_precision']}.",
            "Share of positive lesions that are malignant, against sensitivity. The dotted line is "
            "a random classifier.",
        ),
        "reliability": (
            lambda axes: plotting.draw_reliability(axes, y, score, slope, limit),
            f"Reliability diagram, calibration slope {words['calibration_slope']}.",
            "On the dotted line, one in ten lesions with a score of 10 % is malignant. Bars are "
            "95 % intervals; ticks are single lesions.",
        ),
        "decision": (
            lambda axes: _draw_decision(axes, y, score, threshold),
            "Decision curve: net benefit of treating by score, treating all lesions, and none.",
            "Where the line of the model is highest, treating by score has a higher net benefit "
            "than treating all lesions or none, at that threshold probability.",
        ),
    }
    if evaluation.risk is not None:
        drawn["risk"] = _risk_chart(evaluation.risk)
    return [
        _chart(f"{evaluation.key}-{name}", draw, alt, text)
        for name, (draw, alt, text) in drawn.items()
    ]


def _chart(key: str, draw: Callable[[Axes], None], alt: str, caption: str) -> dict[str, str]:
    return {"key": key, "svg": _to_svg(key, draw), "alt": alt, "caption": caption}


def _draw_comparison(number: int, one: Comparison) -> dict[str, object]:
    """Draw the ROC curves of two scores, and format their differences."""
    auc = one.differences.set_index("metric").loc["auc"]

    def draw(axes: Axes) -> None:
        plotting.draw_roc(axes, one.y, one.score, None, {})
        curve = roc_curve(one.y, one.against)
        style = {"color": MALIGNANT, "lw": 1.6, "ls": "--"}
        axes.plot(curve["false_positive_rate"], curve["sensitivity"], **style)

    caption = f"Line: the model, AUC {auc['value']:.3f}. Dashed: the other, {auc['against']:.3f}."
    chart = _chart(f"compared-{number}", draw, f"ROC curves of two scores. {caption}", caption)
    return {"name": one.name, "n": f"{len(one.y):,}", "chart": chart, "rows": compare_rows(one)}


def _risk_chart(risk: pd.DataFrame) -> tuple[Callable[[Axes], None], str, str]:
    def draw(axes: Axes) -> None:
        plotting.draw_selective(axes, risk)
        axes.set_title("Error by certainty", color=INK, fontsize=11, loc="left", pad=20)
        axes.set_box_aspect(1)

    tenth = risk[risk["coverage"] == 0.9]
    words = [
        f"{100 * row.error_left_out:.0f} % and {100 * row.error:.0f} % by {row.by}"
        for row in tenth.itertuples()
    ]
    alt = "Share of wrong labels against the share of lesions scored."
    caption = "Lesions of low certainty are left out from left to right. Wrong labels in the first "
    return draw, alt, f"{caption}tenth and in the others: {', '.join(words)}."


def _draw_decision(axes: Axes, y: np.ndarray, score: np.ndarray, threshold: float | None) -> None:
    curve = decision_curve(y, score)
    axes.axhline(0, color=NOTE, lw=1, ls=":")
    axes.plot(curve["threshold"], curve["act_on_all"], color=NOTE, lw=1.4, ls="--", label="all")
    axes.plot(curve["threshold"], curve["net_benefit"], color=MODEL, lw=2, label="model")
    plotting.square_panel(axes, "Threshold probability", "Net benefit per lesion", "Decision curve")
    top = max(float(curve["net_benefit"].max()), float(y.mean()), 1e-6)
    axes.set(xlim=(0, curve["threshold"].max()), ylim=(-0.25 * top, 1.12 * top))
    axes.plot([], [], color=NOTE, lw=1, ls=":", label="none")
    if threshold is not None and threshold <= curve["threshold"].max():
        axes.axvline(threshold, color=MALIGNANT, lw=1.2, label="threshold")
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, title="treat", alignment="left")
    axes.get_legend().get_title().set(color=NOTE, fontsize=9)


def _to_svg(key: str, draw: Callable[[Axes], None]) -> str:
    """Draw one panel as SVG whose ids begin with a key, in colours of the style sheet."""
    # Keep text as text: searchable, readable by screen readers, in the font of the page.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": key}):
        figure = Figure(figsize=(3.7, 3.8), layout="constrained")
        axes = figure.subplots()
        draw(axes)
        axes.tick_params(colors=INK, labelsize=9)
        axes.spines[:].set_color(NOTE)
        text = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    size = re.search(r'viewBox="[^"]*"', svg)[0]
    svg = re.sub(r"<svg[^>]*>", f'<svg {size} aria-hidden="true" focusable="false">', svg, count=1)
    # Remove URLs: links within the drawing need no namespace.
    svg = re.sub(r'\bid="', f'id="{key}-', svg)
    svg = re.sub(r'xlink:href="#', f'href="#{key}-', svg)
    svg = svg.replace("url(#", f"url(#{key}-")
    for name, color in THEME.items():
        svg = re.sub(color, f"var(--{name})", svg, flags=re.IGNORECASE)
    return svg


def _render(content: dict) -> str:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("hybridlesion.reporting.html"),
        autoescape=True,
        # Keep a number and its percent sign on one line.
        finalize=lambda value: (
            value.replace(" %", "\N{NO-BREAK SPACE}%") if isinstance(value, str) else value
        ),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = "\n".join(environment.get_template(name).render() for name in _SCRIPTS)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page = environment.get_template("page.html")
    return page.render(content, script=script, script_digest=digest)
