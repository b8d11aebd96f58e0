"""Local web app: photographs are scored in the browser, on 127.0.0.1 only."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from hybridlesion._optional_imports import import_optional

if TYPE_CHECKING:
    from hybridlesion.app._gallery import Gallery
    from hybridlesion.app._reader import LesionReader, Photograph
    from hybridlesion.app._server import create_app, serve

__all__ = ["Gallery", "LesionReader", "Photograph", "create_app", "serve"]

# The server starts before the libraries that measure are imported.
_HOMES = {
    "Gallery": "hybridlesion.app._gallery",
    "LesionReader": "hybridlesion.app._reader",
    "Photograph": "hybridlesion.app._reader",
    "create_app": "hybridlesion.app._server",
    "serve": "hybridlesion.app._server",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in ("create_app", "serve"):
        for library in ("fastapi", "uvicorn", "python_multipart"):
            import_optional(library, feature="the app", install="hybridlesion[app]")
    return getattr(importlib.import_module(_HOMES[name]), name)
