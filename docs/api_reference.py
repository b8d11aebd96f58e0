"""The pages of the API: public names grouped by task, written by Sphinx to docs/api."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from dataclasses import is_dataclass
from enum import Enum
from pathlib import Path

import hybridlesion
from hybridlesion import _HOMES as MAIN

FOLDER = Path(__file__).parent / "api"
NOT_FOR_IMPORT = ("hybridlesion.cli", "hybridlesion.reporting.html")
"""Packages whose names are for the command line, or are public in the package above."""

GROUPS = {
    "pipeline": ("Models as scikit-learn estimators", "pipeline featurizer model"),
    "images": ("Read images and tables", "io metadata"),
    "datasets": ("Data sets and synthetic lesions", "datasets"),
    "segmentation": ("Segment lesions", "preprocessing segmentation segmentation.refiner"),
    "features": ("Measure lesions", "features batch"),
    "networks": ("Networks", "cnn"),
    "validation": ("Split and audit data", "model_selection leakage"),
    "metrics": ("Evaluate scores and masks", "metrics"),
    "explanation": ("Explain, plot and report", "explain plotting reporting"),
    "workflows": ("Train, store and apply models", "training persistence inference app demo"),
    "exceptions": ("Errors", "exceptions"),
}
"""Title and packages of each page, in the order of the site."""

INDEX = """API
===

Grouped by task. Images are uint8 RGB arrays of shape (H, W, 3), masks bool arrays of shape (H, W).
Errors raised on purpose derive from `hybridlesion.HybridLesionError` and from the matching builtin.

.. currentmodule:: hybridlesion

The main names can be imported from `hybridlesion`:

"""


def public_names() -> dict[str, list[str]]:
    """Find the public names of each package.

    Returns
    -------
    dict of str to list of str
        Sorted full names by package. A name of `hybridlesion` itself appears as such in its home;
        a name that several packages export appears in the first.
    """
    found, homes = {}, {}
    for package in _packages():
        module = importlib.import_module(f"hybridlesion.{package}")
        found[package] = []
        for name in sorted(module.__all__, key=str.lower):
            thing = getattr(module, name)
            known = homes.setdefault((name, id(thing)), package)
            if known == package:
                is_main = MAIN.get(name) == f"hybridlesion.{package}"
                found[package].append(f"hybridlesion.{name if is_main else f'{package}.{name}'}")
    return found


def write_pages() -> None:
    """Write the index and a page for each group, if their text has changed."""
    FOLDER.mkdir(exist_ok=True)
    names = public_names()
    index = [INDEX, *_table([f"hybridlesion.{name}" for name in sorted(MAIN, key=str.lower)])]
    index += [".. toctree::", "   :maxdepth: 1", "", *(f"   {group}" for group in GROUPS), ""]
    for group, (title, packages) in GROUPS.items():
        page = [title, "=" * len(title), ""]
        for package in packages.split():
            page += _package_section(package, names[package])
        _write(FOLDER / f"{group}.rst", page)
    _write(FOLDER / "index.rst", index)


def _write(path: Path, lines: list[str]) -> None:
    text = "\n".join(lines)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _packages() -> list[str]:
    """List the public packages, those of GROUPS first."""
    order = [package for _, packages in GROUPS.values() for package in packages.split()]
    for found in pkgutil.walk_packages(hybridlesion.__path__, "hybridlesion."):
        short = found.name.removeprefix("hybridlesion.")
        inner = short.split(".")
        if any(part.startswith("_") for part in inner) or found.name.startswith(NOT_FOR_IMPORT):
            continue
        if not (found.ispkg or len(inner) == 1) or short in order:
            continue
        if hasattr(importlib.import_module(found.name), "__all__"):
            order.append(short)
    return order


def _package_section(package: str, names: list[str]) -> list[str]:
    title = f"hybridlesion.{package}"
    module = importlib.import_module(title)
    documented = [name for name in names if callable(_resolve(name))]
    lines = [title, "-" * len(title), "", inspect.cleandoc(module.__doc__).split("\n\n")[0], ""]
    lines += _table(documented)
    for name in names:
        lines += _entry(name, _resolve(name))
    return lines


def _table(names: list[str]) -> list[str]:
    rows = (f"   {name.removeprefix('hybridlesion.')}" for name in names)
    head = [".. currentmodule:: hybridlesion", "", ".. autosummary::", "   :nosignatures:", ""]
    return [*head, *rows, ""]


def _entry(name: str, thing: object) -> list[str]:
    if not callable(thing):
        return [f".. py:data:: {name}", f"   :value: {_value(thing)}", ""]
    if not inspect.isclass(thing):
        return [f".. autofunction:: {name}", ""]
    lines = [f".. autoclass:: {name}", "   :members:"]
    if issubclass(thing, Enum):
        lines.append("   :undoc-members:")
    return [*lines, ""]


def _resolve(name: str) -> object:
    package, _, last = name.rpartition(".")
    return getattr(importlib.import_module(package), last)


def _value(thing: object, most: int = 200) -> str:
    """Show a constant; of a mapping its keys, of a file its name."""
    if isinstance(thing, Path):
        return thing.name
    if isinstance(thing, (Mapping, list, tuple, set, frozenset)):
        names = [one if isinstance(one, str) else getattr(one, "name", str(one)) for one in thing]
    else:
        names = [f"{type(thing).__name__}(...)" if is_dataclass(thing) else repr(thing)]
    text = ", ".join(sorted(names) if isinstance(thing, (set, frozenset)) else names)
    return text if len(text) <= most else f"{text[: most - 4].rpartition(', ')[0]}, ..."
