"""Alarms of batches that differ from the training rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from hybridlesion import HybridLesionClassifier
from hybridlesion.exceptions import OptionError, TableError
from hybridlesion.inference import score_table
from hybridlesion.model import LEVELS
from hybridlesion.persistence import load_artifact
from hybridlesion.reporting import detect_drift
from hybridlesion.reporting._drift import _distance


def _rows(n, seed):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 4 == 0
    table = pd.DataFrame(
        {
            "image_id": [f"S{seed}_{row}" for row in range(n)],
            "patient_id": [f"P{seed}_{row // 2}" for row in range(n)],
            "meta__age": np.round(50 + 15.0 * y + rng.normal(0, 12, n)),
            "qa__mask_share": rng.uniform(0.1, 0.5, n),
            "qa__touches_border": (rng.random(n) < 0.1).astype(float),
        }
    )
    return table, y


@pytest.fixture(scope="module")
def model():
    return HybridLesionClassifier(n_splits=3, max_trees=20).fit(*_rows(600, 0))


@pytest.fixture
def batch(tmp_path):
    def write(name="b.csv", n=200, seed=1, **changed):
        _rows(n, seed)[0].assign(**changed).to_csv(tmp_path / name, index=False)
        return tmp_path / name

    return write


def test_rows_like_those_of_training_raise_few_alarms(model, batch):
    alarms = [detect_drift(model, [batch(seed=seed)], rate=0.1).alarm for seed in range(1, 31)]
    assert sum(alarms) <= 7


@pytest.mark.filterwarnings("ignore:the model uses age, sex and site")
@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        ("qa__mask_share", 0.1, "distribution"),
        ("qa__touches_border", 1.0, "distribution"),
        ("meta__age", np.nan, "missing"),
    ],
)
def test_a_shift_names_its_column(model, batch, column, values, kind):
    result = detect_drift(model, [batch(), batch("new.csv", **{column: values})])
    alarms = result.checks[result.checks["alarm"]]
    assert (column, kind) in set(zip(alarms["check"], alarms["kind"], strict=True))
    assert set(alarms["batch"]) == {"new.csv"}
    assert result.batches["n_alarms"].tolist() == [0, len(alarms)]
    assert result.batches["n_groups"].tolist() == [100, 100]


def test_files_of_one_name_are_different_batches(model, batch, tmp_path):
    for folder in ("monday", "tuesday"):
        (tmp_path / folder).mkdir()
    shifted = {"qa__mask_share": 0.1}
    paths = [batch("monday/b.csv", **shifted), batch("tuesday/b.csv")]
    result = detect_drift(model, paths)
    assert result.batches["batch"].tolist() == [str(path) for path in paths]
    assert result.batches["n_alarms"].tolist()[0] > 0 == result.batches["n_alarms"].tolist()[1]


def test_significant_but_small_shifts_are_no_alarm(model, batch, monkeypatch):
    moved = batch(n=2000, **{"qa__mask_share": np.linspace(0.2, 0.6, 2000)})
    assert detect_drift(model, [moved]).alarm
    monkeypatch.setattr("hybridlesion.reporting._drift._RELEVANT", 0.5)
    result = detect_drift(model, [moved])
    assert result.checks["p_value"].min() < 1e-6
    assert not result.alarm


def test_score_files_are_compared_before_recalibration_and_prevalence(model, tmp_path):
    scores, path = score_table(model, _rows(300, 5)[0]), tmp_path / "s.csv"
    scores.assign(score_original=scores["score"], score=0.9).to_csv(path, index=False)
    assert not detect_drift(model, [path]).alarm
    scores.assign(score=0.9).to_csv(path, index=False)
    assert detect_drift(model, [path]).checks.query("alarm")["check"].tolist() == ["score"]
    scores.assign(score=0.9, prevalence=0.02).to_csv(path, index=False)
    result = detect_drift(model, [path])
    assert result.checks.empty
    assert not result.alarm
    assert "adjusted to a prevalence are not compared" in result.notes[0]


def test_days_become_batches_and_small_ones_are_joined(model, batch):
    days = ["2026-03-01"] * 60 + ["2026-03-02"] * 30 + ["2026-03-03"] * 100 + ["2026-03-09"] * 10
    table = batch(scored_at=[f"{day}T10:00:00+00:00" for day in days])
    result = detect_drift(model, [table])
    assert result.batches["batch"].str.removeprefix("b.csv ").tolist() == [
        *("2026-03-01", "2026-03-02 to 2026-03-03", "2026-03-09"),
    ]
    assert result.batches["n_rows"].tolist() == [60, 130, 10]
    assert "1 of 3 batches have fewer than 20 rows" in result.notes[0]
    with pytest.raises(TableError, match="has no column 'visit', which `date` names"):
        detect_drift(model, [table], date="visit")
    with pytest.raises(TableError, match=r"not dates, such as 'P1_0'"):
        detect_drift(model, [table], date="patient_id")


def test_distance_is_a_lower_bound_of_that_of_scipy():
    rng = np.random.default_rng(0)
    for shift in (0.0, 0.5, 2.0):
        one, other = rng.normal(size=4000), rng.normal(shift, 1, 300).round(1)
        quantiles = np.quantile(one, LEVELS, method="inverted_cdf")
        found = _distance(other, np.ones(300), quantiles)
        exact = ks_2samp(one, other).statistic
        assert exact - 0.006 < found <= exact + 1e-12


def test_refusals(model, batch, tmp_path):
    with pytest.warns(UserWarning, match="features of version 3"):
        older = load_artifact(Path(__file__).parents[1] / "persistence/data/protocol3.joblib")
    with pytest.raises(TableError, match="no summary of its training rows: an earlier release"):
        detect_drift(older, [batch()])
    pd.DataFrame({"image_id": ["a"], "age": [50]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(TableError, match="neither a score file nor a feature table"):
        detect_drift(model, [tmp_path / "t.csv"])
    pd.DataFrame({"image_id": [], "score": []}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(TableError, match="no rows"):
        detect_drift(model, [tmp_path / "t.csv"])
    with pytest.raises(OptionError, match="rate"):
        detect_drift(model, [batch()], rate=0)
