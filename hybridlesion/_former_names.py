"""Former package names of release 0.1.0, importable for one more release."""

from __future__ import annotations

import importlib
import sys
import warnings
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_RENAMED = {
    "artifact": ("persistence",),
    "augmentation": ("preprocessing.augmentation",),
    "embedding": ("cnn",),
    "embedding.finetuning": ("cnn", "leakage"),
    "evaluation": ("metrics",),
    "extraction": ("batch",),
    "images": ("io",),
    "reasons": ("explain",),
    "report": ("plotting", "reporting"),
    "scoring": ("inference",),
    "sources": ("io.discovery",),
    "splits": ("model_selection",),
    "table": ("featurizer",),
}


class _Renamed(MetaPathFinder, Loader):
    """Import a former package as a module that looks up its attributes in the new ones."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> ModuleSpec | None:
        if fullname.removeprefix("hybridlesion.") not in _RENAMED:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        homes = _RENAMED[module.__name__.removeprefix("hybridlesion.")]
        names = [f"hybridlesion.{home}" for home in homes]
        renamed = f"{module.__name__} was renamed to {' and '.join(names)}"
        message = f"{renamed}; the former name will go in the next release."
        warnings.warn(message, FutureWarning, stacklevel=2)

        def read(attribute: str) -> object:
            for name in names:
                with suppress(AttributeError):
                    return getattr(importlib.import_module(name), attribute)
            raise AttributeError(f"module {module.__name__!r} has no attribute {attribute!r}")

        module.__getattr__ = read


def install() -> None:
    """Make the former names importable."""
    sys.meta_path.append(_Renamed())
