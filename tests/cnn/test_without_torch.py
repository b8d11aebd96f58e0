"""Features, a fit, scores and sheets of networks on ONNX Runtime never import torch."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd

from hybridlesion._optional_imports import cv2
from hybridlesion.cnn import Finetuned
from hybridlesion.io import write_image

STEPS = """
import sys

from hybridlesion.cli import main

def call(*words):
    sys.argv = ["hybridlesion", *words]
    try:
        main()
    except SystemExit as end:
        assert end.code in (0, None), (words, end.code)

call("features", "images", "--metadata", "truth.csv", "--embedder", "network.zip",
     "--segmenter", "refined", "--out", "table.parquet", "--jobs", "1")
call("fit", "table.parquet", "--folds", "2", "--out", "model.joblib")
call("score", "model.joblib", "images", "--out", "scores.csv", "--explain", "--jobs", "1")
call("explain", "images", "--segmenter", "refined", "--out", "sheets")
"""

WITHOUT_TORCH = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, Absent())
from hybridlesion.cli import main
"""


def test_no_step_imports_torch(diagnoser, tmp_path, rng):
    # A module of this name that cannot be imported, here and in all subprocesses.
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    for name in ("torch", "timm", "torchvision"):
        (blocked / f"{name}.py").write_text(f"raise RuntimeError('{name} was imported')\n")
    rows = []
    for i in range(12):
        image = np.full((90, 120, 3), (222, 178, 158), np.float64)
        cv2.circle(image, (60, 45), 18 + i, (60, 40, 40) if i % 2 else (150, 100, 80), -1)
        image += rng.normal(0, 5, image.shape)
        write_image(tmp_path / "images" / f"lesion_{i}.png", image.clip(0, 255).astype(np.uint8))
        diagnosis = ("nevus", "melanoma")[i % 2]
        rows.append({"image_id": f"lesion_{i}", "diagnosis": diagnosis, "target": i % 2})
    pd.DataFrame(rows).to_csv(tmp_path / "truth.csv", index=False)
    (tmp_path / "network.zip").write_bytes(Finetuned.read(diagnoser).pack())
    paths = [str(blocked), *filter(None, sys.path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    done = subprocess.run(
        [sys.executable, "-c", STEPS],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "leading score of the network: cnn__melanoma" in done.stderr
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert scores["score"].between(0, 1).all()
    assert len(list((tmp_path / "sheets").glob("*.png"))) == 12


def test_commands_that_need_torch_name_it(tmp_path, lesions):
    words = ["explain", str(lesions["path"].iloc[0]), "--network", "finetuned"]
    words += ["--out", str(tmp_path / "sheet.png")]
    script = WITHOUT_TORCH + f"sys.argv = ['hybridlesion', *{words!r}]\nmain()\n"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "needs torch, which is not installed" in done.stderr
    assert "pip install" in done.stderr


def test_the_runtime_reports_no_usage(tmp_path):
    """Its telemetry writes an identifier into the temporary folder when it is imported."""
    code = (
        "import numpy as np; from hybridlesion.cnn import CNNScorer; "
        "CNNScorer(device='cpu').fit().transform([np.zeros((60, 80, 3), np.uint8)])"
    )
    environment = {name: os.environ[name] for name in os.environ if name != "ORT_DISABLE_TELEMETRY"}
    settings = {"env": environment | {"TMPDIR": str(tmp_path)}, "check": True}
    subprocess.run([sys.executable, "-c", code], **settings)
    assert list(tmp_path.iterdir()) == []
