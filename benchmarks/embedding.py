"""Embedding speed on a CPU: TimmEmbedder's network against the plain eager timm loop.

Run with ``python benchmarks/embedding.py --weights FILE``. Both see the same prepared pixels in
the same process, taking turns, and the best of the turns counts, so that other work on the
machine meets both alike. It prints images/s of each, the ratio in wall-clock and in CPU time, and
the cosine of the rows. On a machine that others use as well, believe ``--threads 1`` and CPU time:
threads that wait for each other make everything slow alike.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable

import numpy as np

from hybridlesion._optional_imports import import_timm
from hybridlesion.cnn.backbone import Network, load_weight_file


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mobilenetv2_100")
    parser.add_argument("--weights", help="weight file; seeded random weights without it")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, help="torch threads; all cores without it")
    options = parser.parse_args()

    timm = import_timm()
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = timm.create_model(options.model, pretrained=False, num_classes=0).eval()
    if options.weights:
        load_weight_file(model, options.weights)
    start = time.perf_counter()
    network = Network(copy.deepcopy(model), "cpu")
    build = time.perf_counter() - start
    pixels = smooth_images(options.images, network.spec.size)
    ways = {
        "plain eager timm loop, batch 32": eager_loop(model, network, torch.float32, False),
        "eager, channels-last, batch 32": eager_loop(model, network, torch.float32, True),
        "eager, channels-last, bfloat16, batch 32": eager_loop(
            model, network, torch.bfloat16, True
        ),
        "TimmEmbedder's network": lambda pixels: network.rows([pixels]),
    }
    rows = {name: way(pixels) for name, way in ways.items()}  # also warms up
    wall, cpu = ({name: [] for name in ways} for _ in range(2))
    for _ in range(options.turns):
        for name, way in ways.items():
            start, busy = time.perf_counter(), time.process_time()
            way(pixels)
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - busy)
    plain = next(iter(ways))
    print(
        f"{options.model}, {options.images} images of {network.spec.size}, "
        f"{torch.get_num_threads()} threads, graph ready after {build:.1f} s"
    )
    for name in ways:
        print(
            f"{name:42s} {options.images / min(wall[name]):6.1f} images/s, "
            f"{min(wall[plain]) / min(wall[name]):5.2f} times the plain loop "
            f"({min(cpu[plain]) / min(cpu[name]):.2f} by CPU time), "
            f"least cosine {cosines(rows[name], rows[plain]).min():.6f}"
        )


def eager_loop(model, network: Network, dtype, channels_last: bool) -> Callable:
    """Return what most scripts do: normalise, stack, call the model in eager mode."""
    import torch

    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = copy.deepcopy(model).to(dtype=dtype, memory_format=layout)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (network.spec.mean, network.spec.std))

    def embed(pixels: np.ndarray) -> np.ndarray:
        parts = []
        with torch.inference_mode():
            for start in range(0, len(pixels), 32):
                batch = torch.from_numpy(pixels[start : start + 32]).permute(0, 3, 1, 2) / 255
                batch = ((batch - mean) / std).to(dtype=dtype).contiguous(memory_format=layout)
                parts.append(model(batch).float())
        return torch.cat(parts).numpy()

    return embed


def smooth_images(n: int, size: tuple[int, int]) -> np.ndarray:
    """Draw images that are as smooth as photographs are."""
    from hybridlesion._optional_imports import cv2

    noise = np.random.default_rng(0).integers(0, 256, (n, 12, 12, 3), dtype=np.uint8)
    return np.stack(
        [cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC) for image in noise]
    )


def cosines(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Cosine of each row with its counterpart."""
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(others, axis=1)
    return (rows * others).sum(axis=1) / lengths


if __name__ == "__main__":
    main()
