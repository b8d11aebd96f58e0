"""The table layouts that are recognised, and the names of their columns, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import filter as matching
from types import MappingProxyType

__all__ = [
    "FACTS",
    "FAMILIES",
    "LAYOUTS",
    "MEASURED",
    "ROLE_COLUMNS",
    "Layout",
    "Role",
    "column_key",
]

# The layout of a table that knows the images, but nothing that a record holds.
FACTS = "image-facts"

# Column families of a feature table.
FAMILIES: tuple[str, ...] = ("abcd__", "emb__", "cnn__", "meta__", "ctx__", "qa__")
# Those of them that come from the pixels of an image.
MEASURED: tuple[str, ...] = ("abcd__", "emb__", "cnn__")


class Role(StrEnum):
    """What a column of a record holds; the value is its name in the record."""

    IMAGE_ID = "image_id"
    PATH = "path"
    PATIENT_ID = "patient_id"
    LESION_ID = "lesion_id"
    AGE = "age"
    SEX = "sex"
    SITE = "site"
    DIAGNOSIS = "diagnosis"
    TARGET = "target"


# The names each role goes by, the first that a table has being taken.
ROLE_COLUMNS: Mapping[Role, tuple[str, ...]] = MappingProxyType(
    {
        Role.IMAGE_ID: ("image_id", "isic_id", "image_name", "image", "id"),
        Role.PATH: (
            *("path", "image_path", "img_path", "file_path", "filepath"),
            *("file_name", "filename", "file"),
        ),
        Role.PATIENT_ID: ("patient_id", "patient"),
        Role.LESION_ID: ("lesion_id",),
        Role.AGE: ("age", "age_approx", "age_approximate"),
        Role.SEX: ("sex", "gender"),
        Role.SITE: (
            *("site", "anatom_site_general_challenge", "anatom_site_general", "anatom_site_1"),
            *("localization", "anatomloc"),
        ),
        Role.DIAGNOSIS: ("diagnosis", "dx"),
        Role.TARGET: ("target", "malignant", "melanoma", "is_malignant", "malignancy"),
    }
)


@dataclass(frozen=True)
class Layout:
    """One table layout: how it is recognised and what it means.

    Parameters
    ----------
    name : str
        Short name, such as ``"isic2020"``.
    title : str
        What people call the table.
    required : tuple of str
        Columns that must all be there; ``*`` and ``[..]`` match as in file names.
    any_of : tuple of str, default=()
        Columns of which one at least must be there.
    exact : bool, default=False
        Whether no other column may be there.
    one_hot : mapping of str to str, optional
        0/1 column -> diagnosis it stands for.
    otherwise : str or None, default=None
        Diagnosis where every 0/1 column is 0; None leaves it missing.
    malignant : tuple of str, default=()
        Diagnoses that make the target 1 where the table has no target of its own.
    set_aside : mapping of str to str, optional
        Columns that leak in this layout only -> reason.
    """

    name: str
    title: str
    required: tuple[str, ...]
    any_of: tuple[str, ...] = ()
    exact: bool = False
    one_hot: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None
    malignant: tuple[str, ...] = ()
    set_aside: Mapping[str, str] = field(default_factory=dict)

    def matches(self, keys: set[str]) -> bool:
        """Tell whether columns with these keys have this layout.

        Parameters
        ----------
        keys : set of str
            Column names in lower case, blanks as underscores.

        Returns
        -------
        bool
            Whether they do.
        """
        if self.exact and keys != set(self.required):
            return False
        return all(matching(keys, name) for name in self.required) and (
            not self.any_of or any(matching(keys, name) for name in self.any_of)
        )


_CLASSES_2018 = {
    "mel": "melanoma",
    "nv": "nevus",
    "bcc": "basal cell carcinoma",
    "akiec": "actinic keratosis",
    "bkl": "benign keratosis",
    "df": "dermatofibroma",
    "vasc": "vascular lesion",
}
_CLASSES_2019 = {name: word for name, word in _CLASSES_2018.items() if name != "akiec"} | {
    "ak": "actinic keratosis",
    "scc": "squamous cell carcinoma",
}

# The first that matches wins, so the more particular come first.
LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "features",
        "feature table written by hybridlesion",
        required=("image_id",),
        any_of=tuple(f"{family}*" for family in FAMILIES),
    ),
    Layout(
        "isic2024",
        "ISIC 2024 (SLICE-3D) metadata",
        required=("isic_id", "tbp_lv_*"),
        set_aside={"lesion_id": "ISIC 2024 gives it only to lesions that were biopsied"},
    ),
    Layout("isic2024-truth", "ISIC 2024 ground truth", required=("isic_id", "malignant")),
    Layout("duplicates", "list of duplicate pairs", required=("image_name_1", "image_name_2")),
    Layout(
        "isic2020",
        "ISIC 2020 train, test or ground truth v2",
        required=("image_name",),
        any_of=("patient_id", "anatom_site_general_challenge", "benign_malignant"),
    ),
    Layout(
        "isic2020-test",
        "ISIC 2020 official test metadata",
        required=("image", "anatom_site_general_challenge"),
    ),
    Layout(
        "isic2019-truth",
        "ISIC 2019 ground truth",
        required=("image", *_CLASSES_2019),
        one_hot=_CLASSES_2019,
        malignant=("melanoma",),
    ),
    Layout(
        "isic2018-truth",
        "ISIC 2018 task 3 ground truth",
        required=("image", *_CLASSES_2018),
        one_hot=_CLASSES_2018,
        malignant=("melanoma",),
    ),
    Layout(
        "isic2018-groupings",
        "ISIC 2018 task 3 lesion groupings",
        required=("image", "lesion_id", "diagnosis_confirm_type"),
    ),
    Layout("isic2019-metadata", "ISIC 2019 metadata", required=("image", "anatom_site_general")),
    Layout(
        "isic2017-truth",
        "ISIC 2017 part 3 ground truth",
        required=("image_id", "melanoma", "seborrheic_keratosis"),
        one_hot={"melanoma": "melanoma", "seborrheic_keratosis": "seborrheic keratosis"},
        # The challenge had three classes, and the third was nevus.
        otherwise="nevus",
        malignant=("melanoma",),
    ),
    Layout(
        "isic2017-metadata", "ISIC 2017 metadata", required=("image_id", "age_approximate", "sex")
    ),
    Layout("ham10000", "HAM10000 metadata", required=("image_id", "dx"), malignant=("melanoma",)),
    Layout(
        "isic2016-truth",
        "ISBI 2016 part 3 ground truth (no header)",
        required=("image_id", "benign_malignant"),
        exact=True,
    ),
    Layout(
        "isic-archive",
        "isic-cli metadata",
        required=("isic_id",),
        any_of=("diagnosis_[1-5]", "anatom_site_[1-5]"),
    ),
    Layout(
        "isic-archive-old",
        "isic-cli metadata before diagnosis_1 to diagnosis_5",
        required=("isic_id",),
        any_of=("attribution", "copyright_license", "benign_malignant", "anatom_site_general"),
    ),
)


def column_key(column: object) -> str:
    """Bring a column name to the form in which names are compared.

    Parameters
    ----------
    column : object
        A column's name.

    Returns
    -------
    str
        Lower case, without outer blanks, inner blanks as underscores.

    Examples
    --------
    >>> column_key(" Image Name")
    'image_name'
    """
    return str(column).strip().lower().replace(" ", "_")
