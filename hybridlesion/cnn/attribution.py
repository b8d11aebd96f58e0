"""Where a fine-tuned network sees signs of malignancy in an image."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_image, check_mask, check_number
from hybridlesion.cnn.checkpoints import Finetuned
from hybridlesion.cnn.dataset import two_sights
from hybridlesion.cnn.device import resolve_device
from hybridlesion.cnn.scorer import SHIPPED
from hybridlesion.cnn.views import VIEWS, InputSpec, Window, prepare, sight_window

if TYPE_CHECKING:
    from torch import nn

__all__ = ["CnnMap", "cnn_map"]


@dataclass(frozen=True)
class CnnMap:
    """What each pixel of an image adds to the log odds of fine-tuned networks.

    Parameters
    ----------
    values : ndarray of shape (H, W), float32
        Log odds a pixel: above 0 speaks for malignancy, below 0 against it, 0 where the networks
        do not look.
    log_odds : float
        Of the image: its ``cnn__score`` is their sigmoid.
    blurred : float
        Of the image without its details. `values` sum to ``log_odds - blurred``, but for the error
        of the steps and what networks see of mirrored pixels beyond the frame.
    """

    values: np.ndarray
    log_odds: float
    blurred: float

    def share_inside(self, mask: np.ndarray) -> float:
        """Share of what the map holds, for and against, that lies in a region.

        Parameters
        ----------
        mask : ndarray of shape (H, W), bool
            True inside the region, as the lesion.

        Returns
        -------
        float
            0 to 1; NaN for a map of nothing.

        Examples
        --------
        >>> values = np.array([[3.0, -1.0], [0.0, 0.0]], np.float32)
        >>> found = CnnMap(values, 1.0, -1.0)
        >>> found.share_inside(np.array([[True, False], [True, True]]))
        0.75
        """
        size = np.abs(self.values)
        total = float(size.sum())
        return float(size[mask].sum()) / total if total > 0 else float("nan")


def cnn_map(
    image: np.ndarray,
    mask: np.ndarray | None = None,
    weights: str | os.PathLike[str] | None = None,
    *,
    n_steps: int = 8,
    device: str = "auto",
) -> CnnMap:
    """Map what fine-tuned networks see in an image, for and against malignancy.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    mask : ndarray of shape (H, W), bool, default=None
        True inside the lesion; None or an empty mask shows the networks the frame.
    weights : str, path-like or None, default=None
        Folder that `hybridlesion finetune` wrote, or such a folder packed. None takes the network
        that ships with the package.
    n_steps : int, default=8
        Points at which gradients are taken, at least 1; more are more exact.
    device : {"auto", "cpu", "cuda"} or "cuda:N", default="auto"
        Where the networks run.

    Returns
    -------
    CnnMap
        The map, on the pixels of `image`.

    Raises
    ------
    ImageError
        If the image is no (H, W, 3) uint8 array, or the mask has another size.
    OptionError
        If a parameter is wrong, or the device cannot be used.
    SourceError
        If there is no such folder.
    ArtifactError
        If the folder is damaged, or its weights do not fit.

    See Also
    --------
    hybridlesion.cnn.finetuned.LesionScorer : The score that is mapped.

    Notes
    -----
    Integrated gradients of the mean log odds over all networks, along the straight line from a
    blurred copy of what they see (standard deviation a tenth of the side) to what they see, over
    the two sights that `LesionScorer` takes of a lesion. What the blurred copy still shows, as the
    tone of the whole lesion, is no part of the map. Of training images `LesionScorer` gives the
    score of a network that had not seen them, the map always all networks.

    ``benchmarks/cnn_map.py`` measures how faithful it is: the score falls further when the places
    that the map holds for important are blurred than with an occlusion map, in half the time.

    References
    ----------
    Sundararajan, Taly and Yan 2017, "Axiomatic attribution for deep networks", ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from hybridlesion.explain import cnn_map
    >>> y, x = np.mgrid[-60:60, -80:80]
    >>> disc = x**2 + y**2 <= 40**2
    >>> image = np.where(disc[..., None], (120, 80, 60), (225, 190, 170)).astype(np.uint8)
    >>> found = cnn_map(image, disc, n_steps=2)
    >>> found.values.shape
    (120, 160)
    """
    image = check_image(image)
    mask = None if mask is None else check_mask(mask, image.shape[:2])
    check_number("n_steps", n_steps, low=1, integer=True)
    path = SHIPPED if weights is None else Path(weights).expanduser().absolute()
    return _map(image, mask, _load(path, _stamp(path), resolve_device(device)), n_steps)


class _Seer(NamedTuple):
    """Networks, and what they are shown."""

    network: nn.Module
    spec: InputSpec
    crop: str
    margin: float
    device: str


def _map(image: np.ndarray, mask: np.ndarray | None, seer: _Seer, n_steps: int) -> CnnMap:
    from hybridlesion.cnn.integrated_gradients import integrate_gradients

    views = VIEWS[seer.crop]
    options = [{"crop": view, "margin": seer.margin} for view in views]
    crops = np.stack([prepare(image, mask, seer.spec, **one) for one in options])
    found = integrate_gradients(
        *(seer.network, np.stack(two_sights(crops)), seer.spec),
        n_steps=n_steps,
        device=seer.device,
    )
    values = np.zeros(image.shape[:2], np.float32)
    # The second sight is mirrored: see `two_sights`.
    for parts, one in ((found.parts[0], options[0]), (found.parts[1][:, ::-1], options[-1])):
        window = sight_window(image.shape[:2], mask, seer.spec, **one)
        _add(values, parts / 2, window)
    return CnnMap(values, float(found.log_odds.mean()), float(found.blurred.mean()))


def _add(values: np.ndarray, parts: np.ndarray, window: Window) -> None:
    """Lay the parts of a sight over its place in the image, keeping their sum."""
    height, width = parts.shape
    shrinks = window.height < height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    scaled = cv2.resize(parts, (window.width, window.height), interpolation=method)
    scaled *= height * width / (window.height * window.width)
    top, left = max(window.top, 0), max(window.left, 0)
    own = scaled[top - window.top :, left - window.left :]
    own = own[: values.shape[0] - top, : values.shape[1] - left]
    values[top : top + own.shape[0], left : left + own.shape[1]] += own


def _stamp(path: Path) -> tuple[int, ...]:
    """What tells that a file or folder was written anew."""
    return (path.stat().st_mtime_ns,) if path.exists() else ()


@lru_cache(maxsize=1)
def _load(path: Path, stamp: tuple[int, ...], device: str) -> _Seer:
    import torch

    from hybridlesion.cnn.network import Ensemble, input_spec

    tuned = Finetuned.read(path)
    networks = tuned.networks()
    return _Seer(
        Ensemble(networks)
        .eval()
        .requires_grad_(False)
        .to(device=device, memory_format=torch.channels_last),
        input_spec(networks[0], int(tuned.note["image_size"])),
        str(tuned.note["crop"]),
        float(tuned.note["margin"]),
        device,
    )
