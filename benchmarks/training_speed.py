"""Images per second of training on a CPU: a bare loop of torch, and the loops of the package.

    python benchmarks/training_speed.py [--size 160] [--batch 48] [--steps 5] [--threads 1]

The bare loop trains timm's EfficientNet-Lite0 in float32 or with autocast, channels last.
`finetune` folds batch norms, computes gradients of depthwise convolutions by faster ones, and uses
bfloat16 where the processor has it. The refiner is trained with torch's depthwise convolutions and
with ours. All variants take turns; random pixels and weights; views are not counted.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from hybridlesion._depthwise import DepthwiseConv2d
from hybridlesion._optional_imports import import_timm
from hybridlesion._training_utils import mixed_precision, set_malloc_retention
from hybridlesion.cnn.network import fold_norms, set_training
from hybridlesion.segmentation.refiner.network import RefinerNetwork


def main() -> None:
    """Time all variants and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=160, help="side of the views in pixels")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    set_malloc_retention()
    torch.manual_seed(0)
    shape = (options.batch, 3, options.size, options.size)
    images = torch.randn(shape).to(memory_format=torch.channels_last)
    seconds: dict[str, list[float]] = {}
    variants = list_variants(images)
    for step in variants.values():
        step()  # compiles the convolutions
    for _ in range(options.steps):
        for name, step in variants.items():
            began = time.perf_counter()
            step()
            seconds.setdefault(name, []).append(time.perf_counter() - began)
    for network in ("finetune", "refiner"):
        first = None
        for name, spent in seconds.items():
            if not name.startswith(network):
                continue
            rate = options.batch / float(np.median(spent))
            first = first or rate
            print(f"{name}: {rate:.1f} images/s, {rate / first:.2f} times the first")


def list_variants(images: torch.Tensor) -> dict[str, Callable[[], None]]:
    """Return a training step of each variant, by name."""
    classifier = import_timm().create_model("tf_efficientnet_lite0", num_classes=8)
    classifier = set_training(classifier).to(memory_format=torch.channels_last)
    refiner = RefinerNetwork(evidence=False, n_structures=5).to(memory_format=torch.channels_last)
    plain = _with_plain_depthwise(refiner)
    exact = torch.autocast("cpu", enabled=False)
    low = mixed_precision("cpu")
    return {
        "finetune, bare loop": _step(classifier, images, exact),
        "finetune, bare loop with autocast": _step(classifier, images, low),
        "finetune, float32": _step(fold_norms(classifier), images, exact),
        "finetune": _step(fold_norms(classifier), images, low),
        "refiner, torch's depthwise convolutions": _step(plain, images, low),
        "refiner": _step(refiner, images, low),
    }


def _step(
    network: nn.Module, images: torch.Tensor, precision: torch.autocast
) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)

    def step() -> None:
        with precision:
            found = network(images)
        found.float().square().mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def _with_plain_depthwise(network: nn.Module) -> nn.Module:
    found = copy.deepcopy(network)
    for name, module in network.named_modules():
        if isinstance(module, DepthwiseConv2d):
            parent, _, child = name.rpartition(".")
            sides = module.kernel_size, module.stride, module.padding
            plain = nn.Conv2d(
                module.in_channels,
                module.out_channels,
                *sides,
                groups=module.groups,
                bias=module.bias is not None,
            )
            setattr(found.get_submodule(parent), child, plain)
    return found.to(memory_format=torch.channels_last)


if __name__ == "__main__":
    main()
