"""Overlap of a predicted mask with an expert's."""

from __future__ import annotations

import numpy as np

from hybridlesion.exceptions import ImageError

__all__ = ["dice", "jaccard", "thresholded_jaccard"]


def jaccard(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Jaccard index (intersection over union) of two masks.

    Parameters
    ----------
    prediction, truth : ndarray of shape (H, W), bool or uint8
        Masks; grey values count as inside above 128, as in the ISIC scoring.

    Returns
    -------
    float
        0 to 1; 1 if both are empty.

    Raises
    ------
    ImageError
        If a mask is not two-dimensional, or neither bool nor uint8, or the sizes differ.

    Notes
    -----
    ``|A & B| / |A | B|``. Unlike elsewhere in this package, integer masks must be 0/255 here: a
    mask of zeros and ones is all below 129 and would be empty, so it is refused.

    References
    ----------
    N. Codella et al., "Skin lesion analysis toward melanoma detection 2018", arXiv:1902.03368.

    Examples
    --------
    >>> import numpy as np
    >>> jaccard(np.array([[True, True, False]]), np.array([[False, True, True]]))
    0.3333333333333333
    """
    inside, expected = _binarise(prediction, truth)
    union = int(np.count_nonzero(inside | expected))
    return int(np.count_nonzero(inside & expected)) / union if union else 1.0


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Dice coefficient of two masks.

    Parameters
    ----------
    prediction, truth : ndarray of shape (H, W), bool or uint8
        Masks; grey values count as inside above 128.

    Returns
    -------
    float
        0 to 1; 1 if both are empty.

    Raises
    ------
    ImageError
        If a mask is not two-dimensional, or neither bool nor uint8, or the sizes differ.

    Notes
    -----
    ``2 |A & B| / (|A| + |B|)``.

    Examples
    --------
    >>> import numpy as np
    >>> dice(np.array([[True, True, False]]), np.array([[False, True, True]]))
    0.5
    """
    inside, expected = _binarise(prediction, truth)
    total = int(np.count_nonzero(inside)) + int(np.count_nonzero(expected))
    return 2 * int(np.count_nonzero(inside & expected)) / total if total else 1.0


def thresholded_jaccard(
    prediction: np.ndarray, truth: np.ndarray, *, threshold: float = 0.65
) -> float:
    """Jaccard index, counted as 0 where it is too low to be of use.

    Parameters
    ----------
    prediction, truth : ndarray of shape (H, W), bool or uint8
        Masks; grey values count as inside above 128.
    threshold : float, default=0.65
        Lower values count as 0; the ISIC challenges use 0.65.

    Returns
    -------
    float
        0, or `threshold` to 1.

    Raises
    ------
    ImageError
        If a mask is not two-dimensional, or neither bool nor uint8, or the sizes differ.

    Examples
    --------
    >>> import numpy as np
    >>> thresholded_jaccard(np.array([[True, True, False]]), np.array([[False, True, True]]))
    0.0
    """
    value = jaccard(prediction, truth)
    return value if value >= threshold else 0.0


def _binarise(prediction: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    masks = []
    for name, mask in (("prediction", prediction), ("truth", truth)):
        if not isinstance(mask, np.ndarray) or mask.ndim != 2:
            raise ImageError(f"{name} must be an array of shape (H, W), got {np.shape(mask)}.")
        if mask.dtype not in (np.bool_, np.uint8):
            raise ImageError(f"{name} must be bool or uint8 (0 and 255), got {mask.dtype}.")
        if mask.dtype == np.uint8 and mask.size and mask.max() == 1:
            raise ImageError(f"{name} holds 0 and 1; pass mask.astype(bool), or 0 and 255.")
        masks.append(mask if mask.dtype == bool else mask > 128)
    if masks[0].shape != masks[1].shape:
        raise ImageError(
            f"prediction and truth must have the same size, got {masks[0].shape} and "
            f"{masks[1].shape}. Resize the prediction to the truth first."
        )
    return masks[0], masks[1]
