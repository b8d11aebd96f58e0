"""Windows in which a lesion fills or leaves the frame, as in photographs taken closely."""

from __future__ import annotations

import zlib

import numpy as np

__all__ = ["Window", "close_window"]

# Top, bottom, left and right, as shares of height and width.
Window = tuple[float, float, float, float]

# Area of the lesion over that of the window; above 1 it must leave the frame.
_FILL = (0.6, 1.5)

# Sides of the window over those of the photograph: below, too few pixels are left; above, the
# photograph shows as much.
_SIDES = (0.3, 0.85)


def close_window(mask: np.ndarray, name: str) -> Window | None:
    """Choose a window that the lesion fills, of the photograph's own aspect.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool
        True mask.
    name : str
        Name of the image, which decides the window: the same in every run.

    Returns
    -------
    tuple of four float or None
        Top, bottom, left and right as shares of height and width; None where the lesion is too
        small, or already fills the frame.

    Notes
    -----
    The lesion's area over the window's is drawn from 0.6 to 1.5. The window stands on the lesion's
    centroid, shifted by a tenth of its sides (standard deviation), inside the frame.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((100, 100), bool); mask[30:70, 30:70] = True
    >>> top, bottom, left, right = close_window(mask, "ISIC_1")
    >>> bool(top > 0.1 and bottom < 0.9), round(bottom - top, 6) == round(right - left, 6)
    (True, True)
    >>> close_window(np.ones((100, 100), bool), "ISIC_1") is None
    True
    """
    share = np.count_nonzero(mask) / mask.size
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    side = float(np.sqrt(share / rng.uniform(*_FILL)))
    if share >= _FILL[0] or not _SIDES[0] <= side <= _SIDES[1]:
        return None
    centre = np.array([places.mean() for places in np.nonzero(mask)]) / mask.shape
    centre = np.clip(centre + rng.normal(0, 0.1 * side, 2), side / 2, 1 - side / 2)
    (top, left), (bottom, right) = (centre - side / 2).tolist(), (centre + side / 2).tolist()
    return top, bottom, left, right
