"""Sets of labels hold the truth as often as promised."""

import numpy as np
import pytest

from hybridlesion.model.calibration import ConformalSets


def _draw(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.1
    return y, 1 / (1 + np.exp(-(rng.normal(0, 1.2, n) + 2.5 * y - 2)))


@pytest.mark.parametrize("coverage", [0.7, 0.9, 0.95])
def test_the_truth_is_in_the_set_as_often_as_promised_in_each_class(coverage):
    shares = []
    for seed in range(60):
        sets = ConformalSets().fit(*_draw(800, seed))
        y, score = _draw(800, 1000 + seed)
        found = sets.predict(score, coverage)
        shares.append([found[~y, 0].mean(), found[y, 1].mean()])
    low, high = np.mean(shares, axis=0)
    assert low == pytest.approx(coverage, abs=0.015)
    assert coverage - 0.01 < high < coverage + 0.03


def test_sets_grow_with_what_is_promised():
    sets = ConformalSets().fit(*_draw(500, 0))
    score = np.linspace(0, 1, 101)
    sizes = [sets.predict(score, coverage).sum() for coverage in (0.5, 0.8, 0.99)]
    assert sizes == sorted(sizes)


def test_more_than_the_positives_allow_leaves_malignant_in_every_set():
    y = np.arange(100) < 5
    sets = ConformalSets().fit(y, np.where(y, 0.9, 0.1))
    assert sets.predict([0.0, 0.5, 1.0], coverage=0.9)[:, 1].all()
    assert not sets.predict([0.0], coverage=0.8)[0, 1]


def test_a_coverage_of_one_is_refused():
    sets = ConformalSets().fit([0, 1], [0.2, 0.8])
    with pytest.raises(ValueError, match="coverage"):
        sets.predict([0.5], coverage=1.0)
