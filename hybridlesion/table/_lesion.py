"""Images to measurements: each is read, segmented and measured, or told as a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from hybridlesion.embedding.finetuning import LOOK_COLUMNS, fingerprint, fingerprint_numbers
from hybridlesion.features import abcd, feature_names
from hybridlesion.preprocessing import max_rgb, shades_of_gray
from hybridlesion.segmentation import Segmentation
from hybridlesion.table._segmented import Failure, attempt, read_segmented

__all__ = ["COLOR_CONSTANCY", "Lesion", "lesion_columns", "read_lesions"]

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
    return [*_QUALITY, *LOOK_COLUMNS, *feature_names()]


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
        Which images, with locators as `hybridlesion.images.list_images` gives them.
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
        look = fingerprint_numbers(fingerprint(image)).tolist()
        quality |= dict(zip(LOOK_COLUMNS, look, strict=True))
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
