"""Atomic writing: a file appears under its final name only once it is complete."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from hybridlesion.exceptions import SourceError


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` when the block succeeds.

    Parameters
    ----------
    path : str or path-like
        Final path of the file; its folder is created if it is missing.

    Yields
    ------
    Path
        New path in the same folder, with the same suffix. The file does not exist yet.

    Raises
    ------
    SourceError
        If the folder cannot be created or the file cannot be moved.

    Examples
    --------
    >>> import tempfile, os
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(os.path.join(folder, "scores.csv")) as temporary:
    ...         _ = temporary.write_text("image_id,score")
    ...     os.listdir(folder)
    ['scores.csv']
    """
    path = Path(path)
    for folder in path.parents:
        if folder.is_file():
            raise SourceError(f"{folder} is a file; name a folder.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(f"cannot make the folder {path.parent}: {error.strerror}.") from error
    # The token distinguishes runs with the same output, even on different machines. The suffix is
    # kept because writers such as cv2.imwrite infer the format from it.
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part{path.suffix}")
    try:
        yield temporary
        if not temporary.exists():
            raise SourceError(f"nothing was written for {path}.")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | os.PathLike) -> Path:
    """Check in advance that a file can be written at `path`, without creating it.

    Parameters
    ----------
    path : str or path-like
        Future output file; its folder may be missing, since `atomic_path` creates it.

    Returns
    -------
    Path
        `path` as a Path.

    Raises
    ------
    SourceError
        If `path` is a folder, or its folder cannot be created or written to.
    """
    path = Path(path)
    try:
        is_folder = path.is_dir()
        folder = next(one for one in path.parents if one.exists())
        if folder.is_dir() and not is_folder:
            with tempfile.TemporaryFile(dir=folder):
                return path
    except OSError as error:
        cure = "Choose another place, or change the permissions of its folder."
        raise SourceError(f"cannot write {path}: {error.strerror}. {cure}") from error
    if is_folder:
        raise SourceError(f"{path} is a folder; name a file to write.")
    raise SourceError(f"{folder} is a file; name a folder.")


def check_apart(
    outputs: Iterable[str | os.PathLike], inputs: Iterable[str | os.PathLike | None]
) -> None:
    """Check in advance that no output would overwrite an input.

    Parameters
    ----------
    outputs : iterable of str or path-like
        Files to be written.
    inputs : iterable of str, path-like or None
        Files to be read; None, URLs and missing files are ignored.

    Raises
    ------
    SourceError
        If a file is both an input and an output.
    """
    for used, path in product(inputs, outputs):
        if used is not None and same_file(path, used):
            message = f"{path} is both an input and an output: it would be replaced."
            raise SourceError(f"{message} Name another output.")


def same_file(one: str | os.PathLike, other: str | os.PathLike) -> bool:
    """Check whether two paths refer to the same file or folder, following links.

    Parameters
    ----------
    one, other : str or path-like
        Paths to compare; they need not exist.

    Returns
    -------
    bool
        True if both paths refer to the same file or folder.

    Examples
    --------
    >>> same_file("scores.csv", "runs/../scores.csv")
    True
    """
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return os.path.realpath(one) == os.path.realpath(other)
