"""Which files are images by their name, and which id that name stands for."""

from __future__ import annotations

import posixpath
import re

from hybridlesion.images._locators import split_locator

__all__ = [
    "IMAGE_SUFFIXES",
    "LOSSLESS_SUFFIXES",
    "TABLE_SUFFIXES",
    "image_id_from_path",
    "in_mask_folder",
    "is_table_name",
    "mask_stems",
    "suffix_of",
]

LOSSLESS_SUFFIXES = frozenset((".png", ".bmp", ".tif", ".tiff", ".gif"))
IMAGE_SUFFIXES = LOSSLESS_SUFFIXES | frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".heic", ".heif", ".hif", ".avif", ".dcm", ".dicom")
)
TABLE_SUFFIXES = frozenset((".csv", ".tsv", ".parquet", ".pq", ".xlsx"))

# A suffix has a letter: the numbers of a DICOM identifier, 1.2.840.10008, are none.
_SUFFIX = re.compile(r"\.(?=\d*[a-z])[a-z0-9~+-]+", re.IGNORECASE)
_SHEET = re.compile(r"(?<=\.xlsx)#[^/\\]*\Z", re.IGNORECASE)

# Those of the ISIC challenges, of PH2, and what people write.
_WORDS_BEFORE = r"masks?|seg|segmentation|gt|ground[ _-]?truth"
_WORDS_AFTER = rf"{_WORDS_BEFORE}|segmented|lesion|superpixels?|annotations?|labels?|roi|binary"
_AFTER = re.compile(rf"(.*[^ ._-])[ ._-]+(?:{_WORDS_AFTER})", re.IGNORECASE | re.DOTALL)
_BEFORE = re.compile(rf"(?:{_WORDS_BEFORE})[ ._-]+(.+)", re.IGNORECASE | re.DOTALL)
_MASK_FOLDER = re.compile(
    r"(?:.*[ ._-])?(?:masks?|segmentations?|ground[ _-]?truths?|gt|annotations?)", re.IGNORECASE
)


def suffix_of(name: str) -> str:
    """Return the suffix of a file name in lower case, with its dot.

    Parameters
    ----------
    name : str
        File name, with or without folders.

    Returns
    -------
    str
        For example ``".jpg"``, or the empty string.

    Examples
    --------
    >>> suffix_of("a/ISIC_1.JPG"), suffix_of("1.2.840.10008")
    ('.jpg', '')
    """
    suffix = posixpath.splitext(name)[1]
    return suffix.lower() if _SUFFIX.fullmatch(suffix) else ""


def is_table_name(source: str) -> bool:
    """Whether a source is a table, by its name.

    Parameters
    ----------
    source : str
        Path or address; ``FILE.xlsx#SHEET`` names a sheet.

    Returns
    -------
    bool
        True for the suffixes of tables.
    """
    return suffix_of(_SHEET.sub("", source)) in TABLE_SUFFIXES


def mask_stems(stem: str) -> tuple[str, ...]:
    """Strip from a file name what names of masks add to that of the image.

    Parameters
    ----------
    stem : str
        File name without folder and suffix.

    Returns
    -------
    tuple of str
        What the image may be called, the longest first; empty if the name is none of a mask.

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
    """Whether a folder of a file is one of masks, by its name.

    Parameters
    ----------
    name : str
        Path with forward slashes, from the folder on that a user names.

    Returns
    -------
    bool
        True if a folder is called ``masks``, ``GroundTruth`` or alike.

    Examples
    --------
    >>> in_mask_folder("masks/a.png"), in_mask_folder("images/a.png")
    (True, False)
    >>> in_mask_folder("ISIC-2017_Training_Part1_GroundTruth/a.png")
    True
    """
    return any(_MASK_FOLDER.fullmatch(folder) for folder in name.split("/")[:-1])


def image_id_from_path(path: str) -> str:
    """Name the image that a path or locator points to.

    Parameters
    ----------
    path : str
        Path or locator, as `list_images` gives it.

    Returns
    -------
    str
        The file's name without folders and without an image suffix, or the HDF5 key.

    Examples
    --------
    >>> image_id_from_path("images/ISIC_0000001.jpg")
    'ISIC_0000001'
    >>> image_id_from_path("zip://train/ISIC_0000002.JPG::/data/train.zip")
    'ISIC_0000002'
    >>> image_id_from_path("hdf5://ISIC_0000003::/data/train-image.hdf5")
    'ISIC_0000003'
    """
    name = posixpath.basename(split_locator(path).inner.replace("\\", "/"))
    return posixpath.splitext(name)[0] if suffix_of(name) in IMAGE_SUFFIXES else name
