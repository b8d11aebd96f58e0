"""Reading, segmentation and measurement of images, with failures reported per image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from hybridlesion.exceptions import ImageError, SourceError
from hybridlesion.features import abcd, feature_names
from hybridlesion.io import read_image, resize_long_side
from hybridlesion.leakage import HASH_COLUMNS, encode_hash, perceptual_hash
from hybridlesion.preprocessing import max_rgb, shades_of_gray
from hybridlesion.segmentation import Segmentation, segment_details

# Number of images that are handed to a worker at a time, at most.
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
    for row in rows:
        image = attempt(row, "read", partial(_read, row[1], long_side))
        if tick is not None:
            tick()
        if isinstance(image, Failure):
            yield row, image
        else:
            yield row, attempt(row, "segment", partial(_segment, image, segmenter))


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


# Sides, in pixels, below which no lesion can be measured.
_SMALLEST_SIDE = 16

# 12-bit values in a 16-bit file, up to 4,095, become at most this grey value (16) of 255.
_DARKEST = (4095 + 128) // 257


def _read(path: object, long_side: int) -> np.ndarray:
    if not isinstance(path, str):
        raise ImageError("the record has no path to an image.")
    image = read_image(path, long_side=long_side)
    check_measurable(image, path)
    return resize_long_side(image, long_side)


def check_measurable(image: np.ndarray, name: str) -> None:
    """Check that a photograph is neither too small nor black.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB photograph.
    name : str
        Its path or id, for the message.

    Raises
    ------
    ImageError
        If no lesion can be measured in it.
    """
    height, width = image.shape[:2]
    if min(height, width) < _SMALLEST_SIDE:
        raise ImageError(
            f"{name}: {width} x {height} pixels are too few to measure a lesion; at least "
            f"{_SMALLEST_SIDE} on each side are needed."
        )
    if (brightest := int(image.max())) <= _DARKEST:
        raise ImageError(
            f"{name}: the photograph is black (its brightest value is {brightest} of 255). If "
            "its file has 16 bits but holds values of 12 bits, rescale these to the full range."
        )


def _segment(image: np.ndarray, segmenter: str) -> SegmentedImage:
    return image, segment_details(image, segmenter=segmenter)


COLOR_CONSTANCY: dict[str, Callable[..., np.ndarray] | None] = {
    "none": None,
    "shades_of_gray": shades_of_gray,
    "max_rgb": max_rgb,
}


def lesion_columns() -> list[str]:
    """Return the names of the columns measured by `measure_lesion`, in order.

    Returns
    -------
    list of str
        ``qa__`` columns, ending with the perceptual hash, followed by ``abcd__`` columns.
    """
    return [*_QUALITY, *HASH_COLUMNS, *feature_names()]


def measure_lesion(
    row: Row, segmented: SegmentedImage | Failure, color_constancy: str
) -> tuple[np.ndarray, np.ndarray, list[float]] | Failure:
    """Measure a segmented image; failures are returned instead of raised.

    Parameters
    ----------
    row : tuple of image_id and path
        Id and locator of the image.
    segmented : tuple of image and Segmentation, or Failure
        Answer of `read_segmented`.
    color_constancy : str
        A key of `COLOR_CONSTANCY`.

    Returns
    -------
    tuple of image, mask and list of float, or Failure
        Image, lesion mask and one value for each of `lesion_columns`.
    """
    if isinstance(segmented, Failure):
        return segmented
    return attempt(row, "features", partial(_measure, *segmented, color_constancy))


def _measure(
    image: np.ndarray, details: Segmentation, color_constancy: str
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    correct, field = COLOR_CONSTANCY[color_constancy], details.field_of_view
    corrected = image if correct is None else correct(image, mask=field)
    features = abcd(
        *(corrected, details.mask),
        field_of_view=field,
        hair=details.hair,
        raw=image,
        structures=details.structures,
    )
    values = [measure(details) for measure in _QUALITY.values()]
    values += [*encode_hash(perceptual_hash(image)).tolist(), *features.values()]
    return image, details.mask, values


def _share(mask: np.ndarray) -> float:
    return np.count_nonzero(mask) / mask.size


_QUALITY = {
    "qa__segmentation_confidence": lambda details: details.confidence,
    "qa__mask_share": lambda details: _share(details.mask),
    "qa__hair_share": lambda details: _share(details.hair),
    "qa__dark_corner_share": lambda details: 1.0 - _share(details.field_of_view),
    "qa__empty_mask": lambda details: float("empty" in details.flags),
    "qa__touches_border": lambda details: float("touches_border" in details.flags),
    "qa__several_lesions": lambda details: float("several" in details.flags),
}
