"""One image: decode it once, segment it, measure it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion.exceptions import ImageError, SourceError
from hybridlesion.features import abcd, feature_names
from hybridlesion.images import read_image, resize_long_side
from hybridlesion.preprocessing import max_rgb, shades_of_gray
from hybridlesion.segmentation import Segmentation, segment_details

__all__ = ["COLOR_CONSTANCY", "Failure", "Lesion", "lesion_columns", "read_lesion"]

COLOR_CONSTANCY = {"none": None, "shades_of_gray": shades_of_gray, "max_rgb": max_rgb}


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
    """Name the columns that `read_lesion` measures, in order.

    Returns
    -------
    list of str
        ``qa__`` columns, then ``abcd__`` columns.
    """
    return [*_QUALITY, *feature_names()]


def read_lesion(
    image_id: str, path: object, *, long_side: int, segmenter: str, color_constancy: str
) -> Lesion | Failure:
    """Decode, segment and measure one image; what fails is told, not raised.

    Parameters
    ----------
    image_id : str
        Which image.
    path : str
        Its locator, as `hybridlesion.images.list_images` gives it.
    long_side : int
        Long side in pixels at which it is analysed.
    segmenter : str
        One of `hybridlesion.segmentation.SEGMENTERS`, or the weight file of a refiner.
    color_constancy : str
        A key of `COLOR_CONSTANCY`.

    Returns
    -------
    Lesion or Failure
        The measurements, or the stage and the reason.
    """
    stage = "read"
    try:
        if not isinstance(path, str):
            raise ImageError("the record has no path to an image.")
        image = resize_long_side(read_image(path, long_side=long_side), long_side)
        stage = "segment"
        details = segment_details(image, segmenter=segmenter)
        stage = "features"
        correct = COLOR_CONSTANCY[color_constancy]
        corrected = image if correct is None else correct(image, mask=details.field_of_view)
        values = abcd(
            corrected,
            details.mask,
            field_of_view=details.field_of_view,
            hair=details.hair,
            raw=image,
        )
    except (ImageError, SourceError, ArithmeticError, ValueError, IndexError, MemoryError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        return Failure(str(image_id), path if isinstance(path, str) else "", stage, reason)
    quality = {name: measure(details) for name, measure in _QUALITY.items()}
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
