"""A tiny backbone learns in seconds, and goes on where it stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from hybridlesion.cnn import create_network, predict, save_network, train
from hybridlesion.cnn.network import load_network_state

TINY = "test_efficientnet"


@pytest.fixture
def begin(tiny_weights):
    """Function that makes a network at its beginning."""
    return lambda: create_network(TINY, str(tiny_weights), 2, dropout=0.2, seed=1)


def test_it_learns_what_is_dark(begin, drawn, recipe):
    learned = drawn.subset(np.arange(0, 60, 2))
    unseen = drawn.subset(np.arange(1, 60, 2))
    done = train(begin(), learned, replace(recipe, epochs=8))
    assert done.curve[-1]["loss"] < done.curve[0]["loss"]
    odds = predict(done.average, unseen.crops, 32)
    assert roc_auc_score(unseen.target, odds) > 0.9


@pytest.mark.parametrize("accumulate", [1, 4])
def test_resumed_equals_uninterrupted(begin, drawn, recipe, tmp_path, accumulate):
    # four does not divide the six steps of an epoch
    recipe = replace(recipe, accumulate=accumulate)
    whole = train(begin(), drawn, recipe)
    checkpoint = tmp_path / "fold.pt"

    class Stop(Exception):
        pass

    def interrupt(done: int, steps: int) -> None:
        if done == 8:  # in the second epoch of six steps each
            raise Stop

    with pytest.raises(Stop):
        train(begin(), drawn, recipe, checkpoint=checkpoint, progress=interrupt)
    resumed = train(begin(), drawn, recipe, checkpoint=checkpoint)
    assert resumed.curve == whole.curve
    for one, other in zip(
        resumed.average.state_dict().values(), whole.average.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_norms_and_frozen_blocks_stay(begin, drawn, recipe):
    network = begin()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    frozen = round(0.5 * len(network.blocks()))
    kept = {id(p) for block in network.blocks()[:frozen] for p in block}
    names = {name for name, p in network.named_parameters() if id(p) in kept}
    done = train(network, drawn, replace(recipe, frozen=0.5))
    for name, value in done.network.state_dict().items():
        if "running" in name or name in names:
            assert torch.equal(value, before[name]), name
    moved = [n for n, p in done.network.named_parameters() if not torch.equal(p, before[n])]
    assert names
    assert len(moved) > 2


def test_in_the_warm_up_only_the_heads_learn(begin, drawn, recipe):
    network = begin()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    done = train(network, drawn, replace(recipe, epochs=1, warm_up=1.0))
    changed = {n for n, p in done.network.named_parameters() if not torch.equal(p, before[n])}
    assert changed
    assert all(name.startswith(("malignancy", "diagnosis")) for name in changed)


def test_validation_stops_early_and_keeps_the_best_average(begin, drawn, recipe):
    # nothing can be learned from labels by chance
    chance = np.random.default_rng(0).permutation(drawn.target)
    spoilt = replace(drawn, target=chance)
    done = train(begin(), spoilt, replace(recipe, epochs=12, patience=1), validation=drawn)
    assert len(done.curve) < 12
    scores = [row["validation"] for row in done.curve]
    assert scores[-1] <= max(scores[:-1])


def test_gradients_are_summed_over_steps(begin, drawn, recipe):
    network = begin()
    done = train(network, drawn, replace(recipe, epochs=1, accumulate=3))
    # six steps, two moves
    assert done.schedule.last_epoch == 2


def test_few_images_make_one_small_batch(begin, drawn, recipe):
    few = drawn.subset(np.array([0, 1, 2]))
    assert np.isfinite(train(begin(), few, recipe).curve[-1]["loss"])


def test_a_fold_on_disk_scores_as_it_did(begin, drawn, recipe, tmp_path):
    done = train(begin(), drawn, recipe)
    save_network(tmp_path / "fold_0.safetensors", done.average)
    data = (tmp_path / "fold_0.safetensors").read_bytes()
    loaded = load_network_state(data, TINY, "fold_0.safetensors")
    assert loaded.diagnosis is None
    before, after = (predict(net, drawn.crops, 32) for net in (done.average, loaded))
    # float16 keeps three digits of a weight
    assert np.corrcoef(before, after)[0, 1] > 0.999
