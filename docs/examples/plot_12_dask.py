"""
A run on a Dask cluster
=======================

`extract_features` measures the images on a cluster if it is given the address of a scheduler. The
table is the same as that of a single process. Here the cluster consists of two threads of this
process; on several machines, start ``dask scheduler`` and ``dask worker`` instead.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
from distributed import Client, LocalCluster, get_task_stream

from hybridlesion import LesionFeaturizer, extract_features, make_lesions
from hybridlesion.batch import DaskRunner

folder = TemporaryDirectory()
out = Path(folder.name)
records = make_lesions(out / "images", n_patients=6, lesions_per_patient=(2, 2), size=(120, 90))

# %%
# Shards of two images keep both workers busy; the default is chosen from the number of records.

options = {"featurizer": LesionFeaturizer(), "shard_size": 2}
cluster = LocalCluster(
    n_workers=2,
    threads_per_worker=1,
    processes=False,
    protocol="tcp://",
    host="127.0.0.1",
    dashboard_address=":0",  # any free port
)
with cluster, Client(cluster) as client, get_task_stream(client) as stream:
    runner = DaskRunner(cluster.scheduler_address, time_limit=None)
    extract_features(records, out / "cluster.parquet", runner=runner, **options)

extract_features(records, out / "alone.parquet", **options)
same = (out / "cluster.parquet").read_bytes() == (out / "alone.parquet").read_bytes()
print(f"Byte-identical to the table of one process: {same}")

# %%
# Each bar is a shard. A worker that has finished takes the next one.

spans = [
    (task["worker"], part["start"], part["stop"])
    for task in stream.data
    for part in task["startstops"]
    if part["action"] == "compute"
]
begin = min(start for _, start, _ in spans)
workers = sorted({worker for worker, _, _ in spans})
figure, axis = plt.subplots(figsize=(8, 2.2), layout="constrained")
for worker, start, stop in spans:
    axis.barh(
        workers.index(worker), stop - start, left=start - begin, color="#56B4E9", edgecolor="white"
    )
axis.set(xlabel="seconds", yticks=range(len(workers)))
axis.set_yticklabels([f"worker {number + 1}" for number in range(len(workers))])
axis.invert_yaxis()
folder.cleanup()
