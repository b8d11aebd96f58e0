"""All ABCD features of a lesion."""

from __future__ import annotations

import numpy as np

from hybridlesion._validation import check_image, check_mask
from hybridlesion.exceptions import ImageError
from hybridlesion.features import asymmetry, border, color, dimension, scores, structure, texture
from hybridlesion.features._catalogue import FEATURES, feature_names
from hybridlesion.features._context import cut_out
from hybridlesion.features.color import DEFAULT_PALETTE, Palette
from hybridlesion.features.skin import skin_tone


def abcd(
    image: np.ndarray,
    mask: np.ndarray,
    *,
    field_of_view: np.ndarray | None = None,
    hair: np.ndarray | None = None,
    raw: np.ndarray | None = None,
    structures: np.ndarray | None = None,
    palette: Palette = DEFAULT_PALETTE,
) -> dict[str, float]:
    """Measure a lesion by the ABCD rule: asymmetry, border, colour, dimension and structures.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image, usually after colour constancy.
    mask : ndarray of shape (H, W), bool
        True inside the lesion, which may have holes and several parts. If empty, values are NaN.
    field_of_view : ndarray of shape (H, W), bool, default=None
        True on visible skin, False in dark corners. If None, the whole image is used.
    hair : ndarray of shape (H, W), bool, default=None
        True on hair, which is excluded from colour but not from shape. If None, the image is
        assumed to be free of hair.
    raw : ndarray of shape (H, W, 3), uint8, default=None
        Image before colour constancy, on which skin tone is measured. If None, `image` is used.
    structures : ndarray of shape (5, S, S), float32, default=None
        Probabilities of dermoscopic structures with the image squashed to a square, as in
        `hybridlesion.segmentation.Segmentation`. If None, features of these maps are NaN.
    palette : Palette, default=DEFAULT_PALETTE
        Reference points of the six colours.

    Returns
    -------
    dict of str to float
        One value per row of `FEATURES`, in the same order. A value is NaN only if the mask is empty
        or in the cases given by ``undefined`` in its row.

    Raises
    ------
    ImageError
        If the image is not an (H, W, 3) uint8 array, or a mask differs in size.

    Notes
    -----
    All features except size are measured after resampling the lesion to an equivalent diameter of
    160 pixels. They do not depend on the resolution of the photograph, provided that the original
    diameter of the lesion is at least about as large.

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
    raw = image if raw is None else check_image(raw)
    if raw.shape != image.shape:
        raise ImageError(
            f"raw must be the same picture as image before colour constancy: image has shape "
            f"{image.shape}, raw {raw.shape}."
        )
    if not mask.any():
        return dict.fromkeys(feature_names(), float("nan"))
    lesion = cut_out(image, mask, field_of_view=field_of_view, hair=hair, structures=structures)
    usable = np.ones(shape, bool) if field_of_view is None else field_of_view
    families = {
        "asymmetry": asymmetry.asymmetry(lesion),
        "border": border.border(lesion) | border.cutoff(lesion) | border.pigment_edge(lesion),
        "color": color.color(lesion, palette),
        "dimension": dimension.dimension(mask),
        "structure": structure.structure(lesion),
        "texture": texture.texture(lesion),
        "skin": skin_tone(raw, mask, usable if hair is None else usable & ~hair),
    }
    values = {
        f"abcd__{family}_{name}": value
        for family, measured in families.items()
        for name, value in measured.items()
    }
    values |= scores.total_body(lesion, values)
    values |= scores.scores(values)
    values |= scores.perceived(values)
    values |= scores.seven_points(values)
    return {feature.name: values[feature.name] for feature in FEATURES}
