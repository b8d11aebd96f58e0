"""Readers of the rarer formats, kept from talking to the user's terminal."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

__all__ = ["silenced"]

# Standard error belongs to the whole process: two threads must not swap it at once.
_standard_error = threading.Lock()


@contextmanager
def silenced(format_name: str) -> Iterator[None]:
    """Keep a reader's warnings from being shown, for what it reads fails or succeeds anyway.

    Parameters
    ----------
    format_name : str
        Name of an `ImageFormat`. JPEG's reader warns of nothing and goes without the guard,
        which would make Python forget, at every image, which warnings it has shown once already.
    """
    if format_name == "JPEG":
        yield
        return
    # libtiff writes its complaints to file descriptor 2, past Python and Pillow.
    muted = _muted_descriptor() if format_name == "TIFF" else nullcontext()
    with warnings.catch_warnings(), muted:
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _muted_descriptor() -> Iterator[None]:
    with _standard_error:
        try:
            kept = os.dup(2)
        except OSError:
            # A process without standard error has nothing to keep quiet.
            yield
            return
        try:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
