"""What `fit` learns: two classes, the greater one malignant."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import check_classification_targets, type_of_target

__all__ = ["read_target"]


def read_target(y: object) -> tuple[np.ndarray, np.ndarray]:
    """Split labels into the two classes and who belongs to the second.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels.

    Returns
    -------
    classes : ndarray of shape (2,)
        Sorted labels.
    target : ndarray of shape (n,), bool
        True where the greater label stands.

    Raises
    ------
    ValueError
        If labels are missing, or not two.
    """
    if pd.isna(y).any():
        raise ValueError(
            f"y has {int(pd.isna(y).sum())} missing labels. Drop those rows before fitting."
        )
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) > 2:
        raise ValueError(
            "Only binary classification is supported. The type of the target is "
            f"{type_of_target(y)}: {len(classes)} classes, {classes[:5].tolist()}. "
            "Merge them into malignant and benign."
        )
    if len(classes) < 2:
        raise ValueError(f"y must hold two classes, got one class: {classes.tolist()}.")
    return classes, codes.astype(bool)
