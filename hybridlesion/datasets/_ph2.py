"""A local copy of PH2, the one set with expert ABCD criteria."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from hybridlesion.datasets._local_copy import records_of, scan_folder

__all__ = ["load_ph2"]

_COLORS = ("white", "red", "light_brown", "dark_brown", "blue_gray", "black")
# Header of the table (spreadsheet or text file) -> name in the records.
_CRITERIA = {
    "asymmetry": "ph2_asymmetry",
    "pigment network": "ph2_network",
    "dots/globules": "ph2_dots",
    "streaks": "ph2_streaks",
    "regression areas": "ph2_regression",
    "blue-whitish veil": "ph2_veil",
}
_CLINICAL = {"0": "common nevus", "1": "atypical nevus", "2": "melanoma"}


def load_ph2(folder: str | os.PathLike) -> pd.DataFrame:
    """Read a local copy of PH2: images, masks and the experts' criteria.

    Parameters
    ----------
    folder : str or path-like
        Folder with the images (``IMD*.bmp`` or ``.jpg``), the masks (``IMD*_lesion.bmp`` or
        ``.png``), and ``PH2_dataset.txt`` or a CSV export of ``PH2_dataset.xlsx``, in any
        folders below it.

    Returns
    -------
    DataFrame
        Records with `path`, `mask_path`, `diagnosis` (common nevus, atypical nevus, melanoma),
        `target` (1 for melanoma), and the criteria: `ph2_asymmetry` (0, 1 or 2), `ph2_network`
        (T typical, AT atypical), `ph2_dots` (A absent, T, AT), `ph2_streaks`, `ph2_regression`,
        `ph2_veil` (A absent, P present), and for each of six colours, such as `ph2_red`,
        whether it is there (0 or 1).

    Raises
    ------
    SourceError
        If folder, images or table are absent.

    References
    ----------
    Mendonca, Ferreira, Marques, Marcal, Rozeira, PH2 - A dermoscopic image database for research
    and benchmarking, EMBC 2013.
    """
    copy = scan_folder(folder)
    table = copy.need_table("ph2_criteria.csv", "ph2_dataset*.csv", "ph2_dataset*.txt")
    criteria = _read_text(table) if table.suffix.lower() == ".txt" else _read_csv(table)
    # The kinds of nevus stay apart, which records would call nevus alike.
    truth = criteria[["image_id"]].assign(target=(criteria["diagnosis"] == "melanoma").astype(int))
    return records_of(copy, truth).merge(criteria, on="image_id", how="left")


def _read_csv(path: Path) -> pd.DataFrame:
    """The spreadsheet: one column a diagnosis and a colour, with X where it holds."""
    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    if "Image Name" not in raw:
        # The spreadsheet's own export starts with a legend.
        start = next(row for row, cells in enumerate(raw.to_numpy()) if "Image Name" in cells)
        raw = pd.DataFrame(raw.to_numpy()[start + 1 :], columns=raw.to_numpy()[start])
    raw = raw.map(str.strip)
    names = {column: " ".join(column.lower().split()) for column in raw.columns}
    raw = raw.rename(columns=names).rename(columns=lambda name: name.split(" (")[0])
    found = pd.DataFrame({"image_id": raw["image name"], "diagnosis": ""})
    for diagnosis in _CLINICAL.values():
        found.loc[raw[diagnosis].str.upper() == "X", "diagnosis"] = diagnosis
    found = _add_criteria(found, raw)
    for color in _COLORS:
        found[f"ph2_{color}"] = (raw[color.replace("_", "-")].str.upper() == "X").astype(int)
    return found[found["image_id"] != ""].reset_index(drop=True)


def _read_text(path: Path) -> pd.DataFrame:
    """The text file: cells between bars, colours as numbers 1 to 6, diagnosis as 0 to 2."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [
        [cell.strip() for cell in line.replace("||", "|").strip().strip("|").split("|")]
        for line in lines
        if line.strip().startswith("||")
    ]
    header = [name.lower() for name in rows[0]]
    raw = pd.DataFrame([row for row in rows[1:] if row[0].startswith("IMD")], columns=header)
    found = pd.DataFrame(
        {"image_id": raw["name"], "diagnosis": raw["clinical diagnosis"].map(_CLINICAL)}
    )
    found = _add_criteria(found, raw)
    for number, color in enumerate(_COLORS, start=1):
        found[f"ph2_{color}"] = raw["colors"].str.split().map(lambda has, n=str(number): n in has)
        found[f"ph2_{color}"] = found[f"ph2_{color}"].astype(int)
    return found


def _add_criteria(found: pd.DataFrame, raw: pd.DataFrame) -> pd.DataFrame:
    for header, name in _CRITERIA.items():
        found[name] = raw[header].to_numpy()
    found["ph2_asymmetry"] = found["ph2_asymmetry"].astype(int)
    return found
