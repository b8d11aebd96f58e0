"""scikit-learn's estimator checks for every estimator of the package."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import check_classifiers_train, parametrize_with_checks

from hybridlesion.model import DiagnosisClassifier, HybridLesionClassifier

# Every estimator that works on plain arrays, small enough for its checks to be quick.
ESTIMATORS = [
    DiagnosisClassifier(min_rows=1, n_splits=3),
    HybridLesionClassifier(n_splits=3, max_trees=20),
]

# Checks that an estimator need not pass: class name -> {check: reason}.
EXPECTED_FAILURES = {
    "HybridLesionClassifier": {
        "check_classifiers_train": (
            "expects predict to be the arg max of predict_proba; ours decides at the stored "
            "threshold, since at 1 % prevalence hardly a lesion reaches one half. With "
            "threshold=0.5 the check passes, see below."
        ),
    },
}


# The checks use tables so small that there are fewer rows of a class than folds: the warning
# says so, and tests/model asserts it.
@pytest.mark.filterwarnings("ignore:only .* groups contain one of the classes:UserWarning")
@parametrize_with_checks(
    ESTIMATORS,
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES.get(type(estimator).__name__, {}),
)
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)


def test_predict_is_the_arg_max_at_threshold_one_half():
    estimator = HybridLesionClassifier(n_splits=3, max_trees=20, threshold=0.5)
    check_classifiers_train("HybridLesionClassifier", estimator)
