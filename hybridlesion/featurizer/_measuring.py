"""Values of a feature table: encoded metadata, and images read, segmented and measured."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import pandas as pd

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import as_pandas
from hybridlesion.exceptions import ImageError, SourceError, TableError
from hybridlesion.features import abcd, feature_names
from hybridlesion.io import read_image, resize_long_side
from hybridlesion.leakage import HASH_COLUMNS, encode_hash, perceptual_hash
from hybridlesion.metadata import MEASUREMENT_PREFIXES, SITES, leak_reason, normalise_records
from hybridlesion.preprocessing import max_rgb, shades_of_gray
from hybridlesion.segmentation import Segmentation, segment_details

# Columns that group rows.
IDS = ("image_id", "patient_id", "lesion_id", "duplicate_cluster")
_FACTS = ("age", "sex", "site")
_ANSWER = ("diagnosis", "target")
# Columns of the records that feature tables on disk contain in addition to the measured ones.
RECORD_COLUMNS = ("image_id", "path", *IDS[1:], *_FACTS, *_ANSWER)

_FEATURES = ("meta__", "abcd__", "perceived__", "cnn__", "emb__", "ctx__")


def is_feature(name: object) -> bool:
    """Check whether a column is a feature that a model may use.

    Parameters
    ----------
    name : object
        Name of the column.

    Returns
    -------
    bool
        True for the families ``meta__``, ``abcd__``, ``perceived__``, ``cnn__``, ``emb__`` and
        ``ctx__``.

    Examples
    --------
    >>> is_feature("abcd__tds"), is_feature("qa__hair_share"), is_feature("target")
    (True, False, False)
    """
    return str(name).startswith(_FEATURES)


def column_kinds(names: Iterable[str]) -> dict[str, list[str]]:
    """Group the columns of a feature table by their role.

    Parameters
    ----------
    names : iterable of str
        Column names.

    Returns
    -------
    dict of str to list of str
        Columns by role: ``features``; ``ids`` (including the path); ``answer`` (diagnosis and
        target); ``quality`` (``qa__`` columns on photograph and mask); ``facts`` (age, sex and
        site, which are encoded as features, and all other columns). The order is that of `names`.

    Examples
    --------
    >>> kinds = column_kinds(["image_id", "target", "meta__age", "qa__hair_share", "age"])
    >>> kinds["features"], kinds["ids"], kinds["answer"], kinds["facts"]
    (['meta__age'], ['image_id'], ['target'], ['age'])
    """
    kinds = {"features": [], "ids": [], "answer": [], "quality": [], "facts": []}
    for name in map(str, names):
        if is_feature(name):
            kind = "features"
        elif name.startswith("qa__"):
            kind = "quality"
        elif name in (*IDS, "path"):
            kind = "ids"
        else:
            kind = "answer" if name in _ANSWER else "facts"
        kinds[kind].append(name)
    return kinds


def read_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Normalise column names and values of records, and warn once about unknown values.

    Parameters
    ----------
    frame : DataFrame of shape (n, columns)
        Records or a feature table, in pandas or polars.

    Returns
    -------
    DataFrame of shape (n, columns)
        The frame, normalised by `hybridlesion.metadata.normalise_records`.

    Raises
    ------
    TableError
        If the frame contains invalid values.

    Warns
    -----
    UserWarning
        If some values were not understood.
    """
    frame, notes = normalise_records(frame)
    if notes:
        message = "\n  ".join(["parts of the records were not understood:", *notes])
        warnings.warn(message, UserWarning, stacklevel=4)
    return frame


def check_records(X: object) -> pd.DataFrame:
    """Normalise records, or raise an error that explains why `X` has none.

    Parameters
    ----------
    X : object
        Object that should be a DataFrame of records.

    Returns
    -------
    DataFrame of shape (n, columns)
        The records as normalised by `read_frame`.

    Raises
    ------
    TableError
        If `X` is not a DataFrame or lacks image ids.
    """
    X = as_pandas(X)
    came = type(X).__name__
    if isinstance(X, pd.DataFrame):
        if "image_id" in (records := read_frame(X)):
            return records
        came = f"columns {list(X.columns)[:8]}"
    raise TableError(
        "records must be a DataFrame with at least an image_id column (and a path column if images "
        f"are to be read), got {came}. hybridlesion.read_records makes one from any ISIC table, "
        "hybridlesion.list_images from a folder."
    )


def metadata_columns(records: pd.DataFrame) -> list[str]:
    """Return the names of additional numeric columns that are safe to use as features.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records as returned by `hybridlesion.metadata.read_records`.

    Returns
    -------
    list of str
        Numeric ISIC 2024 measurements (``tbp_lv_*``, ``clin_size_*``), in table order. Other
        columns are excluded, because they may leak the target.

    Examples
    --------
    >>> import pandas as pd
    >>> metadata_columns(pd.DataFrame({"age": [50.0], "tbp_lv_A": [20.1], "note": ["x"]}))
    ['tbp_lv_A']
    """
    records = as_pandas(records)
    measured = [name for name in records if str(name).startswith(MEASUREMENT_PREFIXES)]
    safe = [name for name in measured if leak_reason(name) is None]
    return [name for name in safe if pd.api.types.is_numeric_dtype(records[name])]


def encode_metadata(records: pd.DataFrame, extra: Sequence[str] | None = None) -> pd.DataFrame:
    """Encode age, sex, site and measurements without fitting.

    Parameters
    ----------
    records : DataFrame of shape (n, columns)
        Records; absent columns count as missing values.
    extra : sequence of str, default=None
        Measurement columns to add as ``meta__NAME``. If None, those of `metadata_columns` are used.

    Returns
    -------
    DataFrame of shape (n, 2 + sites + extra), float32
        ``meta__age`` in years, ``meta__sex_male`` (1 male, 0 female), one 0/1 column per site,
        then the measurements. Missing values are NaN.

    Examples
    --------
    >>> import pandas as pd
    >>> records = pd.DataFrame({"age": [50.0], "sex": ["male"], "site": ["torso"]})
    >>> encode_metadata(records).iloc[0, :4].to_dict()
    {'meta__age': 50.0, 'meta__sex_male': 1.0, 'meta__site_head_neck': 0.0, 'meta__site_torso': 1.0}
    """
    records = as_pandas(records)
    extra = metadata_columns(records) if extra is None else extra
    encoded = {"meta__age": _numeric(records, "age")}
    encoded |= _one_hot(records, "sex", {"meta__sex_male": "male"})
    names = {f"meta__site_{site.replace('/', '_').replace(' ', '_')}": str(site) for site in SITES}
    encoded |= _one_hot(records, "site", names)
    encoded |= {f"meta__{column}": _numeric(records, column) for column in extra}
    return pd.DataFrame(encoded, index=records.index).astype(np.float32)


def _numeric(records: pd.DataFrame, column: str) -> np.ndarray:
    values = pd.to_numeric(_column(records, column), errors="coerce")
    return values.to_numpy(dtype=float, na_value=np.nan)


def _one_hot(records: pd.DataFrame, column: str, names: dict[str, str]) -> dict[str, np.ndarray]:
    values = _column(records, column).astype(object)
    known = values.notna().to_numpy()
    return {
        name: np.where(known, (values == value).to_numpy(dtype=float), np.nan)
        for name, value in names.items()
    }


def _column(records: pd.DataFrame, column: str) -> pd.Series:
    return records.get(column, pd.Series(np.nan, index=records.index))


# Number of images that are handed to a worker at a time, at most.
BLOCK = 8

# Errors that an image can cause; any other exception is a bug and propagates.
_EXPECTED = (ImageError, SourceError, ArithmeticError, ValueError, IndexError, MemoryError)

Row = tuple[str, object]
SegmentedImage = tuple[np.ndarray, Segmentation]
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Failure:
    """Reason why an image has no features.

    Parameters
    ----------
    image_id, path : str
        Id and locator of the image.
    stage : {"read", "segment", "features", "worker"}
        Step that failed.
    reason : str
        Error message on a single line.
    """

    image_id: str
    path: str
    stage: str
    reason: str


def read_segmented(
    rows: Iterable[Row], *, long_side: int, segmenter: str, tick: Callable[[], object] | None = None
) -> Iterator[tuple[Row, SegmentedImage | Failure]]:
    """Decode and segment images.

    Parameters
    ----------
    rows : iterable of (image_id, path)
        Image ids and locators, as returned by `hybridlesion.io.list_images`.
    long_side : int
        Long side in pixels at which images are segmented.
    segmenter : str
        One of `hybridlesion.segmentation.SEGMENTERS`, or the weight file of a refiner.
    tick : callable, default=None
        Heartbeat, called after each image is read.

    Yields
    ------
    tuple
        Each row in order, with either its image and segmentation or its failure.
    """
    for row in rows:
        image = attempt(row, "read", partial(_read, row[1], long_side))
        if tick is not None:
            tick()
        if isinstance(image, Failure):
            yield row, image
        else:
            yield row, attempt(row, "segment", partial(_segment, image, segmenter))


def attempt(row: Row, stage: str, work: Callable[[], Answer]) -> Answer | Failure:
    """Run one step for one image and turn expected errors into a failure.

    Parameters
    ----------
    row : tuple of image_id and path
        Id and locator of the image.
    stage : str
        Name of the step, as reported in a failure.
    work : callable
        Step to run.

    Returns
    -------
    object
        Result of `work`, or the failure.
    """
    try:
        return work()
    except _EXPECTED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        image_id, path = row
        return Failure(str(image_id), path if isinstance(path, str) else "", stage, reason)


# Sides, in pixels, below which no lesion can be measured.
_SMALLEST_SIDE = 16

# 12-bit values in a 16-bit file, up to 4,095, become at most this grey value (16) of 255.
_DARKEST = (4095 + 128) // 257

# A mark or a hot pixel may be brighter; a field of view is larger.
_LARGEST_DARK_SHARE = 0.98


def _read(path: object, long_side: int) -> np.ndarray:
    if not isinstance(path, str):
        raise ImageError("the record has no path to an image.")
    image = read_image(path, long_side=long_side)
    check_measurable(image, path)
    return resize_long_side(image, long_side)


def check_measurable(image: np.ndarray, name: str) -> None:
    """Check that a photograph is neither too small nor black.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB photograph.
    name : str
        Its path or id, for the message.

    Raises
    ------
    ImageError
        If no lesion can be measured in it.
    """
    height, width = image.shape[:2]
    if min(height, width) < _SMALLEST_SIDE:
        raise ImageError(
            f"{name}: {width} x {height} pixels are too few to measure a lesion; at least "
            f"{_SMALLEST_SIDE} on each side are needed."
        )
    dark = cv2.countNonZero(cv2.inRange(image, (0, 0, 0), (_DARKEST,) * 3))
    if dark > _LARGEST_DARK_SHARE * height * width:
        raise ImageError(
            f"{name}: the photograph is black ({100 * dark / (height * width):.3g} % of it is at "
            f"most {_DARKEST} of 255). If its file has 16 bits but holds values of 12 bits, "
            "rescale these to the full range."
        )


def _segment(image: np.ndarray, segmenter: str) -> SegmentedImage:
    return image, segment_details(image, segmenter=segmenter)


COLOR_CONSTANCY: dict[str, Callable[..., np.ndarray] | None] = {
    "none": None,
    "shades_of_gray": shades_of_gray,
    "max_rgb": max_rgb,
}


def lesion_columns() -> list[str]:
    """Return the names of the columns measured by `measure_lesion`, in order.

    Returns
    -------
    list of str
        ``qa__`` columns, ending with the perceptual hash, followed by ``abcd__`` columns.
    """
    return [*_QUALITY, *HASH_COLUMNS, *feature_names()]


def measure_lesion(
    row: Row, segmented: SegmentedImage | Failure, color_constancy: str
) -> tuple[np.ndarray, np.ndarray, list[float]] | Failure:
    """Measure a segmented image; failures are returned instead of raised.

    Parameters
    ----------
    row : tuple of image_id and path
        Id and locator of the image.
    segmented : tuple of image and Segmentation, or Failure
        Answer of `read_segmented`.
    color_constancy : str
        A key of `COLOR_CONSTANCY`.

    Returns
    -------
    tuple of image, mask and list of float, or Failure
        Image, lesion mask and one value for each of `lesion_columns`.
    """
    if isinstance(segmented, Failure):
        return segmented
    return attempt(row, "features", partial(_measure, *segmented, color_constancy))


def _measure(
    image: np.ndarray, details: Segmentation, color_constancy: str
) -> tuple[np.ndarray, np.ndarray, list[float]]:
    correct, field = COLOR_CONSTANCY[color_constancy], details.field_of_view
    corrected = image if correct is None else correct(image, mask=field)
    features = abcd(
        *(corrected, details.mask),
        field_of_view=field,
        hair=details.hair,
        raw=image,
        structures=details.structures,
    )
    values = [measure(details) for measure in _QUALITY.values()]
    values += [*encode_hash(perceptual_hash(image)).tolist(), *features.values()]
    return image, details.mask, values


def _share(mask: np.ndarray) -> float:
    return np.count_nonzero(mask) / mask.size


_QUALITY = {
    "qa__segmentation_confidence": lambda details: details.confidence,
    "qa__mask_share": lambda details: _share(details.mask),
    "qa__hair_share": lambda details: _share(details.hair),
    "qa__dark_corner_share": lambda details: 1.0 - _share(details.field_of_view),
    "qa__empty_mask": lambda details: float("empty" in details.flags),
    "qa__touches_border": lambda details: float("touches_border" in details.flags),
    "qa__several_lesions": lambda details: float("several" in details.flags),
}
