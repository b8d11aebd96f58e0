"""What `fit` learns: two classes, the second one malignant."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from hybridlesion.metadata import read_label

__all__ = ["check_order", "read_target"]

# Words for numbers are in the order of these.
_NUMBERS = {"zero": 0.0, "one": 1.0, "two": 2.0}


def read_target(y: object, pos_label: object = None) -> tuple[np.ndarray, np.ndarray]:
    """Split labels into the two classes and who belongs to the second.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels.
    pos_label : int, float, bool or str, default=None
        The malignant label. None takes the greater of two numbers, and of two words the one that
        is known to be malignant.

    Returns
    -------
    classes : ndarray of shape (2,)
        The labels; the second is malignant.
    target : ndarray of shape (n,), bool
        True where the second label stands.

    Raises
    ------
    ValueError
        If labels are missing, or not two, or it is not known which of them is malignant.
    """
    if pd.isna(y).any():
        raise ValueError(
            f"y has {int(pd.isna(y).sum())} missing labels. Drop those rows before fitting."
        )
    y = np.asarray(y)
    if y.dtype == object:
        # Numbers and booleans of an object column, as joins of tables leave them.
        y = pd.Series(y.ravel()).infer_objects().to_numpy().reshape(y.shape)
    kinds = {type(label).__name__ for label in y.ravel()} if y.dtype == object else {"str"}
    if kinds != {"str"}:
        raise ValueError(
            f"y holds labels of the type{'s' if len(kinds) > 1 else ''} "
            f"{', '.join(sorted(kinds))}. Use one type: numbers, booleans or words."
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
    positive = _find_positive(classes, pos_label)
    return (classes if positive else classes[::-1]), codes == positive


def check_order(classes: np.ndarray) -> str | None:
    """Say what is to be minded where the malignant label does not come last in sorted order.

    Parameters
    ----------
    classes : ndarray of shape (2,)
        The labels; the second is malignant.

    Returns
    -------
    str or None
        What some of scikit-learn's scorers do with such labels.
    """
    benign, malignant = classes.tolist()
    if benign < malignant:
        return None
    return (
        f"the label {malignant!r} is malignant, and classes_ is [{benign!r}, {malignant!r}]. "
        "Scorers of scikit-learn that sort labels, such as 'roc_auc' and 'neg_log_loss', take "
        f"{benign!r} as positive, so that an AUC of 0.9 reads 0.1. For them, fit and score with "
        f"y == {malignant!r} as labels."
    )


def _find_positive(classes: np.ndarray, pos_label: object) -> int:
    """Tell which of two sorted labels is malignant."""
    labels = classes.tolist()
    if pos_label is not None:
        if pos_label not in labels:
            raise ValueError(f"pos_label={pos_label!r} is not among the labels of y, {labels}.")
        return labels.index(pos_label)
    if not any(isinstance(label, str) for label in labels):
        return 1
    sides = [_NUMBERS.get(str(label).lower(), read_label(str(label))) for label in labels]
    if None in sides or sides[0] == sides[1]:
        example = labels[0] if sides[0] == 1 or sides[1] == 0 else labels[1]
        raise ValueError(
            f"y holds the labels {labels[0]!r} and {labels[1]!r}, and which of them is malignant "
            f"is not known. Give the malignant one as pos_label, for example pos_label="
            f"{example!r}, or labels of 0 and 1."
        )
    return int(sides[1] > sides[0])
