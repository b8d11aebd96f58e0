"""What the panels of an ABCD sheet draw with: paler photographs, tints, colours."""

from __future__ import annotations

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.features.maps import LesionMaps
from hybridlesion.report._abcd_layout import Panel
from hybridlesion.report._style import INK

__all__ = [
    "BLUE",
    "GREEN",
    "PINK",
    "RED",
    "SKY",
    "YELLOW",
    "fade",
    "hex_color",
    "limit_view",
    "show_lesion",
    "tint",
    "unit_vector",
]

# Okabe and Ito's colours, as RGB.
SKY, GREEN, YELLOW = (86, 180, 233), (0, 158, 115), (240, 228, 66)
BLUE, RED, PINK = (0, 114, 178), (213, 94, 0), (204, 121, 167)
_BEYOND = (245, 245, 245)


def show_lesion(panel: Panel, maps: LesionMaps, picture: np.ndarray) -> None:
    """Show a picture of the cut-out with the outline of the mask.

    Parameters
    ----------
    panel : Panel
        Where to draw.
    maps : LesionMaps
        The lesion.
    picture : ndarray of shape (h, w, 3), uint8
        What to show.
    """
    panel.picture.imshow(picture)
    panel.picture.contour(maps.lesion.mask.astype(np.uint8), levels=[0.5], colors=INK,
                          linewidths=0.9)  # fmt: skip


def fade(maps: LesionMaps, towards_white: float = 0.3) -> np.ndarray:
    """Make the cut-out of the photograph paler.

    Parameters
    ----------
    maps : LesionMaps
        The lesion.
    towards_white : float, default=0.3
        0 leaves it as it is, 1 is white.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        Blank beyond the photograph.
    """
    image = maps.photograph
    pale = cv2.addWeighted(image, 1.0 - towards_white, image, 0.0, 255.0 * towards_white)
    pale[~maps.frame] = _BEYOND
    return pale


def tint(
    image: np.ndarray, where: np.ndarray, color: tuple[int, int, int], alpha: float
) -> np.ndarray:
    """Lay a colour over a part of a picture.

    Parameters
    ----------
    image : ndarray of shape (h, w, 3), uint8
        RGB picture; stays as it is.
    where : ndarray of shape (h, w), bool or float
        Pixels to colour, or how much of each, 0 to 1.
    color : tuple of int
        RGB.
    alpha : float
        0 leaves the picture, 1 hides it.

    Returns
    -------
    ndarray of shape (h, w, 3), uint8
        A new picture.
    """
    weight = alpha * where[..., None].astype(np.float32)
    return (image + weight * (np.array(color, np.float32) - image)).round().astype(np.uint8)


def limit_view(panel: Panel, maps: LesionMaps) -> None:
    """Keep the view on the cut-out, whatever lines were drawn beyond it.

    Parameters
    ----------
    panel : Panel
        Where to draw.
    maps : LesionMaps
        The lesion.
    """
    height, width = maps.lesion.mask.shape
    panel.picture.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def unit_vector(angle: float) -> np.ndarray:
    """Point into a direction.

    Parameters
    ----------
    angle : float
        Radians from the row axis towards rising rows.

    Returns
    -------
    ndarray of shape (2,), float
        (x, y) of length 1.
    """
    return np.array([np.cos(angle), np.sin(angle)])


def hex_color(color: tuple[int, int, int]) -> str:
    """Write a colour as matplotlib reads it.

    Parameters
    ----------
    color : tuple of int
        RGB.

    Returns
    -------
    str
        For example ``"#0072B2"``.
    """
    return "#{:02X}{:02X}{:02X}".format(*color)
