"""Reading, segmentation and measurement of images, with failures reported per image."""

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

# Number of images in memory, and in a batch of the segmentation network, at a time.
BLOCK = 8

# Errors that an image can cause; any other exception is a bug and propagates.
_EXPECTED = (ImageError, SourceError, ArithmeticError, ValueError, IndexError, MemoryError)

Row = tuple[str, object]
SegmentedImage = tuple[np.ndarray, Segmentation]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Failure:
    """Reason why an image has no features.

    Parameters
    ----------
    image_id, path : str
        Id and locator of the image.
    stage : {"read", "segment", "features", "worker"}
        Step that failed.
    reason : str
        Error message on a single line.
    """

    image_id: str
    path: str
    stage: str
    reason: str


def read_segmented(
    rows: Iterable[Row], *, long_side: int, segmenter: str, tick: Callable[[], object] | None = None
) -> Iterator[tuple[Row, SegmentedImage | Failure]]:
    """Decode and segment images.

    Parameters
    ----------
    rows : iterable of (image_id, path)
        Image ids and locators, as returned by `hybridlesion.io.list_images`.
    long_side : int
        Long side in pixels at which images are segmented.
    segmenter : str
        One of `hybridlesion.segmentation.SEGMENTERS`, or the weight file of a refiner.
    tick : callable, default=None
        Heartbeat, called after each image is read.

    Yields
    ------
    tuple
        Each row in order, with either its image and segmentation or its failure.
    """
    rows = iter(rows)
    while block := list(islice(rows, BLOCK)):
        images = []
        for row in block:
            images.append(attempt(row, "read", partial(_read, row[1], long_side)))
            if tick is not None:
                tick()
        yield from zip(block, _segment(block, images, segmenter), strict=True)


def attempt(row: Row, stage: str, work: Callable[[], Answer]) -> Answer | Failure:
    """Run one step for one image and turn expected errors into a failure.

    Parameters
    ----------
    row : tuple of image_id and path
        Id and locator of the image.
    stage : str
        Name of the step, as reported in a failure.
    work : callable
        Step to run.

    Returns
    -------
    object
        Result of `work`, or the failure.
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


def _segment(
    block: list[Row], images: list[np.ndarray | Failure], segmenter: str
) -> Iterator[SegmentedImage | Failure]:
    """Segment all readable images together, or one by one if that fails."""
    readable = [image for image in images if not isinstance(image, Failure)]
    try:
        together = iter(segment_many(readable, segmenter=segmenter))
    except _EXPECTED:
        together = None
    for row, image in zip(block, images, strict=True):
        if isinstance(image, Failure):
            yield image
            continue
        if together is not None:
            yield image, next(together)
            continue
        details = attempt(row, "segment", partial(segment_details, image, segmenter=segmenter))
        yield details if isinstance(details, Failure) else (image, details)


COLOR_CONSTANCY: dict[str, Callable[..., np.ndarray] | None] = {
    "none": None,
    "shades_of_gray": shades_of_gray,
    "max_rgb": max_rgb,
}


@dataclass(frozen=True)
class MeasuredLesion:
    """Image with its mask and measurements.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image at analysis scale.
    details : Segmentation
        Mask, confidence, hair and field of view.
    values : dict of str to float
        Values of the `qa__` and `abcd__` columns.
    """

    image: np.ndarray
    details: Segmentation
    values: dict[str, float]


def lesion_columns() -> list[str]:
    """Return the names of the columns measured by `read_lesions`, in order.

    Returns
    -------
    list of str
        ``qa__`` columns, ending with the perceptual hash, followed by ``abcd__`` columns.
    """
    return [*_QUALITY, *HASH_COLUMNS, *feature_names()]


def read_lesions(
    rows: Iterable[tuple[str, object]],
    *,
    long_side: int,
    segmenter: str,
    color_constancy: str,
    tick: Callable[[], object] | None = None,
) -> Iterator[MeasuredLesion | Failure]:
    """Decode, segment and measure images; failures are returned instead of raised.

    Parameters
    ----------
    rows : iterable of (image_id, path)
        Image ids and locators, as returned by `hybridlesion.io.list_images`.
    long_side : int
        Long side in pixels at which images are analysed.
    segmenter : str
        One of `hybridlesion.segmentation.SEGMENTERS`, or the weight file of a refiner.
    color_constancy : str
        A key of `COLOR_CONSTANCY`.
    tick : callable, default=None
        Heartbeat, called after each image is read.

    Yields
    ------
    MeasuredLesion or Failure
        Measurements or failure of each row, in order.
    """
    for row, found in read_segmented(rows, long_side=long_side, segmenter=segmenter, tick=tick):
        if isinstance(found, Failure):
            yield found
        else:
            yield attempt(row, "features", partial(_measure, *found, color_constancy))


def _measure(image: np.ndarray, details: Segmentation, color_constancy: str) -> MeasuredLesion:
    correct = COLOR_CONSTANCY[color_constancy]
    values = {name: measure(details) for name, measure in _QUALITY.items()}
    hashes = encode_hash(perceptual_hash(image)).tolist()
    values |= dict(zip(HASH_COLUMNS, hashes, strict=True))
    values |= abcd(
        image if correct is None else correct(image, mask=details.field_of_view),
        details.mask,
        field_of_view=details.field_of_view,
        hair=details.hair,
        raw=image,
    )
    return MeasuredLesion(image, details, values)


_QUALITY = {
    "qa__segmentation_confidence": lambda details: details.confidence,
    "qa__mask_share": lambda details: float(details.mask.mean()),
    "qa__hair_share": lambda details: float(details.hair.mean()),
    "qa__dark_corner_share": lambda details: 1.0 - float(details.field_of_view.mean()),
    "qa__empty_mask": lambda details: float("empty" in details.flags),
    "qa__touches_border": lambda details: float("touches_border" in details.flags),
    "qa__several_lesions": lambda details: float("several" in details.flags),
}
