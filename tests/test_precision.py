"""bfloat16 only where the processor has it."""

from __future__ import annotations

import pytest
import torch

from hybridlesion._precision import mixed_precision


@pytest.mark.parametrize("has", [True, False])
def test_a_cpu_computes_in_bfloat16_only_if_it_can(monkeypatch, has):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has, raising=False)
    with mixed_precision("cpu"):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == (torch.bfloat16 if has else torch.float32)
