"""Image and mask in, named floats out."""

from __future__ import annotations

import numpy as np

from hybridlesion._validation import check_image, check_mask
from hybridlesion.exceptions import ImageError
from hybridlesion.features._context import cut_out
from hybridlesion.features.asymmetry import asymmetry
from hybridlesion.features.border import border
from hybridlesion.features.catalogue import FEATURES, feature_names
from hybridlesion.features.color import color
from hybridlesion.features.cutoff import cutoff
from hybridlesion.features.dimension import dimension
from hybridlesion.features.palette import DEFAULT_PALETTE, Palette
from hybridlesion.features.pigment_edge import pigment_edge
from hybridlesion.features.scores import scores
from hybridlesion.features.skin import skin_tone
from hybridlesion.features.structure import structure
from hybridlesion.features.texture import texture
from hybridlesion.features.total_body import total_body

__all__ = ["abcd"]


def abcd(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    field_of_view: np.ndarray | None = None,
    hair: np.ndarray | None = None,
    raw: np.ndarray | None = None,
    palette: Palette = DEFAULT_PALETTE,
) -> dict[str, float]:
    """Measure a lesion by the ABCD rule: asymmetry, border, colour, dimension and structures.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image, usually after colour constancy.
    mask : ndarray of shape (H, W), bool
        True inside the lesion. Holes and several parts are allowed; an empty mask gives NaN.
    field_of_view : ndarray of shape (H, W), bool, default=None
        True where the picture shows skin; False in dark corners. None means everywhere.
    hair : ndarray of shape (H, W), bool, default=None
        True on hairs; they are left out of colour, not of shape. None means no hair.
    raw : ndarray of shape (H, W, 3), uint8, default=None
        The image before colour constancy, on which skin tone is measured; None means `image`.
    palette : Palette, default=DEFAULT_PALETTE
        Reference points of the six colours.

    Returns
    -------
    dict of str to float
        One value for each row of `FEATURES`, in that order. NaN occurs only for an empty mask and
        where the row's ``undefined`` says so.

    Raises
    ------
    ImageError
        If the image is no (H, W, 3) uint8 array, or a mask has another size.

    Notes
    -----
    The lesion is brought to an equivalent diameter of 160 pixels before anything but its size is
    measured, so that values do not depend on the resolution of the photograph as long as it shows
    the lesion with at least about that many pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from hybridlesion.features import abcd
    >>> y, x = np.mgrid[-80:81, -80:81]
    >>> disc = x**2 + y**2 <= 50**2
    >>> image = np.where(disc[..., None], (120, 80, 60), (225, 190, 170)).astype(np.uint8)
    >>> values = abcd(image, disc)
    >>> round(values["abcd__border_solidity"], 1), values["abcd__border_parts"]
    (1.0, 1.0)
    """
    image = check_image(image)
    shape = image.shape[:2]
    mask = check_mask(mask, shape)
    field_of_view = None if field_of_view is None else check_mask(field_of_view, shape)
    hair = None if hair is None else check_mask(hair, shape)
    raw = image if raw is None else _check_raw(raw, image)
    if not mask.any():
        return dict.fromkeys(feature_names(), float("nan"))
    lesion = cut_out(image, mask, field_of_view=field_of_view, hair=hair)
    usable = np.ones(shape, bool) if field_of_view is None else field_of_view
    families = {
        "asymmetry": asymmetry(lesion),
        "border": border(lesion) | cutoff(lesion) | pigment_edge(lesion),
        "color": color(lesion, palette),
        "dimension": dimension(mask),
        "structure": structure(lesion),
        "texture": texture(lesion),
        "skin": skin_tone(raw, mask, usable if hair is None else usable & ~hair),
    }
    values = {
        f"abcd__{family}_{name}": value
        for family, measured in families.items()
        for name, value in measured.items()
    }
    values |= total_body(lesion, values)
    values |= {f"abcd__{name}": value for name, value in scores(values).items()}
    return {feature.name: values[feature.name] for feature in FEATURES}


def _check_raw(raw: np.ndarray, image: np.ndarray) -> np.ndarray:
    raw = check_image(raw)
    if raw.shape != image.shape:
        raise ImageError(
            f"raw must be the same picture as image before colour constancy: image has shape "
            f"{image.shape}, raw {raw.shape}."
        )
    return raw
