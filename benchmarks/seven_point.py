"""How well the graded criteria of the seven-point checklist agree with experts.

    python benchmarks/seven_point.py DATA --jobs 2
    python benchmarks/seven_point.py DATA --jobs 2 --fit   # writes features/seven_point.json

The scales are fitted to diagnoses of HAM10000 and ISIC 2017, never to criteria. Derm7pt and PH2,
whose experts noted the criteria, are for evaluation only. Prints the AUC of each grade for its
criterion, with bootstrap intervals and the best single feature of its scale; that of the total for
melanoma; and the price of the fit: the AUC of the total for melanoma on HAM10000 with the scales of
five folds by lesion, and with those fitted to all images.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from monotone_scale import fit_scale
from sklearn.metrics import roc_auc_score

from hybridlesion import LesionFeaturizer
from hybridlesion.features.scores import POINTS, MonotoneScale, load_scales
from hybridlesion.model_selection import grouped_folds

WEIGHTS = Path(__file__).resolve().parents[1] / "hybridlesion" / "features" / "seven_point.json"
# Features that describe each criterion, without the prefix ``abcd__``.
FEATURES = {
    "network": (
        "structure_network_share",
        "structure_network_patchiness",
        "structure_mapped_pigment_network_peak",
        "structure_local_spread",
        "texture_energy_middle",
        "texture_energy_coarse",
        "asymmetry_color_cross",
        "color_entropy",
    ),
    "veil": (
        "structure_veil_share",
        "structure_grey_share",
        "structure_blue_lowest",
        "color_share_blue_gray",
        "color_share_black",
        "color_hue_sd",
        "color_red_delta",
    ),
    "vascular": (
        "color_red_delta",
        "color_green_delta",
        "color_lightness_delta",
        "color_share_red",
        "asymmetry_pigment_cross",
        "structure_mapped_pigment_network_extent",
        "structure_mapped_globules_extent",
    ),
    "streaks": (
        "structure_streaks_share",
        "structure_streaks_octants",
        "structure_streaks_unevenness",
        "structure_network_patchiness",
        "asymmetry_color_cross",
        "border_slope_sd",
        "color_norm",
    ),
    "dots": (
        "structure_dots_strength",
        "structure_globules_strength",
        "structure_mapped_globules_unevenness",
        "asymmetry_color_min",
        "asymmetry_color_cross",
        "color_entropy",
        "color_spread_rest",
    ),
    "pigmentation": (
        "color_share_black",
        "color_spread_rest",
        "color_norm",
        "color_value_sd",
        "color_lightness_range",
        "asymmetry_color_cross",
    ),
    "regression": (
        "structure_grey_share",
        "asymmetry_pigment_min",
        "asymmetry_color_relative",
        "border_color_change_sd",
        "border_bending",
    ),
}
VESSELS = ("basal cell carcinoma", "actinic keratosis", "vascular lesion")
SEEN_VESSELS = ("arborizing", "comma", "dotted", "hairpin", "linear irregular", "wreath")
SEEN_VESSELS += ("within regression",)


def measure(records: pd.DataFrame, n_jobs: int) -> pd.DataFrame:
    """Features of records with columns image_id and path, indexed by id."""
    records = records[["image_id", "path"]].reset_index(drop=True)
    table = LesionFeaturizer(n_jobs=n_jobs).fit_transform(records)
    return table.set_index(records["image_id"].to_numpy())


def read_training(data: Path) -> pd.DataFrame:
    """Image id, path, lesion and diagnosis of HAM10000 and ISIC 2017."""
    ham = pd.read_csv(data / "ham10000" / "index.csv")
    names = {
        "MEL": "melanoma",
        "NV": "nevus",
        "BCC": VESSELS[0],
        "AK": VESSELS[1],
        "SCC": VESSELS[1],
    }
    ham = ham.assign(
        path=[str(data / "ham10000" / "images" / f"{one}.jpg") for one in ham["image_id"]],
        diagnosis=ham["diagnosis"].map(names | {"VASC": VESSELS[2]}).fillna("other"),
        set="ham10000",
    )
    isic = pd.read_csv(data / "isic2017" / "index.csv")
    isic = isic.assign(
        path=[str(data / "isic2017" / "images" / f"{one}.jpg") for one in isic["image_id"]],
        diagnosis=np.where(isic["melanoma"] == 1, "melanoma", "nevus"),
        lesion_id=isic["image_id"],
        set="isic2017",
    )
    columns = ["image_id", "path", "lesion_id", "diagnosis", "set"]
    return (
        pd.concat([ham[columns], isic[columns]]).drop_duplicates("image_id").reset_index(drop=True)
    )


def fit(table: pd.DataFrame, records: pd.DataFrame) -> dict[str, MonotoneScale]:
    """Fit one scale for each criterion."""
    diagnosis = records["diagnosis"].to_numpy()
    melanocytic = np.isin(diagnosis, ("melanoma", "nevus"))
    ham = (records["set"] == "ham10000").to_numpy()
    scales = {}
    for name in POINTS:
        rows = ham if name == "vascular" else melanocytic
        strong = np.isin(diagnosis, VESSELS if name == "vascular" else ("melanoma",))
        columns = table.loc[rows, [f"abcd__{feature}" for feature in FEATURES[name]]]
        scales[name] = fit_scale(columns, strong[rows].astype(float), least=0.0)
    return scales


def grade(scales: dict[str, MonotoneScale], table: pd.DataFrame) -> pd.DataFrame:
    """Grades and total of every row."""
    rows = table.to_dict("records")
    grades = pd.DataFrame({n: [one.rank(row) for row in rows] for n, one in scales.items()})
    grades["total"] = sum(points * grades[name] for name, points in POINTS.items())
    return grades.set_index(table.index)


def auc(truth: np.ndarray, score: np.ndarray, n_resamples: int = 1000) -> str:
    """AUC with a 95 % bootstrap interval over images."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(n_resamples):
        rows = rng.integers(len(truth), size=len(truth))
        if 0 < truth[rows].sum() < len(rows):
            drawn.append(roc_auc_score(truth[rows], score[rows]))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return f"{roc_auc_score(truth, score):.3f} ({low:.3f}-{high:.3f})"


def read_derm7pt(data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Records, and what experts saw."""
    index = pd.read_csv(data / "derm7pt" / "index.csv")
    images = data / "derm7pt" / "images"
    index["path"] = [str(images / f"{one}.jpg") for one in index["image_id"]]
    seen = pd.DataFrame(
        {
            "network": index["pigment_network"].eq("atypical"),
            "veil": index["blue_whitish_veil"].eq("present"),
            "vascular": index["vascular_structures"].isin(SEEN_VESSELS),
            "streaks": index["streaks"].eq("irregular"),
            "dots": index["dots_and_globules"].eq("irregular"),
            "pigmentation": index["pigmentation"].str.contains("irregular"),
            "regression": index["regression_structures"].ne("absent"),
            "total": index["melanoma"].eq(1),
        }
    )
    return index, seen


def read_ph2(data: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Records, and what experts saw."""
    criteria = pd.read_csv(data / "ph2" / "ph2_criteria.csv")
    criteria = criteria.assign(image_id=criteria["Image Name"])
    images = data / "ph2" / "images"
    criteria["path"] = [str(images / f"{one}.jpg") for one in criteria["image_id"]]
    seen = pd.DataFrame(
        {
            "network": criteria["Pigment Network (AT/T)"].eq("AT"),
            "veil": criteria["Blue-Whitish Veil (A/P)"].eq("P"),
            "streaks": criteria["Streaks (A/P)"].eq("P"),
            "dots": criteria["Dots/Globules (A/AT/T)"].eq("AT"),
            "regression": criteria["Regression Areas (A/P)"].eq("P"),
            "total": criteria["Melanoma"].notna(),
        }
    )
    return criteria, seen


def report(scales: dict[str, MonotoneScale], table: pd.DataFrame, seen: pd.DataFrame) -> None:
    """Print the AUC of each grade, and of the best feature of its scale."""
    grades = grade(scales, table)
    for name in seen:
        truth = seen[name].to_numpy(bool)
        line = f"{name:13s} n={truth.sum():<4d} {auc(truth, grades[name].to_numpy())}"
        if name in FEATURES:
            single = {
                feature: roc_auc_score(truth, table[f"abcd__{feature}"].fillna(0))
                for feature in FEATURES[name]
            }
            best = max(single, key=lambda feature: abs(single[feature] - 0.5))
            separation = max(single[best], 1 - single[best])
            line += f"   best single feature: {best} {separation:.2f}"
        print(line)


def price(table: pd.DataFrame, records: pd.DataFrame) -> tuple[float, float]:
    """AUC of the total for melanoma on HAM10000: scales of other folds, scales of all rows."""
    folds = grouped_folds(np.ones(len(records)), records["lesion_id"], n_splits=5, random_state=0)
    outside = pd.Series(np.nan, table.index)
    for fold in range(5):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        scales = fit(table.iloc[train], records.iloc[train])
        outside.iloc[test] = grade(scales, table.iloc[test])["total"].to_numpy()
    inside = grade(fit(table, records), table)["total"]
    ham, melanocytic = (
        records["set"] == "ham10000",
        records["diagnosis"].isin(("melanoma", "nevus")),
    )
    kept = (ham & melanocytic).to_numpy()
    truth = records.loc[kept, "diagnosis"].eq("melanoma").to_numpy()
    return roc_auc_score(truth, outside[kept]), roc_auc_score(truth, inside[kept])


def write(scales: dict[str, MonotoneScale], records: pd.DataFrame) -> None:
    """Store the scales with their card."""
    card = {
        "what": "Grades of the seven criteria of the seven-point checklist, from ABCD features.",
        "fitted_to": "Diagnoses: melanomas against nevi (ISIC 2017: against the rest); for "
        "vascular structures carcinomas, keratoses and vascular lesions against all others. No "
        "expert's criteria were used.",
        "images": f"{len(records)} of ham10000, isic2017; masks: ours, refined",
        "licence": "Fitted on ISIC images, treated as non-commercial with attribution; "
        "so are these weights.",
        "limits": "Ranks among the training images, not probabilities. The features of each scale "
        "were chosen with their agreement on 405 images of Derm7pt and 100 of PH2 in view.",
        "command": "python benchmarks/seven_point.py DATA --fit",
    }
    stored = {
        name: {"offset": scale.offset, "terms": [vars(term) for term in scale.terms]}
        for name, scale in scales.items()
    }
    WEIGHTS.write_text(json.dumps({"card": card, "scales": stored}, indent=1) + "\n", "utf-8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--fit", action="store_true", help="fit and store the scales")
    parser.add_argument("--tables", type=Path, help="folder to keep the features in, or to reuse")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()

    def features(name: str, records: pd.DataFrame) -> pd.DataFrame:
        path = None if options.tables is None else options.tables / f"{name}.parquet"
        if path is not None and path.exists():
            return pd.read_parquet(path)
        table = measure(records, options.jobs)
        if path is not None:
            table.to_parquet(path)
        return table

    if options.fit:
        records = read_training(options.data)
        table = features("training", records)
        write(fit(table, records), records)
        load_scales.cache_clear()
        outside, inside = price(table, records)
        print(
            f"total, melanoma against nevi of HAM10000, AUC: scales of other folds {outside:.4f}, "
        )
        print(f"scales of all rows {inside:.4f}")
    scales = load_scales("seven_point")
    for name, read in (("derm7pt", read_derm7pt), ("ph2", read_ph2)):
        records, seen = read(options.data)
        print(
            f"{name}, {len(records)} images, AUC of the grade for its criterion (total: melanoma)"
        )
        report(scales, features(name, records), seen)


if __name__ == "__main__":
    main()
