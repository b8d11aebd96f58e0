"""Small pictures of lesions, with the mask's outline as a path."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.exceptions import HybridLesionError
from hybridlesion.images import find_masks, read_image, read_mask, resize_long_side
from hybridlesion.report.page._work import side_by_side, webp
from hybridlesion.segmentation import segment

__all__ = ["Picture", "take_pictures"]

_QUALITY = 70
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
    return Picture(webp(shown, _QUALITY), webp(strip, _QUALITY), width, height, outline)


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
