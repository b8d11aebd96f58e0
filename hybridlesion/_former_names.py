"""Former names of packages and of what they contain, kept for one release with a warning."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# The release without the names of 0.1.0; a test fails once the package has this version.
REMOVED_IN = "0.3.0"

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
        _warn(module.__name__, " and ".join(names), stacklevel=3)

        def read(attribute: str) -> object:
            for name in names:
                with suppress(AttributeError):
                    return getattr(importlib.import_module(name), attribute)
            raise AttributeError(f"module {module.__name__!r} has no attribute {attribute!r}")

        module.__getattr__ = read


def look_up(package: str, name: str, renamed: Mapping[str, str]) -> object:
    """Return what a former name stands for, with a warning; called by ``__getattr__`` of a package.

    Parameters
    ----------
    package : str
        Full name of the package.
    name : str
        Attribute that the package lacks.
    renamed : mapping of str to str
        Current name of each former name.

    Returns
    -------
    object
        Attribute of the current name.

    Raises
    ------
    AttributeError
        If `name` is not a former name.
    """
    if name not in renamed:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    _warn(f"{package}.{name}", f"{package}.{renamed[name]}", stacklevel=4)
    return getattr(importlib.import_module(package), renamed[name])


def _warn(former: str, current: str, *, stacklevel: int) -> None:
    message = f"{former} was renamed to {current}; the former name will be removed in {REMOVED_IN}."
    warnings.warn(message, FutureWarning, stacklevel=stacklevel)


def install() -> None:
    """Make the former names importable."""
    sys.meta_path.append(_Renamed())
