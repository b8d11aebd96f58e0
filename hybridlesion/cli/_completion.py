"""What a shell offers where an option takes names as well as files."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["offer"]


def offer(*words: str) -> Callable[[str], list[str]]:
    """Make the completion of an option that takes one of a few words, or a file.

    Parameters
    ----------
    *words : str
        The words.

    Returns
    -------
    callable
        For the option's ``autocompletion``: the words that begin as what is typed. Where it
        gives none, the shell completes files.

    Examples
    --------
    >>> offer("classical", "refined")("re")
    ['refined']
    """

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete
