"""Validation of images, masks and parameters."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np

from hybridlesion.exceptions import ImageError, OptionError, TableError

# Key in DataFrame.attrs under which `LesionFeaturizer` lists the group columns that it left out.
LEFT_OUT = "hybridlesion.left_out"


def as_pandas(frame: Any) -> Any:
    """Convert a data frame of another library, such as polars, to pandas.

    Parameters
    ----------
    frame : object
        Data frame, or any other object.

    Returns
    -------
    object
        Result of the method ``to_pandas``, or the same object if it has no such method.

    Examples
    --------
    >>> as_pandas([1, 2])
    [1, 2]
    """
    return frame.to_pandas() if hasattr(frame, "to_pandas") else frame


def check_image(image: np.ndarray) -> np.ndarray:
    """Validate an RGB image and return it as a C-contiguous array.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.

    Returns
    -------
    ndarray of shape (H, W, 3), uint8
        The same image, copied only if it was not contiguous.

    Raises
    ------
    ImageError
        If the shape or the dtype is wrong.
    """
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3:
        raise ImageError(
            f"image must be an RGB array of shape (H, W, 3), got {_describe(image)}. "
            "hybridlesion.io.read_image reads any file as one."
        )
    if image.dtype != np.uint8:
        raise ImageError(
            f"image must have dtype uint8 (0 to 255), got {image.dtype}. For floats in 0 to 1 use "
            "skimage.util.img_as_ubyte(image)."
        )
    if 0 in image.shape:
        raise ImageError(f"image has no pixels: its shape is {image.shape}.")
    return np.ascontiguousarray(image)


def check_mask(mask: np.ndarray, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Validate a mask and return it as a C-contiguous boolean array.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool or 0/1 or 0/255
        True (non-zero) inside the lesion.
    shape : tuple of int, default=None
        Required shape (H, W). If None, any shape is accepted.

    Returns
    -------
    ndarray of shape (H, W), bool
        The mask.

    Raises
    ------
    ImageError
        If the mask is not two-dimensional, contains grey values or has the wrong size.
    """
    if not isinstance(mask, np.ndarray) or mask.ndim != 2:
        raise ImageError(f"mask must be an array of shape (H, W), got {_describe(mask)}.")
    if shape is not None and mask.shape != tuple(shape):
        sizes = f"got mask {mask.shape} and image {tuple(shape)}"
        raise ImageError(f"mask and image must have the same size, {sizes}.")
    if mask.dtype != bool:
        values = np.unique(mask)
        if len(values) > 2 or not set(values.tolist()) <= {0, 1, 255}:
            found = f"{len(values)} values from {values.min()} to {values.max()}"
            raise ImageError(
                "mask must be bool (or hold only 0 and 1, or 0 and 255), got "
                f"{mask.dtype} with {found}. Threshold it first: mask > 128."
            )
        mask = mask > 0
    return np.ascontiguousarray(mask)


def check_choice(name: str, value: object, allowed: Iterable[str]) -> str:
    """Validate a choice; the error message suggests the closest allowed value.

    Parameters
    ----------
    name : str
        Name of the parameter, used in the error message.
    value : object
        Value of the parameter.
    allowed : iterable of str
        Allowed values.

    Returns
    -------
    str
        `value`.

    Raises
    ------
    OptionError
        If `value` is not among `allowed`.
    """
    allowed = list(allowed)
    if value in allowed:
        return value
    choices, hint = ", ".join(map(repr, allowed)), did_you_mean(str(value), allowed)
    raise OptionError(f"{name} must be one of {choices}, got {value!r}.{hint}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the known name that is most similar to an unknown one.

    Parameters
    ----------
    name : str
        Unknown name.
    known : iterable of str
        Known names.

    Returns
    -------
    str
        Question that follows the sentence of a message; empty if no name is similar.

    Examples
    --------
    >>> did_you_mean("colour", ["color", "border"]), did_you_mean("age", ["site"])
    (" Did you mean 'color'?", '')
    """
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def missing_column(parameter: str, column: str, known: Iterable[object]) -> TableError:
    """Make the error for a parameter that names a column which the tables lack.

    Parameters
    ----------
    parameter : str
        Name of the parameter.
    column : str
        Value of the parameter.
    known : iterable
        Columns of the tables.

    Returns
    -------
    TableError
        Error that suggests the most similar column and lists the first twelve.

    Examples
    --------
    >>> str(missing_column("groups", "patient", ["image_id", "patient_id"]))
    "`groups` names the column 'patient', which the tables lack. Did you mean 'patient_id'? \
Columns found: image_id, patient_id."
    """
    names = list(map(str, known))
    return TableError(
        f"`{parameter}` names the column {column!r}, which the tables lack."
        f"{did_you_mean(column, names)} Columns found: {', '.join(names[:12])}."
    )


def check_number(
    name: str,
    value: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    integer: bool = False,
) -> float | int:
    """Validate a number in a closed range.

    Parameters
    ----------
    name : str
        Name of the parameter, used in the error message.
    value : object
        Value of the parameter.
    low, high : float, default=None
        Inclusive bounds. If None, that side is unbounded.
    integer : bool, default=False
        Whether only whole numbers are allowed.

    Returns
    -------
    float or int
        `value`.

    Raises
    ------
    OptionError
        If `value` has the wrong type, is NaN or lies outside the bounds.
    """
    kind = Integral if integer else Real
    bad = isinstance(value, bool) or not isinstance(value, kind) or value != value  # NaN
    if bad or (low is not None and value < low) or (high is not None and value > high):
        bounds = {"at least": low, "at most": high}
        limits = " and".join(f" {word} {at}" for word, at in bounds.items() if at is not None)
        noun = "a whole number" if integer else "a number"
        raise OptionError(f"{name} must be {noun}{limits}, got {value!r}.")
    return value


def _describe(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return type(value).__name__
