"""The drawn lesion of the stored baseline; run as a script to regenerate it.

    python tests/features/drawn_lesion.py

A change of `baseline.json` means that every stored feature table and model is out of date.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

BASELINE = Path(__file__).with_name("baseline.json")


def draw_lesion(size: int = 360) -> tuple[np.ndarray, np.ndarray]:
    """Draw a lobed brown lesion with a dark quarter, dots, a blue-grey patch and a net.

    Parameters
    ----------
    size : int, default=360
        Side of the square picture in pixels; the scene is the same at every size.

    Returns
    -------
    image : ndarray of shape (size, size, 3), uint8
        RGB image.
    mask : ndarray of shape (size, size), bool
        The lesion.
    """
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    angle, radius = np.arctan2(y - 0.02, x + 0.01), np.hypot(y - 0.02, x + 0.01)
    edge = 0.24 + 0.03 * np.cos(3 * angle + 0.4) + 0.012 * np.sin(7 * angle)
    mask = radius < edge
    image = np.full((size, size, 3), (226.0, 184.0, 160.0))
    image[mask] = (150.0, 98.0, 64.0)
    image[mask & (np.sin(80 * x) * np.sin(80 * y) > 0.55)] = (118.0, 74.0, 48.0)
    image[mask & (x > 0.05) & (y > 0.0)] = (74.0, 46.0, 38.0)
    image[(x + 0.1) ** 2 + (y + 0.08) ** 2 < 0.05**2] = (96.0, 104.0, 118.0)
    for dot_x, dot_y in ((-0.12, 0.06), (-0.04, 0.12), (-0.15, 0.1), (0.0, -0.12)):
        image[(x - dot_x) ** 2 + (y - dot_y) ** 2 < 0.008**2] = (40.0, 24.0, 20.0)
    return image.round().astype(np.uint8), mask


def draw_structures(side: int = 64) -> np.ndarray:
    """Maps of five structures, each on another side of the frame."""
    y, x = np.mgrid[:side, :side] / (side - 1)
    planes = [x, y, 1 - x, 1 - y, x * y]
    return np.array(planes, np.float32) ** 2


def main() -> None:
    """Write the features of the drawn lesion."""
    from hybridlesion.features import abcd

    found = abcd(*draw_lesion(), structures=draw_structures())
    values = {name: float(f"{value:.6g}") for name, value in found.items()}
    BASELINE.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
