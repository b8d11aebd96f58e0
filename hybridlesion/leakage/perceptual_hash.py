"""The look of a photograph in 256 bits, by which a copy under another name is known again."""

from __future__ import annotations

import numpy as np

from hybridlesion._optional_imports import cv2

__all__ = [
    "FINGERPRINT_BYTES",
    "LOOK_COLUMNS",
    "SAME_LOOK",
    "fingerprint",
    "fingerprint_numbers",
    "fingerprints_of",
    "small_grey",
]

FINGERPRINT_BYTES = 32

# Of the 256 bits of a fingerprint, at most so many differ between copies. Of 200 photographs and
# their squashed copies at a third of the size none differs in more; of 21 million pairs of other
# photographs five differ in no more, and those correlate by 0.97 or more, as copies do.
SAME_LOOK = 12

# A float32 holds whole numbers of 24 bits exactly; a feature table has nothing else.
_BYTES_A_NUMBER = 3
LOOK_COLUMNS = tuple(f"qa__look_{k:02d}" for k in range(-(-FINGERPRINT_BYTES // _BYTES_A_NUMBER)))


def small_grey(image: np.ndarray) -> np.ndarray:
    """Shrink an image to 16 rows of 17 grey values, whatever its aspect.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.

    Returns
    -------
    ndarray of shape (16, 17), uint8
        Grey values.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (17, 16), interpolation=cv2.INTER_AREA)


def fingerprint(image: np.ndarray) -> np.ndarray:
    """Signs of the horizontal grey gradients of an image at 16 pixels.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.

    Returns
    -------
    ndarray of shape (32,), uint8
        256 bits, the same for a copy that was scaled, squashed or lit otherwise, up to a few.

    Examples
    --------
    >>> import numpy as np
    >>> image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    >>> bool((fingerprint(image) == fingerprint(image // 2)).mean() > 0.9)
    True
    """
    grey = small_grey(image)
    return np.packbits(grey[:, 1:] > grey[:, :-1])


def fingerprint_numbers(look: np.ndarray) -> np.ndarray:
    """Write a fingerprint as numbers for the columns `LOOK_COLUMNS` of a feature table.

    Parameters
    ----------
    look : ndarray of shape (32,), uint8
        From `fingerprint`.

    Returns
    -------
    ndarray of shape (11,), float32
        Whole numbers from 0 to 2**24 - 1.

    Examples
    --------
    >>> look = np.arange(32, dtype=np.uint8)
    >>> bool((fingerprints_of(fingerprint_numbers(look)[None]) == look).all())
    True
    """
    padded = np.zeros(len(LOOK_COLUMNS) * _BYTES_A_NUMBER, dtype=np.uint32)
    padded[:FINGERPRINT_BYTES] = look
    high, middle, low = padded.reshape(-1, _BYTES_A_NUMBER).T
    return ((high << 16) + (middle << 8) + low).astype(np.float32)


def fingerprints_of(numbers: np.ndarray) -> np.ndarray:
    """Read fingerprints back from the columns of a feature table.

    Parameters
    ----------
    numbers : ndarray of shape (n, 11), float
        From `fingerprint_numbers`.

    Returns
    -------
    ndarray of shape (n, 32), uint8
        Fingerprints.
    """
    words = np.asarray(numbers).astype(np.uint32)
    parts = np.stack([words >> 16, (words >> 8) & 255, words & 255], axis=-1)
    return parts.reshape(len(words), -1)[:, :FINGERPRINT_BYTES].astype(np.uint8)
