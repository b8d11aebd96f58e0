"""Level sets to start a morphological snake from."""

from __future__ import annotations

import numpy as np

__all__ = ["initial_level_set"]


def initial_level_set(init: str | np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Binarise a level set, or draw one of the two usual ones.

    Parameters
    ----------
    init : {"checkerboard", "disk"} or ndarray of shape (H, W)
        A name, or an array that is positive inside.
    shape : tuple of int
        Height and width of the image.

    Returns
    -------
    ndarray of shape (H, W), uint8
        1 inside, 0 outside.

    Raises
    ------
    ValueError
        If the name is unknown, the array has another shape, or a side is shorter than 2 pixels
        (a gradient needs two).
    """
    if min(shape) < 2:
        raise ValueError(f"a snake needs an image of at least 2x2 pixels, got shape {shape}.")
    if isinstance(init, str):
        if init == "checkerboard":
            return _checkerboard(shape)
        if init == "disk":
            return _disk(shape)
        raise ValueError(
            f"init_level_set must be 'checkerboard', 'disk' or an array, got {init!r}."
        )
    init = np.asarray(init)
    if init.shape != shape:
        raise ValueError(
            f"init_level_set must have the image's shape {shape}, got {init.shape}. "
            "Resize it with nearest-neighbour interpolation first."
        )
    return np.ascontiguousarray(init > 0).view(np.uint8)


def _checkerboard(shape: tuple[int, int], square: int = 5) -> np.ndarray:
    rows = np.arange(shape[0])[:, None] // square % 2
    columns = np.arange(shape[1])[None, :] // square % 2
    return (rows != columns).view(np.uint8)


def _disk(shape: tuple[int, int]) -> np.ndarray:
    rows = np.arange(shape[0], dtype=float)[:, None] - shape[0] // 2
    columns = np.arange(shape[1], dtype=float)[None, :] - shape[1] // 2
    # Squares of whole numbers and of eighths are exact.
    inside = rows**2 < (min(shape) * 3.0 / 8.0) ** 2 - columns**2
    return inside.view(np.uint8)
