"""Exceptions raised by hybridlesion.

Each of them also derives from a built-in exception, so that generic code can catch it.
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
    """Base class of all exceptions raised by this package."""


class ImageError(HybridLesionError, ValueError):
    """An image cannot be read or is invalid; batch runs report it and continue."""


class SourceError(HybridLesionError, OSError):
    """A whole folder, archive or address cannot be read or written."""


class TableError(HybridLesionError, ValueError):
    """A metadata or feature table cannot be used.

    Parameters
    ----------
    message : str
        What is wrong with the table as a whole.
    problems : sequence of str, default=()
        All problems found, in row order; shown below the message.
    uses : sequence of ColumnUse, default=()
        How the columns were read, as far as that was possible; see `hybridlesion.metadata.Records`.
    """

    def __init__(self, message: str, problems: Sequence[str] = (), uses: Sequence[object] = ()):
        self.problems, self.uses = tuple(problems), tuple(uses)
        lines = [message, *(f"  - {problem}" for problem in self.problems)]
        super().__init__("\n".join(lines))


class OptionError(HybridLesionError, ValueError):
    """An option is unknown, out of range or in conflict with another option."""


class ArtifactError(HybridLesionError, ValueError):
    """A model file is foreign, modified, too new or contains objects that may not be loaded."""


class MissingDependencyError(HybridLesionError, ImportError):
    """A required library is missing or broken; the message says what to install."""
