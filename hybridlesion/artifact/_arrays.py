"""numpy arrays and dtypes out of a payload, each part held against the others.

numpy believes its own pickles. A dtype that hides a field of objects, or an array whose shape and
bytes disagree, would have it read any place in memory; so only dtypes of plain values are made,
and shapes are counted before they are believed.
"""

from __future__ import annotations

import math
import re

import numpy as np

from hybridlesion.exceptions import ArtifactError

__all__ = [
    "array_from_buffer",
    "empty_array",
    "plain_dtype",
    "plain_scalar",
    "restore_array",
    "restore_dtype",
]

# Booleans, integers, floats, text and bytes of a fixed length, and objects.
_PLAIN = re.compile(r"b1|[iu][1248]|f[248]|[US]\d{1,5}|O8?")

_ORDERS = ("<", ">", "=", "|")


def plain_dtype(*arguments: object) -> np.dtype:
    """Make a dtype of plain values.

    Parameters
    ----------
    *arguments : object
        What the payload hands to ``numpy.dtype``: its code, False and True.

    Returns
    -------
    numpy.dtype
        One of its own, never numpy's shared one, which the payload could change for everybody.

    Raises
    ------
    ArtifactError
        If it is any other dtype.

    Examples
    --------
    >>> plain_dtype("f8", False, True)
    dtype('float64')
    """
    code = arguments[0] if arguments else None
    if arguments[1:] != (False, True) or type(code) is not str or not _PLAIN.fullmatch(code):
        raise ArtifactError("the model holds an array of a kind that models have not")
    return np.dtype(code, False, True)


def restore_dtype(dtype: np.dtype, state: object) -> None:
    """Give a dtype its byte order; everything else must be as it is already.

    Parameters
    ----------
    dtype : numpy.dtype
        From `plain_dtype`.
    state : object
        What the payload says of it.

    Raises
    ------
    ArtifactError
        If the state changes more than the byte order.
    """
    expected = dtype.__reduce__()[2]
    same = (
        type(state) is tuple
        and all(type(part) in (int, str, type(None)) for part in state)
        and state[:1] == expected[:1]
        and state[2:] == expected[2:]
        and state[1] in _ORDERS
    )
    if not same:
        raise ArtifactError("the model holds an array whose dtype contradicts itself")
    dtype.__setstate__(state)


def empty_array(*arguments: object) -> np.ndarray:
    """Make the empty array that `restore_array` will fill.

    Parameters
    ----------
    *arguments : object
        What the payload hands to numpy's ``_reconstruct``.

    Returns
    -------
    ndarray of shape (0,)
        Always the same, whatever shape was asked for.

    Raises
    ------
    ArtifactError
        If anything but an empty array is asked for.
    """
    if arguments[1:] != ((0,), b"b"):
        raise ArtifactError("the model holds an array that is not made the usual way")
    return np.empty(0, np.int8)


def restore_array(array: np.ndarray, state: object) -> None:
    """Fill an array.

    Parameters
    ----------
    array : ndarray
        From `empty_array`.
    state : object
        Version, shape, dtype, whether columns come first, and the bytes or objects.

    Raises
    ------
    ArtifactError
        If there are not as many values as the shape says.
    """
    if type(state) is not tuple or len(state) != 5:
        raise ArtifactError("the model holds an array without its values")
    version, shape, dtype, by_columns, values = state
    if version != 1 or type(by_columns) is not bool:
        raise ArtifactError("the model holds an array of an unknown form")
    _check_values(shape, dtype, values)
    array.__setstate__(state)


def array_from_buffer(*arguments: object) -> np.ndarray:
    """Make an array of raw bytes.

    Parameters
    ----------
    *arguments : object
        Bytes, dtype, shape and order, as numpy's ``_frombuffer`` takes them.

    Returns
    -------
    ndarray
        The array.

    Raises
    ------
    ArtifactError
        If there are not as many values as the shape says.
    """
    if len(arguments) != 4 or arguments[3] not in ("C", "F"):
        raise ArtifactError("the model holds an array of an unknown form")
    buffer, dtype, shape, order = arguments
    if not isinstance(buffer, (bytes, bytearray)):
        raise ArtifactError("the model holds an array without its values")
    _check_values(shape, dtype, buffer)
    return np.frombuffer(buffer, dtype=dtype).reshape(shape, order=order)


def plain_scalar(*arguments: object) -> np.generic:
    """Make a single number of numpy.

    Parameters
    ----------
    *arguments : object
        Dtype and bytes, as numpy's ``scalar`` takes them.

    Returns
    -------
    numpy.generic
        The number.

    Raises
    ------
    ArtifactError
        If the bytes are not those of one value.
    """
    if len(arguments) != 2 or type(arguments[1]) is not bytes:
        raise ArtifactError("the model holds a number without its value")
    dtype, value = arguments
    _check_values((1,), dtype, value)
    return np.frombuffer(value, dtype=dtype)[0]


def _check_values(shape: object, dtype: object, values: object) -> None:
    counts = type(shape) is tuple and all(type(n) is int and 0 <= n < 2**40 for n in shape)
    if not counts or len(shape) > 8 or not isinstance(dtype, np.dtype):
        raise ArtifactError("the model holds an array of an unknown form")
    wanted, of_objects = math.prod(shape), dtype.kind == "O"
    kinds = (list,) if of_objects else (bytes, bytearray)
    if type(values) not in kinds or len(values) != wanted * (1 if of_objects else dtype.itemsize):
        raise ArtifactError(
            "the model holds an array with more or fewer values than its shape says"
        )
