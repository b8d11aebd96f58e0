"""One image to the uint8 square that a network takes, as its pretrained configuration asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.embedding.crop import Window, cut, frame_window, lesion_window

__all__ = ["InputSpec", "prepare", "sight_window"]


@dataclass(frozen=True)
class InputSpec:
    """What a network was evaluated with.

    Parameters
    ----------
    size : tuple of int
        (height, width) in pixels.
    mean, std : tuple of float
        Per channel, on the 0 to 1 scale.
    crop_pct : float
        Share of the shorter side that is kept, 0 to 1.
    crop_mode : {"center", "squash", "border"}
        How a frame of another aspect is fitted.
    interpolation : {"bicubic", "bilinear"}
        Used for enlarging; shrinking always averages the pixels that fall together.
    """

    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crop_pct: float
    crop_mode: str
    interpolation: str

    @classmethod
    def of(cls, config: dict[str, Any]) -> InputSpec:
        """Read the specification from what ``timm.data.resolve_model_data_config`` returns.

        Parameters
        ----------
        config : dict
            timm's data configuration of a model.

        Returns
        -------
        InputSpec
            The same facts.
        """
        return cls(
            size=tuple(config["input_size"][1:]),
            mean=tuple(config["mean"]),
            std=tuple(config["std"]),
            crop_pct=config["crop_pct"],
            crop_mode=config["crop_mode"],
            interpolation=config["interpolation"],
        )


def prepare(
    image: np.ndarray,
    mask: np.ndarray | None,
    spec: InputSpec,
    *,
    crop: str = "lesion",
    margin: float = 0.25,
) -> np.ndarray:
    """Cut and scale one image for a network.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    mask : ndarray of shape (H, W), bool, or None
        True inside the lesion; None or an empty mask shows the frame.
    spec : InputSpec
        The network's input.
    crop : {"lesion", "frame"}, default="lesion"
        Square about the lesion, or timm's own evaluation crop of the frame.
    margin : float, default=0.25
        Skin on each side of the lesion, as a share of its longer side.

    Returns
    -------
    ndarray of shape (*spec.size, 3), uint8
        What the network sees, before normalisation.
    """
    window = sight_window(image.shape[:2], mask, spec, crop=crop, margin=margin)
    pixels = cut(image, window)
    if window.height >= spec.size[0] and window.width >= spec.size[1]:
        method = cv2.INTER_AREA
    else:
        method = cv2.INTER_CUBIC if spec.interpolation == "bicubic" else cv2.INTER_LINEAR
    return cv2.resize(pixels, spec.size[::-1], interpolation=method)


def sight_window(
    shape: tuple[int, int],
    mask: np.ndarray | None,
    spec: InputSpec,
    *,
    crop: str = "lesion",
    margin: float = 0.25,
) -> Window:
    """Which part of an image `prepare` cuts out.

    Parameters
    ----------
    shape : tuple of int
        (H, W) of the image.
    mask : ndarray of shape (H, W), bool, or None
        True inside the lesion; None or an empty mask shows the frame.
    spec : InputSpec
        The network's input.
    crop : {"lesion", "frame"}, default="lesion"
        Square about the lesion, or timm's own evaluation crop of the frame.
    margin : float, default=0.25
        Skin on each side of the lesion, as a share of its longer side.

    Returns
    -------
    Window
        The rectangle, which may reach beyond the frame.
    """
    window = None
    if crop == "lesion" and mask is not None:
        window = lesion_window(mask, margin=margin)
    if window is not None:
        return window
    return frame_window(shape, size=spec.size, crop_pct=spec.crop_pct, crop_mode=spec.crop_mode)
