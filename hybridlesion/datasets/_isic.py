"""Local copies of the ISIC challenge data sets."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from hybridlesion.datasets._local_copy import LocalCopy, records_of, scan_folder
from hybridlesion.exceptions import SourceError

__all__ = ["load_isic2017", "load_isic2018_task1", "load_isic2018_task2", "load_isic2020"]

_ATTRIBUTES = ("pigment_network", "negative_network", "streaks", "milia_like_cyst", "globules")


def load_isic2017(folder: str | os.PathLike) -> pd.DataFrame:
    """Read a local copy of ISIC 2017: images, part 1 masks, part 3 labels, metadata.

    Parameters
    ----------
    folder : str or path-like
        Folder with the images (``ISIC_*.jpg``), and if at hand the masks
        (``ISIC_*_segmentation.png``), ``ISIC-2017_*_Part3_GroundTruth.csv`` and
        ``ISIC-2017_*_metadata.csv``, in any folders below it. Without the official labels, an
        ``index.csv`` with the same columns is read.

    Returns
    -------
    DataFrame
        Records of the images found, with `path`, `mask_path`, `age`, `sex`, `diagnosis` and
        `target` (1 for melanoma).

    Raises
    ------
    SourceError
        If folder, images or labels are absent.

    References
    ----------
    Codella et al., Skin lesion analysis toward melanoma detection: a challenge at the 2017 ISBI,
    2018.
    """
    copy = scan_folder(folder)
    truth = copy.need_table("*part3_groundtruth*.csv", "index.csv")
    if truth.name == "index.csv":
        columns = {"image_id", "melanoma", "seborrheic_keratosis", "age_approximate", "sex"}
        return records_of(copy, pd.read_csv(truth, usecols=lambda name: name in columns))
    metadata = copy.find_table("isic-2017*metadata*.csv")
    return records_of(copy, [truth] if metadata is None else [truth, metadata])


def load_isic2018_task1(folder: str | os.PathLike) -> pd.DataFrame:
    """Read a local copy of ISIC 2018 task 1: images and masks.

    Parameters
    ----------
    folder : str or path-like
        Folder with the images and the masks (``ISIC_*_segmentation.png``), in any folders below
        it. The challenge gave no labels; an ``index.csv`` with `image_id, diagnosis, age, sex,
        anatomloc` is read where there is one.

    Returns
    -------
    DataFrame
        Records of the images found, with `path` and `mask_path`; `target` is 1 for melanoma and
        missing where the diagnosis is unknown.

    Raises
    ------
    SourceError
        If folder or images are absent.

    References
    ----------
    Codella et al., Skin lesion analysis toward melanoma detection 2018, 2019.
    """
    copy = scan_folder(folder)
    return records_of(copy, _task1_table(copy))


def load_isic2018_task2(
    folder: str | os.PathLike, *, images: str | os.PathLike | None = None
) -> pd.DataFrame:
    """Read a local copy of ISIC 2018 task 2: experts' outlines of dermoscopic structures.

    Parameters
    ----------
    folder : str or path-like
        Folder with the masks (``ISIC_*_attribute_globules.png``), and the images unless `images`
        says where they are, in any folders below it.
    images : str or path-like, default=None
        Folder of the images, which are those of task 1 and many of ISIC 2017; None takes `folder`.

    Returns
    -------
    DataFrame
        Records of the images found that have a mask of any structure, with `path`, `mask_path` of
        the lesion where there is one, and for each structure the path of its mask:
        `pigment_network_path`, `negative_network_path`, `streaks_path`, `milia_like_cyst_path` and
        `globules_path`, missing where there is none. In the official set a mask without a white
        pixel says that the structure is absent; in a part of it a missing mask says nothing.

    Raises
    ------
    SourceError
        If a folder is absent, or holds no image or no mask.

    References
    ----------
    Codella et al., Skin lesion analysis toward melanoma detection 2018, 2019.
    """
    copy = scan_folder(folder if images is None else images)
    frame = pd.DataFrame({"image_id": list(copy.images), "path": list(copy.images.values())})
    if copy.masks:
        frame["mask_path"] = frame["image_id"].map(copy.masks)
    found = []
    for attribute in _ATTRIBUTES:
        end = f"_attribute_{attribute}"
        files = sorted(Path(folder).rglob(f"*{end}.png"))
        masks = {file.stem.removesuffix(end): str(file) for file in files}
        frame[f"{attribute}_path"] = frame["image_id"].map(masks)
        found.append(frame[f"{attribute}_path"].notna())
    kept = pd.concat(found, axis=1).any(axis=1)
    if not kept.any():
        raise SourceError(
            f"{os.fspath(folder)} holds no mask called ISIC_*_attribute_NAME.png of an image in "
            f"{copy.folder}. data/README.md says where to get the data set."
        )
    return frame[kept].reset_index(drop=True)


def load_isic2020(folder: str | os.PathLike) -> pd.DataFrame:
    """Read a local copy of ISIC 2020, from Kaggle or from the challenge's site.

    Parameters
    ----------
    folder : str or path-like
        Folder with the images and ``train.csv`` or ``ISIC_2020_Training_GroundTruth*.csv``, in
        any folders below it. A part of the images is enough.

    Returns
    -------
    DataFrame
        Records of the images found, with `path`, `patient_id`, `age`, `sex`, `site`, `diagnosis`
        and `target` (1 for malignant). Where ``ISIC_2020_Training_Duplicates.csv`` is there too,
        `duplicate_cluster` names the copies of one picture.

    Raises
    ------
    SourceError
        If folder, images or table are absent.

    References
    ----------
    Rotemberg et al., A patient-centric dataset of images and metadata for identifying melanomas
    using clinical context, Scientific Data 8:34, 2021.
    """
    copy = scan_folder(folder)
    table = copy.need_table(
        "train.csv", "isic_2020_training_groundtruth_v2.csv", "isic_2020*truth*.csv"
    )
    return records_of(copy, table, duplicates=copy.find_table("*duplicates*.csv"))


def _task1_table(copy: LocalCopy) -> pd.DataFrame:
    """The labels of the archive beside the images, or a table of ids alone."""
    index = copy.find_table("index.csv")
    table = pd.DataFrame({"image_id": list(copy.images)})
    if index is None:
        return table.assign(target=pd.Series(dtype=float))
    table = table.merge(pd.read_csv(index), on="image_id", how="left")
    # The archive numbers its diagnoses: "9. melanoma".
    table["diagnosis"] = table["diagnosis"].str.replace(r"^\d+\.\s*", "", regex=True)
    known = table["diagnosis"].notna()
    table["target"] = table["diagnosis"].eq("melanoma").astype(float).where(known)
    return table
