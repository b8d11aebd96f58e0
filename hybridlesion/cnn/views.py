"""Image crops for the network: a square around the lesion, or the frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from hybridlesion._optional_imports import cv2

# Views of an image used by a fine-tuned network, for each value of its parameter ``crop``.
VIEWS = {"lesion": ("lesion",), "frame": ("frame",), "both": ("lesion", "frame")}

# Minimum and maximum side of the square around a lesion, as fractions of the short side of the
# frame, for networks of protocol 2. Larger squares would show mirrored copies of the lesion.
LESION_LIMITS = (0.3, 1.15)


class Window(NamedTuple):
    """Rectangle of pixels, which may extend beyond the frame.

    Parameters
    ----------
    top, left : int
        First row and column; negative above or left of the frame.
    height, width : int
        Size in pixels, at least 1.
    """

    top: int
    left: int
    height: int
    width: int


def lesion_window(
    mask: np.ndarray, *, margin: float = 0.25, limits: tuple[float, float] = (0.0, np.inf)
) -> Window | None:
    """Return a square around the lesion with a margin of surrounding skin.

    Parameters
    ----------
    mask : ndarray of shape (H, W), bool
        True inside the lesion.
    margin : float, default=0.25
        Skin added on each side, as a fraction of the longer side of the lesion's bounding box;
        0 or more.
    limits : tuple of float, default=(0.0, inf)
        Minimum and maximum side, as fractions of the short side of the frame.

    Returns
    -------
    Window or None
        Square window, or None if the mask is empty.

    Notes
    -----
    The side is ``max(h, w) * (1 + 2 * margin)`` for a bounding box of h x w pixels, within the
    limits and at most the long side of the frame. A square that would leave the frame is moved
    inside, since real skin is more informative than mirrored skin. Only a square that is larger
    than the frame extends beyond it.

    Examples
    --------
    >>> import numpy as np
    >>> mask = np.zeros((60, 80), dtype=bool)
    >>> mask[20:40, 30:40] = True
    >>> lesion_window(mask, margin=0.25)
    Window(top=15, left=20, height=30, width=30)
    """
    left, top, width, height = cv2.boundingRect(mask.view(np.uint8))
    if width == 0:
        return None
    low, high = (limit * min(mask.shape) for limit in limits)
    side = round(min(max(max(height, width) * (1 + 2 * margin), low), high, max(mask.shape)))
    top = _inside(top + (height - side) // 2, side, mask.shape[0])
    left = _inside(left + (width - side) // 2, side, mask.shape[1])
    return Window(top, left, side, side)


def frame_window(
    shape: tuple[int, int],
    *,
    size: tuple[int, int] = (224, 224),
    crop_pct: float = 0.875,
    crop_mode: str = "center",
) -> Window:
    """Return the part of the frame that the evaluation transform of timm crops.

    Parameters
    ----------
    shape : tuple of int
        (H, W) of the image.
    size : tuple of int, default=(224, 224)
        (height, width) of the network's input.
    crop_pct : float, default=0.875
        Fraction of the shorter side that is kept in the evaluation of the model, 0 to 1.
    crop_mode : {"center", "squash", "border"}, default="center"
        Treatment of the aspect ratio: ``center`` preserves it and crops the longer side, ``squash``
        does not preserve it, and ``border`` preserves it and the whole longer side, and extends
        beyond the shorter side.

    Returns
    -------
    Window
        Window centred on the frame.

    Examples
    --------
    >>> frame_window((450, 600), crop_pct=1.0)
    Window(top=0, left=75, height=450, width=450)
    """
    ratios = np.array(shape) / np.array(size)
    if crop_mode == "center":
        ratios[:] = ratios.min()
    elif crop_mode == "border":
        ratios[:] = ratios.max()
    height, width = (max(1, round(n * r * crop_pct)) for n, r in zip(size, ratios, strict=True))
    return Window((shape[0] - height) // 2, (shape[1] - width) // 2, height, width)


def cut(image: np.ndarray, window: Window) -> np.ndarray:
    """Crop a window from an image, with mirrored pixels beyond the frame.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    window : Window
        Window to crop.

    Returns
    -------
    ndarray of shape (window.height, window.width, 3), uint8
        A view if the window lies inside the frame, else a copy.

    Examples
    --------
    >>> import numpy as np
    >>> row = np.arange(3, dtype=np.uint8).reshape(1, 3, 1).repeat(3, axis=2)
    >>> cut(row, Window(0, -2, 1, 6))[0, :, 0].tolist()
    [2, 1, 0, 1, 2, 1]
    """
    bottom, right = window.top + window.height, window.left + window.width
    inside = image[max(window.top, 0) : bottom, max(window.left, 0) : right]
    beyond = (-window.top, bottom - image.shape[0], -window.left, right - image.shape[1])
    borders = [max(side, 0) for side in beyond]
    if not any(borders):
        return inside
    return cv2.copyMakeBorder(inside, *borders, cv2.BORDER_REFLECT_101)


def _inside(start: int, length: int, limit: int) -> int:
    """Return the start of an interval after moving it into 0..limit, or centring it if longer."""
    if length > limit:
        return (limit - length) // 2
    return min(max(start, 0), limit - length)


@dataclass(frozen=True)
class InputSpec:
    """Input specification of a network in evaluation.

    Parameters
    ----------
    size : tuple of int
        (height, width) in pixels.
    mean, std : tuple of float
        Mean and standard deviation per channel, for pixels between 0 and 1.
    crop_pct : float
        Fraction of the shorter side that is kept, 0 to 1.
    crop_mode : {"center", "squash", "border"}
        Treatment of frames with another aspect ratio.
    interpolation : {"bicubic", "bilinear"}
        Method used to enlarge images. Shrinking always averages pixels.
    """

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_pct: float
    crop_mode: str
    interpolation: str

    @classmethod
    def of(cls, config: dict[str, Any]) -> InputSpec:
        """Create the specification from the timm data configuration of a model.

        Parameters
        ----------
        config : dict
            Data configuration from ``timm.data.resolve_model_data_config``.

        Returns
        -------
        InputSpec
            Input specification.
        """
        size, mean, std = (tuple(config[name]) for name in ("input_size", "mean", "std"))
        others = (config[name] for name in ("crop_pct", "crop_mode", "interpolation"))
        return cls(size[1:], mean, std, *others)


class ImageView(NamedTuple):
    """Part of an image that is shown to a fine-tuned network.

    Parameters
    ----------
    crop : {"lesion", "frame"}
        Square around the lesion, or in the middle of the frame.
    extent : float
        Skin on each side of the lesion, as a fraction of the lesion's longer side, or fraction of
        the shorter side of the frame.
    mirrored : bool, default=False
        Whether left and right are exchanged.
    limits : tuple of float, default=(0.0, inf)
        Minimum and maximum side of the square around the lesion, as fractions of the short side
        of the frame.

    Examples
    --------
    >>> spec = InputSpec((8, 8), (0.5,) * 3, (0.5,) * 3, 1.0, "center", "bilinear")
    >>> ImageView("frame", 0.5).window((40, 60), None, spec)
    Window(top=10, left=20, height=20, width=20)
    """

    crop: str
    extent: float
    mirrored: bool = False
    limits: tuple[float, float] = (0.0, np.inf)

    def window(self, shape: tuple[int, int], mask: np.ndarray | None, spec: InputSpec) -> Window:
        """Return the window of an image.

        Parameters
        ----------
        shape : tuple of int
            (H, W) of the image.
        mask : ndarray of shape (H, W), bool, or None
            True inside the lesion. If None or empty, the frame is used.
        spec : InputSpec
            Input of the network.

        Returns
        -------
        Window
            Window, which may extend beyond the frame.
        """
        crop_pct = spec.crop_pct
        if self.crop == "frame":
            crop_pct = self.extent
        elif mask is not None:
            window = lesion_window(mask, margin=self.extent, limits=self.limits)
            if window is not None:
                return window
        return frame_window(shape, size=spec.size, crop_pct=crop_pct, crop_mode=spec.crop_mode)

    def prepare(self, image: np.ndarray, mask: np.ndarray | None, spec: InputSpec) -> np.ndarray:
        """Crop and scale an image.

        Parameters
        ----------
        image : ndarray of shape (H, W, 3), uint8
            RGB image.
        mask : ndarray of shape (H, W), bool, or None
            True inside the lesion.
        spec : InputSpec
            Input of the network.

        Returns
        -------
        ndarray of shape (*spec.size, 3), uint8
            Input of the network, before normalisation.
        """
        window = self.window(image.shape[:2], mask, spec)
        if window.height >= spec.size[0] and window.width >= spec.size[1]:
            method = cv2.INTER_AREA
        else:
            method = cv2.INTER_CUBIC if spec.interpolation == "bicubic" else cv2.INTER_LINEAR
        pixels = cv2.resize(cut(image, window), spec.size[::-1], interpolation=method)
        return pixels[:, ::-1] if self.mirrored else pixels
