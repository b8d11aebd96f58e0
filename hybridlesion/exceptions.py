"""The errors that hybridlesion raises on purpose.

Each is also a builtin, so that code which never heard of this package can still catch it.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "ArtifactError",
    "HybridLesionError",
    "ImageError",
    "MissingDependencyError",
    "OptionError",
    "SourceError",
    "TableError",
]


class HybridLesionError(Exception):
    """Base of every error that this package raises on purpose."""


class ImageError(HybridLesionError, ValueError):
    """One image cannot be read or accepted; a run lists it and goes on."""


class SourceError(HybridLesionError, OSError):
    """A folder, archive or address cannot be read or written as a whole."""


class TableError(HybridLesionError, ValueError):
    """A metadata or feature table cannot be used.

    Parameters
    ----------
    message : str
        What is wrong with the table as a whole.
    problems : sequence of str, default=()
        Every single problem found, in row order; shown below the message.
    """

    def __init__(self, message: str, problems: Sequence[str] = ()):
        self.problems = tuple(problems)
        lines = [message, *(f"  - {problem}" for problem in self.problems)]
        super().__init__("\n".join(lines))


class OptionError(HybridLesionError, ValueError):
    """A setting that the caller chose is unknown, out of range or contradicts another."""


class ArtifactError(HybridLesionError, ValueError):
    """A model file is foreign, changed, too new or holds what may not be loaded."""


class MissingDependencyError(HybridLesionError, ImportError):
    """A library that a feature needs is absent or broken; the message names the cure."""
