"""Command line, in which each command parses options, calls the library and prints results."""

from hybridlesion.cli._app import app, main, required_words

__all__ = ["app", "main", "required_words"]
