"""Contents of local folders, zip archives and HDF5 files."""

from __future__ import annotations

import os
import posixpath
import zipfile
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, BinaryIO

import numpy as np

from hybridlesion._optional_imports import import_optional
from hybridlesion.exceptions import ImageError, SourceError
from hybridlesion.io._locators import suffix_of

_OPEN_ARCHIVES = 4


def zip_members(archive: str) -> list[str]:
    """List the files in a zip archive.

    Parameters
    ----------
    archive : str
        Path of the archive.

    Returns
    -------
    list of str
        Names with forward slashes, without folders.

    Raises
    ------
    SourceError
        If the file is not a zip archive or cannot be opened.
    """
    return [name for name in _opened(archive, _open_zip).namelist() if not name.endswith("/")]


@contextmanager
def open_zip_member(archive: str, member: str) -> Iterator[BinaryIO]:
    """Open one file of a zip archive for reading.

    Parameters
    ----------
    archive : str
        Path of the archive.
    member : str
        Name of the file, as returned by `zip_members`.

    Yields
    ------
    binary file
        The unpacked file.

    Raises
    ------
    ImageError
        If there is no such member, or it is encrypted, damaged or packed in an unknown way.
    SourceError
        If the archive cannot be opened.
    """
    handle = _opened(archive, _open_zip)
    try:
        with handle.open(member) as stream:
            yield stream
    except KeyError as error:
        raise ImageError(f"the archive has no member {member!r}.") from error
    # RuntimeError: encrypted. NotImplementedError: an unknown compression.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise ImageError(f"cannot be unpacked: {error}") from error


def hdf5_keys(archive: str) -> list[str]:
    """List the images in an HDF5 file.

    Parameters
    ----------
    archive : str
        Path of the file.

    Returns
    -------
    list of str
        Keys of its datasets.

    Raises
    ------
    SourceError
        If the file is not HDF5 or cannot be opened.
    MissingDependencyError
        If h5py is not installed.
    """
    handle = _opened(archive, _open_hdf5)
    keys = list(handle)
    # ISIC's files are flat, and visiting each of 400,000 keys would take half a minute.
    if not keys or not hasattr(handle[keys[0]], "keys"):
        return keys
    nested: list[str] = []
    handle.visit(nested.append)
    return [key for key in nested if not hasattr(handle[key], "keys")]


def hdf5_value(archive: str, key: str) -> bytes:
    """Read the image file stored under a key of an HDF5 file.

    Parameters
    ----------
    archive : str
        Path of the HDF5 file.
    key : str
        Key of a dataset that holds the bytes of one image file.

    Returns
    -------
    bytes
        The image file, still encoded.

    Raises
    ------
    ImageError
        If there is no such key, or something else is stored under it.
    SourceError
        If the file cannot be opened.
    MissingDependencyError
        If h5py is not installed.
    """
    handle = _opened(archive, _open_hdf5)
    if key not in handle:
        raise ImageError(f"the HDF5 file has no key {key!r}.")
    dataset = handle[key]
    shape = getattr(dataset, "shape", None)
    if shape is None or len(shape) > 1 or (len(shape) == 1 and dataset.dtype != np.uint8):
        kind = "a group" if shape is None else f"an array of shape {shape} and {dataset.dtype}"
        raise ImageError(f"the key contains {kind}, not the bytes of one image file.")
    # As an array, since a single text value would lose trailing zeros.
    return np.asarray(dataset).tobytes()


def _opened(archive: str, open_archive: Callable[[str], Any]) -> Any:
    """Return this process's handle of an archive, keeping the last few handles open."""
    try:
        status = os.stat(archive)
    except OSError as error:
        raise SourceError(f"cannot open {archive}: {error.strerror}.") from error
    # Time and size are included so that a replaced archive is reopened.
    return _handles(os.getpid())(open_archive, archive, status.st_mtime_ns, status.st_size)


@cache
def _handles(process: int) -> Callable[..., Any]:
    """Return a function that opens archives and keeps the last few of a process open.

    A forked child must neither use nor close the handles of its parent, whose file position it
    would share, so it opens new ones under its own id. Handles are dropped, not closed, since
    another thread may still be reading.
    """

    @lru_cache(maxsize=_OPEN_ARCHIVES)
    def handle(open_archive: Callable[[str], Any], archive: str, *version: int) -> Any:
        return open_archive(archive)

    return handle


def _open_zip(archive: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(f"{archive} is not a readable zip archive: {error}") from error


def _open_hdf5(archive: str) -> Any:
    h5py = import_optional("h5py", feature="reading HDF5 images", install="hybridlesion[hdf5]")
    try:
        return h5py.File(archive, "r")
    except OSError as error:
        raise SourceError(f"{archive} is not a readable HDF5 file: {error}") from error


# Files that are common in folders of images and therefore not reported.
_ORDINARY = frozenset(
    (
        *(".txt", ".csv", ".tsv", ".json", ".jsonl", ".geojson", ".xml", ".yaml", ".yml", ".toml"),
        *(".ini", ".log", ".md", ".rst", ".html", ".htm", ".css", ".js", ".pdf", ".doc", ".docx"),
        *(".xls", ".xlsx", ".ods", ".odt", ".rtf", ".ppt", ".pptx", ".parquet", ".pq", ".db"),
        *(".py", ".r", ".m", ".ipynb", ".sh", ".bat", ".bib", ".url", ".lnk", ".aae", ".xmp"),
        *(".md5", ".sha256", ".lock", ".tmp", ".bak", ".joblib", ".safetensors", ".pth", ".pt"),
    )
)
_ORDINARY_NAMES = frozenset(("license", "licence", "readme", "makefile", "dicomdir", "icon\r"))
_RAW = frozenset(
    (
        *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".kdc", ".mrw", ".nef"),
        *(".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".sr2", ".srw", ".x3f"),
    )
)
_HINTS = dict.fromkeys((".zip", ".hdf5", ".h5"), "pass it as a source")


class PassedOver:
    """Counter of files that are not images, with an example of each kind.

    Examples
    --------
    >>> passed_over = PassedOver()
    >>> passed_over.add_file("a.CR2")
    >>> passed_over.add_file("notes.txt")
    >>> passed_over.add("mask", "masks", "x_mask.png")
    >>> passed_over.describe()
    '1 .cr2 raw photograph (a.CR2: convert to JPEG or TIFF), 1 mask (x_mask.png)'
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._examples: dict[tuple[str, str], str] = {}
        self._ordinary: Counter[str] = Counter()

    def add(self, one: str, several: str, name: str, hint: str = "") -> None:
        """Count one file.

        Parameters
        ----------
        one, several : str
            Singular and plural name of this kind of file.
        name : str
            File name, with or without folders.
        hint : str, default=""
            Advice on what to do with it.
        """
        kind = one, several
        self._counts[kind] += 1
        example = posixpath.basename(name)
        self._examples.setdefault(kind, f"{example}: {hint}" if hint else example)

    def add_file(self, name: str, *, ordinary: bool = False) -> None:
        """Count a file by its suffix; ordinary files are left out of the description.

        Parameters
        ----------
        name : str
            File name, with or without folders.
        ordinary : bool, default=False
            Whether it is an ordinary file, such as a text file.
        """
        suffix = suffix_of(name)
        ordinary |= posixpath.basename(name).lower() in _ORDINARY_NAMES
        if ordinary or suffix in _ORDINARY:
            self._ordinary[suffix or "without a suffix"] += 1
        elif suffix in _RAW:
            kind = f"{suffix} raw photograph"
            self.add(kind, f"{kind}s", name, "convert to JPEG or TIFF")
        else:
            kind = suffix or "without a suffix"
            self.add(kind, kind, name, _HINTS.get(suffix, ""))

    def describe(self, *, ordinary: bool = False) -> str:
        """Describe the counted files.

        Parameters
        ----------
        ordinary : bool, default=False
            Whether to include ordinary files, such as texts and tables.

        Returns
        -------
        str
            Counts with examples; empty if there is nothing to report.
        """
        parts = [
            f"{count:,} {kind[count > 1]} ({self._examples[kind]})"
            for kind, count in self._counts.most_common()
        ]
        if ordinary:
            parts += [f"{count:,} {suffix}" for suffix, count in self._ordinary.most_common()]
        return ", ".join(parts)


def walk_folder(folder: str, passed_over: PassedOver) -> list[str]:
    """List the files below a folder, each folder and each file once.

    Parameters
    ----------
    folder : str
        Absolute path.
    passed_over : PassedOver
        Receives broken links, and links to files or folders that are already listed.

    Returns
    -------
    list of str
        Paths, including those in linked folders; hidden folders are left out. A file that can be
        reached by several paths is listed under the path without links, if there is one.

    Raises
    ------
    SourceError
        If a folder cannot be listed.
    """
    files: list[str] = []
    linked_files: list[str] = []
    waiting = deque([folder])
    links: deque[str] = deque()
    seen: set[str] = set()
    while waiting or links:
        # Links are followed after all files and folders without links have been listed.
        current = waiting.popleft() if waiting else links.popleft()
        real = os.path.realpath(current)
        if os.path.islink(current) and current != folder:
            inside = os.path.realpath(os.path.dirname(current)) + os.sep
            if real in seen or inside.startswith(real.rstrip(os.sep) + os.sep):
                kind = "to a folder above it or already listed"
                passed_over.add(f"link {kind}", f"links {kind}", current)
                continue
        if real in seen:
            continue
        seen.add(real)
        for entry in _entries(current):
            is_link = entry.is_symlink()
            if is_link and not os.path.exists(entry.path):
                passed_over.add("broken link", "broken links", entry.path)
            elif entry.is_file():
                (linked_files if is_link else files).append(entry.path)
            elif entry.is_dir() and not entry.name.startswith("."):
                (links if is_link else waiting).append(entry.path)
    listed = set(map(os.path.realpath, files)) if linked_files else set()
    for link in linked_files:
        real = os.path.realpath(link)
        if real in listed:
            kind = "to a file already listed"
            passed_over.add(f"link {kind}", f"links {kind}", link)
        else:
            listed.add(real)
            files.append(link)
    return files


def _entries(folder: str) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise SourceError(f"cannot list {folder}: {error.strerror}.") from error
