"""The cards of the gallery: one lesion each, with what the page says of it."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from hybridlesion._optional_imports import cv2
from hybridlesion.exceptions import HybridLesionError
from hybridlesion.explain import FAMILY_TITLES, SHARE_PREFIX, points_words
from hybridlesion.featurizer import Failure, LesionFeaturizer, attempt, read_segmented
from hybridlesion.io import find_masks, read_image, read_mask, resize_long_side
from hybridlesion.plotting._abcd_files import Drawn, SheetDrawing
from hybridlesion.plotting._abcd_text import SCORE_RANGES
from hybridlesion.plotting._cnn_sheet import cnn_words, paint_cnn_map
from hybridlesion.segmentation import segment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "ERRORS",
    "Bar",
    "Card",
    "Detail",
    "Picture",
    "draw_details",
    "make_cards",
    "side_by_side",
    "take_pictures",
    "webp",
]

Answer = TypeVar("Answer")


def side_by_side(
    jobs: Iterable[tuple],
    total: int,
    n_jobs: int,
    progress: Callable[[int, int, int], None] | None,
) -> list[Answer]:
    """Do jobs in processes, and tell how far they are.

    Parameters
    ----------
    jobs : iterable of joblib.delayed calls
        Each answers with something that has an ``error``, empty if all went well.
    total : int
        How many there are.
    n_jobs : int
        Processes; -1 takes every core.
    progress : callable or None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    list
        The answers, in order.
    """
    from joblib import Parallel

    answers, failed = [], 0
    for answer in Parallel(n_jobs=n_jobs, return_as="generator")(jobs):
        answers.append(answer)
        failed += bool(answer.error)
        if progress is not None:
            progress(len(answers), failed, total)
    return answers


def webp(image: np.ndarray, quality: int) -> str:
    """Pack a picture for the page.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3) or (H, W, 4), uint8
        RGB or RGBA.
    quality : int
        Of the WebP, 1 to 100.

    Returns
    -------
    str
        Its bytes in base64.

    Examples
    --------
    >>> webp(np.zeros((2, 2, 3), np.uint8), 50).startswith("UklGR")
    True
    """
    swapped = cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    options = [cv2.IMWRITE_WEBP_QUALITY, quality]
    _, data = cv2.imencode(".webp", cv2.cvtColor(image, swapped), options)
    return base64.b64encode(data.tobytes()).decode("ascii")


# 1280 x 800 pixels: the smallest size at which a sheet's words are still sharp.
_DPI = 80
_QUALITY = 50
# Maps are smooth: more pixels would show nothing more.
_MAP_SIDE = 112


@dataclass(frozen=True)
class Detail:
    """What is drawn of one lesion; empty strings where there is nothing to show.

    Parameters
    ----------
    sheet : str, default=''
        ABCD sheet of 1280 x 800 pixels as WebP in base64.
    seen : str, default=''
        What the network sees: a clear WebP in base64, to be laid over the whole photograph.
    words : str, default=''
        What `seen` shows, in a sentence.
    error : str, default=''
        Why nothing is drawn.
    """

    sheet: str = ""
    seen: str = ""
    words: str = ""
    error: str = ""


def draw_details(
    rows: Sequence[tuple[str, str]],
    featurizer: LesionFeaturizer,
    *,
    masks: str | os.PathLike | None = None,
    n_jobs: int = 1,
    progress: Callable[[int, int, int], None] | None = None,
) -> list[Detail]:
    """Draw lesions as the model measures them; of one that cannot be drawn, the detail says why.

    Parameters
    ----------
    rows : sequence of (image_id, path)
        Which images.
    featurizer : LesionFeaturizer
        How the model measures images, and with which networks.
    masks : str or path-like, default=None
        Folder of masks, as ``IMAGEID_segmentation.png``; an image without one is segmented
        anew.
    n_jobs : int, default=1
        Processes; -1 takes every core.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    list of Detail
        One a row, in order.
    """
    from joblib import delayed

    found = {} if masks is None else find_masks(masks, (image_id for image_id, _ in rows))
    jobs = (delayed(_draw)(row, featurizer, found) for row in rows)
    return side_by_side(jobs, len(rows), n_jobs, progress)


def _draw(row: tuple[str, str], featurizer: LesionFeaturizer, masks: dict[str, str]) -> Detail:
    from threadpoolctl import threadpool_limits

    # Pictures are drawn side by side; threads of one picture would only wait for each other.
    with threadpool_limits(1):
        reading = {"long_side": featurizer.long_side, "segmenter": featurizer.segmenter}
        _, found = next(iter(read_segmented([row], **reading)))
        if not isinstance(found, Failure):
            drawing = SheetDrawing(featurizer, masks if row[0] in masks else None)
            found = attempt(row, "features", partial(drawing, row, *found))
    return Detail(error=found.reason) if isinstance(found, Failure) else _shrink(found)


def _shrink(drawn: Drawn) -> Detail:
    sheet = webp(_pixels(drawn.sheet), _QUALITY)
    if drawn.seen is None:
        return Detail(sheet)
    seen = webp(paint_cnn_map(drawn.seen, _MAP_SIDE), _QUALITY)
    return Detail(sheet, seen, cnn_words(drawn.seen, drawn.mask))


def _pixels(figure: Figure) -> np.ndarray:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(_DPI)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


_PICTURES_QUALITY = 70
_STRIP = 64  # pixels of the picture in the strip of a patient's lesions


@dataclass(frozen=True)
class Picture:
    """What the page shows of one image; all strings are of our own making but `error`.

    Parameters
    ----------
    data, small : str, default=''
        WebP in base64, without metadata of the photograph; `small` is for strips.
    width, height : int, default=0
        Pixels of `data`.
    outline : str, default=''
        Path of the mask's outline in these pixels; empty without a mask.
    error : str, default=''
        Why there is no picture; empty if there is one.
    """

    data: str = ""
    small: str = ""
    width: int = 0
    height: int = 0
    outline: str = ""
    error: str = ""


def take_pictures(
    rows: Iterable[tuple[str, str]],
    *,
    masks: str | os.PathLike | None = None,
    segmenter: str = "classical",
    measured_side: int = 512,
    long_side: int = 320,
    n_jobs: int = 1,
    progress: Callable[[int, int, int], None] | None = None,
) -> list[Picture]:
    """Read, shrink and outline images; what fails is told in its picture, not raised.

    Parameters
    ----------
    rows : iterable of (image_id, path)
        Which images.
    masks : str or path-like, default=None
        Folder of masks, as ``IMAGEID_segmentation.png``; an image without one is segmented anew.
    segmenter : str, default="classical"
        What segments them; see `hybridlesion.segmentation.segment`.
    measured_side : int, default=512
        Long side in pixels at which the model measures: a mask of a smaller picture would be
        another one.
    long_side : int, default=320
        Long side of the pictures in pixels.
    n_jobs : int, default=1
        Processes; -1 takes every core.
    progress : callable, default=None
        Called as ``progress(done, failed, total)``.

    Returns
    -------
    list of Picture
        One a row, in order.
    """
    from joblib import delayed

    rows = list(rows)
    found = {} if masks is None else find_masks(masks, (image_id for image_id, _ in rows))
    jobs = (
        delayed(_take)(path, found.get(image_id), segmenter, measured_side, long_side)
        for image_id, path in rows
    )
    return side_by_side(jobs, len(rows), n_jobs, progress)


def _take(
    path: str, mask_path: str | None, segmenter: str, measured_side: int, long_side: int
) -> Picture:
    if not isinstance(path, str):
        return Picture(error="no path of the image is known")
    try:
        image = resize_long_side(read_image(path, long_side=measured_side), measured_side)
        mask = segment(image, segmenter=segmenter) if mask_path is None else read_mask(mask_path)
    except HybridLesionError as error:
        return Picture(error=f"{Path(path).name} cannot be shown ({type(error).__name__})")
    shown = resize_long_side(image, min(long_side, max(image.shape[:2])))
    height, width = shown.shape[:2]
    strip = cv2.resize(_square(shown), (_STRIP, _STRIP), interpolation=cv2.INTER_AREA)
    outline = _outline(mask, width, height)
    return Picture(
        webp(shown, _PICTURES_QUALITY), webp(strip, _PICTURES_QUALITY), width, height, outline
    )


def _square(image: np.ndarray) -> np.ndarray:
    side = min(image.shape[:2])
    top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])


def _outline(mask: np.ndarray, width: int, height: int) -> str:
    small = cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_AREA)
    contours, _ = cv2.findContours(
        (small > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    paths = []
    for contour in contours:
        points = cv2.approxPolyDP(contour, 0.7, True)[:, 0]
        if len(points) > 2:
            paths.append("M" + "L".join(f"{x} {y}" for x, y in points) + "Z")
    return "".join(paths)


ERRORS = ("missed", "false alarm", "right", "truth unknown")
_SHEET = {
    "abcd__asymmetry": "A asymmetry",
    "abcd__border": "B border",
    "abcd__color": "C colour",
    "abcd__structures": "D structures",
    "abcd__tds": "total (TDS)",
}
_MOST_BARS = 5


@dataclass(frozen=True)
class Bar:
    """A bar with its words.

    Parameters
    ----------
    label, words : str
        What is drawn, and its value.
    start, length : float
        Share of the whole width, 0 to 1.
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
    """One lesion of the gallery; every string may come from outside.

    Parameters
    ----------
    number : int
        Its place, from 0, in the order of falling scores.
    image_id, patient : str
        Names; `patient` is empty where it is unknown.
    score : float
        Probability of malignancy.
    called : bool
        Whether the score reaches the threshold.
    truth : str
        ``"malignant"``, ``"benign"`` or ``"unknown"``.
    error : str
        One of `ERRORS`.
    about : str
        Age, sex, site and diagnosis, where known.
    picture : Picture
        Its picture.
    detail : Detail
        Its drawn sheet and map.
    reasons : tuple of str
        The strongest, in words.
    shares : tuple of Bar
        What the families of measurements add to the score.
    sheet : tuple of Bar
        ABCD scores on their ranges.
    others : tuple of (int, float)
        The patient's lesions among the cards, this one too: number and score, by falling score.
    """

    number: int
    image_id: str
    patient: str
    score: float
    called: bool
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
    """Make the cards of the gallery.

    Parameters
    ----------
    cases : DataFrame of shape (n, columns)
        Scored lesions by falling score, with a clean index.
    pictures : sequence of Picture
        One each.
    details : mapping of str to Detail
        What was drawn, by image id; of some lesions only.
    threshold : float or None
        From which score on a lesion counts as called; None calls none.

    Returns
    -------
    list of Card
        One a lesion, in order.
    """
    patients = _texts(cases, "patient_id")
    together: dict[str, list[tuple[int, float]]] = {}
    for number, patient in enumerate(patients):
        if patient:
            together.setdefault(patient, []).append((number, float(cases["score"][number])))
    records = cases.to_dict("records")
    widest = _widest_share(cases)
    return [
        _make_card(
            *(number, row, patients[number], pictures[number]),
            *(details.get(str(row["image_id"]), Detail()), threshold, widest, together),
        )
        for number, row in enumerate(records)
    ]


def _make_card(number, row, patient, picture, detail, threshold, widest, together) -> Card:
    called = threshold is not None and row["score"] >= threshold
    truth = {1: "malignant", 0: "benign"}.get(row.get("target"), "unknown")
    others = tuple(together.get(patient, ()))
    return Card(
        number=number,
        image_id=str(row["image_id"]),
        patient=patient,
        score=float(row["score"]),
        called=bool(called),
        truth=truth,
        error=_error(truth, called, threshold),
        about=_about(row),
        picture=picture,
        detail=detail,
        reasons=tuple(str(row[f"reason_{k}"]) for k in (1, 2, 3) if _known(row.get(f"reason_{k}"))),
        shares=_shares(row, widest),
        sheet=_sheet(row),
        others=others if len(others) > 1 else (),
    )


def _error(truth: str, called: bool, threshold: float | None) -> str:
    if truth == "unknown" or threshold is None:
        return "truth unknown"
    if called == (truth == "malignant"):
        return "right"
    return "false alarm" if called else "missed"


def _about(row: dict) -> str:
    age = f"{row['age']:.0f} years" if _known(row.get("age")) else ""
    rest = [str(row[name]) for name in ("sex", "site", "diagnosis") if _known(row.get(name))]
    return ", ".join([age, *rest] if age else rest)


def _shares(row: dict, widest: float) -> tuple[Bar, ...]:
    """Diverging bars: what adds reaches right of the middle, what takes left of it."""
    found = {
        family: float(row[f"{SHARE_PREFIX}{family}"])
        for family in FAMILY_TITLES
        if _known(row.get(f"{SHARE_PREFIX}{family}"))
    }
    strongest = sorted(found, key=lambda family: -abs(found[family]))[:_MOST_BARS]
    bars = []
    for family in strongest:
        share = found[family]
        length = 0.5 * abs(share) / widest
        start = 0.5 if share >= 0 else 0.5 - length
        kind = "up" if share >= 0 else "down"
        bars.append(Bar(FAMILY_TITLES[family], points_words(share), start, length, kind))
    return tuple(bars)


def _sheet(row: dict) -> tuple[Bar, ...]:
    bars = []
    for name, title in _SHEET.items():
        if _known(row.get(name)):
            low, high = SCORE_RANGES[name]
            length = (float(row[name]) - low) / (high - low)
            bars.append(Bar(title, f"{row[name]:.1f} of {high:g}", 0.0, length, "level"))
    return tuple(bars)


def _widest_share(cases: pd.DataFrame) -> float:
    names = [name for name in cases if str(name).startswith(SHARE_PREFIX)]
    widest = float(cases[names].abs().max(axis=None)) if names and len(cases) else 0.0
    return widest if widest > 0 else 1.0


def _texts(cases: pd.DataFrame, name: str) -> list[str]:
    if name not in cases:
        return [""] * len(cases)
    return [str(value) if _known(value) else "" for value in cases[name]]


def _known(value: object) -> bool:
    return (
        value is not None
        and value == value
        and not (isinstance(value, float) and math.isnan(value))
    )
