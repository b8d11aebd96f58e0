"""Tests of the fallback to the network for images unlike the training images."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

from hybridlesion import HybridLesionClassifier
from hybridlesion.metrics import roc_auc
from hybridlesion.model._fallback import NetworkFallback

_SKIN, _TEXTURE = ("abcd__skin_a", "abcd__skin_b"), ("abcd__texture_energy_fine",)


def _site(n, seed, *, shift=0.0, sign=1.0):
    """Lesions of one site: an informative network, and a feature whose sign depends on the site."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 4 == 0
    table = pd.DataFrame(
        {name: shift + rng.normal(size=n) for name in (*_SKIN, *_TEXTURE)}
        | {
            "abcd__asymmetry": sign * y + rng.normal(0, 0.8, n),
            "cnn__melanoma": 1 / (1 + np.exp(-(2.0 * y - 1 + rng.normal(0, 1.3, n)))),
        }
    )
    return table, y


@pytest.fixture(scope="module")
def home():
    return _site(800, 0)


@pytest.fixture(scope="module")
def model(home):
    return HybridLesionClassifier(n_splits=3).fit(*home)


def test_model_is_never_clearly_worse_than_the_network_elsewhere(home, model):
    table, y = _site(800, 1, shift=5.0, sign=-1.0)
    network = roc_auc(y, table["cnn__melanoma"].to_numpy())
    assert roc_auc(y, model.predict_proba(table)[:, 1]) == pytest.approx(network, abs=0.005)
    without = HybridLesionClassifier(n_splits=3, fallback=False).fit(*home)
    assert roc_auc(y, without.predict_proba(table)[:, 1]) < network - 0.05


def test_model_keeps_a_gain_at_home(home, model):
    table, y = home
    network = roc_auc(y, table["cnn__melanoma"].to_numpy())
    assert roc_auc(y, model.oof_score_) > network + 0.01
    new, y = _site(800, 2)
    assert roc_auc(y, model.predict_proba(new)[:, 1]) > roc_auc(y, new["cnn__melanoma"]) + 0.01


def test_applicability_is_uniform_at_home_and_low_elsewhere(model):
    new, _ = _site(2000, 3)
    assert kstest(model.applicability(new), "uniform").statistic < 0.06
    for shift in (5.0, -5.0):
        assert model.applicability(_site(200, 4, shift=shift)[0]).max() < 0.02


def test_one_unusual_group_of_columns_suffices(model):
    table, _ = _site(200, 5)
    for group in (_SKIN, _TEXTURE):
        assert model.applicability(table.assign(**dict.fromkeys(group, 6.0))).max() < 0.02


def test_missing_measurements_are_not_unusual(model):
    table, _ = _site(50, 6)
    table = table.assign(**dict.fromkeys((*_SKIN, *_TEXTURE), np.nan))
    assert model.applicability(table).min() > 0.9


def test_without_score_of_the_network_the_fold_models_decide(home, model):
    table, _ = _site(50, 7, shift=5.0)
    without = HybridLesionClassifier(n_splits=3, fallback=False).fit(*home)
    logits = [
        one.ensemble_.logits(one._read(table.assign(cnn__melanoma=np.nan)), False, 3, 1)
        for one in (model, without)
    ]
    np.testing.assert_array_equal(*logits)


def test_score_rises_with_the_network(model):
    table, _ = _site(40, 8, shift=1.0)
    scores = [
        model.predict_proba(table.assign(cnn__melanoma=p))[:, 1] for p in np.linspace(0.01, 0.99, 9)
    ]
    assert (np.diff(scores, axis=0) >= -1e-12).all()


def test_contributions_sum_to_the_score(model):
    table, _ = _site(60, 9, shift=1.5)
    parts = model.contributions(table)
    np.testing.assert_allclose(parts.sum(axis=1), model.predict_proba(table)[:, 1], atol=1e-9)
    # Where the network decides, handcrafted features contribute nothing.
    far = model.contributions(_site(20, 10, shift=9.0)[0])
    assert far["abcd__asymmetry"].abs().max() < 0.01 < far["cnn__melanoma"].abs().max()


def test_rows_do_not_depend_on_each_other(model):
    encoded = model._read(_site(30, 11, shift=1.0)[0])
    alone = [model.ensemble_.logits(encoded[[k]], False, 3, 1) for k in range(30)]
    np.testing.assert_array_equal(np.hstack(alone), model.ensemble_.logits(encoded, False, 3, 1))


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.drop(columns=["abcd__skin_a", "abcd__skin_b"]),
        lambda t: t.drop(columns="abcd__texture_energy_fine"),
        lambda t: t.drop(columns="cnn__melanoma"),
        lambda t: t.assign(cnn__melanoma=np.log(t["cnn__melanoma"])),
    ],
    ids=["no skin", "no texture", "no network", "no probability"],
)
def test_there_is_no_fallback_without_its_columns(home, change):
    table, y = home
    table = change(table)
    model = HybridLesionClassifier(n_splits=2).fit(table, y)
    assert model.ensemble_.fallbacks == []
    assert np.isnan(model.applicability(table)).all()


def test_other_diagnoses_are_unusual():
    table, y = _site(600, 12)
    rng = np.random.default_rng(13)
    names = [*table, "cnn__p_nv", "cnn__p_bcc"]
    rare = rng.uniform(0.0, 0.02, 600)
    encoded = np.column_stack([table.to_numpy(), 0.9 - rare, rare]).astype(np.float32)
    fitted = NetworkFallback.fit(encoded, y, np.arange(600) % 3, names, "cnn__melanoma")
    other = encoded.copy()
    other[:, -2:] = 0.05, 0.9
    assert fitted.applicability(encoded).mean() == pytest.approx(0.5, abs=0.03)
    assert fitted.applicability(other).max() < 0.05


def test_stored_model_gives_the_same_scores(model, tmp_path):
    from hybridlesion.persistence import load_artifact, save_artifact

    table, _ = _site(40, 14, shift=1.0)
    save_artifact(tmp_path / "model.joblib", model)
    loaded = load_artifact(tmp_path / "model.joblib")
    np.testing.assert_array_equal(loaded.predict_proba(table), model.predict_proba(table))
    np.testing.assert_array_equal(loaded.applicability(table), model.applicability(table))
