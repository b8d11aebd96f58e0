"""Loaders for local copies of public data sets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from hybridlesion.exceptions import SourceError
from hybridlesion.metadata import read_records

_HELP = "data/README.md says where to get the data set."
_IMAGES = {".jpg", ".jpeg", ".png", ".bmp"}
_TABLES = {".csv", ".txt", ".tab"}
# Suffixes of mask names. The photograph must also exist, since a photograph may itself be called
# P2_lesion or P2_R1.
_MASK = re.compile(r"(?P<photograph>.+)_(segmentation|lesion|mask)", re.IGNORECASE)
# Other images in the official archives: superpixels, ISIC 2018 task 2, PH2 regions and labels.
_OTHER = re.compile(
    r"(?P<photograph>.+?)_(superpixels|attribute_.*|label.*|roi.*|r\d.*)", re.IGNORECASE
)


@dataclass(frozen=True)
class LocalCopy:
    """Images, masks and tables found below a folder.

    Parameters
    ----------
    folder : Path
        Folder that was searched.
    images : dict of str to str
        Image id -> path, sorted by id.
    masks : dict of str to str
        Image id -> path of its mask.
    tables : tuple of Path
        Paths of all tables, sorted.
    """

    folder: Path
    images: dict[str, str]
    masks: dict[str, str]
    tables: tuple[Path, ...]

    def find_table(self, *patterns: str, required: bool = True) -> Path | None:
        """Find the first table whose name matches one of the patterns, tried in order.

        Parameters
        ----------
        *patterns : str
            File name patterns in lower case, such as ``"*part3_groundtruth*.csv"``.
        required : bool, default=True
            Whether a missing table is an error.

        Returns
        -------
        Path or None
            Path of the table, or None if no table matches.

        Raises
        ------
        SourceError
            If no table matches although it is required.
        """
        tables = [(table.name.lower(), table) for table in self.tables]
        fitting = (table for p in patterns for name, table in tables if fnmatchcase(name, p))
        table = next(fitting, None)
        if table is None and required:
            found = ", ".join(one.name for one in self.tables[:5]) or "no tables"
            raise SourceError(
                f"{self.folder} contains no table named like {' or '.join(patterns)} (found: "
                f"{found}). {_HELP}"
            )
        return table


def scan_folder(folder: str | os.PathLike) -> LocalCopy:
    """Find images, masks and tables in a folder and its subfolders.

    Parameters
    ----------
    folder : str or path-like
        The data set's folder.

    Returns
    -------
    LocalCopy
        What was found.

    Raises
    ------
    SourceError
        If the folder is missing, contains no image, or contains two images with the same id.

    Notes
    -----
    An image called ``NAME_segmentation``, ``NAME_lesion`` or ``NAME_mask`` is a mask if there is a
    photograph ``NAME``, and otherwise a photograph. Superpixels, attributes, regions and labels of
    a photograph are ignored.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder. {_HELP}")
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    kinds = [(one, one.suffix.lower()) for one in files]
    tables = [one for one, kind in kinds if kind in _TABLES or one.name == "HAM10000_metadata"]
    pictures = [one for one, kind in kinds if kind in _IMAGES and one.name[0] != "."]
    # Case is ignored, since file systems differ in whether it matters.
    stems = {path.stem.lower(): path.stem for path in pictures}
    images, masks = {}, {}
    for path in pictures:
        mask_of, other_of = (_photograph(pattern, path, stems) for pattern in (_MASK, _OTHER))
        if mask_of is not None:
            masks[mask_of] = str(path)
        elif other_of is None:
            if path.stem in images:
                raise SourceError(
                    f"{folder} contains two images named {path.stem}: {images[path.stem]} and "
                    f"{path}. Remove one, or give the folder of one data set."
                )
            images[path.stem] = str(path)
    if not images:
        raise SourceError(f"{folder} contains no image ({', '.join(sorted(_IMAGES))}).")
    return LocalCopy(folder, dict(sorted(images.items())), masks, tuple(tables))


def _photograph(pattern: re.Pattern, path: Path, stems: dict[str, str]) -> str | None:
    """Return the name of the photograph that an image belongs to; None if there is none."""
    found = pattern.fullmatch(path.stem)
    return None if found is None else stems.get(found["photograph"].lower())


def records_of(
    copy: LocalCopy, tables: Path | pd.DataFrame | list[Path | pd.DataFrame], **options: object
) -> pd.DataFrame:
    """Read tables as records of the images found, with their masks.

    Parameters
    ----------
    copy : LocalCopy
        Result of `scan_folder`.
    tables : Path or DataFrame, or a list of them
        Tables, joined on the image id.
    **options
        Passed to `hybridlesion.metadata.read_records`.

    Returns
    -------
    DataFrame
        Records, sorted by `image_id`, with `path` and, if there are masks, `mask_path` (missing for
        images without a mask); and with `orig_width`, `orig_height` in pixels if an ``index.csv``
        next to the images has them.
    """
    images = pd.DataFrame(copy.images.items(), columns=["image_id", "path"])
    frame = read_records(tables, images=images, **options).frame
    frame = frame.sort_values("image_id", ignore_index=True)
    if copy.masks:
        place = frame.columns.get_loc("path") + 1
        frame.insert(place, "mask_path", frame["image_id"].map(copy.masks))
    index = copy.find_table("index.csv", required=False)
    facts = pd.DataFrame() if index is None else pd.read_csv(index)
    for name in ("orig_width", "orig_height"):
        if {"image_id", name} <= set(facts):
            frame[name] = frame["image_id"].map(facts.set_index("image_id")[name])
    return frame


def load_folder(
    folder: str | os.PathLike,
    *,
    table: str = "index.csv",
    target_column: str | None = None,
    malignant: Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Read a folder of images with one table, for data sets without a dedicated loader.

    Parameters
    ----------
    folder : str or path-like
        Folder with the images, the table and, if available, the masks
        (``IMAGEID_segmentation.png``), in any subfolders.
    table : str, default="index.csv"
        File name of the table, or a lower-case pattern for it, such as ``"*metadata*.csv"``. Its
        columns are recognised as in any table; see `hybridlesion.metadata.read_records`.
    target_column : str, default=None
        Column that says which lesions are malignant. If None, it is detected.
    malignant : sequence of str, default=None
        Diagnoses for which `target` is 1.
    columns : mapping of str to str, default=None
        Record column -> column of the table, such as ``{"diagnosis": "label"}``.

    Returns
    -------
    DataFrame
        Records of the images found, sorted by `image_id`, with `path`, `mask_path` if there are
        masks, the table's `patient_id`, `lesion_id`, `age`, `sex`, `site`, `diagnosis` and
        `target`, as far as known, its other columns that do not leak the target, and `orig_width`,
        `orig_height` (pixels) if an ``index.csv`` has them.

    Raises
    ------
    SourceError
        If the folder, the images or the table are missing.
    TableError
        If the table is not recognised.

    Examples
    --------
    >>> import tempfile
    >>> from hybridlesion import make_lesions
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = make_lesions(folder, n_patients=2, lesions_per_patient=(1, 1), size=(80, 64))
    ...     records = load_folder(folder, table="metadata.csv")
    >>> records["image_id"].tolist()
    ['SYN_0000001', 'SYN_0000002']
    """
    copy = scan_folder(folder)
    options = {"target_column": target_column, "malignant": malignant, "columns": columns}
    return records_of(copy, copy.find_table(table), **options)


# The criteria, and further columns that the records keep unchanged.
_KEPT = (
    *("diagnosis", "split", "seven_point_score", "pigment_network", "streaks", "pigmentation"),
    *("regression_structures", "dots_and_globules", "blue_whitish_veil", "vascular_structures"),
    *("level_of_diagnostic_difficulty", "elevation", "management", "clinical_path"),
)


def load_derm7pt(
    folder: str | os.PathLike, *, malignant: Sequence[str] = ("melanoma",)
) -> pd.DataFrame:
    """Read a local copy of Derm7pt: dermoscopic images and the seven-point checklist.

    Parameters
    ----------
    folder : str or path-like
        Folder with ``meta.csv``, ``train_indexes.csv``, ``valid_indexes.csv``,
        ``test_indexes.csv`` and the images at the relative paths in the column ``derm``, in any
        subfolders; or with an ``index.csv`` that lists each image in ``image_id``.
    malignant : sequence of str, default=("melanoma",)
        First words of the diagnoses for which `target` is 1; melanomas are followed by their
        stage, as in ``melanoma (in situ)``.

    Returns
    -------
    DataFrame
        Records of the images found, with `path`, `lesion_id` (the case), `sex`, `site`,
        `diagnosis` as written in the table, `target`, `split` (train, valid or test),
        `seven_point_score` (0 to 7), the seven criteria, and `clinical_path` of the close-up
        photograph if it exists. `image_id` is the file name in ``derm``, preceded by its folder
        and ``_`` if file names repeat.

    Raises
    ------
    SourceError
        If the folder, the images or the table are missing.

    References
    ----------
    Kawahara, Daneshvar, Argenziano, Hamarneh, Seven-point checklist and skin lesion classification
    using multitask multimodal neural nets, IEEE Journal of Biomedical and Health Informatics
    23(2), 2019.
    """
    meta = min(Path(folder).rglob("meta.csv"), default=None)
    if meta is None:
        copy = scan_folder(folder)
        table = pd.read_csv(copy.find_table("meta.csv", "index.csv"))
        table["path"] = table["image_id"].map(copy.images)
    else:
        table = _read_meta(meta)
    table = table.dropna(subset="path").sort_values("image_id", ignore_index=True)
    words = table["diagnosis"].fillna("").str.strip().str.lower()
    table["target"] = words.str.startswith(tuple(malignant)).astype(float)
    table.loc[words == "", "target"] = None
    read = table[["image_id", "lesion_id", "sex", "site", "target"]]
    frame = read_records(read, images=table[["image_id", "path"]]).frame
    kept = table[["image_id", *(name for name in _KEPT if name in table)]]
    return frame.merge(kept, on="image_id", how="left")


def _read_meta(meta: Path) -> pd.DataFrame:
    """Read the official table: one row per case, with its dermoscopic and clinical image paths."""
    table = pd.read_csv(meta).rename(columns={"location": "site"})
    table["lesion_id"] = "case_" + table["case_num"].astype(str)
    names = table["derm"].str.replace(r"\.\w+$", "", regex=True)
    stems = names.str.rpartition("/")[2]
    table["image_id"] = stems if stems.is_unique else names.str.replace("/", "_")
    table["split"] = None
    for split in ("train", "valid", "test"):
        for file in meta.parent.glob(f"{split}_indexes.csv"):
            table.loc[pd.read_csv(file)["indexes"], "split"] = split
    homes = [one / below for one in meta.parents for below in ("images", "")][:6]
    near = (one for one in homes if any((one / name).is_file() for name in table["derm"]))
    home = next(near, None)
    if home is None:
        missing = f"{table['derm'].iloc[0]!r}. {_HELP}"
        raise SourceError(f"none of the images listed in {meta} is near it, such as {missing}")
    for column, source in (("path", "derm"), ("clinical_path", "clinic")):
        files = [home / str(name) for name in table.get(source, [""] * len(table))]
        table[column] = [str(file) if file.is_file() else None for file in files]
    return table


def load_ham10000(
    folder: str | os.PathLike, *, malignant: Sequence[str] = ("melanoma",)
) -> pd.DataFrame:
    """Read a local copy of HAM10000, which is also the training set of ISIC 2018 task 3.

    Parameters
    ----------
    folder : str or path-like
        Folder with the images (``HAM10000_images_part_1`` and ``..._part_2``, or all in one),
        ``HAM10000_metadata.csv`` (with or without the suffix) and, if available, the masks
        (``ISIC_*_segmentation.png``), in any subfolders.
    malignant : sequence of str, default=("melanoma",)
        Diagnoses for which `target` is 1, such as ``("melanoma", "basal cell carcinoma")``.

    Returns
    -------
    DataFrame
        Records of the images found, with `path`, `lesion_id`, `age`, `sex`, `site`, `diagnosis`
        and `target`.

    Raises
    ------
    SourceError
        If the folder, the images or the table are missing.

    References
    ----------
    Tschandl, Rosendahl, Kittler, The HAM10000 dataset, Scientific Data 5:180161, 2018.
    """
    copy = scan_folder(folder)
    table = copy.find_table("ham10000_metadata*")
    # The Harvard archive provides the table without a suffix, separated by commas.
    frame = pd.read_csv(table, sep=None, engine="python", dtype={"image_id": str})
    return records_of(copy, frame, malignant=tuple(malignant))


_ATTRIBUTES = ("pigment_network", "negative_network", "streaks", "milia_like_cyst", "globules")


def load_isic2017(folder: str | os.PathLike) -> pd.DataFrame:
    """Read a local copy of ISIC 2017: images, part 1 masks, part 3 labels, metadata.

    Parameters
    ----------
    folder : str or path-like
        Folder with the images (``ISIC_*.jpg``) and, if available, the masks
        (``ISIC_*_segmentation.png``), ``ISIC-2017_*_Part3_GroundTruth.csv`` and
        ``ISIC-2017_*_metadata.csv``, in any subfolders. Without the official labels, an
        ``index.csv`` with the same columns is read.

    Returns
    -------
    DataFrame
        Records of the images found, with `path`, `mask_path`, `age`, `sex`, `diagnosis` and
        `target` (1 for melanoma).

    Raises
    ------
    SourceError
        If the folder, the images or the labels are missing.

    References
    ----------
    Codella et al., Skin lesion analysis toward melanoma detection: a challenge at the 2017 ISBI,
    2018.
    """
    copy = scan_folder(folder)
    truth = copy.find_table("*part3_groundtruth*.csv", "index.csv")
    if truth.name == "index.csv":
        columns = {"image_id", "melanoma", "seborrheic_keratosis", "age_approximate", "sex"}
        return records_of(copy, pd.read_csv(truth, usecols=lambda name: name in columns))
    metadata = copy.find_table("isic-2017*metadata*.csv", required=False)
    return records_of(copy, [truth] if metadata is None else [truth, metadata])


def load_isic2018_task1(folder: str | os.PathLike) -> pd.DataFrame:
    """Read a local copy of ISIC 2018 task 1: images and masks.

    Parameters
    ----------
    folder : str or path-like
        Folder with the images and the masks (``ISIC_*_segmentation.png``), in any subfolders. The
        challenge provided no labels; an ``index.csv`` with `image_id, diagnosis, age, sex,
        anatomloc` is read if there is one.

    Returns
    -------
    DataFrame
        Records of the images found, with `path` and `mask_path`; `target` is 1 for melanoma and
        missing if the diagnosis is unknown.

    Raises
    ------
    SourceError
        If the folder or the images are missing.

    References
    ----------
    Codella et al., Skin lesion analysis toward melanoma detection 2018, 2019.
    """
    copy = scan_folder(folder)
    index = copy.find_table("index.csv", required=False)
    table = pd.DataFrame({"image_id": list(copy.images)})
    if index is None:
        return records_of(copy, table.assign(target=pd.Series(dtype=float)))
    table = table.merge(pd.read_csv(index), on="image_id", how="left")
    # The archive numbers its diagnoses: "9. melanoma".
    table["diagnosis"] = table["diagnosis"].str.replace(r"^\d+\.\s*", "", regex=True)
    known = table["diagnosis"].notna()
    table["target"] = table["diagnosis"].eq("melanoma").astype(float).where(known)
    return records_of(copy, table)


def load_isic2018_task2(
    folder: str | os.PathLike, *, images: str | os.PathLike | None = None
) -> pd.DataFrame:
    """Read a local copy of ISIC 2018 task 2: experts' outlines of dermoscopic structures.

    Parameters
    ----------
    folder : str or path-like
        Folder with the masks (``ISIC_*_attribute_globules.png``) and, unless `images` is given,
        the images, in any subfolders.
    images : str or path-like, default=None
        Folder of the images, which are those of task 1 and many of ISIC 2017. If None, `folder` is
        used.

    Returns
    -------
    DataFrame
        Records of the images that have a mask of any structure, with `path`, `mask_path` of the
        lesion if there is one, and the path of the mask of each structure: `pigment_network_path`,
        `negative_network_path`, `streaks_path`, `milia_like_cyst_path` and `globules_path`,
        missing if there is none. In the official set, a mask without white pixels means that the
        structure is absent; in a subset, a missing mask means nothing.

    Raises
    ------
    SourceError
        If a folder is missing, or contains no image or no mask.

    References
    ----------
    Codella et al., Skin lesion analysis toward melanoma detection 2018, 2019.
    """
    copy = scan_folder(folder if images is None else images)
    frame = pd.DataFrame(copy.images.items(), columns=["image_id", "path"])
    if copy.masks:
        frame["mask_path"] = frame["image_id"].map(copy.masks)
    columns = [f"{attribute}_path" for attribute in _ATTRIBUTES]
    for attribute, column in zip(_ATTRIBUTES, columns, strict=True):
        end = f"_attribute_{attribute}"
        files = sorted(Path(folder).rglob(f"*{end}.png"))
        masks = {file.stem.removesuffix(end): str(file) for file in files}
        frame[column] = frame["image_id"].map(masks)
    frame = frame.dropna(subset=columns, how="all", ignore_index=True)
    if frame.empty:
        raise SourceError(
            f"{os.fspath(folder)} contains no mask named ISIC_*_attribute_NAME.png of an image in "
            f"{copy.folder}. {_HELP}"
        )
    return frame


def load_isic2020(folder: str | os.PathLike) -> pd.DataFrame:
    """Read a local copy of ISIC 2020, from Kaggle or from the challenge's site.

    Parameters
    ----------
    folder : str or path-like
        Folder with the images and ``train.csv`` or ``ISIC_2020_Training_GroundTruth*.csv``, in
        any subfolders. A subset of the images is enough.

    Returns
    -------
    DataFrame
        Records of the images found, with `path`, `patient_id`, `age`, `sex`, `site`, `diagnosis`
        and `target` (1 for malignant). If ``ISIC_2020_Training_Duplicates.csv`` is also present,
        `duplicate_cluster` identifies copies of the same image.

    Raises
    ------
    SourceError
        If the folder, the images or the table are missing.

    References
    ----------
    Rotemberg et al., A patient-centric dataset of images and metadata for identifying melanomas
    using clinical context, Scientific Data 8:34, 2021.
    """
    copy = scan_folder(folder)
    official = "isic_2020_training_groundtruth_v2.csv", "isic_2020*truth*.csv"
    duplicates = copy.find_table("*duplicates*.csv", required=False)
    return records_of(copy, copy.find_table("train.csv", *official), duplicates=duplicates)


_COLORS = ("white", "red", "light-brown", "dark-brown", "blue-gray", "black")
# Header of the table (spreadsheet or text file) -> name in the records.
_CRITERIA = {
    "asymmetry": "ph2_asymmetry",
    "pigment network": "ph2_network",
    "dots/globules": "ph2_dots",
    "streaks": "ph2_streaks",
    "regression areas": "ph2_regression",
    "blue-whitish veil": "ph2_veil",
    **{color: f"ph2_{color.replace('-', '_')}" for color in _COLORS},
}
_CLINICAL = {"0": "common nevus", "1": "atypical nevus", "2": "melanoma"}


def load_ph2(folder: str | os.PathLike) -> pd.DataFrame:
    """Read a local copy of PH2: images, masks and the experts' criteria.

    Parameters
    ----------
    folder : str or path-like
        Folder with the images (``IMD*.bmp`` or ``.jpg``), the masks (``IMD*_lesion.bmp`` or
        ``.png``), and ``PH2_dataset.txt`` or a CSV export of ``PH2_dataset.xlsx``, in any
        subfolders.

    Returns
    -------
    DataFrame
        Records with `path`, `mask_path`, `diagnosis` (common nevus, atypical nevus, melanoma),
        `target` (1 for melanoma), and the criteria: `ph2_asymmetry` (0, 1 or 2), `ph2_network`
        (T typical, AT atypical), `ph2_dots` (A absent, T, AT), `ph2_streaks`, `ph2_regression`,
        `ph2_veil` (A absent, P present), and whether each of six colours is present (0 or 1),
        such as `ph2_red`.

    Raises
    ------
    SourceError
        If the folder, the images or the table are missing.

    References
    ----------
    Mendonca, Ferreira, Marques, Marcal, Rozeira, PH2 - A dermoscopic image database for research
    and benchmarking, EMBC 2013.
    """
    copy = scan_folder(folder)
    table = copy.find_table("ph2_criteria.csv", "ph2_dataset*.csv", "ph2_dataset*.txt")
    raw = _read_text(table) if table.suffix.lower() == ".txt" else _read_csv(table)
    criteria = raw[["image_id", "diagnosis", *_CRITERIA]].rename(columns=_CRITERIA)
    criteria["ph2_asymmetry"] = criteria["ph2_asymmetry"].astype(int)
    # The types of nevus are kept distinct, since records would call all of them nevus.
    truth = criteria[["image_id"]].assign(target=(criteria["diagnosis"] == "melanoma").astype(int))
    return records_of(copy, truth).merge(criteria, on="image_id", how="left")


def _read_csv(path: Path) -> pd.DataFrame:
    """Read the spreadsheet: one column per diagnosis and colour, marked X if present."""
    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    if "Image Name" not in raw:
        # A direct export of the spreadsheet starts with a legend.
        start = next(row for row, cells in enumerate(raw.to_numpy()) if "Image Name" in cells)
        raw = pd.DataFrame(raw.to_numpy()[start + 1 :], columns=raw.to_numpy()[start])
    raw = raw.map(str.strip)
    raw.columns = [" ".join(name.lower().split()).split(" (")[0] for name in raw.columns]
    marked = raw.map(str.upper) == "X"
    raw = raw.assign(diagnosis="", **marked[list(_COLORS)].astype(int))
    for diagnosis in _CLINICAL.values():
        raw.loc[marked[diagnosis], "diagnosis"] = diagnosis
    raw = raw.rename(columns={"image name": "image_id"})
    return raw[raw["image_id"] != ""].reset_index(drop=True)


def _read_text(path: Path) -> pd.DataFrame:
    """Read the text file: cells between bars, colours numbered 1 to 6, diagnoses 0 to 2."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [
        [cell.strip() for cell in line.replace("||", "|").strip().strip("|").split("|")]
        for line in lines
        if line.strip().startswith("||")
    ]
    header = [name.lower() for name in rows[0]]
    raw = pd.DataFrame([row for row in rows[1:] if row[0].startswith("IMD")], columns=header)
    raw["diagnosis"] = raw["clinical diagnosis"].map(_CLINICAL)
    for number, color in enumerate(_COLORS, start=1):
        raw[color] = [int(str(number) in shown.split()) for shown in raw["colors"]]
    return raw.rename(columns={"name": "image_id"})
