"""How well the ABCD features agree with people and tell melanoma, on real images.

    python benchmarks/features_accuracy.py --masks true
    python benchmarks/features_accuracy.py --masks ours
    python benchmarks/features_accuracy.py --masks true --fit   # writes features/perception.json

Everything fitted is fitted in folds. Needs ../shared/data.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from monotone_scale import fit_scale
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score, f1_score, roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict

from hybridlesion._optional_imports import cv2
from hybridlesion.features import FEATURES, abcd
from hybridlesion.features.color import COLORS
from hybridlesion.features.scores import load_scales, perceived
from hybridlesion.io import read_image, read_mask
from hybridlesion.preprocessing import field_of_view, hair_mask, shades_of_gray

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
WEIGHTS = Path(__file__).resolve().parents[1] / "hybridlesion" / "features" / "perception.json"
STRENGTHS = {"asymmetry": "pi_sym", "border": "pi_bor", "color": "pi_col"}
# Families that a score may draw on. Each fold chooses and weighs their features by itself.
FAMILIES = {
    "asymmetry": ("asymmetry", "border"),
    "border": ("border", "asymmetry", "color", "dimension", "structure", "texture"),
    "color": ("color", "dimension", "structure", "texture"),
}
PUBLISHED = {"asymmetry": 0.40, "border": 0.41, "color": 0.22}
SEEDS = 11  # divisions into folds; the median counts
PH2_COLORS = ("White", "Red", "Light-Brown", "Dark-Brown", "Blue-Gray", "Black")


def pictures(masks: str) -> Iterator[tuple[str, str, np.ndarray, np.ndarray | None]]:
    """Yield set, id, image in its true aspect, and mask (None: segment it)."""
    index = pd.read_csv(DATA / "isic2017" / "index.csv")
    for row in index.itertuples():
        image = read_image(DATA / "isic2017" / "images" / f"{row.image_id}.jpg")
        mask = read_mask(DATA / "isic2017" / "masks" / f"{row.image_id}_segmentation.png")
        longer = row.orig_width / row.orig_height
        size = (round(256 * max(longer, 1.0)), round(256 * max(1.0 / longer, 1.0)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        yield "isic2017", row.image_id, image, _resize_mask(mask, size)
    for name in pd.read_csv(DATA / "ph2" / "ph2_criteria.csv")["Image Name"]:
        image = read_image(DATA / "ph2" / "images" / f"{name}.jpg")
        size = (512, round(512 * image.shape[0] / image.shape[1]))
        mask = read_mask(DATA / "ph2" / "masks" / f"{name}_lesion.png")
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        yield "ph2", name, image, _resize_mask(mask, size)
    if masks == "ours":
        judged = set(pd.read_csv(DATA / "tables" / "abc_perception_human.csv")["id"])
        for folder in ("ham10000", "isic2020"):
            for path in sorted((DATA / folder / "images").glob("*.jpg")):
                if path.stem in judged:
                    image = cv2.resize(read_image(path), (341, 256), interpolation=cv2.INTER_CUBIC)
                    yield folder, path.stem, image, None


def _resize_mask(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(mask.astype(np.uint8) * 255, size) > 127


def measure(masks: str) -> pd.DataFrame:
    """Features of every picture, indexed by id, with its set in the column ``set``."""
    rows = {}
    for name, image_id, image, mask in pictures(masks):
        view = field_of_view(image)
        hair = hair_mask(image, fov=view)
        if masks == "ours":
            from hybridlesion.segmentation import segment

            mask = segment(image)
        # without the maps of structures, so that the scales do not depend on a network
        values = abcd(shades_of_gray(image), mask, field_of_view=view, hair=hair, raw=image)
        rows[image_id] = {"set": name} | values
    return pd.DataFrame.from_dict(rows, orient="index")


def melanoma_auc(table: pd.DataFrame) -> tuple[float, float]:
    """AUC on isic2017 in 5 folds of LightGBM alone, and averaged with a logistic regression."""
    from lightgbm import LGBMClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import QuantileTransformer

    table = table[table["set"] == "isic2017"]
    truth = pd.read_csv(DATA / "isic2017" / "index.csv").set_index("image_id")["melanoma"]
    y = truth.loc[table.index].to_numpy().astype(int)
    X = table.drop(columns="set")
    trees = LGBMClassifier(
        n_estimators=250,
        learning_rate=0.03,
        num_leaves=7,
        subsample=0.7,
        subsample_freq=1,
        colsample_bytree=0.3,
        n_jobs=1,
        random_state=0,
        verbose=-1,
    )
    linear = make_pipeline(
        SimpleImputer(strategy="median"),
        QuantileTransformer(n_quantiles=200, output_distribution="normal"),
        LogisticRegression(C=0.01, max_iter=2000),
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    chances = [
        cross_val_predict(model, X, y, cv=folds, method="predict_proba")[:, 1]
        for model in (trees, linear)
    ]
    ranks = sum(pd.Series(chance).rank() for chance in chances)
    return roc_auc_score(y, chances[0]), roc_auc_score(y, ranks)


def judged(table: pd.DataFrame, score: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of the table that people judged, and how strongly."""
    human = pd.read_csv(DATA / "tables" / "abc_perception_human.csv").set_index("id")
    strength = human[STRENGTHS[score]].reindex(table.index).dropna()
    return table.loc[strength.index], strength.to_numpy()


def pool(rows: pd.DataFrame, score: str) -> pd.DataFrame:
    """Columns that a score may draw on; asymmetry does not know the lesion's size in the frame."""
    return rows[
        [
            feature.name
            for feature in FEATURES
            if feature.family in FAMILIES[score]
            and (score != "asymmetry" or "scale" in feature.invariance)
            and "_mapped_" not in feature.name
        ]
    ]


def agreement(table: pd.DataFrame, score: str) -> tuple[float, int]:
    """Rank correlation with people of a scale refitted in 10 folds, and on how many images."""
    rows, strength = judged(table, score)
    expected = np.zeros(len(rows))
    for train, test in KFold(10, shuffle=True, random_state=0).split(rows):
        scale = fit_scale(pool(rows.iloc[train], score), strength[train])
        expected[test] = [scale.rank(row) for row in rows.iloc[test].to_dict("records")]
    return spearmanr(expected, strength)[0], len(rows)


def ph2_agreement(table: pd.DataFrame) -> dict[str, float]:
    """Experts' asymmetry, veil, spots, streaks and six colours on PH2."""
    table = table[table["set"] == "ph2"]
    criteria = pd.read_csv(DATA / "ph2" / "ph2_criteria.csv").set_index("Image Name")
    criteria = criteria.loc[table.index]
    asymmetry = criteria["Asymmetry (0/1/2)"]
    veil = criteria["Blue-Whitish Veil (A/P)"].eq("P")
    spots = table["abcd__structure_dots_count"] + table["abcd__structure_globules_count"]
    dotted = criteria["Dots/Globules (A/AT/T)"].ne("A")
    streaked = criteria["Streaks (A/P)"].eq("P")
    f1 = []
    for name, column in zip(COLORS, PH2_COLORS, strict=True):
        share, present = table[f"abcd__color_share_{name}"].to_numpy(), criteria[column].eq("X")
        f1.append([_f1_in_folds(share, present.to_numpy(), seed) for seed in range(SEEDS)])
    return {
        "perceived asymmetry, rank correlation (aim 0.55)": spearmanr(
            table["perceived__asymmetry"], asymmetry
        )[0],
        "axes of asymmetry, weighted kappa": cohen_kappa_score(
            asymmetry, table["abcd__asymmetry"].astype(int), weights="quadratic"
        ),
        "veil share, AUC (aim 0.85)": roc_auc_score(veil, table["abcd__structure_veil_share"]),
        "dots and globules, number, AUC": roc_auc_score(dotted, spots),
        "streaks, octants, AUC": roc_auc_score(streaked, table["abcd__structure_streaks_octants"]),
        "six colours, macro F1 (aim 0.65)": float(np.median(np.mean(f1, axis=0))),
    } | {f"  {name}": float(np.median(values)) for name, values in zip(COLORS, f1, strict=True)}


def _f1_in_folds(share: np.ndarray, present: np.ndarray, seed: int) -> float:
    """F1 with the threshold that is best on the other folds."""
    found = np.zeros(len(share), bool)
    for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(share, present):
        # halfway between two shares: a limit on a share itself leaves no room for the next lesion
        levels = np.unique(share[train])
        limits = np.append(levels[0], (levels[1:] + levels[:-1]) / 2.0)
        f1 = [f1_score(present[train], share[train] >= t, zero_division=0.0) for t in limits]
        found[test] = share[test] >= limits[int(np.argmax(f1))]
    return f1_score(present, found, zero_division=0.0)


def write_weights(table: pd.DataFrame, masks: str) -> None:
    """Fit the three scales on every judged image and store them with their card."""
    scales, figures = {}, {}
    sources = ", ".join(sorted(set(judged(table, "asymmetry")[0]["set"])))
    for score in STRENGTHS:
        rows, strength = judged(table, score)
        scale = fit_scale(pool(rows, score), strength)
        terms = [vars(term) for term in scale.terms]
        scales[score] = {"offset": scale.offset, "terms": terms}
        figures[score] = round(float(agreement(table, score)[0]), 3)
    card = {
        "what": "Expected rank among lesions that people compared in pairs, from ABCD features.",
        "fitted_to": "Strengths of asymmetry, border irregularity and colour variegation perceived "
        "by people (M. S. Bennett et al., melanoma-identification).",
        "images": f"{len(rows)} of {sources}; masks: {masks}",
        "rank_correlation_in_10_folds": figures,
        "published_image_measures": PUBLISHED,
        "licence": "Fitted on ISIC images, treated as non-commercial with attribution; "
        "so are these weights.",
        "limits": "Orders lesions as people perceived them; no diagnosis. Features were chosen and "
        "weighed in folds; the families that each score may draw on were picked with all these "
        "images in view.",
        "command": f"python benchmarks/features_accuracy.py --masks {masks} --fit",
    }
    WEIGHTS.write_text(json.dumps({"card": card, "scales": scales}, indent=1) + "\n", "utf-8")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--masks", choices=("true", "ours"), default="true")
    parser.add_argument("--fit", action="store_true", help="store the perception weights")
    parser.add_argument("--table", type=Path, help="Parquet to keep the features in, or to reuse")
    options = parser.parse_args()
    if options.table and options.table.exists():
        table = pd.read_parquet(options.table)
    else:
        table = measure(options.masks)
        if options.table:
            table.to_parquet(options.table)
    if options.fit:
        write_weights(table, options.masks)
        print(f"weights written to {WEIGHTS}")
        load_scales.cache_clear()
    # the stored table may be older than the weights
    names = [f"perceived__{name}" for name in STRENGTHS]
    table[names] = [list(perceived(row).values()) for row in table.to_dict("records")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # LightGBM on column names of the folds
        trees, both = melanoma_auc(table)
    print(f"melanoma AUC, isic2017, 5 folds: LightGBM {trees:.3f}, with logistic {both:.3f}")
    for score, published in PUBLISHED.items():
        value, count = agreement(table, score)
        print(f"{score} against people: {value:.3f} on {count} images (published {published:.2f})")
    for name, value in ph2_agreement(table).items():
        print(f"ph2 {name}: {value:.3f}")


if __name__ == "__main__":
    main()
