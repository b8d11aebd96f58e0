"""A few steps of training: they learn, repeat and resume."""

from __future__ import annotations

import pytest
import torch

from hybridlesion.exceptions import ArtifactError, SourceError
from hybridlesion.segmentation.refiner import Recipe, load_refiner, save_refiner
from hybridlesion.segmentation.refiner.network import RefinerNetwork, load_imagenet_encoder
from hybridlesion.segmentation.refiner.training import (
    mask_loss,
    structure_loss,
    train_network,
)

RECIPE = Recipe(epochs=3, batch_size=4, image_size=32)


def weights_of(state):
    return list(state.average.state_dict().values())


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(weights_of(one), weights_of(other), strict=True))


@pytest.fixture(scope="module")
def trained(samples):
    return train_network(samples, RECIPE)


def test_the_seed_decides_the_result(samples, trained):
    assert same(train_network(samples, RECIPE), trained)
    assert not same(train_network(samples, Recipe(3, 4, 32, seed=1)), trained)


def test_loss_falls_and_is_kept_for_every_epoch(trained):
    assert len(trained.losses) == 3
    assert trained.losses[-1] < trained.losses[0]


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(samples, trained, tmp_path):
    checkpoint = tmp_path / "all.pt"

    def interrupt(done, total):
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_network(samples, RECIPE, checkpoint=checkpoint, progress=interrupt)
    resumed = train_network(samples, RECIPE, checkpoint=checkpoint)
    assert same(resumed, trained)
    assert resumed.losses == trained.losses
    steps = []
    train_network(samples, RECIPE, checkpoint=checkpoint, progress=lambda *step: steps.append(step))
    assert steps == []  # a finished training has nothing left to do


def test_too_few_images_for_a_batch_are_refused(samples):
    with pytest.raises(ValueError, match="a batch of 4 needs as many images, got 2"):
        train_network(samples[:2], RECIPE)


def test_loss_of_a_right_a_wrong_and_an_undecided_answer():
    truth = torch.tensor([[[[1.0, 0.0]]]])
    right, wrong = (mask_loss(sign * 50 * (2 * truth - 1), truth) for sign in (1, -1))
    assert right == pytest.approx(0, abs=1e-6)
    # Cross-entropy 50; no overlap, union 2: one minus 1/3.
    assert wrong == pytest.approx(50 + 2 / 3)
    assert mask_loss(0 * truth, truth) == pytest.approx(0.693147 + 1 - 1.5 / 2.5)


def test_the_encoder_begins_as_imagenet_left_it_and_its_first_stages_stay(samples, real_weights):
    from safetensors.torch import load_file

    encoder = load_file(real_weights)
    fresh = RefinerNetwork()
    load_imagenet_encoder(fresh, encoder)
    state = train_network(samples, Recipe(1, 4, 32), encoder=encoder)
    assert torch.equal(state.average.stem[0].weight, fresh.stem[0].weight)
    assert not torch.equal(state.average.stages[3][0].body[0][0].weight,
                           fresh.stages[3][0].body[0][0].weight)  # fmt: skip


def test_foreign_encoder_weights_are_refused():
    with pytest.raises(ArtifactError, match="mobilenetv2_100"):
        load_imagenet_encoder(RefinerNetwork(), {"conv1.weight": torch.zeros(1)})


def test_weights_keep_half_precision_and_their_facts(trained, tmp_path):
    path = tmp_path / "r.safetensors"
    save_refiner(path, trained.average, size=32, facts={"n_images": 10})
    assert path.stat().st_size < 2_000_000
    network, size, facts = load_refiner(path)
    assert (size, facts) == (32, {"n_images": 10})
    assert not network.training
    for name, value in trained.average.state_dict().items():
        if value.dtype.is_floating_point:
            torch.testing.assert_close(network.state_dict()[name], value.half().float())
    assert sum(value.numel() for value in network.parameters()) < 1_000_000


def test_what_is_no_refiner_is_refused(tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(SourceError, match="there is no refiner"):
        load_refiner(tmp_path / "absent.safetensors")
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(ArtifactError, match="contains no refiner"):
        load_refiner(path)
    save_file({"a": torch.zeros(2)}, path, {"hybridlesion-refiner": '{"protocol": 99}'})
    with pytest.raises(ArtifactError, match="protocol 99"):
        load_refiner(path)
    path.write_bytes(b"no weights")
    with pytest.raises(ArtifactError, match="cannot be read as a refiner"):
        load_refiner(path)


@pytest.mark.parametrize(("setting", "message"), [
    ({"image_size": 100}, "take 96 or 128"), ({"epochs": 0}, "epochs must be"),
    ({"batch_size": 1.5}, "batch_size must be"),
])  # fmt: skip
def test_settings_out_of_range_are_refused(setting, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**setting)


def test_structures_are_learned_where_they_are_known():
    truth = torch.tensor([[[[1.0, 0.0]]]])
    weights = torch.tensor([[[[1.0, 0.0]]]])
    right, ignored = (
        structure_loss(torch.tensor([[[[50.0, x]]]]), truth, weights) for x in (-50, 50)
    )
    assert right == pytest.approx(0, abs=1e-6)
    assert ignored == pytest.approx(0, abs=1e-6)  # the second pixel has no weight
    assert structure_loss(-50 * truth, truth, weights) == pytest.approx(50)


def test_tightness_lowers_the_logit_of_the_lesion_only(samples):
    loose, tight = (train_network(samples, Recipe(1, 4, 32, tightness=x)) for x in (0.0, 0.5))
    difference = loose.average.head.bias - tight.average.head.bias
    assert float(difference[0].detach()) == pytest.approx(0.5, abs=1e-6)
    assert torch.equal(loose.average.head.weight, tight.average.head.weight)
