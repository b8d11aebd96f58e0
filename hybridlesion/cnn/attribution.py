"""Attribution maps of fine-tuned networks."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_choice, check_image, check_mask, check_number
from hybridlesion.cnn.backbone import file_stamp, resolve_device
from hybridlesion.cnn.checkpoints import Finetuned
from hybridlesion.cnn.diagnosis import classes_of, outcome_of
from hybridlesion.cnn.scorer import network_path
from hybridlesion.cnn.views import ImageView, InputSpec, Window

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class CnnMap:
    """Contribution of each pixel of an image to the log odds of fine-tuned networks.

    Parameters
    ----------
    values : ndarray of shape (H, W), float32
        Log odds per pixel. Positive values raise the score, negative values lower it, and pixels
        outside the networks' input are 0.
    log_odds : float
        Log odds of the image, whose sigmoid is the score.
    blurred : float
        Log odds of the blurred image. `values` sum to ``log_odds - blurred``, up to the integration
        error and the contribution of mirrored pixels beyond the frame.
    outcome : str, default="malignancy"
        What the score is the probability of: malignancy, or a diagnosis such as melanoma.
    """

    values: np.ndarray
    log_odds: float
    blurred: float
    outcome: str = "malignancy"

    def share_inside(self, mask: np.ndarray) -> float:
        """Compute the fraction of the absolute attribution that lies inside a region.

        Parameters
        ----------
        mask : ndarray of shape (H, W), bool
            True inside the region, for example the lesion.

        Returns
        -------
        float
            Fraction between 0 and 1, or NaN if the map is zero.

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
    column: str | None = None,
    n_steps: int = 8,
    device: str = "auto",
) -> CnnMap:
    """Map the contribution of each pixel to the score of fine-tuned networks.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    mask : ndarray of shape (H, W), bool, default=None
        True inside the lesion. If None or empty, the networks are shown the frame.
    weights : str, path-like or None, default=None
        Folder written by `hybridlesion finetune`, or its packed file. If None, the network that
        ships with the package is used.
    column : str or None, default=None
        Score to map, as a column of `CNNScorer`. If None, ``cnn__melanoma`` is used for networks
        that distinguish diagnoses, and ``cnn__score`` for other networks.
    n_steps : int, default=8
        Number of integration points, at least 1. Larger numbers are more accurate.
    device : {"auto", "cpu", "cuda"} or "cuda:N", default="auto"
        Device used to run the networks.

    Returns
    -------
    CnnMap
        Attribution map with the size of `image`.

    Raises
    ------
    ImageError
        If the image is not an (H, W, 3) uint8 array, or the mask has another size.
    OptionError
        If a parameter is invalid, or the device cannot be used.
    SourceError
        If the folder does not exist.
    ArtifactError
        If the folder is damaged, or the weights do not fit the backbone.

    See Also
    --------
    hybridlesion.cnn.CNNScorer : Compute the score that is mapped.

    Notes
    -----
    The map consists of integrated gradients of the log odds that follow from the mean output of all
    networks and views. The path is a straight line from a blurred copy of the inputs (with a
    standard deviation of a tenth of the side) to the inputs, which are the views used by
    `CNNScorer`. Properties that remain in the blurred copy, such as the overall colour, do not
    contribute. For training images, `CNNScorer` returns an out-of-fold score, whereas the map
    always uses all networks. The networks are run with torch.

    ``benchmarks/cnn_map.py`` measures the faithfulness of the map: blurring the regions ranked
    highest lowers the score more than with an occlusion map, which takes twice the time.

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
    path = network_path(weights)
    seer = _load(path, file_stamp(path), column, resolve_device(device))
    pictures = np.stack([view.prepare(image, mask, seer.spec) for view in seer.views])
    found = integrate_gradients(
        seer.log_odds, pictures, seer.spec, n_steps=n_steps, device=seer.device
    )
    values = np.zeros(image.shape[:2], np.float32)
    for view, parts in zip(seer.views, found.parts, strict=True):
        parts = parts[:, ::-1] if view.mirrored else parts
        _add(values, parts, view.window(image.shape[:2], mask, seer.spec))
    return CnnMap(values, found.log_odds, found.blurred, seer.outcome)


class _Seer(NamedTuple):
    """Networks, and the preparation of their input."""

    log_odds: Callable[[torch.Tensor], torch.Tensor]
    spec: InputSpec
    views: tuple[ImageView, ...]
    device: str
    outcome: str


def _add(values: np.ndarray, parts: np.ndarray, window: Window) -> None:
    """Add the attribution of a view at its place in the image, preserving its sum."""
    height, width = parts.shape
    shrinks = window.height < height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    scaled = cv2.resize(parts, (window.width, window.height), interpolation=method)
    scaled *= height * width / (window.height * window.width)
    top, left = max(window.top, 0), max(window.left, 0)
    own = scaled[top - window.top :, left - window.left :]
    own = own[: values.shape[0] - top, : values.shape[1] - left]
    values[top : top + own.shape[0], left : left + own.shape[1]] += own


@lru_cache(maxsize=1)
def _load(path: Path, stamp: tuple[int, ...], column: str | None, device: str) -> _Seer:
    import torch

    from hybridlesion.cnn.network import NetworkEnsemble

    tuned = Finetuned.read(path)
    column = column or ("cnn__melanoma" if tuned.tells_diagnoses else "cnn__score")
    check_choice("column", column, tuned.score_columns)
    outcome, networks = outcome_of(column), tuned.networks()
    ensemble = NetworkEnsemble(networks).eval().requires_grad_(False)
    ensemble = ensemble.to(device=device, memory_format=torch.channels_last)
    spec, views = tuned.spec(networks), tuned.views
    if not tuned.tells_diagnoses:
        return _Seer(lambda views: ensemble(views).mean(), spec, views, device, outcome)
    offsets = torch.tensor(np.log(tuned.note["shares"]), dtype=torch.float32, device=device)
    inside = torch.from_numpy(classes_of(column)).to(device)

    def log_odds(views: torch.Tensor) -> torch.Tensor:
        logits = ensemble(views).reshape(-1, len(offsets)).mean(dim=0) + offsets
        return logits[inside].logsumexp(0) - logits[~inside].logsumexp(0)

    return _Seer(log_odds, spec, views, device, outcome)


# Standard deviations of the Gaussian blurs of the baseline image and of the attribution, relative
# to the side of the input.
_BLURRED = 0.1
_SMOOTHED = 0.025


class Attribution(NamedTuple):
    """Attribution of log odds to the pixels of all views of an image.

    Parameters
    ----------
    parts : ndarray of shape (n, S, S), float32
        Contribution of each pixel. All contributions sum to ``log_odds - blurred``, up to the
        integration error.
    log_odds : float
        Log odds of the views.
    blurred : float
        Log odds of the blurred copies of the views.
    """

    parts: np.ndarray
    log_odds: float
    blurred: float


def integrate_gradients(
    log_odds: Callable[[torch.Tensor], torch.Tensor],
    pictures: np.ndarray,
    spec: InputSpec,
    *,
    n_steps: int,
    device: str = "cpu",
) -> Attribution:
    """Attribute log odds to pixels, relative to blurred copies of the views.

    Parameters
    ----------
    log_odds : callable
        Function that maps the normalised views of an image, of shape (n, 3, S, S), to a single
        number. It must run on `device` and have frozen parameters.
    pictures : ndarray of shape (n, S, S, 3), uint8
        Views of an image.
    spec : InputSpec
        Input of the network, including its normalisation.
    n_steps : int
        Number of integration points between the blurred copy and the image.
    device : str, default="cpu"
        Device of the network.

    Returns
    -------
    Attribution
        Smoothed attribution.

    References
    ----------
    Sundararajan, Taly and Yan 2017, "Axiomatic attribution for deep networks", ICML.
    """
    import torch

    from hybridlesion.cnn.network import as_input

    side = pictures.shape[1]
    copies = np.stack([cv2.GaussianBlur(one, (0, 0), _BLURRED * side) for one in pictures])
    seen, blurred = (as_input(array, spec, device) for array in (pictures, copies))
    way, total = seen - blurred, torch.zeros_like(seen)
    for share in (np.arange(n_steps) + 0.5) / n_steps:
        point = (blurred + share * way).contiguous(memory_format=torch.channels_last)
        point.requires_grad_(True)
        total += torch.autograd.grad(log_odds(point), point)[0]
    with torch.no_grad():
        ends = [float(log_odds(array)) for array in (seen, blurred)]
    parts = (way * total / n_steps).sum(dim=1).cpu().numpy()
    smooth = [cv2.GaussianBlur(one, (0, 0), _SMOOTHED * side) for one in parts]
    return Attribution(np.stack(smooth), *ends)
