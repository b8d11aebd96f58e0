"""EXIF orientation: how the stored rows and columns are to be shown."""

from __future__ import annotations

import struct

import numpy as np

__all__ = ["apply_orientation", "exif_orientation"]

_TAG = 0x0112
_SHORT = 3


def exif_orientation(exif: bytes | None) -> int:
    """Read the orientation from an EXIF block.

    Pillow's own reader builds every tag and warns of damaged ones; one number is needed here,
    and a damaged block means that there is none.

    Parameters
    ----------
    exif : bytes
        The block, with or without its leading ``Exif`` mark; None or empty when there is none.

    Returns
    -------
    int
        1 to 8 as TIFF 6.0 defines them, and 1 (as stored) where nothing valid is said.

    Examples
    --------
    >>> import PIL.Image
    >>> exif = PIL.Image.Exif()
    >>> exif[0x0112] = 6
    >>> exif_orientation(exif.tobytes())
    6
    """
    block = (exif or b"").removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", block, entry)
            if tag == _TAG:
                return value if kind == _SHORT and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def apply_orientation(image: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror stored pixels into the way they are shown.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3)
        Pixels as stored.
    orientation : int
        1 to 8: the corner of the shown image where the stored first row and first column lie.

    Returns
    -------
    ndarray of shape (H, W, ...) or (W, H, ...)
        Contiguous pixels as shown; rows and columns change places for 5 to 8.

    Examples
    --------
    >>> apply_orientation(np.array([[1, 2, 3]]), 6).tolist()
    [[1], [2], [3]]
    """
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
