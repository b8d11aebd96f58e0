"""Scaled JPEG reading against full decoding, OpenCV and Pillow, in one run.

    python benchmarks/decode.py [--repeats 9]

Draws a 4000 x 2700 JPEG, reads it for a long side of 768 pixels in several ways and prints the
median time of each and its ratio to ours. Then reads a 6000 x 4000 JPEG in new processes and
prints how much memory each way takes beyond its imports.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image

from hybridlesion._optional_imports import cv2
from hybridlesion.io import read_image, resize_long_side

LONG_SIDE = 768


def draw(path: Path, width: int, height: int) -> Path:
    """Write a smooth, slightly noisy picture: about 0.2 bytes a pixel, as in ISIC 2020."""
    generator = np.random.default_rng(0)
    rows, columns = np.ogrid[:height, :width]
    waves = np.sin(columns / 400) * 40 + np.cos(rows / 130) * 30 + 150
    pixels = np.stack([waves, waves * 0.8, waves * 0.7], axis=2).astype(np.float32)
    pixels += generator.normal(0, 6, pixels.shape).astype(np.float32)
    PIL.Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)
    return path


def ours(path: Path) -> np.ndarray:
    """Decode at a quarter (or as the size allows), then shrink the rest of the way."""
    return resize_long_side(read_image(path, long_side=LONG_SIDE), LONG_SIDE)


def opencv_full(path: Path) -> np.ndarray:
    """Decode every pixel with OpenCV, then shrink."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return resize_long_side(image, LONG_SIDE)


def opencv_quarter(path: Path) -> np.ndarray:
    """Decode at a quarter with OpenCV: no limit, no check, warnings to standard error."""
    data = np.frombuffer(path.read_bytes(), np.uint8)
    image = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_4), cv2.COLOR_BGR2RGB)
    return resize_long_side(image, LONG_SIDE)


def pillow_full(path: Path) -> np.ndarray:
    """Decode every pixel with Pillow, then shrink."""
    with PIL.Image.open(io.BytesIO(path.read_bytes())) as image:
        return resize_long_side(np.array(image.convert("RGB")), LONG_SIDE)


WAYS: dict[str, Callable[[Path], np.ndarray]] = {
    "hybridlesion, scaled": ours,
    "OpenCV, full + resize": opencv_full,
    "Pillow, full + resize": pillow_full,
    "OpenCV, 1/4, unchecked": opencv_quarter,
}


def median_times(path: Path, repeats: int) -> dict[str, float]:
    """Median seconds of each way; the ways take turns, so that a busy moment hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(repeats):
        for name, read in WAYS.items():
            start = time.perf_counter()
            read(path)
            times[name].append(time.perf_counter() - start)
    return {name: float(np.median(seconds)) for name, seconds in times.items()}


def peak_memory(path: Path, name: str) -> float:
    """Megabytes that a new process needs at its peak beyond what its imports needed."""
    code = (
        "import sys; from pathlib import Path; import decode; before = decode.peak(); "
        "decode.WAYS[sys.argv[2]](Path(sys.argv[1])); print(decode.peak() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), name],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
    )
    return float(done.stdout)


def peak() -> float:
    """Megabytes that this process has had in memory at most."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux hands ru_maxrss on from parent to child; this figure begins anew.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1e3
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    # One core for each, as in a worker process.
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = draw(Path(folder) / "large.jpg", 4000, 2700)
        print(f"4000 x 2700 JPEG of {path.stat().st_size / 1e6:.1f} MB, long side {LONG_SIDE}")
        times = median_times(path, repeats)
        for name, seconds in times.items():
            ratio = seconds / times["hybridlesion, scaled"]
            print(f"  {name:24} {seconds * 1e3:7.1f} ms   {ratio:5.2f} times ours")
        path = draw(Path(folder) / "huge.jpg", 6000, 4000)
        print(f"6000 x 4000 JPEG of {path.stat().st_size / 1e6:.1f} MB, peak beyond imports")
        for name in WAYS:
            print(f"  {name:24} {peak_memory(path, name):7.1f} MB")


if __name__ == "__main__":
    main()
