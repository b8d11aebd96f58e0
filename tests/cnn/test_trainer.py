"""A tiny backbone learns in seconds, and continues where it stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from hybridlesion.cnn import create_network, predict, save_network, train
from hybridlesion.cnn import trainer as module
from hybridlesion.cnn.network import blocks_of, load_network_state
from hybridlesion.cnn.trainer import class_set_loss

TINY = "test_efficientnet"
TIMES = ("minutes", "minutes_left", "images_per_second")


@pytest.fixture
def begin(tiny_weights):
    """Function that makes a network at its beginning."""
    return lambda: create_network(TINY, str(tiny_weights), dropout=0.2)


def _without_times(curve):
    return [{name: row[name] for name in row if name not in TIMES} for row in curve]


def test_it_learns_what_is_dark(begin, drawn, recipe):
    learned, unseen = (drawn.subset(np.arange(start, 60, 2)) for start in (0, 1))
    done = train(begin(), learned, replace(recipe, epochs=16), held_out=unseen)
    assert done.curve[-1]["loss"] < done.curve[0]["loss"]
    logits = predict(done.average, unseen, 32)
    assert logits.shape == (30, 8)
    assert roc_auc_score(unseen.allowed[:, 0], logits[:, 0] - logits[:, 1]) > 0.9
    assert done.curve[-1]["melanoma_0"] > 0.9
    assert done.curve[-1]["minutes_left"] == 0


@pytest.mark.parametrize("stop", [8, 5])
def test_resumed_equals_uninterrupted(begin, drawn, recipe, tmp_path, monkeypatch, stop):
    monkeypatch.setattr(module, "_STEPS_BETWEEN_CHECKPOINTS", 4)
    whole = train(begin(), drawn, recipe, held_out=drawn)
    checkpoint = tmp_path / "fold.pt"

    class Stop(Exception):
        pass

    def interrupt(done: int, steps: int) -> None:
        if done == stop:
            raise Stop

    with pytest.raises(Stop):
        train(begin(), drawn, recipe, held_out=drawn, checkpoint=checkpoint, progress=interrupt)
    resumed = train(begin(), drawn, recipe, held_out=drawn, checkpoint=checkpoint)
    assert _without_times(resumed.curve) == _without_times(whole.curve)
    for one, other in zip(
        resumed.average.state_dict().values(), whole.average.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_norms_and_frozen_blocks_stay(begin, drawn, recipe):
    network = begin()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    blocks = blocks_of(network)
    kept = {id(p) for block in blocks[: round(0.5 * len(blocks))] for p in block}
    names = {name for name, p in network.named_parameters() if id(p) in kept}
    done = train(network, drawn, replace(recipe, frozen=0.5))
    for name, value in done.network.state_dict().items():
        if "running" in name or name in names:
            assert torch.equal(value, before[name]), name
    moved = [n for n, p in done.network.named_parameters() if not torch.equal(p, before[n])]
    assert names
    assert len(moved) > 2


def test_held_out_images_change_nothing(begin, drawn, recipe):
    one, other = (train(begin(), drawn, recipe, held_out=held) for held in (None, drawn))
    assert [row["loss"] for row in one.curve] == [row["loss"] for row in other.curve]


def test_few_images_make_one_small_batch(begin, drawn, recipe):
    few = drawn.subset(np.array([0, 1, 2]))
    assert np.isfinite(train(begin(), few, recipe).curve[-1]["loss"])


def test_loss_is_that_of_the_set_of_admitted_classes():
    logits = torch.log(torch.tensor([[0.2, 0.5, 0.3], [0.2, 0.5, 0.3]]))
    allowed = torch.tensor([[True, False, False], [True, False, True]])
    equal = torch.zeros(2, 3)
    loss = class_set_loss(logits, allowed, equal, 0.0)
    assert loss.item() == pytest.approx(-(np.log(0.2) + np.log(0.5)) / 2)
    # the frequencies of a source count as if they were added to the logits
    shares = torch.log(torch.tensor([[0.5, 0.25, 0.25]])).expand(2, 3)
    shifted = class_set_loss(logits, allowed, shares, 0.0).item()
    p = np.array([0.1, 0.125, 0.075]) / 0.3
    assert shifted == pytest.approx(-(np.log(p[0]) + np.log(p[0] + p[2])) / 2)
    smooth = class_set_loss(logits[:1], allowed[:1], equal[:1], 0.1).item()
    assert smooth == pytest.approx(-(0.9 * np.log(0.2) + 0.1 * np.log([0.2, 0.5, 0.3]).mean()))


def test_a_fold_on_disk_scores_as_it_did(begin, drawn, recipe, tmp_path):
    done = train(begin(), drawn, recipe)
    save_network(tmp_path / "fold_0.safetensors", done.average)
    data = (tmp_path / "fold_0.safetensors").read_bytes()
    loaded = load_network_state(data, TINY, "fold_0.safetensors", 8)
    before, after = (predict(net, drawn, 32) for net in (done.average, loaded))
    # float16 keeps three digits of a weight
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.999
