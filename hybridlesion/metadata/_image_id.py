"""Normalisation and matching of image ids."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import pandas as pd

from hybridlesion._formatting import count_words, shorten
from hybridlesion.exceptions import TableError
from hybridlesion.metadata._reading import Findings

_ENDING = r"\.(?:jpe?g|jpe|jfif|png|bmp|tiff?|gif|webp|hei[cf]|hif|avif|dcm|dicom)"
_SUFFIX = re.compile(rf"[^\\/]{_ENDING}\Z", re.IGNORECASE)
_DECORATED = re.compile(
    rf"(?:.*[\\/])?(?P<id>.*?)(?:_downsampled)?(?:{_ENDING})?", re.IGNORECASE | re.DOTALL
)

# Normalisations that would make two ids equal; none is safe enough to apply automatically.
_NEAR: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("case and accent encoding", lambda key: key),
    ("blanks, hyphens, underscores and points", lambda key: re.sub(r"[\s._-]+", "", key)),
    ("leading zeros", lambda key: re.sub(r"(?<!\d)0+(?=\d)", "", key)),
    ("all characters but digits", lambda key: re.sub(r"\D+|(?<!\d)0+(?=\d)", "", key)),
)


def normalise_image_id(name: str) -> str:
    """Strip the folder, image extension and ``_downsampled`` from an image name.

    Parameters
    ----------
    name : str
        A cell of an id column, a file name or a path.

    Returns
    -------
    str
        The image id, as used in all tables of the ISIC archive.

    Examples
    --------
    >>> normalise_image_id("train/ISIC_0000031_downsampled.jpg")
    'ISIC_0000031'
    >>> normalise_image_id(" ISIC_0052212 ")
    'ISIC_0052212'
    """
    # What follows "::" in an address names the archive, not the image inside it.
    return _DECORATED.fullmatch(name.split("::")[0].strip())["id"]


def is_image_name(name: str) -> bool:
    """Whether a text ends with an image suffix.

    Parameters
    ----------
    name : str
        A cell of a table.

    Returns
    -------
    bool
        True for ``a/b.jpg``, False for ``b``.
    """
    return _SUFFIX.search(name.strip()) is not None


def path_ids(names: Sequence[str]) -> list[str]:
    """Derive image ids from paths, adding folders only to repeated names.

    Parameters
    ----------
    names : sequence of str
        Relative or absolute paths, with forward slashes or backslashes.

    Returns
    -------
    list of str
        File names without suffix. If several files share a name, their last two folders, or as
        many as it takes, are prepended with hyphens. Two folders are used so that
        ``train/benign/1.jpg`` and ``test/benign/1.jpg`` differ even if each is listed separately.

    Examples
    --------
    >>> path_ids(["x/train/mel/1.jpg", "x/train/nv/1.jpg", "x/train/nv/2.jpg"])
    ['train-mel-1', 'train-nv-1', '2']
    """
    paths = list(map(_parts, names))
    counts = Counter(path[-1] for path in set(paths))
    repeated = {path for path in paths if counts[path[-1]] > 1}
    deepest = max(map(len, repeated), default=0)
    depth = next((n for n in range(3, deepest) if _tell_apart(repeated, n)), deepest)
    return ["-".join(path[-depth:]) if path in repeated else path[-1] for path in paths]


def image_ids(names: Sequence[str]) -> list[str]:
    """Normalise the cells of an id column, keeping folders if only they distinguish images.

    Parameters
    ----------
    names : sequence of str
        Ids, file names or paths.

    Returns
    -------
    list of str
        Results of `normalise_image_id`, or of `path_ids` if several paths share a file name.

    Examples
    --------
    >>> image_ids(["x/1.jpg", "2.jpg", "2.JPG"]), image_ids(["x/1.jpg", "y/1.jpg"])
    (['1', '2', '2'], ['x-1', 'y-1'])
    """
    paths = {_parts(name) for name in names if "/" in name or "\\" in name}
    if len({path[-1] for path in paths}) < len(paths):
        return path_ids(names)
    return list(map(normalise_image_id, names))


def whole_ids(column: pd.Series) -> pd.Series:
    """Convert ids that pandas has read as floats back to integers.

    Parameters
    ----------
    column : Series of shape (n,)
        Ids, read as floats if some cells are blank.

    Returns
    -------
    Series of shape (n,)
        Integers, if all ids are whole numbers; else the same column.
    """
    whole = pd.api.types.is_float_dtype(column) and (column.dropna() % 1 == 0).all()
    return column.astype("Int64") if whole else column


def _tell_apart(paths: set[tuple[str, ...]], depth: int) -> bool:
    return len({path[-depth:] for path in paths}) == len(paths)


def match_ids(wanted: Iterable[str], available: Iterable[str]) -> dict[str, str]:
    """Match ids that denote the same image.

    Parameters
    ----------
    wanted, available : iterable of str
        Ids of two tables, or of a table and a set of files.

    Returns
    -------
    dict of str to str
        Wanted id -> available id: the equal one, else the only one that differs just in case,
        Unicode form, surrounding spaces, folder, suffix or ``_downsampled``. Ids without a match
        are left out, and no available id is used twice.

    Examples
    --------
    >>> match_ids(["isic_1", "ISIC_2.JPG", "a", "b"], ["ISIC_1", "isic_2", "a", "A"])
    {'a': 'a', 'isic_1': 'ISIC_1', 'ISIC_2.JPG': 'isic_2'}
    """
    wanted, available = dict.fromkeys(wanted), dict.fromkeys(available)
    found = {one: one for one in wanted if one in available}
    ours = [one for one in wanted if one not in found]
    theirs = [one for one in available if one not in found]
    return found | match_unique(ours, theirs, lambda name: _key(normalise_image_id(name)))


def match_unique(
    wanted: Sequence[str], available: Sequence[str], key: Callable[[str], str]
) -> dict[str, str]:
    """Match distinct ids whose normalised form occurs once in both lists.

    Parameters
    ----------
    wanted, available : sequence of str
        Ids, each listed once.
    key : callable
        Normalises an id.

    Returns
    -------
    dict of str to str
        Wanted id -> available id.
    """
    ours = _distinct(wanted, key)
    theirs = _distinct(available, key) if ours else {}
    return {name: theirs[form] for form, name in ours.items() if form in theirs}


def _match_paths(wanted: Sequence[str], available: Sequence[str]) -> dict[int, int]:
    """Match paths by their last parts, such as those of a table and of files on another disk.

    Parameters
    ----------
    wanted : sequence of str
        Relative or absolute paths as written, including Windows paths.
    available : sequence of str
        Paths or locators of files.

    Returns
    -------
    dict of int to int
        Position in `wanted` -> position in `available`. The number of leading folders dropped from
        all wanted paths is chosen so that as many as possible are the end of exactly one available
        path. Suffix, case and Unicode form are ignored.

    Examples
    --------
    >>> _match_paths(["C:\\\\x\\\\p0\\\\1.jpg", "d:/x/p1/1.jpg"], ["/p1/1.jpg", "/y/p0/1.jpg"])
    {0: 1, 1: 0}
    """
    ours = [tuple(map(_key, _parts(name))) for name in wanted]
    deepest = max(map(len, ours), default=0)
    ends: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for position, name in enumerate(available):
        parts = tuple(map(_key, _parts(name)))
        for length in range(1, min(len(parts), deepest) + 1):
            ends[parts[-length:]].append(position)
    best: dict[int, int] = {}
    for dropped in range(deepest):
        tails = [parts[min(dropped, len(parts) - 1) :] for parts in ours]
        counts = Counter(tails)
        found = {
            row: ends[tail][0]
            for row, tail in enumerate(tails)
            if counts[tail] == len(ends.get(tail, ())) == 1
        }
        if len(found) > len(best):
            best = found
    return best


def explain_misses(
    wanted: Sequence[str], available: Sequence[str], found: dict[str, str]
) -> list[str]:
    """Report unmatched ids, with examples.

    Parameters
    ----------
    wanted, available : sequence of str
        Ids of the records and of the images.
    found : dict of str to str
        Result of `match_ids`.

    Returns
    -------
    list of str
        Up to three sentences: about records, about images, and about what would match them.
    """
    taken = set(found.values())
    alone = [one for one in dict.fromkeys(wanted) if one not in found]
    others = [one for one in dict.fromkeys(available) if one not in taken]
    notes = [
        f"{len(names):,} of {total:,} {what}, e.g. {', '.join(names[:3])}; left out."
        for names, total, what in (
            (alone, len(wanted), "records have no image"),
            (others, len(available), "images have no record"),
        )
        if names
    ]
    return notes + explain_near(alone, others)


def explain_near(wanted: Sequence[str], available: Sequence[str]) -> list[str]:
    """Suggest a normalisation under which unmatched ids would agree.

    Parameters
    ----------
    wanted, available : sequence of str
        Unmatched ids.

    Returns
    -------
    list of str
        One sentence with an example, or an empty list.

    Examples
    --------
    >>> explain_near(["img-07"], ["IMG_07"])
    ['1 id would match if blanks, hyphens, underscores and points were ignored, e.g. img-07 and \
IMG_07.']
    """
    near = near_misses(wanted, available)
    alike = [miss for miss in near if miss.without == near[0].without]
    return [
        f"{count_words(len(alike), 'id')} would match if {one.without} were ignored, e.g. "
        f"{one.wanted} and {one.available}."
        for one in alike[:1]
    ]


class NearMiss(NamedTuple):
    """Two ids that differ, but may denote the same image.

    Parameters
    ----------
    wanted, available : str
        The ids.
    without : str
        What would have to be ignored for them to match.
    """

    wanted: str
    available: str
    without: str


def near_misses(wanted: Iterable[str], available: Iterable[str]) -> list[NearMiss]:
    """Find unmatched ids that would agree under a normalisation.

    Parameters
    ----------
    wanted, available : iterable of str
        Unmatched ids.

    Returns
    -------
    list of NearMiss
        At most one for each wanted id, by the mildest normalisation; those of milder
        normalisations first.

    Examples
    --------
    >>> [miss.available for miss in near_misses(["img-07", "8"], ["IMG_07", "img0008", "9"])]
    ['IMG_07', 'img0008']
    """
    wanted, available = list(wanted), list(available)
    found: dict[str, NearMiss] = {}
    for what, change in _NEAR:
        changed = {change(_key(name)): name for name in available}
        changed.pop("", None)
        for name in wanted:
            other = changed.get(change(_key(name)))
            if name not in found and other is not None:
                found[name] = NearMiss(name, other, what)
    return list(found.values())


def _distinct(names: Sequence[str], key: Callable[[str], str]) -> dict[str, str]:
    """Map each normalised form that only one name has to this name."""
    forms = list(map(key, names))
    counts = Counter(forms)
    return {form: name for form, name in zip(forms, names, strict=True) if counts[form] == 1}


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _parts(name: str) -> tuple[str, ...]:
    """Split a path or locator into parts, stripping the suffix of the last."""
    inner = name.split("::")[0].strip()
    parts = [part for part in re.split(r"[\\/]+", inner) if part not in ("", ".")]
    return (*parts[:-1], normalise_image_id(parts[-1])) if parts else ("",)


def add_paths(frame: pd.DataFrame, images: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Keep the records that have an image, and add its path.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records.
    images : DataFrame of shape (m, 2)
        ``image_id, path``; ids may contain what `normalise_image_id` strips.
    findings : Findings
        Receives warnings that count the records and images left out.

    Returns
    -------
    DataFrame of shape (k, columns)
        Records with ``path``, in their original order.

    Raises
    ------
    TableError
        If two images have the same id, or no image belongs to any record.
    """
    paths = pair_images(images, frame, findings)
    joined = frame.drop(columns="path", errors="ignore").merge(paths, on="image_id", how="inner")
    ids, names = frame["image_id"].tolist(), paths["image_id"].tolist()
    if joined.empty:
        raise TableError(
            "no image matches a record. Is this the right table? Images are called "
            f"{shorten(names[:3])}; the table's ids are {shorten(ids[:3])}. If another column has "
            "the image ids, pass it as `id_column`.",
            explain_near(ids, names),
        )
    findings.warnings.extend(explain_misses(ids, names, {one: one for one in joined["image_id"]}))
    return joined


def pair_images(images: pd.DataFrame, records: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Give images the ids of their records, ignoring what `normalise_image_id` strips.

    Parameters
    ----------
    images : DataFrame of shape (m, 2)
        ``image_id, path``.
    records : DataFrame of shape (n, columns)
        ``image_id``, and ``path`` if the table has it.
    findings : Findings
        Receives a warning if ids differ only in spelling.

    Returns
    -------
    DataFrame of shape (m, 2)
        ``image_id, path``; see `rename_images`.

    Raises
    ------
    TableError
        If two images have the same id, or `rename_images` raises it.
    """
    paths = images[["image_id", "path"]].copy()
    paths["image_id"] = [normalise_image_id(str(name)) for name in paths["image_id"]]
    twice = shorten(paths.loc[paths["image_id"].duplicated(), "image_id"].unique())
    if twice:
        raise TableError(f"several image files have the same id: {twice}. Keep one file of each.")
    return rename_images(paths, records, findings)


def rename_images(images: pd.DataFrame, records: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    """Give images the ids of their records, matched by path if there is one, else by name.

    Parameters
    ----------
    images : DataFrame of shape (m, columns)
        ``image_id, path``.
    records : DataFrame of shape (n, columns)
        ``image_id``, and ``path`` if the table has it.
    findings : Findings
        Receives a warning if ids differ only in spelling.

    Returns
    -------
    DataFrame of shape (m, columns)
        The images. An image without a record keeps its id, unless a record has the same id.

    Raises
    ------
    TableError
        If several images have the name of one record and no path determines which is meant, or
        several records share one path.
    """
    ids, new = records["image_id"].tolist(), {}
    if "path" in records:
        written = records["path"].fillna("").astype(str).tolist()
        first: dict[str, str] = {}
        shared = [
            f"{path}: {first[path]} and {one}"
            for one, path in zip(ids, written, strict=True)
            if is_image_name(path) and first.setdefault(path, one) != one
        ]
        if shared:
            what = f"several image ids share a path: {shorten(shared)}"
            raise TableError(f"{what}. Give each image one id and one row.")
        by_path = _match_paths(written, images["path"].astype(str).tolist())
        new = {place: ids[row] for row, place in by_path.items() if written[row]}
    taken = set(new.values())
    rest = [place for place in range(len(images)) if place not in new]
    names = images["image_id"].tolist()
    places = {names[place]: place for place in rest}
    found = match_ids((one for one in ids if one not in taken), places)
    spelt = [(one, its) for one, its in found.items() if one != its]
    if spelt:
        what = f"ids of {len(spelt):,} records differ from their image names only in case or accent"
        findings.warnings.append(f"{what} encoding, e.g. {' and '.join(spelt[0])}; matched.")
    new |= {places[its]: one for one, its in found.items()}
    taken = set(new.values())
    # Files with the same name in several folders have longer ids, which are in no table.
    left = [str(path) for place, path in enumerate(images["path"]) if place not in new]
    stems = Counter(map(normalise_image_id, left))
    unclear = [one for one in ids if one not in taken and stems[one] > 1]
    if unclear:
        what = f"several image files match one record: {shorten(unclear)}"
        raise TableError(f"{what}. Keep one file of each, or add a column named path to the table.")
    # A file that shares its name with the record of another file belongs to no record.
    kept = [new.get(i, f"{name} (file)" if name in taken else name) for i, name in enumerate(names)]
    return images.assign(image_id=kept)
