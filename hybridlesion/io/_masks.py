"""Recognition of mask files and of the image that each belongs to."""

from __future__ import annotations

import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import numpy as np

from hybridlesion.exceptions import HybridLesionError, SourceError
from hybridlesion.io._containers import PassedOver, walk_folder
from hybridlesion.io._image_files import read_image
from hybridlesion.io._locators import IMAGE_SUFFIXES, LOSSLESS_SUFFIXES, split_locator, suffix_of
from hybridlesion.metadata import match_ids

# Words that mark masks in the ISIC challenges, in PH2 and in common use.
_WORDS_BEFORE = r"masks?|seg|segmentation|gt|ground[ _-]?truth"
_WORDS_AFTER = rf"{_WORDS_BEFORE}|segmented|lesion|superpixels?|annotations?|labels?|roi|binary"
_AFTER = re.compile(rf"(.*[^ ._-])[ ._-]+(?:{_WORDS_AFTER})", re.IGNORECASE | re.DOTALL)
_BEFORE = re.compile(rf"(?:{_WORDS_BEFORE})[ ._-]+(.+)", re.IGNORECASE | re.DOTALL)
_MASK_FOLDER = re.compile(
    r"(?:.*[ ._-])?(?:masks?|segmentations?|ground[ _-]?truths?|gt|annotations?)", re.IGNORECASE
)

# Largest distance of a mask's value from its two levels, and the share of pixels that may exceed
# it: JPEG and resizing blur the outline.
_TOLERANCE = 24
_BLURRED = 0.05
_LONG_SIDE = 256
# Positions at which a name may end and an addition to it begin.
_WORD_BEGIN = re.compile(r"(?<=[^\W_])[\W_]|(?<=\d)(?=[^\W\d])")


def mask_stems(stem: str) -> tuple[str, ...]:
    """Strip the words that mark a file as a mask from its name.

    Parameters
    ----------
    stem : str
        File name without folder and suffix.

    Returns
    -------
    tuple of str
        Possible names of the image, the longest first; empty if the name is not that of a mask.

    Examples
    --------
    >>> mask_stems("ISIC_1_Segmentation"), mask_stems("mask_7"), mask_stems("lesion_7")
    (('ISIC_1',), ('7',), ())
    >>> mask_stems("a_lesion-mask")
    ('a_lesion', 'a')
    """
    found = []
    while match := _AFTER.fullmatch(stem) or _BEFORE.fullmatch(stem):
        stem = match[1]
        found.append(stem)
    return tuple(found)


def in_mask_folder(name: str) -> bool:
    """Whether a file lies in a folder of masks, judging by the folder names.

    Parameters
    ----------
    name : str
        Path with forward slashes, starting with the folder that the user named.

    Returns
    -------
    bool
        True if a folder is called ``masks``, ``GroundTruth`` or similar.

    Examples
    --------
    >>> in_mask_folder("masks/a.png"), in_mask_folder("images/a.png")
    (True, False)
    >>> in_mask_folder("ISIC-2017_Training_Part1_GroundTruth/a.png")
    True
    """
    return any(_MASK_FOLDER.fullmatch(folder) for folder in name.split("/")[:-1])


def find_masks(folder: str | os.PathLike, image_ids: Iterable[str] | None = None) -> dict[str, str]:
    """Find the lesion masks in a folder and its subfolders.

    Parameters
    ----------
    folder : str or path-like
        Folder of files named ``IMAGEID_segmentation``, ``IMAGEID_lesion``, ``IMAGEID_mask``,
        ``mask_IMAGEID`` or similar, in any case and with any image suffix. If it has none, masks
        with the same name as their image are used.
    image_ids : iterable of str, default=None
        Images whose masks are wanted. An id also matches a mask name that differs in case or
        Unicode form, if there is only one. If None, all masks are returned, with ids from their
        names.

    Returns
    -------
    dict of str to str
        Image id -> path, sorted by id.

    Raises
    ------
    SourceError
        If the folder does not exist, or contains no masks or two masks of the same image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder; name the folder that holds the masks.")
    paths = map(Path, sorted(walk_folder(str(folder), PassedOver())))
    files = [one for one in paths if one.suffix.lower() in IMAGE_SUFFIXES]
    skipped = re.compile(r"\..*|.*superpixels", re.IGNORECASE | re.DOTALL)
    files = [path for path in files if not skipped.fullmatch(path.stem)]
    found: dict[str, str] = {}
    stems = {path: stem for path in files for stem in mask_stems(path.stem)[:1]}
    if not stems:
        stems = {path: path.stem for path in files if _looks_like_mask(str(path))}
    for path, image_id in stems.items():
        if image_id in found:
            raise SourceError(f"{found[image_id]} and {path} are masks of one image; keep one.")
        found[image_id] = str(path)
    if not found:
        raise SourceError(
            f"no masks in {folder}: their names end in _segmentation, _lesion or _mask."
        )
    if image_ids is not None:
        found = {one: found[its] for one, its in match_ids(image_ids, found).items()}
    return dict(sorted(found.items()))


def choose_masks(names: Mapping[str, str]) -> set[str]:
    """Identify the masks among the images of a source.

    Parameters
    ----------
    names : mapping of str to str
        Locator -> name relative to the source, with forward slashes.

    Returns
    -------
    set of str
        Locators of the masks.

    Notes
    -----
    Names and folders only indicate candidates, since ``back_lesion.jpg`` is a photograph. A
    candidate is taken as a mask without being opened if it is lossless and lies next to its
    photograph, or in a folder of masks and has a photograph elsewhere; otherwise, it is a mask if
    its pixels have only two values. Other lossless files whose name equals or begins with that of
    another file are judged by their pixels alone.
    """
    places = {locator: _folder_and_stem(name) for locator, name in names.items()}
    in_folder = {locator for locator, name in names.items() if in_mask_folder(name)}
    photographs = {place for locator, place in places.items() if locator not in in_folder}
    stems = {stem for _, stem in photographs}
    suspects = {
        locator: mask_stems(stem)
        for locator, (_, stem) in places.items()
        if suffix_of(names[locator]) in IMAGE_SUFFIXES
        and (locator in in_folder or mask_stems(stem))
    }
    masks = _masks_of_namesakes({one: names[one] for one in names if one not in suspects})
    for locator, whose in suspects.items():
        folder, stem = places[locator]
        near = any((folder, one) in photographs for one in whose)
        far = locator in in_folder and not stems.isdisjoint([stem, *whose])
        lossless = suffix_of(names[locator]) in LOSSLESS_SUFFIXES
        if ((near or far) and lossless) or _looks_like_mask(locator):
            masks.add(locator)
    return masks


def _masks_of_namesakes(names: Mapping[str, str]) -> set[str]:
    """Find lossless two-valued files whose name equals or begins with that of a photograph."""
    by_stem: dict[str, list[str]] = defaultdict(list)
    for locator, name in names.items():
        by_stem[_folder_and_stem(name)[1]].append(locator)

    @cache
    def is_photograph(locator: str) -> bool:
        return suffix_of(names[locator]) not in LOSSLESS_SUFFIXES or not _looks_like_mask(locator)

    masks = set()
    for stem, locators in by_stem.items():
        starts = [stem[: match.start()] for match in _WORD_BEGIN.finditer(stem)]
        namesakes = [one for start in [stem, *starts] for one in by_stem.get(start, ())]
        if namesakes != locators[:1] and any(map(is_photograph, namesakes)):
            masks.update(one for one in locators if not is_photograph(one))
    return masks


def _looks_like_mask(path: str) -> bool:
    """Whether an image has only two values, apart from a blurred outline.

    Parameters
    ----------
    path : str
        Path or locator.

    Returns
    -------
    bool
        False for photographs and for files that cannot be read.
    """
    try:
        image = read_image(path, long_side=_LONG_SIDE)
    except (HybridLesionError, OSError):
        return False
    image = image[:: max(1, len(image) // 512), :: max(1, image.shape[1] // 512)].astype(int)
    if len(np.unique(image @ (1 << 16, 1 << 8, 1))) <= 2:
        return True
    grey = image.max(axis=2)
    between = (grey > grey.min() + _TOLERANCE) & (grey < grey.max() - _TOLERANCE)
    coloured = grey - image.min(axis=2) > _TOLERANCE
    return bool(np.mean(between | coloured) < _BLURRED)


def _folder_and_stem(name: str) -> tuple[str, str]:
    folder, base = posixpath.split(split_locator(name).inner)
    return folder, posixpath.splitext(base)[0].casefold()
