"""The ranges of the classifier's parameters."""

from __future__ import annotations

from hybridlesion._validation import check_choice, check_number
from hybridlesion.exceptions import OptionError
from hybridlesion.model._boosting import STOPPING
from hybridlesion.model._sampling import IMBALANCE
from hybridlesion.model.calibration import CALIBRATIONS

__all__ = ["SENSITIVITY", "check_decision", "check_parameters"]

SENSITIVITY = 0.9


def check_parameters(model: object) -> None:
    """Refuse parameters out of range by name.

    Parameters
    ----------
    model : HybridLesionClassifier
        The estimator whose parameters are checked.

    Raises
    ------
    ValueError
        If a parameter is out of range or no known choice.
    """
    choices = {
        "imbalance": IMBALANCE,
        "stopping": STOPPING,
        "calibration": CALIBRATIONS,
        "context": ("auto", "none"),
    }
    for name, allowed in choices.items():
        check_choice(name, getattr(model, name), allowed)
    least = dict.fromkeys(("n_seeds", "n_bags", "max_trees", "patience"), 1)
    least |= {"n_splits": 2, "min_trees": 0, "num_leaves": 2, "min_child_samples": 1}
    for name, low in least.items():
        check_number(name, getattr(model, name), low=low, integer=True)
    if model.n_jobs != -1:
        check_number("n_jobs", model.n_jobs, low=1, integer=True)
    check_number("linear_weight", model.linear_weight, low=0, high=1)
    check_number("negatives_per_positive", model.negatives_per_positive, low=1)
    check_number("learning_rate", model.learning_rate, low=1e-6, high=1)
    check_number("random_state", model.random_state, low=0, high=2**31 - 1, integer=True)
    check_decision(model.sensitivity, model.threshold, model.cost_ratio)


def check_decision(
    sensitivity: float, threshold: str | float | None, cost_ratio: float | None
) -> None:
    """Refuse rules for the threshold that are out of range or exclude each other.

    Parameters
    ----------
    sensitivity : float
        Sensitivity to reach.
    threshold : str, float or None
        ``"f1"``, ``"youden"`` or a number.
    cost_ratio : float or None
        Cost of one missed malignant lesion in false positives.

    Raises
    ------
    ValueError
        If one is out of range, or more than one is set.
    """
    check_number("sensitivity", sensitivity, low=1e-6, high=1)
    if cost_ratio is not None:
        check_number("cost_ratio", cost_ratio, low=1e-6, high=1e6)
    if isinstance(threshold, str):
        check_choice("threshold", threshold, ("f1", "youden"))
    elif threshold is not None:
        check_number("threshold", threshold, low=0, high=1)
    given = {
        "sensitivity": sensitivity if sensitivity != SENSITIVITY else None,
        "threshold": threshold,
        "cost_ratio": cost_ratio,
    }
    words = [f"{name}={value!r}" for name, value in given.items() if value is not None]
    if len(words) > 1:
        raise OptionError(
            f"{' and '.join(words)} exclude each other, since each sets the threshold of the "
            "labels: give one of sensitivity, threshold and cost_ratio."
        )
