"""The import floors of the package, read from its syntax trees."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "hybridlesion"

FLOORS = [
    {"exceptions"},
    {"_validation", "_optional", "_opencv", "_files", "_strangers", "_words"},
    {"_learning", "metadata"},
    {"images"},
    {"augmentation", "datasets", "preprocessing", "sources"},
    {"segmentation"},
    {"features", "embedding"},
    {"table", "splits", "evaluation"},
    {"extraction", "model"},
    {"pipeline", "_steps"},
    {"reasons"},
    {"artifact", "training"},
    {"report", "scoring"},
    {"demo"},
    {"cli"},
    {"__main__"},
]
FLOOR_OF = {name: floor for floor, names in enumerate(FLOORS) for name in names}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [node.module or ""]
            if node.module == "hybridlesion":
                names = [f"hybridlesion.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        rooms |= {name.split(".")[1] for name in names if name.startswith("hybridlesion.")}
    return rooms


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_come_from_lower_floors_or_the_same_folder(path):
    here = _room(path)
    for room in _imported_rooms(path) & set(FLOOR_OF):
        assert room == here or FLOOR_OF[room] < FLOOR_OF[here], f"{here} imports {room}"


def test_every_module_has_a_floor():
    assert {_room(path) for path in MODULES} <= set(FLOOR_OF)


def test_imports_between_different_rooms_are_found():
    assert "features" in _imported_rooms(PACKAGE / "table" / "_lesion.py")


@pytest.mark.parametrize(
    "module",
    [
        "hybridlesion",
        "hybridlesion.cli",
        "hybridlesion.pipeline",
        "hybridlesion.embedding",
        "hybridlesion.scoring",
        "hybridlesion.artifact",
    ],
)
def test_import_loads_no_heavy_library(module):
    code = (
        f"import sys, {module}; "
        "heavy = ('torch', 'timm', 'lightgbm', 'matplotlib', 'h5py'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
