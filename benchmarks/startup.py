"""Start-up time of the command line and the app, and peak memory for one very large photograph.

python benchmarks/startup.py
"""

from __future__ import annotations

import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np

from hybridlesion._optional_imports import cv2

RUNS = 9
MEASURE = """
import resource, sys
from hybridlesion import LesionFeaturizer
import pandas as pd
records = pd.DataFrame({"image_id": ["large"], "path": [sys.argv[1]]})
featurizer = LesionFeaturizer().fit(records)
if sys.argv[2] == "yes":
    featurizer.transform(records)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def main() -> None:
    """Print medians and peaks."""
    bare = median_seconds([sys.executable, "-c", "pass"])
    help_page = median_seconds([sys.executable, "-m", "hybridlesion", "--help"])
    print(f"python -c pass                {bare:.3f} s")
    print(f"hybridlesion --help           {help_page:.3f} s   ({help_page / bare:.1f} x)")
    page = statistics.median(seconds_until_page() for _ in range(RUNS))
    print(f"hybridlesion app, first page  {page:.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.jpg"
        noise = np.random.default_rng(0).integers(90, 200, (250, 375, 3), dtype=np.uint8)
        cv2.imwrite(str(path), cv2.resize(noise, (6000, 4000), interpolation=cv2.INTER_CUBIC))
        without, with_image = peak_memory(path, "no"), peak_memory(path, "yes")
    print(f"peak memory, imports only     {without:.0f} MiB")
    print(f"peak memory, 6000x4000 JPEG   {with_image:.0f} MiB   (decoded whole: +69 MiB)")


def median_seconds(command: list[str]) -> float:
    """Time a command as a whole process; the first run warms the disk cache."""
    seconds = []
    for _ in range(RUNS + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def seconds_until_page() -> float:
    """Time from the start of the app without a model until its page has arrived."""
    command = [sys.executable, "-m", "hybridlesion", "app", "--port", "0"]
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().split()[1]
        # The socket listens by now, so that the request waits for the answer.
        with urllib.request.urlopen(address) as answer:
            answer.read()
        seconds = time.perf_counter() - started
        process.send_signal(signal.SIGINT)
    return seconds


def peak_memory(path: Path, transform: str) -> float:
    """Peak resident memory in MiB of a fresh process."""
    command = [sys.executable, "-c", MEASURE, str(path), transform]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
