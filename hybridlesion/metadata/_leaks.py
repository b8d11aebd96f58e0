"""Columns that no model may see, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType

__all__ = ["LEAK_COLUMNS", "is_acquisition", "leak_reason"]

_ANSWER = "it is the answer in other words"
_AFTER = "it is known only after the diagnosis"
_CAMERA = "it describes how the photograph was taken, stored or split, not the lesion"
_ADMIN = "it names the source of the image, which gives the data set away"

LEAK_COLUMNS: Mapping[str, str] = MappingProxyType(
    dict.fromkeys(
        (
            *("diagnosis", "diagnosis_[1-9]", "diagnosis_full", "dx", "iddx_*"),
            *("benign_malignant", "malignant", "label", "label_string", "b_m"),
            *("mel", "nv", "bcc", "ak", "akiec", "bkl", "df", "vasc", "scc", "unk"),
            *("melanoma", "seborrheic_keratosis"),
        ),
        _ANSWER,
    )
    | dict.fromkeys(
        (
            *("mel_*", "nevus_type", "melanocytic", "dx_type", "diagnosis_confirm_type"),
            *("concomitant_biopsy", "invasion_thickness_interval", "rcm_case_id"),
            "tbp_lv_dnn_lesion_confidence",
        ),
        _AFTER,
    )
    | dict.fromkeys(
        (
            *("width", "height", "orig_width", "orig_height", "image_width", "image_height"),
            *("pixels", "pixels_[xy]", "pixel_count", "megapixels", "file_size", "filesize"),
            *("size_bytes", "image_type", "image_manipulation", "dermoscopic_type"),
            *("acquisition_day", "tfrecord", "fold", "split", "mask_source"),
            *("score_weight", "validation_weight"),
        ),
        _CAMERA,
    )
    | dict.fromkeys(("attribution", "copyright_license", "source", "dataset"), _ADMIN)
    | {"unnamed:_*": "it is the row number of a spreadsheet"}
)


def leak_reason(column: str) -> str | None:
    """Say why a column must not reach a model.

    Parameters
    ----------
    column : str
        A column's name, as its table spells it.

    Returns
    -------
    str or None
        The reason, or None if the name is not known to leak.

    Examples
    --------
    >>> leak_reason("iddx_full")
    'it is the answer in other words'
    >>> leak_reason("tbp_lv_areaMM2") is None
    True
    """
    key = column.strip().lower().replace(" ", "_")
    if key in LEAK_COLUMNS:
        return LEAK_COLUMNS[key]
    return next((why for name, why in LEAK_COLUMNS.items() if fnmatchcase(key, name)), None)


def is_acquisition(column: str) -> bool:
    """Tell whether a column says how or where an image was taken or stored.

    Parameters
    ----------
    column : str
        A column's name, as its table spells it.

    Returns
    -------
    bool
        True for sizes, cameras, archives and splits; False for all others, known to leak or not.

    Examples
    --------
    >>> is_acquisition("file_size"), is_acquisition("iddx_full"), is_acquisition("sex")
    (True, False, False)
    """
    return leak_reason(column) in (_CAMERA, _ADMIN)
