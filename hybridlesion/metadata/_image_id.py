"""What an image is called, whatever its table appended to the name."""

from __future__ import annotations

import re

__all__ = ["normalise_image_id"]

_DECORATED = re.compile(
    r"(?:.*[\\/])?(?P<id>.*?)(?:_downsampled)?(?:\.(?:jpe?g|png|bmp|tiff?|webp))?",
    re.IGNORECASE | re.DOTALL,
)


def normalise_image_id(name: str) -> str:
    """Strip folder, image extension and ``_downsampled`` from an image name.

    Parameters
    ----------
    name : str
        A cell of an id column, a file name or a path.

    Returns
    -------
    str
        The image id that all tables of the ISIC archive share.

    Examples
    --------
    >>> normalise_image_id("train/ISIC_0000031_downsampled.jpg")
    'ISIC_0000031'
    >>> normalise_image_id(" ISIC_0052212 ")
    'ISIC_0052212'
    """
    # What follows "::" in an address names the archive, not the image inside it.
    return _DECORATED.fullmatch(name.split("::")[0].strip())["id"]
