"""The app under load on loopback, against the library's own time.

    python benchmarks/app.py [MODEL.joblib] [--seconds 120] [--clients 8]

Starts the app, measures how long it takes to answer, and compares single answers with calls of the
library on the same photographs, in turn. Then clients score photographs without a pause. Prints
times, ratios and errors.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx

from hybridlesion.app import LesionReader
from hybridlesion.datasets import make_lesions
from hybridlesion.persistence import load_artifact

PAIRS = 15  # answers of the app and of the library that are compared


def start(arguments: list[str]) -> tuple[subprocess.Popen, str, float]:
    """Start the app and wait until it answers."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "hybridlesion", "app", *arguments, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    address = process.stdout.readline().split()[1]
    while True:
        try:
            httpx.get(address)
        except httpx.ConnectError:
            time.sleep(0.02)
        else:
            return process, address, time.perf_counter() - started


def ask(client: httpx.Client, address: str, path: Path) -> float:
    """Score one photograph and return the seconds that it took; wait where the queue is full."""
    started = time.perf_counter()
    while True:
        answer = client.post(f"{address}score", files={"file": path.read_bytes()})
        if answer.status_code != 503:
            answer.raise_for_status()
            return time.perf_counter() - started
        time.sleep(float(answer.headers["retry-after"]))


def answer(reader: LesionReader, path: Path) -> float:
    """Read and score one photograph with the library."""
    started = time.perf_counter()
    reader.answer(reader.read(path, path.name))
    return time.perf_counter() - started


def main() -> None:
    """Parse the options, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    model = options.model
    reader = LesionReader(load_artifact(model)) if model else LesionReader.reference()
    process, address, seconds = start([options.model] if options.model else [])
    print(f"answers {seconds:.1f} s after its start")
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(one) for one in make_lesions(folder, n_patients=12)["path"]]
        with httpx.Client(timeout=600) as client:
            pairs = [(ask(client, address, p), answer(reader, p)) for p in (paths * 9)[:PAIRS]][3:]
            app, library = (statistics.median(times) for times in zip(*pairs, strict=True))
            ratio = statistics.median(ours / theirs for ours, theirs in pairs)
            print(f"one client: {app:.2f} s, library {library:.2f} s, ratio {ratio:.2f}")
        times, errors = [], []
        end = time.perf_counter() + options.seconds

        def work(number: int) -> None:
            with httpx.Client(timeout=600) as client:
                while time.perf_counter() < end:
                    try:
                        path = paths[(len(times) + number) % len(paths)]
                        times.append(ask(client, address, path))
                    except httpx.HTTPError as error:
                        errors.append(repr(error))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(options.clients)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        passed = time.perf_counter() - begun
    process.terminate()
    process.wait()
    ranked = sorted(times)
    each = passed / len(times)
    print(
        f"{options.clients} clients, {passed:.0f} s: {len(times)} answers, {len(errors)} errors, "
        f"one each {each:.2f} s ({each / library:.2f} of the library's time), median wait "
        f"{statistics.median(times):.1f} s, longest {ranked[-1]:.1f} s"
    )


if __name__ == "__main__":
    main()
