"""Images to measurements: each is read, segmented and measured, or told as a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np

from hybridlesion.exceptions import ImageError, SourceError
from hybridlesion.features import abcd, feature_names
from hybridlesion.io import read_image, resize_long_side
from hybridlesion.leakage import HASH_COLUMNS, encode_hash, perceptual_hash
from hybridlesion.preprocessing import max_rgb, shades_of_gray
from hybridlesion.segmentation import Segmentation, segment_details, segment_many

__all__ = [
    "BLOCK",
    "COLOR_CONSTANCY",
    "Failure",
    "Lesion",
    "attempt",
    "lesion_columns",
    "read_lesions",
    "read_segmented",
]

# Images that are in memory, and before a segmenting network, at once.
BLOCK = 8

# What an image can do wrong; anything else is a fault of the program, and shall be seen.
_EXPECTED = (ImageError, SourceError, ArithmeticError, ValueError, IndexError, MemoryError)

Row = tuple[str, object]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Failure:
    """Why one image gave no features.

    Parameters
    ----------
    image_id, path : str
        Which image.
    stage : {"read", "segment", "features", "worker"}
        Where it failed.
    reason : str
        What went wrong, in one line.
    """

    image_id: str
    path: str
    stage: str
    reason: str


def read_segmented(
    rows: Iterable[Row],
    *,
    long_side: int,
    segmenter: str,
    tick: Callable[[], object] | None = None,
) -> Iterator[tuple[Row, tuple[np.ndarray, Segmentation] | Failure]]:
    """Decode and segment images.

    Parameters
    ----------
    rows : iterable of (image_id, path)
        Which images, with locators as `hybridlesion.io.list_images` gives them.
    long_side : int
        Long side in pixels at which they are segmented.
    segmenter : str
        One of `hybridlesion.segmentation.SEGMENTERS`, or the weight file of a refiner.
    tick : callable, default=None
        Called after every image that was read, as a sign of life.

    Yields
    ------
    tuple
        The row, and its image and segmentation or its failure; in order.
    """
    rows = iter(rows)
    while block := list(islice(rows, BLOCK)):
        images = []
        for row in block:
            images.append(attempt(row, "read", partial(_read, row[1], long_side)))
            if tick is not None:
                tick()
        segmented = _segment(block, images, segmenter)
        for row, image, details in zip(block, images, segmented, strict=True):
            yield row, details if isinstance(details, Failure) else (image, details)


def attempt(row: Row, stage: str, work: Callable[[], Answer]) -> Answer | Failure:
    """Do one step of the work on one image.

    Parameters
    ----------
    row : tuple of image_id and path
        Which image.
    stage : str
        What the step is called in a failure.
    work : callable
        The step.

    Returns
    -------
    object
        What `work` returns, or the failure.
    """
    try:
        return work()
    except _EXPECTED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        image_id, path = row
        return Failure(str(image_id), path if isinstance(path, str) else "", stage, reason)


def _read(path: object, long_side: int) -> np.ndarray:
    if not isinstance(path, str):
        raise ImageError("the record has no path to an image.")
    return resize_long_side(read_image(path, long_side=long_side), long_side)


def _segment(block: list[Row], images: list, segmenter: str) -> list[Segmentation | Failure]:
    """Segment what could be read, together; if one image spoils that, each on its own."""
    results = list(images)
    readable = [i for i, image in enumerate(images) if not isinstance(image, Failure)]
    try:
        found = segment_many([images[i] for i in readable], segmenter=segmenter)
    except _EXPECTED:
        found = [
            attempt(block[i], "segment", partial(segment_details, images[i], segmenter=segmenter))
            for i in readable
        ]
    for i, details in zip(readable, found, strict=True):
        results[i] = details
    return results


COLOR_CONSTANCY = {"none": None, "shades_of_gray": shades_of_gray, "max_rgb": max_rgb}


@dataclass(frozen=True)
class Lesion:
    """One image that went through: its pixels, its mask and its measurements.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image at analysis scale.
    details : Segmentation
        Mask, confidence, hair and field of view.
    values : dict of str to float
        The `qa__` and `abcd__` columns.
    """

    image: np.ndarray
    details: Segmentation
    values: dict[str, float]


def lesion_columns() -> list[str]:
    """Name the columns that `read_lesions` measures, in order.

    Returns
    -------
    list of str
        ``qa__`` columns, the last of them the look of the photograph, then ``abcd__`` columns.
    """
    return [*_QUALITY, *HASH_COLUMNS, *feature_names()]


def read_lesions(
    rows: Iterable[tuple[str, object]],
    *,
    long_side: int,
    segmenter: str,
    color_constancy: str,
    tick: Callable[[], object] | None = None,
) -> Iterator[Lesion | Failure]:
    """Decode, segment and measure images; what fails is told, not raised.

    Parameters
    ----------
    rows : iterable of (image_id, path)
        Which images, with locators as `hybridlesion.io.list_images` gives them.
    long_side : int
        Long side in pixels at which they are analysed.
    segmenter : str
        One of `hybridlesion.segmentation.SEGMENTERS`, or the weight file of a refiner.
    color_constancy : str
        A key of `COLOR_CONSTANCY`.
    tick : callable, default=None
        Called after every image that was read, as a sign of life.

    Yields
    ------
    Lesion or Failure
        The measurements, or the stage and the reason; one a row, in order.
    """
    for row, found in read_segmented(rows, long_side=long_side, segmenter=segmenter, tick=tick):
        if isinstance(found, Failure):
            yield found
        else:
            yield attempt(row, "features", _Measurement(*found, color_constancy))


@dataclass(frozen=True)
class _Measurement:
    image: np.ndarray
    details: Segmentation
    color_constancy: str

    def __call__(self) -> Lesion:
        correct = COLOR_CONSTANCY[self.color_constancy]
        image, details = self.image, self.details
        values = abcd(
            image if correct is None else correct(image, mask=details.field_of_view),
            details.mask,
            field_of_view=details.field_of_view,
            hair=details.hair,
            raw=image,
        )
        quality = {name: measure(details) for name, measure in _QUALITY.items()}
        look = encode_hash(perceptual_hash(image)).tolist()
        quality |= dict(zip(HASH_COLUMNS, look, strict=True))
        return Lesion(image, details, quality | values)


_QUALITY = {
    "qa__segmentation_confidence": lambda details: details.confidence,
    "qa__mask_share": lambda details: float(details.mask.mean()),
    "qa__hair_share": lambda details: float(details.hair.mean()),
    "qa__dark_corner_share": lambda details: 1.0 - float(details.field_of_view.mean()),
    "qa__empty_mask": lambda details: float("empty" in details.flags),
    "qa__touches_border": lambda details: float("touches_border" in details.flags),
    "qa__several_lesions": lambda details: float("several" in details.flags),
}
