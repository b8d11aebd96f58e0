"""One lesion's ABCD sheet: what the features see, drawn from the maps behind their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hybridlesion._validation import check_image, check_mask
from hybridlesion.features import DEFAULT_PALETTE, Palette, abcd
from hybridlesion.features.maps import lesion_maps
from hybridlesion.report._abcd_border import draw_border
from hybridlesion.report._abcd_layout import make_page, make_panel, numbers_axes
from hybridlesion.report._abcd_mirror import draw_color_mirror, draw_shape_mirror
from hybridlesion.report._abcd_numbers import draw_numbers
from hybridlesion.report._abcd_panels import (
    draw_colors,
    draw_photograph,
    draw_structures,
)
from hybridlesion.report._style import INK

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw_abcd_sheet"]


def draw_abcd_sheet(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    field_of_view: np.ndarray | None = None,
    hair: np.ndarray | None = None,
    raw: np.ndarray | None = None,
    palette: Palette = DEFAULT_PALETTE,
    title: str = "ABCD sheet",
    notes: str = "",
) -> Figure:
    """Draw what the ABCD features see in one lesion; takes what `hybridlesion.features.abcd` takes.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image, usually after colour constancy.
    mask : ndarray of shape (H, W), bool
        True inside the lesion; an empty mask gives a sheet that says so.
    field_of_view : ndarray of shape (H, W), bool, default=None
        True where the picture shows skin; None means everywhere.
    hair : ndarray of shape (H, W), bool, default=None
        True on hairs; None means no hair.
    raw : ndarray of shape (H, W, 3), uint8, default=None
        The photograph to show; None means `image`.
    palette : Palette, default=DEFAULT_PALETTE
        Reference points of the six colours.
    title : str, default="ABCD sheet"
        Heading, any text.
    notes : str, default=""
        A line below it.

    Returns
    -------
    Figure
        1600 x 1000 pixels at 100 dpi: the photograph, the lesion mirrored in shape and colour, the
        octants of its border, its six colours, its structures, and the scores. Every overlay is
        the map that its feature is computed from.

    Raises
    ------
    ImageError
        If the image is no (H, W, 3) uint8 array, or a mask has another size.

    Examples
    --------
    >>> import numpy as np
    >>> from hybridlesion.report import draw_abcd_sheet
    >>> y, x = np.mgrid[-80:81, -80:81]
    >>> disc = x**2 + y**2 <= 50**2
    >>> image = np.where(disc[..., None], (120, 80, 60), (225, 190, 170)).astype(np.uint8)
    >>> figure = draw_abcd_sheet(image, disc, title="A disc")
    >>> figure.get_size_inches() * figure.dpi
    array([1600., 1000.])
    """
    options = {"field_of_view": field_of_view, "hair": hair}
    values = abcd(image, mask, raw=raw, palette=palette, **options)
    image, mask = check_image(image), check_mask(mask)
    field_of_view, hair = (None if x is None else check_mask(x) for x in (field_of_view, hair))
    figure = make_page(title, notes)
    draw_photograph(
        make_panel(figure, 0, 0, "Photograph"), image if raw is None else raw, mask, **options
    )
    if not mask.any():
        figure.text(0.6, 0.6, "No lesion was found: there is nothing to measure.", fontsize=15,
                    ha="center", color=INK)  # fmt: skip
        return figure
    maps = lesion_maps(image, mask, raw=raw, palette=palette, **options)
    draw_shape_mirror(make_panel(figure, 1, 0, "A  Asymmetry of shape"), maps)
    draw_color_mirror(make_panel(figure, 2, 0, "A  Asymmetry of colour"), maps)
    draw_border(make_panel(figure, 0, 1, "B  Border: pigment cut-off"), maps)
    draw_colors(make_panel(figure, 1, 1, "C  The six colours"), maps, values, palette)
    draw_structures(make_panel(figure, 2, 1, "D  Structures"), maps, values)
    draw_numbers(numbers_axes(figure), values)
    return figure
