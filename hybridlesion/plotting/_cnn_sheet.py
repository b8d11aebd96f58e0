"""Attribution map of fine-tuned networks, drawn next to the photograph."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_image, check_mask
from hybridlesion.explain import CnnMap
from hybridlesion.plotting._abcd_layout import percent
from hybridlesion.plotting._style import INK, MALIGNANT, MODEL, NOTE, RESEARCH_ONLY, plain_text
from hybridlesion.segmentation import draw_overlay

MAP_KEY = "Orange regions raise the score, blue regions lower it."
"""Meaning of the colours of a map."""

_STRONGEST = 0.995  # quantile of the attributions with full opacity
# Number of opacity levels; more would only make files larger.
_LEVELS = 20
_COVER = 0.8  # highest opacity


def paint_cnn_map(found: CnnMap, long_side: int | None = None) -> np.ndarray:
    """Convert a map to an overlay for the grey photograph.

    Parameters
    ----------
    found : CnnMap
        Result of `hybridlesion.explain.cnn_map`.
    long_side : int, default=None
        Long side in pixels, at most that of the map. If None, the size of the map is kept.

    Returns
    -------
    ndarray of shape (h, w, 4), uint8
        RGBA: orange where the score is raised, blue where it is lowered; the opacity is relative
        to the strongest attributions of the image.

    Examples
    --------
    >>> values = np.zeros((40, 60), np.float32)
    >>> values[10:20, 10:20], values[10:20, 40:50] = 1, -1
    >>> painted = paint_cnn_map(CnnMap(values, 1.0, 1.0))
    >>> painted[15, [15, 45, 55]].tolist()
    [[213, 94, 0, 204], [0, 114, 178, 204], [0, 114, 178, 0]]
    """
    values = found.values
    scale = 1.0 if long_side is None else min(1.0, long_side / max(values.shape))
    if scale < 1:
        size = tuple(max(1, round(scale * side)) for side in values.shape[::-1])
        values = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    strength = np.abs(values)
    # The quantile is 0 if fewer than one pixel in 200 has an attribution.
    top = float(np.quantile(strength, _STRONGEST)) or float(strength.max()) or 1.0
    painted = np.empty((*values.shape, 4), np.uint8)
    painted[..., :3] = np.where(values[..., None] > 0, _rgb(MALIGNANT), _rgb(MODEL))
    painted[..., 3] = np.round(_COVER * np.minimum(strength / top, 1) * _LEVELS) * (255 / _LEVELS)
    return painted


def cnn_words(found: CnnMap, mask: np.ndarray) -> str:
    """Describe what share of the attribution lies on the lesion.

    Parameters
    ----------
    found : CnnMap
        Attribution map.
    mask : ndarray of shape (H, W), bool
        Mask of the lesion.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> cnn_words(CnnMap(np.eye(2, dtype=np.float32), 0.0, -1.0), np.eye(2) > 0)
    '100 % of the attribution lies on the lesion.'
    """
    if not mask.any():
        return "No lesion was found in the image."
    inside = found.share_inside(mask)
    if math.isnan(inside):
        return "The network attributes its score to no region."
    return f"{percent(inside)} of the attribution lies on the lesion."


def draw_cnn_sheet(
    image: np.ndarray, mask: np.ndarray, found: CnnMap, *, title: str = "CNN attribution map"
) -> Figure:
    """Draw a photograph and the attribution map of fine-tuned networks.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB photograph.
    mask : ndarray of shape (H, W), bool
        True inside the lesion.
    found : CnnMap
        Result of `hybridlesion.explain.cnn_map`.
    title : str, default="CNN attribution map"
        Title, which may be any text.

    Returns
    -------
    Figure
        1200 x 600 pixels at 100 dpi.

    Raises
    ------
    ImageError
        If the image is not a (H, W, 3) uint8 array, or the mask has a different size.

    Examples
    --------
    >>> import numpy as np
    >>> from hybridlesion.explain import cnn_map
    >>> from hybridlesion.plotting import draw_cnn_sheet
    >>> y, x = np.mgrid[-60:60, -80:80]
    >>> disc = x**2 + y**2 <= 40**2
    >>> image = np.where(disc[..., None], (120, 80, 60), (225, 190, 170)).astype(np.uint8)
    >>> figure = draw_cnn_sheet(image, disc, cnn_map(image, disc, n_steps=2))
    >>> figure.get_size_inches() * figure.dpi
    array([1200.,  600.])
    """
    image = check_image(image)
    mask = check_mask(mask, image.shape[:2])
    figure = Figure(figsize=(12, 6), dpi=100, facecolor="white", layout="constrained")
    photograph, seen = figure.subplots(1, 2)
    photograph.imshow(draw_overlay(image, mask) if mask.any() else image)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    seen.imshow(grey, cmap="gray", vmin=0, vmax=255)
    seen.imshow(paint_cnn_map(found))
    if mask.any():
        seen.contour(mask.astype(np.uint8), levels=[0.5], colors="white", linewidths=1.2)
    for axes, words in ((photograph, "Photograph"), (seen, "CNN attribution map")):
        axes.set_axis_off()
        axes.set_title(words, fontsize=12, fontweight="bold", color=INK)
    figure.suptitle(plain_text(title), fontsize=15, fontweight="bold", color=INK, parse_math=False)
    score = 1 / (1 + math.exp(-found.log_odds))
    said = [
        f"CNN score {score:.3f}. {cnn_words(found, mask)}",
        f"{MAP_KEY} Opacities are relative to this image. {RESEARCH_ONLY}",
    ]
    figure.supxlabel("\n".join(said), fontsize=10, color=NOTE)
    return figure


def _rgb(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color.removeprefix("#")))
