"""bfloat16 only where the processor has it; averages and checkpoints of networks."""

from __future__ import annotations

import pytest
import torch

from hybridlesion._training_utils import (
    load_checkpoint,
    mixed_precision,
    save_checkpoint,
    update_ema,
)


@pytest.mark.parametrize("has", [True, False])
def test_a_cpu_computes_in_bfloat16_only_if_it_can(monkeypatch, has):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has, raising=False)
    with mixed_precision("cpu"):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if has else torch.float32)


def test_an_average_moves_by_the_rest_of_its_share_and_counts_are_copied():
    average, network = torch.nn.BatchNorm1d(1), torch.nn.BatchNorm1d(1)
    network.weight.data.fill_(3.0)
    network.num_batches_tracked.fill_(7)
    update_ema(average, network, 0.75)
    assert average.weight.item() == 1.5
    assert average.num_batches_tracked.item() == 7


def test_states_come_back(tmp_path):
    one, other = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    save_checkpoint(tmp_path / "fold.pt", {"network": one}, {"losses": [0.5]})
    assert load_checkpoint(tmp_path / "fold.pt", {"network": other}) == {"losses": [0.5]}
    assert torch.equal(one.weight, other.weight)
