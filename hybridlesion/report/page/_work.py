"""What the pictures and the drawn details of a page have in common."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

from hybridlesion._opencv import cv2

__all__ = ["side_by_side", "webp"]

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
