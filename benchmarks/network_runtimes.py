"""What does a worker take that scores images by a network that tells diagnoses apart?

    python benchmarks/network_runtimes.py DATA/isic2017/images --network NETWORK.zip

One process for each runtime, on one core: seconds from its start to the first score, images a
second over all views, milliseconds of one image by itself, and memory. Images are decoded and
segmented beforehand. Where the processor is shared with other work, seconds of the processor count.
"""

from __future__ import annotations

import argparse
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNTIMES = ("torch", "ONNX Runtime")


def measure(runtime: str, network: str, images: Path) -> str:
    """Score the images in this process, and format a row of the table."""
    start = time.process_time()
    import numpy as np

    from hybridlesion._optional_imports import cv2
    from hybridlesion.cnn import CNNScorer, scorer

    cv2.setNumThreads(1)
    if runtime == "torch":
        import torch

        torch.set_num_threads(1)
        scorer.has_graph = lambda backbone: False
    model = CNNScorer(network, device="cpu").fit()
    pictures, masks = pickle.loads(images.read_bytes())
    model.transform(pictures[:1], masks[:1])
    begun = time.process_time() - start
    start = time.process_time()
    model.transform(pictures, masks)
    rate = len(pictures) / (time.process_time() - start)
    alone = []
    for picture, mask in zip(pictures[:20], masks[:20], strict=True):
        start = time.process_time()
        model.transform([picture], [mask])
        alone.append(1000 * (time.process_time() - start))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"| {runtime} | {begun:.1f} | {rate:.0f} | {np.median(alone):.0f} | {memory:.0f} |"


def prepare(folder: Path, n_images: int) -> bytes:
    """Decode and segment images at the scale of a featurizer."""
    from hybridlesion.io import read_image, resize_long_side
    from hybridlesion.segmentation import segment

    paths = sorted(folder.glob("*.jpg"))[:n_images]
    pictures = [resize_long_side(read_image(str(path)), 512) for path in paths]
    return pickle.dumps((pictures, [segment(picture) for picture in pictures]))


def main() -> None:
    """Measure every runtime in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("--network", required=True)
    parser.add_argument("--n-images", type=int, default=100)
    parser.add_argument("--runtime", choices=RUNTIMES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.runtime:
        print(measure(options.runtime, options.network, options.images))
        return
    print("| runtime | s to the first score | images/s | ms an image alone | MB |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.pickle")
        path.write_bytes(prepare(options.images, options.n_images))
        for runtime in RUNTIMES:
            command = [sys.executable, __file__, str(path), "--network", options.network]
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            subprocess.run([*command, "--runtime", runtime], env=environment, check=True)


if __name__ == "__main__":
    main()
