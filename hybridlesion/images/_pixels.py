"""Any colour mode of a decoded file to 8-bit RGB."""

from __future__ import annotations

import numpy as np
from PIL.Image import Image

from hybridlesion.exceptions import ImageError

__all__ = ["rgb_array"]

# Pixels converted at a time: large enough to be quick, small enough to stay in cache and to
# keep no second copy of a large image.
_STRIP_PIXELS = 1 << 19


def rgb_array(image: Image, *, background: int = 255) -> np.ndarray:
    """Copy a loaded Pillow image into an RGB array.

    Parameters
    ----------
    image : Image
        Loaded image of any mode with 1, 8 or 16 bits a sample.
    background : int, default=255
        Grey level, 0 to 255, that shows through where the image is transparent.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        Writable RGB image. Grey becomes three equal channels, 16 bits are scaled by 1/257,
        CMYK becomes (255 - C)(255 - K) / 255 and so on, without a colour profile.

    Raises
    ------
    ImageError
        If the mode holds floats, 32-bit integers or another colour space.

    Examples
    --------
    >>> import PIL.Image
    >>> rgb_array(PIL.Image.new("L", (1, 1), 7)).tolist()
    [[[7, 7, 7]]]
    """
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        pixels[top:bottom] = _strip_to_rgb(image.crop((0, top, width, bottom)), background)
    return pixels


def _strip_to_rgb(strip: Image, background: int) -> np.ndarray:
    if strip.mode.startswith("I"):
        return _sixteen_bit_grey(np.asarray(strip))[:, :, np.newaxis]
    if strip.mode in ("F", "LAB", "HSV"):
        raise ImageError(
            f"its pixels are of kind {strip.mode}, which is no photograph. Convert it to 8-bit RGB."
        )
    if "transparency" in strip.info or strip.mode in ("RGBA", "RGBa", "LA", "La", "PA"):
        return _composite(np.asarray(strip.convert("RGBA")), background)
    return np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))


def _sixteen_bit_grey(values: np.ndarray) -> np.ndarray:
    if values.min() < 0 or values.max() > 65535:
        raise ImageError(
            f"its pixels are 32-bit integers from {values.min()} to {values.max()}, which is no "
            "photograph. Convert it to 8 or 16 bits."
        )
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _composite(rgba: np.ndarray, background: int) -> np.ndarray:
    alpha = rgba[:, :, 3:].astype(np.uint16)
    blended = (rgba[:, :, :3] * alpha + background * (255 - alpha) + 127) // 255
    return blended.astype(np.uint8)
