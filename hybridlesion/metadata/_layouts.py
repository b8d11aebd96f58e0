"""Known table layouts and the names of their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import filter as matching
from types import MappingProxyType

__all__ = [
    "FACTS",
    "FAMILIES",
    "KNOWN_COLUMNS",
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
        Role.IMAGE_ID: (
            *("image_id", "isic_id", "image_name", "image", "img_id", "md5hash", "id"),
        ),
        Role.PATH: (
            *("path", "image_path", "img_path", "file_path", "filepath"),
            *("file_name", "filename", "file", "bcn_filename", "ddi_file", "derm"),
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
        Common name of the table.
    required : tuple of str
        Required columns, in addition to one that names the image, lesion or patient; ``*``
        and ``[..]`` match as in file names.
    any_of : tuple of str, default=()
        Columns of which one at least must be there.
    exact : bool, default=False
        Whether no other column may be there.
    roles : mapping of Role to str, optional
        Columns that hold a record's values under names of this layout only.
    one_hot : mapping of str to str, optional
        0/1 column -> diagnosis it stands for.
    otherwise : str or None, default=None
        Diagnosis where every 0/1 column is 0; None leaves it missing.
    words : mapping of str to mapping, optional
        Column -> its codes, in lower case -> the word that each stands for.
    malignant : tuple of str, default=()
        Diagnoses that make the target 1 where the table has no target.
    set_aside : mapping of str to str, optional
        Columns that leak in this layout only -> reason.
    extras : tuple of str, default=()
        Its further columns, which no model reads; ``*`` and ``[..]`` match as in file names.
    note : str, default=""
        What users of the data set should know.
    """

    name: str
    title: str
    required: tuple[str, ...]
    any_of: tuple[str, ...] = ()
    exact: bool = False
    roles: Mapping[Role, str] = field(default_factory=dict)
    one_hot: Mapping[str, str] = field(default_factory=dict)
    otherwise: str | None = None
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    malignant: tuple[str, ...] = ()
    set_aside: Mapping[str, str] = field(default_factory=dict)
    extras: tuple[str, ...] = ()
    note: str = ""

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
_CLASSES_MILK10K = _CLASSES_2018 | {
    "ben_oth": "other benign lesion",
    "inf": "inflammatory or infectious condition",
    "mal_oth": "other malignant lesion",
    "sccka": "squamous cell carcinoma",
}
_CLASSES_PAD = {
    "mel": "melanoma",
    "nev": "nevus",
    "bcc": "basal cell carcinoma",
    "scc": "squamous cell carcinoma",
    "ack": "actinic keratosis",
    "sek": "seborrheic keratosis",
}
_ANSWER = "it is the answer in other words"
_DECIDED = "it follows from the diagnosis, or from the suspicion of it"
_CLINICAL = (
    "{} photographs, not dermoscopic images, which is what the features and the network that ships "
    "are made for"
)

# The first that matches wins, so the more particular come first.
LAYOUTS: tuple[Layout, ...] = (
    Layout(
        "features",
        "feature table written by hybridlesion",
        required=("image_id",),
        any_of=tuple(f"{family}*" for family in FAMILIES),
    ),
    Layout("duplicates", "list of duplicate pairs", required=("image_name_1", "image_name_2")),
    Layout(
        "isic2024",
        "ISIC 2024 (SLICE-3D) metadata",
        required=("isic_id", "tbp_lv_*"),
        set_aside={"lesion_id": "ISIC 2024 gives it only to lesions that were biopsied"},
    ),
    Layout(
        "milk10k-truth",
        "MILK10k ground truth, by lesion",
        required=tuple(_CLASSES_MILK10K),
        one_hot=_CLASSES_MILK10K,
        malignant=("melanoma",),
    ),
    Layout(
        "isic2019-truth",
        "ISIC 2019 ground truth",
        required=tuple(_CLASSES_2019),
        one_hot=_CLASSES_2019,
        malignant=("melanoma",),
    ),
    Layout(
        "isic2018-truth",
        "ISIC 2018 task 3 ground truth",
        required=tuple(_CLASSES_2018),
        one_hot=_CLASSES_2018,
        malignant=("melanoma",),
    ),
    Layout(
        "isic2017-truth",
        "ISIC 2017 part 3 ground truth",
        required=("melanoma", "seborrheic_keratosis"),
        one_hot={"melanoma": "melanoma", "seborrheic_keratosis": "seborrheic keratosis"},
        # The challenge had three classes, and the third was nevus.
        otherwise="nevus",
        malignant=("melanoma",),
    ),
    Layout("isic2024-truth", "ISIC 2024 ground truth", required=("isic_id", "malignant")),
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
        "isic2018-groupings",
        "ISIC 2018 task 3 lesion groupings",
        required=("image", "lesion_id", "diagnosis_confirm_type"),
    ),
    Layout("isic2019-metadata", "ISIC 2019 metadata", required=("image", "anatom_site_general")),
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
        "milk10k",
        "MILK10k metadata",
        required=("isic_id", "lesion_id", "image_type"),
        any_of=("monet_*", "skin_tone_class"),
        extras=("monet_*", "skin_tone_class"),
    ),
    Layout(
        "pad-ufes-20",
        "PAD-UFES-20 metadata",
        required=("img_id", "diagnostic"),
        roles={Role.DIAGNOSIS: "diagnostic", Role.SITE: "region"},
        words={"diagnostic": _CLASSES_PAD},
        malignant=("melanoma",),
        set_aside={"diagnostic": _ANSWER, "biopsed": _DECIDED},
        extras=(
            *("smoke", "drink", "background_father", "background_mother", "pesticide", "itch"),
            *("cancer_history", "skin_cancer_history", "has_piped_water", "has_sewage_system"),
            *("fitspatrick", "diameter_[12]", "grew", "hurt", "changed", "bleed", "elevation"),
        ),
        note=_CLINICAL.format("PAD-UFES-20 holds smartphone"),
    ),
    Layout(
        "derm7pt",
        "Derm7pt meta.csv",
        required=("derm", "diagnosis"),
        any_of=("case_num", "clinic", "seven_point_score"),
        roles={Role.SITE: "location"},
        malignant=("melanoma",),
        set_aside={"management": _DECIDED, "level_of_diagnostic_difficulty": _DECIDED},
        extras=(
            *("case_num", "case_id", "clinic", "notes", "elevation", "seven_point_score"),
            *("pigment_network", "streaks", "pigmentation", "regression_structures"),
            *("dots_and_globules", "blue_whitish_veil", "vascular_structures"),
        ),
        note="the images are those of the column derm; the clinical ones of clinic are left out",
    ),
    Layout(
        "bcn20000",
        "BCN20000 metadata",
        required=("bcn_filename",),
        malignant=("melanoma",),
        set_aside={"capture_date": "it describes when the photograph was taken, not the lesion"},
    ),
    Layout(
        "fitzpatrick17k",
        "Fitzpatrick17k table",
        required=("md5hash", "three_partition_label"),
        roles={Role.DIAGNOSIS: "label", Role.TARGET: "three_partition_label"},
        words={"three_partition_label": {"non-neoplastic": "benign"}},
        set_aside={"nine_partition_label": _ANSWER, "three_partition_label": _ANSWER},
        extras=("fitzpatrick_*", "qc", "url", "url_alphanum"),
        note=_CLINICAL.format("Fitzpatrick17k holds clinical")
        + "; the target is three_partition_label, where non-neoplastic counts as benign",
    ),
    Layout(
        "ddi",
        "Diverse Dermatology Images (DDI) metadata",
        required=("ddi_file", "malignant"),
        roles={Role.DIAGNOSIS: "disease"},
        set_aside={"disease": _ANSWER},
        extras=("ddi_id", "skin_tone"),
        note=_CLINICAL.format("DDI holds clinical"),
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

# Further columns of the published tables, which no model reads and which need no note.
KNOWN_COLUMNS: tuple[str, ...] = (
    *(f"{family}*" for family in FAMILIES),
    *("tbp_*", "clin_size_*", "anatom_site_*", "*_raw", "duplicate_cluster"),
    *("fitzpatrick_skin_type", "family_hx_mm", "personal_hx_mm"),
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
