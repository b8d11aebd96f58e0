"""Which files are images by their name, and which id that name stands for."""

from __future__ import annotations

import posixpath

from hybridlesion.images._locators import split_locator

__all__ = [
    "IMAGE_SUFFIXES",
    "LESION_MASK_ENDS",
    "TABLE_SUFFIXES",
    "image_id_from_path",
    "is_image_name",
    "suffix_of",
]

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".gif", ".webp")
)
TABLE_SUFFIXES = frozenset((".csv", ".tsv", ".parquet", ".pq"))

# Ends of the names of masks, in lower case: those of the ISIC challenges, and those of PH2.
LESION_MASK_ENDS = ("_segmentation", "_lesion")
_MASK_ENDS = (*LESION_MASK_ENDS, "_superpixels")


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
    """
    return posixpath.splitext(name)[1].lower()


def is_image_name(name: str) -> bool:
    """Whether a file found in a folder or archive is one of its images, by its name.

    Parameters
    ----------
    name : str
        File name with forward slashes, with or without folders.

    Returns
    -------
    bool
        False for other suffixes, hidden files (such as the ``._name`` files that macOS puts into
        archives) and masks.

    Examples
    --------
    >>> is_image_name("a/ISIC_1.JPG"), is_image_name("ISIC_1_Segmentation.png")
    (True, False)
    """
    stem, suffix = posixpath.splitext(posixpath.basename(name))
    return (
        suffix.lower() in IMAGE_SUFFIXES
        and not stem.startswith(".")
        and not stem.lower().endswith(_MASK_ENDS)
    )


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
