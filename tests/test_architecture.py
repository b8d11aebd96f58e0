"""The architecture of the package, read from its syntax trees."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "hybridlesion"

LAYERS = [
    {"exceptions", "_former_names"},
    {"_validation", "_optional_imports", "_atomic", "_formatting", "_onnx", "_depthwise"},
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
    {"app"},
    {"demo"},
    {"cli"},
    {"__main__"},
]
LAYER_OF = {name: layer for layer, names in enumerate(LAYERS) for name in names}
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def _package(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _private_imports(tree: ast.Module, here: str) -> list[str]:
    """Private modules and names of other packages that a module of the package `here` imports."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            root, *parts = name.split(".")
            if root != "hybridlesion" or parts[0] == here or parts[0].startswith("_"):
                continue
            if any(part.startswith("_") and not part.startswith("__") for part in parts[1:]):
                found.append(name)
    return found


def _option_names(tree: ast.Module) -> list[str]:
    """Command-line options named by string literals, docstrings excepted."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        option
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in docstrings
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", node.value)
    ]


def _classes(tree: ast.Module) -> list[str]:
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def _imported_packages(path: Path) -> set[str]:
    packages = set()
    for node in ast.walk(_tree(path)):
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


def test_the_drawing_has_every_package_above_those_that_it_imports():
    drawing = (PACKAGE.parent / "docs" / "house.svg").read_text(encoding="utf-8")
    found = re.findall(r'y="([\d.]+)"[^>]*font-weight="600"[^>]*>(\w+)</text>', drawing)
    height = {name: float(y) for y, name in found}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set(height) == packages | {"demo", "explain", "pipeline", "model_selection"}
    for path in MODULES:
        here = _package(path)
        for package in _imported_packages(path) & set(height) if here in height else ():
            assert height[package] >= height[here], f"{here} imports {package}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_come_from_lower_layers_or_the_same_folder(path):
    here = _package(path)
    for package in _imported_packages(path) & set(LAYER_OF):
        assert package == here or LAYER_OF[package] < LAYER_OF[here], f"{here} imports {package}"


def test_every_module_has_a_layer():
    assert {_package(path) for path in MODULES} <= set(LAYER_OF)


def test_packages_import_public_names_of_other_packages_only():
    found = {
        str(path.relative_to(PACKAGE)): names
        for path in MODULES
        if (names := _private_imports(_tree(path), _package(path)))
    }
    assert found == {}


def test_library_messages_name_parameters_rather_than_options():
    found = {
        str(path.relative_to(PACKAGE)): names
        for path in MODULES
        if _package(path) != "cli" and (names := _option_names(_tree(path)))
    }
    assert found == {}


def test_no_two_classes_have_one_name():
    homes = defaultdict(list)
    for path in MODULES:
        for name in _classes(_tree(path)):
            homes[name].append(str(path.relative_to(PACKAGE)))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


_EXAMPLE = """
'A docstring with --option.'
from hybridlesion.model._ensemble import View
from hybridlesion.model import _ensemble, Name, __doc__
import hybridlesion.model._columns
from hybridlesion._atomic import atomic_path
from numpy._core import multiarray
class Lesion:
    'A docstring with --option.'
    text = f'Pass --malignant {1}' '; a--b and -- are none'
"""


def test_the_checks_find_what_they_look_for():
    tree = ast.parse(_EXAMPLE)
    private = ["hybridlesion.model._ensemble.View", "hybridlesion.model._ensemble"]
    assert sorted(_private_imports(tree, "cli")) == sorted(
        [*private, "hybridlesion.model._columns"]
    )
    assert _private_imports(tree, "model") == []
    assert _option_names(tree) == ["--malignant"]
    assert _classes(tree) == ["Lesion"]


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
