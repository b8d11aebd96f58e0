"""Tables of image paths."""

from __future__ import annotations

import os
import posixpath
import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from urllib.parse import unquote

import pandas as pd

from hybridlesion._formatting import shorten
from hybridlesion._validation import did_you_mean
from hybridlesion.exceptions import ImageError, SourceError, TableError
from hybridlesion.io._locators import is_address, join_locator, split_locator, suffix_of
from hybridlesion.metadata import (
    ROLE_COLUMNS,
    Role,
    SourceTable,
    find_path_column,
    match_ids,
    path_ids,
    read_image_ids,
    read_source,
)


def resolve_path(folder: str | os.PathLike, name: str) -> str:
    r"""Resolve a file name against the folder that must contain it.

    Parameters
    ----------
    folder : str or path-like
        Folder of the images, or its fsspec address.
    name : str
        Path relative to `folder`, an absolute path inside it, or the locator of a member of an
        archive inside it. Backslashes count as slashes, since tables may come from Windows.

    Returns
    -------
    str
        Absolute path or locator. Whether the file exists is not checked.

    Raises
    ------
    ImageError
        If the name is empty, contains ``..``, or leads out of `folder`, even by a symbolic link.

    Examples
    --------
    >>> resolve_path("/data/isic", "train/ISIC_1.jpg")
    '/data/isic/train/ISIC_1.jpg'
    >>> resolve_path("/data/isic", "../private.jpg")
    Traceback (most recent call last):
    ...
    hybridlesion.exceptions.ImageError: '../private.jpg' leads out of the folder /data/isic.
    """
    folders = _Folders([folder])
    return folders.resolve(name, folders.places[0])


class _Folders:
    """Resolver for many names in some folders; see `resolve_path`.

    Parameters
    ----------
    places : sequence of str or path-like
        Folders of the images, or their fsspec addresses. A name may lead from one to another.
    """

    may_climb = False  # by ``..``

    def __init__(self, places: Sequence[str | os.PathLike]):
        self.places = list(map(_absolute, places))
        # Symbolic links to folders are followed once, not once for each file in them.
        self._real_folder = cache(os.path.realpath)

    def resolve(self, name: str, place: str) -> str:
        """Resolve one name; see `resolve_path`.

        Parameters
        ----------
        name : str
            Relative or absolute path, or a locator.
        place : str
            Folder to which a relative path refers.

        Returns
        -------
        str
            Absolute path or locator.
        """
        if not isinstance(name, str) or not name.strip() or "\0" in name:
            raise ImageError(f"{name!r} is not a file name.")
        locator = split_locator(name)
        if is_address(place) or locator.scheme == "fsspec":
            resolved = self._resolve_address(name, place)
        else:
            resolved = self._resolve_local(locator.container or locator.inner, place)
        if resolved is None:
            raise ImageError(f"{name!r} leads out of the folder {place}.")
        chained = locator.container and not is_address(place)
        return join_locator(locator.scheme, locator.inner, resolved) if chained else resolved

    def _resolve_address(self, name: str, place: str) -> str | None:
        if _climbs(unquote(name)) or "::" in name:
            return None
        if not is_address(name):
            return None if name.startswith("/") else f"{place}/{name}"
        allowed = tuple(f"{folder}/" for folder in self.places if is_address(folder))
        return name if name.startswith(allowed) else None

    def _resolve_local(self, path: str, place: str) -> str | None:
        path = path.replace("\\", "/")
        if _climbs(path) and not self.may_climb:
            return None
        path = os.path.normpath(os.path.join(place, path))
        parent, base = os.path.split(path)
        real = os.path.join(self._real_folder(parent), base)
        real = os.path.realpath(real) if os.path.islink(real) else real
        allowed = tuple(self._real_folder(one).rstrip(os.sep) + os.sep for one in self.places)
        return path if real.startswith(allowed) else None


def _absolute(folder: str | os.PathLike) -> str:
    folder = os.fspath(folder)
    return folder.rstrip("/") if is_address(folder) else os.path.abspath(folder)


def _climbs(path: str) -> bool:
    return ".." in re.split(r"[\\/]", path)


_MOST_NAMED = 20

# Largest number of problems listed in a message.
_SHOWN_PROBLEMS = 20
# Number of paths that are tried in order to locate the others.
_TRIED = 100

_WINDOWS = re.compile(r"[a-z]:[\\/]|\\\\", re.IGNORECASE)


def table_images(
    table: str, path_column: str | None, id_column: str | None, roots: Sequence[str | os.PathLike]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """List the images in a table.

    Parameters
    ----------
    table : str
        Absolute path or fsspec address of any table that `read_table` can read.
    path_column : str or None
        Column with the paths. If None, the first known name in the table is used, in any case, or
        an alias, or the only column of image file names.
    id_column : str or None
        Column with the image ids, if present. If None, it is detected.
    roots : sequence of str or path-like
        Further folders in which images may lie.

    Returns
    -------
    images : DataFrame of shape (n, 2)
        ``image_id`` and ``path``, each image once. Ids are taken from the table if it has them,
        else from the file names, with their folders if names repeat.
    notes : tuple of str
        Messages for the user.

    Raises
    ------
    TableError
        If there is no such column, a path is missing or leads out of the table's folder and the
        roots, or ids and paths contradict each other. All such rows are listed, numbered as in the
        file.
    SourceError
        If a root is not a folder.
    """
    source = read_source(table, [name for name in (path_column, id_column) if name])
    column = _choose_column(source.frame, table, path_column)
    names = source.frame[column].fillna("").astype(str).tolist()
    for root in map(os.fspath, roots):
        if not is_address(root) and not os.path.isdir(root):
            raise SourceError(f"{root} is not a folder; `roots` are folders of images.")
    finder = _Finder([os.path.dirname(table), *roots])
    paths = [finder.find(name) for name in names]
    notes = (*finder.find_elsewhere(names, paths), *finder.find_respelt(names, paths))
    rows = zip(source.rows, paths, strict=True)
    problems = [f"row {row}: {path}" for row, path in rows if isinstance(path, ImageError)]
    if problems:
        raise TableError(
            f"{len(problems)} of {len(names)} paths in {table} cannot be used. Images must be in "
            "the table's folder or below it: move the table there, or pass their folder as "
            f"`roots`, for example {finder.propose(names, paths)}.",
            _shorten(problems),
        )
    own = read_image_ids(source.frame, column, id_column)
    images = pd.DataFrame({"image_id": path_ids(names) if own is None else own, "path": paths})
    if own is not None:
        _check_pairs(images, source, table)
    return images.drop_duplicates("path"), notes


class _Finder(_Folders):
    """Search for the paths of a table, in its folder and in the roots."""

    may_climb = True

    def find(self, name: str) -> str | ImageError:
        """Resolve a path as written, against the first folder that contains it."""
        if _WINDOWS.match(name) and os.sep == "/":
            return ImageError(f"{name!r} is a path on another computer, in no folder here.")
        try:
            first = self.resolve(name, self.places[0])
        except ImageError as error:
            return error
        if len(self.places) == 1 or _exists(first):
            return first
        return next(self._found(name), first)

    def find_elsewhere(self, names: list[str], paths: list[str | ImageError]) -> list[str]:
        """Replace paths of another computer by dropping as many leading folders of each."""
        foreign = {
            row: [part for part in re.split(r"[\\/]+", names[row])[1:] if part]
            for row, path in enumerate(paths)
            if isinstance(path, ImageError) and _is_gone(names[row])
        }
        foreign = {row: parts for row, parts in foreign.items() if parts and ".." not in parts}
        tried = list(foreign.values())[:_TRIED]

        def count(dropped: int) -> int:
            found = {next(self._found("/".join(parts[dropped:])), None) for parts in tried}
            return len(found - {None})

        depths = range(max(map(len, tried), default=0))
        dropped = max(depths, key=count, default=0)
        found, owners = [], {}
        for row, parts in foreign.items():
            places = set(self._found("/".join(parts[dropped:])))
            # One file for one path, and one path for one file.
            if len(places) == 1 and owners.setdefault(place := places.pop(), parts) == parts:
                paths[row] = place
                found.append(row)
        return _describe_found(found, names, paths, "are from another computer")

    def find_respelt(self, names: list[str], paths: list[str | ImageError]) -> list[str]:
        """Replace paths that differ from the names of files in case or Unicode form."""
        files = {row: path for row, path in enumerate(paths) if isinstance(path, str)}
        files = {row: path for row, path in files.items() if split_locator(path).scheme == "file"}
        gone = [row for row, path in files.items() if not os.path.exists(path)]
        tries = {row: list(self._resolved(names[row])) for row in gone}
        real = _respell(path for options in tries.values() for path in options)
        found = []
        for row, options in tries.items():
            near = [real[path] for path in options if path in real]
            near = [path for path in near if any(self._resolved(path))]
            if near:
                paths[row] = near[0]
                found.append(row)
        reason = "differ from the names of files in case, accent encoding or suffix"
        return _describe_found(found, names, paths, reason)

    def _found(self, name: str) -> Iterator[str]:
        return filter(_exists, self._resolved(name))

    def _resolved(self, name: str) -> Iterator[str]:
        for place in self.places if name else ():
            with suppress(ImageError):
                yield self.resolve(name, place)

    def propose(self, names: list[str], paths: list[str | ImageError]) -> str:
        """Suggest the folder of the files that lie outside."""
        if all(is_address(name) for name in names):
            scheme = names[0].partition("://")[0]
            folders = [posixpath.dirname(name.partition("://")[2]) for name in names]
            return shlex.quote(f"{scheme}://{posixpath.commonpath(folders)}")
        outside = [
            os.path.normpath(os.path.join(self.places[0], name))
            for name, path in zip(names, paths, strict=True)
            if isinstance(path, ImageError)
        ]
        outside = {os.path.dirname(path) for path in outside if os.path.isfile(path)}
        # One folder for all, or one for each disk.
        disks = {os.sep.join(folder.split(os.sep)[:3]) for folder in outside}
        shared = os.path.commonpath(outside) if outside else "DIR"
        folders = sorted(disks) if shared == os.sep and len(disks) < _MOST_NAMED else [shared]
        return " and ".join(map(shlex.quote, folders))


def _describe_found(
    rows: list[int], names: list[str], paths: list[str | ImageError], reason: str
) -> list[str]:
    """Describe the paths that were replaced, with an example, if there are any."""
    return [
        f"{len(rows):,} of {len(names):,} paths {reason}: {names[row]} is taken as {paths[row]}."
        for row in rows[:1]
    ]


def _exists(path: str) -> bool:
    locator = split_locator(path)
    return locator.scheme != "fsspec" and os.path.exists(locator.container or locator.inner)


def _respell(paths: Iterable[str]) -> dict[str, str]:
    """Find files and folders with nearly the same names as paths that do not exist."""
    by_folder = defaultdict(list)
    for path in dict.fromkeys(paths):
        folder, name = os.path.split(path)
        by_folder[folder].append(name)
    gone = [folder for folder in by_folder if not os.path.isdir(folder) and folder]
    places = _respell(gone) if gone else {}
    real = {}
    for folder, names in by_folder.items():
        place = places.get(folder, folder)
        try:
            files = os.listdir(place)
        except OSError:
            continue
        for name, its in match_ids(names, files).items():
            if suffix_of(name) in ("", suffix_of(its)):
                real[os.path.join(folder, name)] = os.path.join(place, its)
    return real


def _is_gone(name: str) -> bool:
    """Whether a path is absolute and does not exist."""
    if _WINDOWS.match(name):
        return not os.path.exists(name)
    return name.startswith("/") and "\0" not in name and not os.path.lexists(name)


def _check_pairs(images: pd.DataFrame, source: SourceTable, table: str) -> None:
    """Raise an error if an id has several files, or a file several ids."""
    has_id = images["image_id"] != ""
    problems = [f"row {row} has no image id." for row in source.rows[~has_id]]
    pairs = images.assign(row=source.rows)[has_id].drop_duplicates(["image_id", "path"])
    kinds = (("image_id", "id ", "path", "files"), ("path", "", "image_id", "ids"))
    for column, what, other, several in kinds:
        repeated = pairs[pairs[column].duplicated(keep=False)]
        for value, group in repeated.groupby(column, sort=False):
            rows = ", ".join(map(str, group["row"][:5]))
            count = f"{len(group)} {several}, {', '.join(group[other][:3])}"
            problems.append(f"rows {rows}: {what}{value} has {count}.")
    if problems:
        raise TableError(
            f"{table}: image ids and paths contradict each other. Give each image one id and one "
            "row; an id of something else, such as a patient, needs another column name.",
            _shorten(problems),
        )


def _shorten(problems: Sequence[str]) -> list[str]:
    hidden = len(problems) - _SHOWN_PROBLEMS
    return [*problems[:_SHOWN_PROBLEMS], *([f"and {hidden} more"] if hidden > 0 else [])]


def _choose_column(frame: pd.DataFrame, table: str, path_column: str | None) -> str:
    columns = list(map(str, frame.columns))
    found = find_path_column(frame) if path_column is None else path_column
    if found in columns:
        return found
    # Only the first few columns are listed, since a feature table has hundreds.
    named = f"It has {shorten(columns, _MOST_NAMED)}"
    if found is not None:
        hint = did_you_mean(found, columns)
        raise TableError(f"{table} has no column {found!r}.{hint} {named}.")
    raise TableError(
        f"{table} has no column of image paths. {named}; the known names are "
        f"{', '.join(ROLE_COLUMNS[Role.PATH])}. Pass another as `path_column`, or pass the image "
        "folder as the source and this table as `metadata`."
    )
