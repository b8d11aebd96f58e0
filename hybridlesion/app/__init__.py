"""Local web app: photographs are scored in the browser, on 127.0.0.1 only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hybridlesion._optional_imports import import_optional
from hybridlesion.app._gallery import Gallery
from hybridlesion.app._reader import LesionReader, Photograph

if TYPE_CHECKING:
    from hybridlesion.app._server import create_app, serve

__all__ = ["Gallery", "LesionReader", "Photograph", "create_app", "serve"]


def __getattr__(name: str) -> object:
    if name not in ("create_app", "serve"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for library in ("fastapi", "uvicorn", "python_multipart"):
        import_optional(library, feature="the app", install="hybridlesion[app]")
    from hybridlesion.app import _server

    return getattr(_server, name)
