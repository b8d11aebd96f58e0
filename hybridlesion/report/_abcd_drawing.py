"""One segmented image to its sheets: the ABCD sheet, and what a network sees."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.exceptions import ImageError
from hybridlesion.images import image_size, read_mask
from hybridlesion.reasons import CnnMap, cnn_map
from hybridlesion.report._abcd_sheet import draw_abcd_sheet
from hybridlesion.report._abcd_words import flag_words
from hybridlesion.segmentation import Segmentation
from hybridlesion.table import FINETUNED, LesionFeaturizer
from hybridlesion.table._lesion import COLOR_CONSTANCY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Drawn", "SheetDrawing"]


@dataclass(frozen=True)
class Drawn:
    """What was drawn of one image.

    Parameters
    ----------
    sheet : Figure
        Its ABCD sheet.
    image : ndarray of shape (H, W, 3), uint8
        The photograph at the scale of the analysis.
    mask : ndarray of shape (H, W), bool
        The lesion that was drawn.
    seen : CnnMap or None
        What the network sees; None without a network.
    """

    sheet: Figure
    image: np.ndarray
    mask: np.ndarray
    seen: CnnMap | None


@dataclass(frozen=True)
class SheetDrawing:
    """Draws segmented images, measured as a feature table is.

    Parameters
    ----------
    featurizer : LesionFeaturizer
        How images are measured, fitted or not; with ``embedder="finetuned"`` its networks are
        asked where they look.
    masks : dict of str to str, default=None
        Mask file to take instead of the segmenter's, by image id; of the image's size, or of that
        at which it is analysed.
    """

    featurizer: LesionFeaturizer
    masks: dict[str, str] | None = None

    def __call__(self, row: tuple[str, str], image: np.ndarray, details: Segmentation) -> Drawn:
        """Draw one image.

        Parameters
        ----------
        row : tuple of image_id and path
            Which image.
        image : ndarray of shape (H, W, 3), uint8
            The photograph at the scale of the analysis.
        details : Segmentation
            What the segmenter found.

        Returns
        -------
        Drawn
            Its sheets.

        Raises
        ------
        ImageError
            If there is no mask of the image, or it has another size.
        """
        image_id, path = row
        segmenter = Path(self.featurizer.segmenter).name
        notes = f"Mask: {segmenter} segmenter, confidence {details.confidence:.2f}."
        notes = f"{notes} {flag_words(details.flags)}"
        if self.masks is not None:
            mask, name = self._read_mask(image_id, path, image.shape[:2])
            details, notes = replace(details, mask=mask, flags=()), f"Mask: {name}."
        correct = COLOR_CONSTANCY[self.featurizer.color_constancy]
        sheet = draw_abcd_sheet(
            image if correct is None else correct(image, mask=details.field_of_view),
            details.mask,
            field_of_view=details.field_of_view,
            hair=details.hair,
            raw=image,
            title=image_id,
            notes=notes,
        )
        return Drawn(sheet, image, details.mask, self._look(image, details.mask))

    def _look(self, image: np.ndarray, mask: np.ndarray) -> CnnMap | None:
        if self.featurizer.embedder != FINETUNED:
            return None
        return cnn_map(image, mask, self.featurizer.weights, device=self.featurizer.device)

    def _read_mask(
        self, image_id: str, path: str | os.PathLike, shape: tuple[int, int]
    ) -> tuple[np.ndarray, str]:
        if image_id not in self.masks:
            raise ImageError(f"there is no mask of {image_id}.")
        own = self.masks[image_id]
        mask, size = read_mask(own), image_size(path)
        # Masks of a segmentation have the image's size, those of a feature run the analysis's.
        if mask.shape not in (size, shape):
            raise ImageError(
                f"{own}: mask and image must have the same size, got mask {mask.shape} and image "
                f"{size}."
            )
        grey = mask.astype(np.uint8) * np.uint8(255)
        small = cv2.resize(grey, shape[::-1], interpolation=cv2.INTER_AREA)
        return small > 127, Path(own).name
