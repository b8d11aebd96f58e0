"""The command line: each command parses, makes its library call, and prints."""

from hybridlesion.cli._app import app, main

__all__ = ["app", "main"]
