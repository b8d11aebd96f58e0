"""What JPEG needs beyond Pillow: scaled decoding, plain CMYK, and data that ends too early."""

from __future__ import annotations

import io

import numpy as np
from PIL.Image import Image
from PIL.JpegImagePlugin import JpegImageFile

__all__ = ["JpegFile", "ends_early", "scale_divisor"]

# Bytes without 0xFF, so that they read as picture data; irregular, so that they change it.
_FILLER = bytes((37 * k * k + 11 * k) % 254 + 1 for k in range(1024))


class JpegFile(JpegImageFile):
    """Pillow's JPEG reader, silent about EXIF and right about CMYK without an Adobe marker.

    Parameters
    ----------
    fp : binary file
        Seekable, at its start; the header is parsed at once, the pixels on ``load()``.
    filename : str, default=None
        Name of the file, which Pillow keeps.
    """

    def _open(self) -> None:
        super()._open()
        # Pillow inverts every CMYK JPEG. Only those with Adobe's marker are stored inverted.
        if self.mode == "CMYK" and "adobe" not in self.info:
            self.tile = [(*self.tile[0][:3], ("CMYK", ""))]

    def _read_dpi_from_exif(self) -> None:
        """Leave EXIF alone: the resolution is of no use, and damaged EXIF would warn."""

    def set_divisor(self, divisor: int) -> None:
        """Choose the scale at which ``load()`` will decode.

        Parameters
        ----------
        divisor : int
            1, 2, 4 or 8. An image narrower than the divisor is decoded at a larger scale.
        """
        self.draft(None, (max(1, self.width // divisor), max(1, self.height // divisor)))


def scale_divisor(long_side: int, wanted: int | None) -> int:
    """Largest of 1, 2, 4, 8 that still leaves `wanted` pixels on the long side.

    Parameters
    ----------
    long_side : int
        Longer side of the stored image in pixels.
    wanted : int, default=None
        Pixels needed on the longer side; None needs all.

    Returns
    -------
    int
        The divisor d; libjpeg then gives ceil(side / d) pixels.

    Examples
    --------
    >>> scale_divisor(6000, 768), scale_divisor(6000, 750), scale_divisor(600, 768)
    (4, 8, 1)
    """
    if wanted is None:
        return 1
    return next(d for d in (8, 4, 2, 1) if d == 1 or -(-long_side // d) >= wanted)


def ends_early(data: bytes, image: Image, divisor: int) -> bool:
    """Whether the picture data of a JPEG stops before the last block.

    Parameters
    ----------
    data : bytes
        The whole file.
    image : Image
        What Pillow decoded from it, in the file's own colour mode.
    divisor : int
        The divisor that it was decoded with.

    Returns
    -------
    bool
        True if blocks are missing, though the file has an end mark.

    Notes
    -----
    libjpeg fills blocks for which there is no data with mid-grey and only warns. A grey last
    block is therefore suspicious, but may be real. So the file is decoded once more with
    additional picture data before its end mark: a complete picture ignores the addition, an
    incomplete one changes. Bytes that were altered inside the data without shortening it cannot
    be told from a picture.
    """
    if not _last_block_is_grey(image):
        return False
    end = data.rfind(b"\xff\xd9")
    longer = JpegFile(io.BytesIO(data[:end] + _FILLER + data[end:]))
    longer.set_divisor(divisor)
    longer.load()
    return not np.array_equal(np.asarray(longer), np.asarray(image))


def _last_block_is_grey(image: Image) -> bool:
    # A pixel of the last block is enough: this only chooses which files get the second look.
    values = image.getpixel((image.width - 1, image.height - 1))
    return set(np.atleast_1d(values).tolist()) <= {127, 128}
