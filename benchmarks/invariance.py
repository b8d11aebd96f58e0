"""How far each ABCD feature stays the same when a real picture is turned, mirrored or relit.

    python benchmarks/invariance.py DATA > docs/invariance.md

Takes the pictures of `isic2017-hires` whose lesion keeps clear of the frame.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from hybridlesion._optional_imports import cv2
from hybridlesion.features import FEATURES, INVARIANCES, abcd
from hybridlesion.io import read_image, read_mask
from hybridlesion.preprocessing import shades_of_gray

DEGREES = 33.0
LIGHT = (0.85, 0.8, 0.7)  # a darker and warmer lamp: red, green, blue
MARGIN = 24  # pixels between lesion and frame, so that a shift by as many keeps it whole

Picture = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Image, mask and field of view."""


def turned(image: np.ndarray, mask: np.ndarray) -> tuple[Picture, Picture]:
    """The picture, and the same turned by 33 degrees on a canvas that holds all of it."""
    height, width = mask.shape
    matrix = cv2.getRotationMatrix2D((width / 2.0, height / 2.0), DEGREES, 1.0)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = (int(height * sin + width * cos) + 1, int(height * cos + width * sin) + 1)
    matrix[:, 2] += (size[0] - width) / 2.0, (size[1] - height) / 2.0
    view = np.full(mask.shape, 255, np.uint8)
    after = (
        cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT),
        cv2.warpAffine(mask.astype(np.uint8) * 255, matrix, size) > 127,
        cv2.warpAffine(view, matrix, size) > 250,
    )
    return _whole(image, mask), after


def mirrored(image: np.ndarray, mask: np.ndarray) -> tuple[Picture, Picture]:
    """The picture, and the same seen in a mirror."""
    return _whole(image, mask), _whole(image[:, ::-1], mask[:, ::-1])


def shifted(image: np.ndarray, mask: np.ndarray) -> tuple[Picture, Picture]:
    """Two equal frames cut from the picture, 24 pixels apart down and to the right."""
    first, second = np.s_[:-MARGIN, :-MARGIN], np.s_[MARGIN:, MARGIN:]
    return _whole(image[first], mask[first]), _whole(image[second], mask[second])


def scaled(image: np.ndarray, mask: np.ndarray) -> tuple[Picture, Picture]:
    """The picture, and the same with half as many pixels a side."""
    size = (mask.shape[1] // 2, mask.shape[0] // 2)
    small = cv2.resize(mask.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 127
    return _whole(image, mask), _whole(cv2.resize(image, size, interpolation=cv2.INTER_AREA), small)


def relit(image: np.ndarray, mask: np.ndarray) -> tuple[Picture, Picture]:
    """The picture and the same under another lamp, both after colour constancy."""
    other = (image * np.array(LIGHT)).round().astype(np.uint8)
    return _whole(shades_of_gray(image), mask), _whole(shades_of_gray(other), mask)


CHANGES: dict[str, Callable[[np.ndarray, np.ndarray], tuple[Picture, Picture]]] = dict(
    zip(INVARIANCES, (turned, mirrored, shifted, scaled, relit), strict=True)
)
"""For each invariance of the catalogue, the two pictures that are compared."""


def _whole(image: np.ndarray, mask: np.ndarray) -> Picture:
    image, mask = np.ascontiguousarray(image), np.ascontiguousarray(mask)
    return image, mask, np.ones(mask.shape, bool)


def pictures(data: Path, every: int = 1) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Image and mask of each n-th picture whose lesion keeps clear of the frame."""
    folder = data / "isic2017-hires"
    for image_id in pd.read_csv(folder / "index.csv")["image_id"].iloc[::every]:
        mask = read_mask(folder / "masks" / f"{image_id}_segmentation.png")
        rim = mask.copy()
        rim[MARGIN:-MARGIN, MARGIN:-MARGIN] = False
        if mask.any() and not rim.any():
            yield read_image(folder / "images" / f"{image_id}.jpg"), mask


def compare(data: Path, every: int = 1) -> tuple[pd.DataFrame, int]:
    """Measure every feature before and after every change.

    Returns a table with one row a feature and change (``deviation``: median of |after - before| /
    |before|, ``rank``: Spearman's correlation) and the number of pictures.
    """
    before, after = ({name: [] for name in CHANGES} for _ in range(2))
    count = 0
    for image, mask in pictures(data, every):
        count += 1
        for name, change in CHANGES.items():
            for rows, (view, lesion, seen) in zip(
                (before, after), change(image, mask), strict=True
            ):
                rows[name].append(abcd(view, lesion, field_of_view=seen))
    rows = []
    for name in CHANGES:
        first, second = pd.DataFrame(before[name]), pd.DataFrame(after[name])
        rows += [{"change": name} | _agreement(first[f.name], second[f.name]) for f in FEATURES]
    return pd.DataFrame(rows), count


def _agreement(first: pd.Series, second: pd.Series) -> dict[str, object]:
    relative = (second - first).abs() / first.abs().where(first.abs() > 1e-9)
    # 0 before and after is no change; 0 before and not after has no relative size
    relative = relative.where(first != second, 0.0)
    constant = first.nunique() < 2 or second.nunique() < 2
    same = first.equals(second) and first.notna().any()
    rank = (1.0 if same else np.nan) if constant else spearmanr(first, second)[0]
    return {"feature": first.name, "deviation": relative.median(), "rank": rank}


_INTRODUCTION = """# How far the features hold their invariances

Generated by `python benchmarks/invariance.py DATA > docs/invariance.md`; do not edit.

Measured on {count} real images (ISIC 2017, long side 768 pixels, expert masks) whose lesion is well
inside the frame. Each cell gives the median relative deviation of the feature and Spearman's rank
correlation over the images, before and after

- **rotation** by {degrees:g} degrees, resampled, with the corners outside the field of view;
- **mirror**: left-right reflection;
- **shift** of the frame by {margin} pixels down and to the right, so that skin leaves and enters;
- **scale**: half as many pixels per side;
- **gain**: red, green and blue times {light}, then `shades_of_gray` (colour constancy) on both.

Cells in parentheses are not claimed by the catalogue. For values near 0 the relative deviation is
uninformative; use the rank correlation. `-`: the same for all images, 0 for most, or not measured
(the maps of structures, which a network makes).
"""


def page(table: pd.DataFrame, count: int) -> str:
    """Write the table as Markdown, with the medians of all claimed cells in front."""
    light = ", ".join(f"{factor:g}" for factor in LIGHT)
    lines = [_INTRODUCTION.format(count=count, degrees=DEGREES, margin=MARGIN, light=light)]
    claims = pd.DataFrame(
        [(f.name, name, name in f.invariance) for f in FEATURES for name in CHANGES],
        columns=["feature", "change", "claimed"],
    )
    table = table.merge(claims, on=["feature", "change"])
    lines.append("| change | features that claim it | median deviation | median rank correlation |")
    lines.append("|---|---|---|---|")
    for name in CHANGES:
        claimed = table[(table["change"] == name) & table["claimed"]]
        deviation, rank = claimed["deviation"].median(), claimed["rank"].median()
        lines.append(f"| {name} | {len(claimed)} | {100 * deviation:.2f} % | {rank:.3f} |")
    lines += ["", f"| feature | {' | '.join(CHANGES)} |", "|---" * (len(CHANGES) + 1) + "|"]
    cells = table.set_index(["feature", "change"])
    for feature in FEATURES:
        row = [_cell(cells.loc[(feature.name, name)]) for name in CHANGES]
        lines.append(f"| `{feature.name}` | {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _cell(row: pd.Series) -> str:
    deviation = "-" if np.isnan(row["deviation"]) else f"{100.0 * row['deviation']:.2g} %"
    rank = "-" if np.isnan(row["rank"]) else f"{row['rank']:.3f}"
    return f"{deviation}, {rank}" if row["claimed"] else f"({deviation}, {rank})"


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    print(page(*compare(parser.parse_args().data)), end="")


if __name__ == "__main__":
    main()
