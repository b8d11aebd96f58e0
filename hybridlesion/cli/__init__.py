"""The command line: each command parses its options, calls the library once, and prints."""

from hybridlesion.cli._app import app, main, required_words

__all__ = ["app", "main", "required_words"]
