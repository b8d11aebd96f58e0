"""The import layers of the package, read from its syntax trees."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "hybridlesion"

LAYERS = [
    {"exceptions", "_former_names"},
    {"_validation", "_optional_imports", "_atomic", "_sanitize", "_formatting"},
    {"_training_utils", "metadata"},
    {"io"},
    {"datasets", "preprocessing"},
    {"segmentation"},
    {"features"},
    {"model_selection", "metrics"},
    {"leakage"},
    {"cnn"},
    {"featurizer"},
    {"model"},
    {"pipeline"},
    {"explain"},
    {"persistence"},
    {"batch"},
    {"training"},
    {"inference"},
    {"plotting"},
    {"reporting"},
    {"demo"},
    {"cli"},
    {"__main__"},
]
LAYER_OF = {name: layer for layer, names in enumerate(LAYERS) for name in names}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def _package(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported_packages(path: Path) -> set[str]:
    packages = set()
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
        packages |= {name.split(".")[1] for name in names if name.startswith("hybridlesion.")}
    return packages


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_come_from_lower_layers_or_the_same_folder(path):
    here = _package(path)
    for package in _imported_packages(path) & set(LAYER_OF):
        assert package == here or LAYER_OF[package] < LAYER_OF[here], f"{here} imports {package}"


def test_every_module_has_a_layer():
    assert {_package(path) for path in MODULES} <= set(LAYER_OF)


def test_imports_between_different_packages_are_found():
    assert "features" in _imported_packages(PACKAGE / "featurizer" / "_measuring.py")


@pytest.mark.parametrize(
    "module",
    [
        "hybridlesion",
        "hybridlesion.cli",
        "hybridlesion.pipeline",
        "hybridlesion.cnn",
        "hybridlesion.inference",
        "hybridlesion.persistence",
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
