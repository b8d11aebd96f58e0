"""What a second worker is worth, and what the second core allows.

    python benchmarks/workers.py --images FOLDER [--count 300] [--rounds 3] [--embedder none]

Each round measures the same images by the command's engine with one job and with two, and then by
bare featurizers that share nothing: one process for all images, and two for half of them each. All
are new processes, so their start counts. Rounds alternate the four, since a machine has good and
bad minutes. Two ratios are printed:

- by the clock, which other work on the machine disturbs;
- by processor time along the way that nothing can shorten: the calling process, and the worker
  that worked longest. Other work disturbs this one little.

The bare processes are the ceiling: what a second worker would bring if nothing were lost.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import pandas as pd

from hybridlesion import list_images

_ENGINE = """
import sys
import pandas as pd
from hybridlesion import LesionFeaturizer, extract_features

if __name__ == "__main__":
    records, out, jobs, embedder = pd.read_csv(sys.argv[1]), *sys.argv[2:]
    extract_features(records, out, featurizer=LesionFeaturizer(embedder), n_jobs=int(jobs))
"""

_BARE = """
import sys
import pandas as pd
from hybridlesion import LesionFeaturizer
from hybridlesion.batch._workers import one_thread

records, first, step, embedder = pd.read_csv(sys.argv[1]), *sys.argv[2:]
with one_thread():
    LesionFeaturizer(embedder).fit(records).featurize(records.iloc[int(first) :: int(step)])
"""

_TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run the rounds, and print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True, help="folder of images")
    parser.add_argument("--count", type=int, default=300, help="images; taken again if too few")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--embedder", default="none", help="none, or finetuned")
    options = parser.parse_args()
    kinds: dict[str, list[tuple[float, float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        write_work(work, options)
        for number in range(options.rounds):
            for jobs in (1, 2):
                out = work / f"{number}-{jobs}.parquet"
                command = [work / "engine.py", work / "records.csv", out, jobs, options.embedder]
                kinds.setdefault(f"engine, {jobs} job(s)", []).append(watch([command]))
            for parts in (1, 2):
                bare = [work / "bare.py", work / "records.csv"]
                commands = [[*bare, part, parts, options.embedder] for part in range(parts)]
                kinds.setdefault(f"bare, {parts} process(es)", []).append(watch(commands))
    report(kinds, options)


def write_work(folder: Path, options: argparse.Namespace) -> None:
    """Write the scripts and the records; an image that comes again has an id of its own."""
    paths = list(islice(cycle(list_images(options.images)["path"]), options.count))
    ids = [f"I{number:06d}" for number in range(len(paths))]
    pd.DataFrame({"image_id": ids, "path": paths}).to_csv(folder / "records.csv", index=False)
    (folder / "engine.py").write_text(_ENGINE)
    (folder / "bare.py").write_text(_BARE)


def watch(commands: list[list[object]]) -> tuple[float, float, float]:
    """Run side by side; return seconds by the clock, along the longest way, and of all cores."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    started = time.perf_counter()
    running = [
        subprocess.Popen([sys.executable, *map(str, command)], env=environment)
        for command in commands
    ]
    used: dict[int, float] = {}
    parents = {process.pid for process in running}
    while any(process.poll() is None for process in running):
        for pid in parents:
            for member in [pid, *children(pid)]:
                used[member] = max(used.get(member, 0.0), processor_seconds(member))
        time.sleep(0.05)
    clock = time.perf_counter() - started
    if any(process.returncode for process in running):
        raise SystemExit("a run failed; what it said stands above.")
    workers = [seconds for pid, seconds in used.items() if pid not in parents]
    longest = max(used[pid] for pid in parents) + max(workers, default=0.0)
    return clock, longest, sum(used.values())


def children(pid: int) -> list[int]:
    """List the children of a process, as the kernel keeps them for each of its threads."""
    try:
        lists = Path(f"/proc/{pid}/task").glob("*/children")
        return [int(child) for tasks in lists for child in tasks.read_text().split()]
    except OSError:
        return []


def processor_seconds(pid: int) -> float:
    """Processor time of a process so far; 0 once it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def report(kinds: dict[str, list[tuple[float, float, float]]], options: argparse.Namespace) -> None:
    """Print medians over the rounds, and the ratios of one to two."""
    print(f"{options.count} images, embedder {options.embedder}, medians of {options.rounds}")
    print(f"{'run':<22} {'clock, s':>9} {'longest way, s':>15} {'all cores, s':>13}")
    medians = []
    for name, runs in kinds.items():
        medians.append([statistics.median(values) for values in zip(*runs, strict=True)])
        clock, longest, total = medians[-1]
        print(f"{name:<22} {clock:9.1f} {longest:15.1f} {total:13.1f}")
    for name, one, two in (("engine", *medians[:2]), ("bare (ceiling)", *medians[2:])):
        print(
            f"{name}, one / two: {one[0] / two[0]:.2f} by the clock, "
            f"{one[1] / two[1]:.2f} by processor time"
        )


if __name__ == "__main__":
    main()
