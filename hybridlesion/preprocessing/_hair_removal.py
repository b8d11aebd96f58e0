"""Hair removal: hair pixels are filled from the skin beside them, all others stay as they are."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion._validation import check_image, check_mask

__all__ = ["remove_hair"]


def remove_hair(image: np.ndarray, hair: np.ndarray) -> np.ndarray:
    """Fill the hair pixels of an image with the mean colour of what lies around them.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    hair : ndarray of shape (H, W), bool
        True on hair, as from `hair_mask`.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        A copy; pixels outside `hair` are untouched.

    Raises
    ------
    ImageError
        If image or mask are none, or differ in size.

    Notes
    -----
    A hair pixel becomes the mean of the hairless pixels in a window round it. The window starts at
    1 % of the long side and doubles for pixels that found none, so that narrow hairs take the
    colour of their very neighbourhood and no blur crosses the lesion's border. If everything is
    hair, nothing is changed.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.full((9, 9, 3), 200, np.uint8); image[:, 4] = 10
    >>> bool((remove_hair(image, image[..., 0] == 10) == 200).all())
    True
    """
    image = check_image(image)
    hair = check_mask(hair, image.shape[:2])
    if not hair.any() or hair.all():
        return image.copy()
    out = image.copy()
    weight = (~hair).astype(np.float32)
    known = image * weight[..., None]
    missing = hair
    radius = max(1, round(0.01 * max(hair.shape)))
    while missing.any():
        window = (2 * radius + 1, 2 * radius + 1)
        share = cv2.boxFilter(weight, -1, window, borderType=cv2.BORDER_CONSTANT)
        colour = cv2.boxFilter(known, -1, window, borderType=cv2.BORDER_CONSTANT)
        # Half a pixel's weight: running sums in single precision may leave crumbs where none is.
        found = missing & (share > 0.5 / (window[0] * window[1]))
        out[found] = np.rint(colour[found] / share[found][:, None]).clip(0, 255)
        missing = missing & ~found
        radius *= 2
    return out
