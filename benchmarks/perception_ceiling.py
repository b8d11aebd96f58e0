"""How well people agree with people: what any measure of A, B and C can reach on their ratings.

    python benchmarks/perception_ceiling.py DATA

Many lesions were photographed and rated twice. The ratings of such a pair differ by chance and by
what the two views show; if views mattered much, the half of the pairs whose published measures of
shape and colour are closest would agree better. A measure that saw the true strength of each
lesion would correlate with the ratings by the square root of that agreement.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

STRENGTHS = ("pi_sym", "pi_bor", "pi_col")
VIEW = ["x_sym", "compact", "mom1_1"]
_DRAWS = 1000


def rated_pairs(data: Path, rated: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ratings of two photographs of each lesion, row by row, those of closest views first."""
    lesions = pd.read_csv(data / "isic2019" / "ISIC_2019_Training_Metadata.csv")
    lesions["image"] = lesions["image"].str.removesuffix("_downsampled")
    lesions = lesions[lesions["image"].isin(rated.index)].dropna(subset="lesion_id")
    photographs = lesions.groupby("lesion_id")["image"].apply(list)
    pairs = [images[:2] for images in photographs if len(images) > 1]
    one, other = (
        rated.loc[list(images)].reset_index(drop=True) for images in zip(*pairs, strict=True)
    )
    gap = ((one[VIEW] - other[VIEW]).abs() / rated[VIEW].std()).sum(axis=1)
    order = np.argsort(gap.to_numpy(), kind="stable")
    return one.iloc[order], other.iloc[order]


def rank_agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation of the two ratings, whichever of them is called the first."""
    return float(spearmanr(np.append(one, other), np.append(other, one))[0])


def reliability(one: np.ndarray, other: np.ndarray, variance: float) -> float:
    """Share of the variance among the images at hand that is not variance within pairs.

    Lesions photographed twice differ less than all; this counts for that.
    """
    return float(1.0 - np.mean((one - other) ** 2) / 2.0 / variance)


def interval(
    measure: Callable[[np.ndarray, np.ndarray], float], one: np.ndarray, other: np.ndarray
) -> str:
    """Value with its 95 % interval, bootstrapped over lesions."""
    draws = np.random.default_rng(0).integers(0, len(one), (_DRAWS, len(one)))
    low, high = np.percentile([measure(one[draw], other[draw]) for draw in draws], [2.5, 97.5])
    return f"{measure(one, other):.2f} ({low:.2f}-{high:.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of public data, see data/README.md")
    data = parser.parse_args().data
    rated = pd.read_csv(data / "tables" / "abc_perception_human.csv").set_index("id")
    folders = [data / name / "images" for name in ("isic2017", "ham10000", "isic2020")]
    at_hand = rated.index.isin([path.stem for folder in folders for path in folder.glob("*.jpg")])
    one, other = rated_pairs(data, rated)
    for name, count in (("all pairs", len(one)), ("half with the closest views", len(one) // 2)):
        for strength in STRENGTHS:
            ratings = np.column_stack([one[strength][:count], other[strength][:count]])
            first, second = ratings[~np.isnan(ratings).any(axis=1)].T
            variance = float(rated.loc[at_hand, strength].var())

            def ceiling(a: np.ndarray, b: np.ndarray, variance: float = variance) -> float:
                return float(np.sqrt(max(reliability(a, b, variance), 0.0)))

            print(
                f"{name} ({len(first)}), {strength}: "
                f"rank correlation {interval(rank_agreement, first, second)}, "
                f"best a measure can reach {interval(ceiling, first, second)}"
            )


if __name__ == "__main__":
    main()
