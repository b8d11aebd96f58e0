"""HEIC, AVIF and DICOM, read with libraries that only they need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import PIL.Image
from PIL.ImageFile import ImageFile

from hybridlesion._optional import import_optional
from hybridlesion.exceptions import ImageError, MissingDependencyError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["open_avif", "open_dicom", "open_heif"]

_LUMINANCE = ("MONOCHROME1", "MONOCHROME2")


def open_heif(stream: BinaryIO) -> ImageFile:
    """Parse the header of a HEIC or HEIF file.

    Parameters
    ----------
    stream : binary file
        Seekable, at its start.

    Returns
    -------
    ImageFile
        Its first image, already turned as it is to be shown.

    Raises
    ------
    ImageError
        If pillow-heif is not installed.
    """
    return _import("pillow_heif", "reading HEIC photographs", "heif").HeifImageFile(stream)


def open_avif(stream: BinaryIO) -> ImageFile:
    """Parse the header of an AVIF file.

    Parameters
    ----------
    stream : binary file
        Seekable, at its start.

    Returns
    -------
    ImageFile
        Its first image.

    Raises
    ------
    ImageError
        If Pillow was built without AVIF.
    """
    try:
        from PIL._avif import AvifDecoder  # noqa: F401
        from PIL.AvifImagePlugin import AvifImageFile
    except ImportError as error:
        raise ImageError(
            "AVIF images need a newer Pillow. Install it with: pip install -U pillow"
        ) from error
    return AvifImageFile(stream)


def open_dicom(stream: BinaryIO) -> ImageFile:
    """Parse a DICOM object with one image, such as a dermoscopic or a photographic one.

    Parameters
    ----------
    stream : binary file
        Seekable, at its start.

    Returns
    -------
    ImageFile
        The image; of the other attributes, the patient's among them, none is kept.

    Raises
    ------
    ImageError
        If pydicom is not installed, or the object has no image or several.
    """
    return _DicomFile(stream)


class _DicomFile(ImageFile):
    """Pillow's interface over pydicom: header when made, pixels on ``load()``."""

    format = "DICOM"

    def _open(self) -> None:
        pydicom = _import("pydicom", "reading DICOM images", "dicom")
        dataset = pydicom.dcmread(self.fp)
        if "PixelData" not in dataset:
            raise ImageError(f"the DICOM object holds no image ({_kind(dataset)}).")
        frames = int(dataset.get("NumberOfFrames") or 1)
        if frames > 1:
            raise ImageError(
                f"the DICOM object holds {frames} images ({_kind(dataset)}). Export the one that "
                "is meant as a file of its own."
            )
        self._dataset = dataset
        self._size = int(dataset.Columns), int(dataset.Rows)
        self._mode = "L" if dataset.PhotometricInterpretation in _LUMINANCE else "RGB"

    def load(self) -> None:
        if self._dataset is not None:
            self.im = PIL.Image.fromarray(_dicom_pixels(self._dataset)).im
            self._mode, self._dataset = self.im.mode, None


def _dicom_pixels(dataset: Any) -> np.ndarray:
    """Decode grey or RGB pixels of 8 bits."""
    from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

    interpretation = dataset.PhotometricInterpretation
    try:
        # Luminance and chrominance become RGB here.
        pixels = pixel_array(dataset)
    # No decoder for this compression, or for this transfer syntax.
    except (RuntimeError, NotImplementedError) as error:
        raise ImageError(f"its DICOM pixels cannot be decoded: {error}") from error
    if interpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        return _eight_bits(pixels, 0, 8 * pixels.dtype.itemsize)
    if interpretation in _LUMINANCE:
        pixels = apply_voi_lut(apply_modality_lut(pixels, dataset), dataset)
        low = min(0, pixels.min())
        grey = _eight_bits(pixels, low, _bits(dataset, pixels.max() - low))
        return 255 - grey if interpretation == "MONOCHROME1" else grey
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ImageError(
            f"its DICOM pixels are of kind {interpretation}, which is no photograph. Export it as "
            "RGB."
        )
    return _eight_bits(pixels, 0, int(dataset.BitsStored))


def _bits(dataset: Any, highest: float) -> int:
    """Bits that hold the values, for rescaling may have spread them."""
    return max(int(dataset.BitsStored), int(np.ceil(np.log2(highest + 1))))


def _eight_bits(pixels: np.ndarray, low: float, bits: int) -> np.ndarray:
    if pixels.dtype == np.uint8 and bits == 8:
        return np.ascontiguousarray(pixels)
    return np.clip(np.rint((pixels - low) * (255 / (2**bits - 1))), 0, 255).astype(np.uint8)


def _kind(dataset: Any) -> str:
    return str(dataset.get("SOPClassUID", "").name if "SOPClassUID" in dataset else "unknown kind")


def _import(name: str, feature: str, extra: str) -> ModuleType:
    try:
        return import_optional(name, feature=feature, install=f"hybridlesion[{extra}]")
    except MissingDependencyError as error:
        # One such file among others is listed; the others are read all the same.
        raise ImageError(str(error)) from error
