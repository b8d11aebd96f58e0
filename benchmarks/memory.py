"""Peak memory of `extract_features` and its workers, for few and for many images.

    python benchmarks/memory.py                        # 2,000 and 20,000 images of 64 pixels
    python benchmarks/memory.py --large 24             # JPEGs of 6000x4000 pixels
    python benchmarks/memory.py --caller               # made-up rows, for the calling process alone
    python benchmarks/memory.py --counts 300 3000      # quicker, and less sure

The figures are peaks of resident memory, without the CNN; the ratio is that of many images to few.
Every image is drawn anew, so that nothing can be known from an earlier one. With --caller the
workers make up their rows: cutting, merging and writing are then all there is, and many images take
minutes. A worker may hold at
most 500 MB, and many images at most 1.1 times what few take; the last lines say whether they do.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from hybridlesion.io import write_image

MOST_MB = 500
MOST_RATIO = 1.1

_RUN = """
import sys
import numpy as np
import pandas as pd
from hybridlesion import LesionFeaturizer, extract_features

class Inventor(LesionFeaturizer):
    def featurize(self, records, *, masks=None, tick=None):
        names = [name for name in self.get_feature_names_out() if "__" in name]
        values = np.random.default_rng().normal(size=(len(records), len(names)))
        made_up = pd.DataFrame(values.astype(np.float32), columns=names, index=records.index)
        return pd.concat([records.reindex(columns=self.carried_), made_up], axis=1), []

if __name__ == "__main__":
    records, out, jobs = pd.read_csv(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    featurizer = Inventor() if sys.argv[4] == "True" else LesionFeaturizer()
    extract_features(records, out, featurizer=featurizer, n_jobs=jobs)
"""


def main() -> None:
    """Print the peaks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument("--large", type=int, help="measure so many images of 6000x4000 instead")
    parser.add_argument("--caller", action="store_true", help="measure nothing, make rows up")
    parser.add_argument("--jobs", type=int, default=2, help="workers, at least 2")
    options = parser.parse_args()
    if options.jobs < 2:
        parser.error("one job has no worker to watch.")
    with tempfile.TemporaryDirectory() as folder:
        size = (4000, 6000) if options.large else (64, 64)
        counts = [options.large] if options.large else options.counts
        peaks = [measure(Path(folder), count, size, options) for count in counts]
    for count, (parent, worker) in zip(counts, peaks, strict=True):
        print(f"{count:6,} images: parent {parent:4.0f} MB, largest worker {worker:4.0f} MB")
    largest = max(worker for _, worker in peaks)
    print(
        f"largest worker {largest:.0f} MB: {'within' if largest <= MOST_MB else 'ABOVE'} {MOST_MB}"
    )
    if len(peaks) > 1:
        parent, worker = (last / first for first, last in zip(peaks[0], peaks[-1], strict=True))
        kept = max(parent, worker) <= MOST_RATIO
        print(
            f"many to few: parent {parent:.3f}, worker {worker:.3f}: "
            f"{'within' if kept else 'ABOVE'} {MOST_RATIO}"
        )


def measure(
    folder: Path, count: int, size: tuple[int, int], options: argparse.Namespace
) -> tuple[float, float]:
    """Run once in a process of its own; return the peaks of parent and worst worker in MB."""
    records = name(folder / str(count), count)
    if not options.caller:
        draw(records["path"], size)
    records.to_csv(folder / "records.csv", index=False)
    (folder / "run.py").write_text(_RUN)
    arguments = [folder / "run.py", folder / "records.csv", folder / f"{count}.parquet"]
    arguments += [options.jobs, options.caller]
    run = subprocess.Popen([sys.executable, *map(str, arguments)])
    peaks: dict[int, float] = {}
    done = threading.Event()
    watch = threading.Thread(target=watch_family, args=(run.pid, peaks, done))
    watch.start()
    status = run.wait()
    done.set()
    watch.join()
    if status:
        raise SystemExit(status)
    return peaks.pop(run.pid), max(peaks.values(), default=0.0)


def name(folder: Path, count: int) -> pd.DataFrame:
    """Name so many images."""
    paths = [str(folder / f"L{number:06d}.jpg") for number in range(count)]
    return pd.DataFrame({"image_id": [Path(path).stem for path in paths], "path": paths})


def draw(paths: Iterable[str], size: tuple[int, int]) -> None:
    """Draw lesions that are cheap to make: an ellipse on skin, with noise that differs."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    inside = (rows / 0.5) ** 2 + (columns / 0.6) ** 2 < 1
    for path in paths:
        image = np.where(inside[:, :, None], (110, 70, 60), (210, 165, 145)).astype(np.uint8)
        image += rng.integers(0, 20, (*size, 1), dtype=np.uint8)
        write_image(path, image)


def watch_family(pid: int, peaks: dict[int, float], done: threading.Event) -> None:
    """Note the peak memory of a process and its children, which the kernel keeps for each."""
    while not done.wait(0.2):
        for member in [pid, *children(pid)]:
            peaks[member] = max(peaks.get(member, 0.0), peak_megabytes(member))


def children(pid: int) -> list[int]:
    """List the children of a process."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(status.parent.name))
    return found


def peak_megabytes(pid: int) -> float:
    """Peak resident memory of a process; 0 once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM")), 0.0)


if __name__ == "__main__":
    main()
