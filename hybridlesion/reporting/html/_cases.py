"""The report's gallery: images, drawings and text for each lesion."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.base import clone

from hybridlesion._optional_imports import cv2
from hybridlesion.batch import map_images
from hybridlesion.exceptions import HybridLesionError
from hybridlesion.explain import FAMILY_TITLES, SHARE_PREFIX, points_words
from hybridlesion.featurizer import Failure, LesionFeaturizer, attempt, read_segmented
from hybridlesion.io import find_masks, read_image, read_mask, resize_long_side
from hybridlesion.plotting import SCORE_RANGES, DrawnSheet, SheetDrawing, cnn_words, paint_cnn_map
from hybridlesion.segmentation import segment, trace_outline

Answer = TypeVar("Answer", bound="Detail | Picture")
Progress = Callable[[int, int, int], None]


def _map_rows(
    work: Callable[[Any], Answer],
    kind: type[Answer],
    items: Sequence[tuple[str, str, Any]],
    n_jobs: int,
    progress: Progress | None,
) -> list[Answer]:
    """Call a function with the last of (image_id, path, argument) of each row; keep the order.

    The answer for an image that kills its worker is ``kind(error=reason)``.
    """
    answers, failed = {}, 0
    for position, answer in map_images(work, items, n_jobs):
        found = kind(error=answer.reason) if isinstance(answer, Failure) else answer
        answers[position] = found
        failed += bool(found.error)
        if progress is not None:
            progress(len(answers), failed, len(items))
    return [answers[position] for position in range(len(items))]


def webp(image: np.ndarray, quality: int) -> str:
    """Encode an image for the page.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3) or (H, W, 4), uint8
        RGB or RGBA.
    quality : int
        Quality of the WebP image, 1 to 100.

    Returns
    -------
    str
        WebP in base64.

    Examples
    --------
    >>> webp(np.zeros((2, 2, 3), np.uint8), 50).startswith("UklGR")
    True
    """
    swapped = cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    options = [cv2.IMWRITE_WEBP_QUALITY, quality]
    _, data = cv2.imencode(".webp", cv2.cvtColor(image, swapped), options)
    return base64.b64encode(data.tobytes()).decode("ascii")


# 1280 x 800 pixels: the smallest size at which the text of a sheet is legible.
_DPI = 80
_QUALITY = 50
# Maps are smooth; more pixels would not show more.
_MAP_SIDE = 112


@dataclass(frozen=True)
class Detail:
    """Drawings of one lesion; missing drawings are empty strings.

    Parameters
    ----------
    sheet : str, default=''
        ABCD sheet of 1280 x 800 pixels as WebP in base64.
    seen : str, default=''
        CNN attribution map: a transparent WebP in base64 that overlays the photograph.
    words : str, default=''
        Description of `seen`.
    error : str, default=''
        Reason why nothing was drawn.
    """

    sheet: str = ""
    seen: str = ""
    words: str = ""
    error: str = ""


def draw_details(
    rows: Sequence[tuple[str, str]],
    featurizer: LesionFeaturizer,
    *,
    column: str | None = None,
    masks: str | os.PathLike | None = None,
    n_jobs: int = 1,
    progress: Progress | None = None,
) -> list[Detail]:
    """Draw ABCD sheets and, if torch is installed, attribution maps; failures have a reason.

    Parameters
    ----------
    rows : sequence of (image_id, path)
        Images.
    featurizer : LesionFeaturizer
        Featurizer of the model.
    column : str or None, default=None
        Score of the network whose attribution is mapped.
    masks : str or path-like, default=None
        Folder of masks, as ``IMAGEID_segmentation.png``; images without a mask are segmented.
    n_jobs : int, default=1
        Number of processes; -1 uses all cores.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    list of Detail
        One per row, in order.
    """
    found = {} if masks is None else find_masks(masks, (image_id for image_id, _ in rows))
    if find_spec("torch") is None:  # in a slim installation, there are sheets but no maps
        featurizer = clone(featurizer).set_params(embedder="none")
    work = partial(_draw, featurizer=featurizer, masks=found, column=column)
    return _map_rows(work, Detail, [(*row, row) for row in rows], n_jobs, progress)


def _draw(
    row: tuple[str, str],
    *,
    featurizer: LesionFeaturizer,
    masks: dict[str, str],
    column: str | None,
) -> Detail:
    from threadpoolctl import threadpool_limits

    reading = {"long_side": featurizer.long_side, "segmenter": featurizer.segmenter}
    # Drawing is parallel over images; threads within an image would compete for cores.
    with threadpool_limits(1):
        _, found = next(read_segmented([row], **reading))
        if not isinstance(found, Failure):
            drawing = SheetDrawing(featurizer, masks if row[0] in masks else None, column)
            found = attempt(row, "features", partial(drawing, row, *found))
    return Detail(error=found.reason) if isinstance(found, Failure) else _shrink(found)


def _shrink(drawn: DrawnSheet) -> Detail:
    sheet = webp(_pixels(drawn.sheet), _QUALITY)
    if drawn.seen is None:
        return Detail(sheet)
    seen = webp(paint_cnn_map(drawn.seen, _MAP_SIDE), _QUALITY)
    return Detail(sheet, seen, cnn_words(drawn.seen, drawn.mask))


def _pixels(figure: Figure) -> np.ndarray:
    figure.set_dpi(_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


_PICTURES_QUALITY = 70
_STRIP = 64  # pixels per side of a picture in the strip of a patient's lesions


@dataclass(frozen=True)
class Picture:
    """Image data for the page; only `error` contains external text.

    Parameters
    ----------
    data, small : str, default=''
        WebP in base64, without metadata of the photograph; `small` is a thumbnail.
    width, height : int, default=0
        Size of `data` in pixels.
    outline : str, default=''
        SVG path of the mask's outline in these pixels; empty without a mask.
    error : str, default=''
        Reason why there is no image; empty if there is one.
    """

    data: str = ""
    small: str = ""
    width: int = 0
    height: int = 0
    outline: str = ""
    error: str = ""


def take_pictures(
    rows: Sequence[tuple[str, str]],
    *,
    masks: str | os.PathLike | None = None,
    segmenter: str = "refined",
    measured_side: int = 512,
    long_side: int = 320,
    n_jobs: int = 1,
    progress: Progress | None = None,
) -> list[Picture]:
    """Read, resize and outline images; failures are recorded, not raised.

    Parameters
    ----------
    rows : sequence of (image_id, path)
        Images.
    masks : str or path-like, default=None
        Folder of masks, as ``IMAGEID_segmentation.png``; images without a mask are segmented.
    segmenter : str, default="refined"
        Segmenter; see `hybridlesion.segmentation.segment`.
    measured_side : int, default=512
        Long side in pixels at which the model segments and measures.
    long_side : int, default=320
        Long side of the images on the page in pixels.
    n_jobs : int, default=1
        Number of processes; -1 uses all cores.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    list of Picture
        One per row, in order.
    """
    found = {} if masks is None else find_masks(masks, (image_id for image_id, _ in rows))
    work = partial(_take, segmenter=segmenter, measured_side=measured_side, long_side=long_side)
    items = [(image_id, path, (path, found.get(image_id))) for image_id, path in rows]
    return _map_rows(work, Picture, items, n_jobs, progress)


def _take(
    paths: tuple[str, str | None], *, segmenter: str, measured_side: int, long_side: int
) -> Picture:
    path, mask_path = paths
    if not isinstance(path, str):
        return Picture(error="the path of the image is unknown")
    try:
        image = resize_long_side(read_image(path, long_side=measured_side), measured_side)
        mask = segment(image, segmenter=segmenter) if mask_path is None else read_mask(mask_path)
    except HybridLesionError as error:
        return Picture(error=f"{Path(path).name} cannot be shown ({type(error).__name__})")
    shown = resize_long_side(image, long_side)
    height, width = shown.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = shown[top : top + side, left : left + side]
    strip = cv2.resize(square, (_STRIP, _STRIP), interpolation=cv2.INTER_AREA)
    data, small = webp(shown, _PICTURES_QUALITY), webp(strip, _PICTURES_QUALITY)
    return Picture(data, small, width, height, _outline(mask, width, height))


def _outline(mask: np.ndarray, width: int, height: int) -> str:
    small = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    shapes = trace_outline(cv2.GaussianBlur(small, (0, 0), 0.5), tolerance=0.2)
    paths = ("L".join(f"{x:.1f} {y:.1f}" for x, y in shape) for shape in shapes)
    return "".join(f"M{path}Z" for path in paths)


ERRORS = ("false negative", "false positive", "correct", "truth unknown")
_SHEET = {
    "abcd__asymmetry": "A asymmetry",
    "abcd__border": "B border",
    "abcd__color": "C colour",
    "abcd__structures": "D structures",
    "abcd__tds": "total (TDS)",
    "abcd__seven_point": "seven points",
}
_REASONS = ("reason_1", "reason_2", "reason_3")
_MOST_BARS = 5


@dataclass(frozen=True)
class Bar:
    """A labelled bar.

    Parameters
    ----------
    label, words : str
        Label and value.
    start, length : float
        Fractions of the width, 0 to 1.
    kind : str
        ``"up"``, ``"down"`` or ``"level"``.
    """

    label: str
    words: str
    start: float
    length: float
    kind: str


@dataclass(frozen=True)
class Card:
    """One lesion of the gallery; all strings may contain external text.

    Parameters
    ----------
    number : int
        Position in the order of decreasing score, from 0.
    image_id, patient : str
        Identifiers; `patient` is empty if unknown.
    score : float
        Probability of malignancy.
    truth : str
        ``"malignant"``, ``"benign"`` or ``"unknown"``.
    error : str
        One of `ERRORS`.
    about : str
        Age, sex, site and diagnosis, if known.
    picture : Picture
        Image of the lesion.
    detail : Detail
        Drawings of the lesion.
    reasons : tuple of str
        The strongest reasons.
    shares : tuple of Bar
        Contributions of the feature families to the score.
    sheet : tuple of Bar
        ABCD scores relative to their ranges.
    others : tuple of (int, float)
        All lesions of the patient in the gallery: number and score, highest score first.
    """

    number: int
    image_id: str
    patient: str
    score: float
    truth: str
    error: str
    about: str
    picture: Picture
    detail: Detail
    reasons: tuple[str, ...]
    shares: tuple[Bar, ...]
    sheet: tuple[Bar, ...]
    others: tuple[tuple[int, float], ...]


def make_cards(
    cases: pd.DataFrame,
    pictures: Sequence[Picture],
    details: Mapping[str, Detail],
    threshold: float | None,
) -> list[Card]:
    """Create the cards of the gallery.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Scored lesions, highest score first, with a default index.
    pictures : sequence of Picture
        One for each lesion.
    details : mapping of str to Detail
        Drawings of some of the lesions, by image id.
    threshold : float or None
        Lowest score that is classified as malignant. If None, lesions are not classified.

    Returns
    -------
    list of Card
        One per lesion, in order.
    """
    rows, widest = cases.to_dict("records"), _widest_share(cases)
    lesions: dict[str, list[tuple[int, float]]] = {}
    for number, row in enumerate(rows):
        row["patient_id"] = str(row["patient_id"]) if pd.notna(row.get("patient_id")) else ""
        lesions.setdefault(row["patient_id"], []).append((number, float(row["score"])))
    others = {patient: tuple(own) for patient, own in lesions.items() if patient and len(own) > 1}
    cards = []
    for number, (row, picture) in enumerate(zip(rows, pictures, strict=True)):
        called = threshold is not None and bool(row["score"] >= threshold)
        truth = {1: "malignant", 0: "benign"}.get(row.get("target"), "unknown")
        card = Card(
            number=number,
            image_id=str(row["image_id"]),
            patient=row["patient_id"],
            score=float(row["score"]),
            truth=truth,
            error=_error(truth, called, threshold),
            about=_about(row),
            picture=picture,
            detail=details.get(str(row["image_id"]), Detail()),
            reasons=tuple(str(row[name]) for name in _REASONS if pd.notna(row.get(name))),
            shares=_shares(row, widest),
            sheet=_sheet(row),
            others=others.get(row["patient_id"], ()),
        )
        cards.append(card)
    return cards


def _error(truth: str, called: bool, threshold: float | None) -> str:
    if truth == "unknown" or threshold is None:
        return "truth unknown"
    if called == (truth == "malignant"):
        return "correct"
    return "false positive" if called else "false negative"


def _about(row: dict) -> str:
    words = [f"{row['age']:.0f} years"] if pd.notna(row.get("age")) else []
    words += [str(row[name]) for name in ("sex", "site", "diagnosis") if pd.notna(row.get(name))]
    return ", ".join(words)


def _shares(row: dict, widest: float) -> tuple[Bar, ...]:
    """Return diverging bars: positive contributions to the right, negative to the left."""
    shares = {title: row.get(f"{SHARE_PREFIX}{name}") for name, title in FAMILY_TITLES.items()}
    known = [(title, float(share)) for title, share in shares.items() if pd.notna(share)]
    bars = []
    for title, share in sorted(known, key=lambda one: -abs(one[1]))[:_MOST_BARS]:
        length = 0.5 * abs(share) / widest
        start, kind = (0.5, "up") if share >= 0 else (0.5 - length, "down")
        bars.append(Bar(title, points_words(share), start, length, kind))
    return tuple(bars)


def _sheet(row: dict) -> tuple[Bar, ...]:
    bars = []
    for name, title in _SHEET.items():
        if pd.notna(row.get(name)):
            low, high = SCORE_RANGES[name]
            length = (float(row[name]) - low) / (high - low)
            bars.append(Bar(title, f"{row[name]:.3g} of {high:g}", 0.0, length, "level"))
    return tuple(bars)


def _widest_share(cases: pd.DataFrame) -> float:
    names = [name for name in cases if str(name).startswith(SHARE_PREFIX)]
    widest = float(cases[names].abs().max(axis=None)) if names and len(cases) else 0.0
    return widest if widest > 0 else 1.0
