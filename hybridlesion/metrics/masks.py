"""Overlap of single masks and of folders of masks, with intervals over images."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd

from hybridlesion._validation import as_pandas
from hybridlesion.exceptions import ImageError, TableError
from hybridlesion.io import find_masks, read_mask
from hybridlesion.metrics._resampling import Measure, Support, metric_table, resample


def jaccard(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Jaccard index (intersection over union) of two masks.

    Parameters
    ----------
    prediction, truth : ndarray of shape (H, W), bool or uint8
        Masks; grey values above 128 count as inside, as in the ISIC scoring.

    Returns
    -------
    float
        Value from 0 to 1; 1 if both masks are empty.

    Raises
    ------
    ImageError
        If a mask is not two-dimensional, or neither bool nor uint8, or the sizes differ.

    Notes
    -----
    ``|A & B| / |A | B|``. Unlike elsewhere in this package, integer masks must be 0/255 here: a
    mask of zeros and ones would count as empty and is therefore rejected.

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
    union = np.count_nonzero(inside | expected)
    return float(np.count_nonzero(inside & expected) / union) if union else 1.0


def dice(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Dice coefficient of two masks.

    Parameters
    ----------
    prediction, truth : ndarray of shape (H, W), bool or uint8
        Masks; grey values above 128 count as inside.

    Returns
    -------
    float
        Value from 0 to 1; 1 if both masks are empty.

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
    total = np.count_nonzero(inside) + np.count_nonzero(expected)
    return float(2 * np.count_nonzero(inside & expected) / total) if total else 1.0


def thresholded_jaccard(
    prediction: np.ndarray, truth: np.ndarray, *, threshold: float = 0.65
) -> float:
    """Jaccard index, set to 0 below a threshold.

    Parameters
    ----------
    prediction, truth : ndarray of shape (H, W), bool or uint8
        Masks; grey values above 128 count as inside.
    threshold : float, default=0.65
        Values below it count as 0; the ISIC challenges use 0.65.

    Returns
    -------
    float
        0, or a value from `threshold` to 1.

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


OVERLAPS = {"jaccard": jaccard, "thresholded_jaccard": thresholded_jaccard, "dice": dice}


def measure_overlap(prediction: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Measure the overlap of two masks by every index.

    Parameters
    ----------
    prediction, truth : ndarray of shape (H, W), bool or uint8
        Masks; grey values above 128 count as inside.

    Returns
    -------
    dict of str to float
        Value of each index in `OVERLAPS`.

    Raises
    ------
    ImageError
        If the sizes differ, or a mask is invalid.

    Examples
    --------
    >>> import numpy as np
    >>> measure_overlap(np.array([[True, True, False]]), np.array([[False, True, True]]))
    {'jaccard': 0.3333333333333333, 'thresholded_jaccard': 0.0, 'dice': 0.5}
    """
    return {name: measure(prediction, truth) for name, measure in OVERLAPS.items()}


def summarize_overlaps(
    overlaps: pd.DataFrame, *, n_bootstrap: int = 1000, random_state: int | None = 0
) -> pd.DataFrame:
    """Average the overlap over images, with 95 % intervals.

    Parameters
    ----------
    overlaps : DataFrame of shape (n, columns)
        A column for each index in `OVERLAPS`, one row per image.
    n_bootstrap : int, default=1000
        Number of draws; if 0, the intervals are NaN.
    random_state : int or None, default=0
        Random seed.

    Returns
    -------
    DataFrame
        Columns metric, value, low, high; a row for each index in `OVERLAPS`, then ``n``.

    Examples
    --------
    >>> rows = [measure_overlap(np.array([[True, True]]), np.array([[True, False]]))] * 3
    >>> summarize_overlaps(pd.DataFrame(rows))["value"].round(3).tolist()
    [0.5, 0.0, 0.667, 3.0]
    """
    drawn = resample({"": [_Means(as_pandas(overlaps))]}, n_bootstrap, random_state)
    found = {name: mean.interval(0.95) for name, mean in drawn.items()}
    return metric_table(found, {"n": len(overlaps)})


def compare_masks(masks: str | os.PathLike, truth: str | os.PathLike) -> pd.DataFrame:
    """Measure the overlap of masks on disk with true masks of the same name.

    Parameters
    ----------
    masks, truth : str or path-like
        Folders of masks, searched by `hybridlesion.io.find_masks`.

    Returns
    -------
    DataFrame of shape (n, columns)
        Columns image_id, mask_path, truth_path and the overlaps; one row for each image in both
        folders.

    Raises
    ------
    TableError
        If no image has a mask in both folders.
    ImageError
        If a mask cannot be read, or the two masks of an image differ in size.
    """
    expected = find_masks(truth)
    found = find_masks(masks, expected)
    shared = [image_id for image_id in found if image_id in expected]
    if not shared:
        raise TableError(
            f"no mask in {os.fspath(masks)} matches one in {os.fspath(truth)}; the names before "
            "_segmentation, _lesion or _mask must be the same."
        )
    rows = []
    for image_id in shared:
        paths = {"mask_path": found[image_id], "truth_path": expected[image_id]}
        try:
            overlap = measure_overlap(*map(read_mask, paths.values()))
        except ImageError as error:
            raise ImageError(f"{image_id}: {error}") from error
        rows.append({"image_id": image_id, **paths, **overlap})
    return pd.DataFrame(rows)


class _Means(Measure):
    """Means over images."""

    def __init__(self, overlaps: pd.DataFrame):
        self._columns = overlaps[list(OVERLAPS)].to_numpy(dtype=float).T
        self.n_groups = len(overlaps)
        self.support = dict.fromkeys(OVERLAPS, Support("share", self.n_groups, self.n_groups - 1))

    def values(self) -> dict[str, float]:
        return dict(zip(OVERLAPS, self._columns.mean(axis=1), strict=True))

    def draws(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        means = self._columns @ weights[:-1] / weights[:-1].sum(axis=0)
        return dict(zip(OVERLAPS, means, strict=True))
