"""The correction itself: classical masks in, refined masks out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_image
from hybridlesion.exceptions import SourceError
from hybridlesion.segmentation._classical import (
    COMPETITION_LONG_SIDE,
    flag_extent,
    segment_classical,
)
from hybridlesion.segmentation._result import Segmentation
from hybridlesion.segmentation.refiner.samples import encode_evidence, encode_image, squash
from hybridlesion.segmentation.refiner.weights import SHIPPED_WEIGHTS, load_refiner

if TYPE_CHECKING:
    from hybridlesion.segmentation.refiner.network import RefinerNetwork

__all__ = [
    "Refiner",
    "Region",
    "expected_overlap",
    "keep_lesion",
    "refined_confidence",
    "segment_batch",
    "segment_refined",
]

# A region needs this share of the frame to be a lesion and not a freckle.
SMALLEST_SHARE = 0.002

# From this share of the largest region on, a second one is worth a flag.
RIVAL_SHARE = 0.2


@dataclass(frozen=True)
class Region:
    """The lesion on the network's square.

    Parameters
    ----------
    probability : ndarray of shape (S, S), float32
        0 to 1; above one half in the lesion only, holes filled.
    several : bool
        Whether another region looked like a lesion too.
    """

    probability: np.ndarray
    several: bool


def keep_lesion(probability: np.ndarray) -> Region | None:
    """Keep the region with most probability, without holes.

    Parameters
    ----------
    probability : ndarray of shape (S, S), float32
        0 to 1, of "lesion".

    Returns
    -------
    Region or None
        None if no region above one half is large enough to be a lesion.

    Notes
    -----
    Other regions are left out: on unseen images of ISIC 2017 that raised the share of usable masks
    (thresholded Jaccard index) by 0.002 to 0.017, more for networks trained for less long.

    Examples
    --------
    >>> import numpy as np
    >>> probability = np.zeros((6, 7), np.float32)
    >>> probability[1:5, 1:5], probability[2, 2], probability[3, 6] = 0.9, 0.1, 0.8
    >>> region = keep_lesion(probability)
    >>> int((region.probability > 0.5).sum()), region.several
    (16, False)
    """
    inside = (probability > 0.5).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
    mass = np.bincount(labels.ravel(), weights=probability.ravel(), minlength=count)
    mass[0] = 0
    chosen = int(mass.argmax())
    if stats[chosen, cv2.CC_STAT_AREA] < SMALLEST_SHARE * inside.size or chosen == 0:
        return None
    own = (labels == chosen).astype(np.uint8)
    outlines, _ = cv2.findContours(own, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(own), outlines, -1, 1, cv2.FILLED) > 0
    cleaned = np.where(filled & (own == 0), np.float32(1), probability)
    cleaned[(inside > 0) & ~filled] = 0
    # What lay in a hole is part of the lesion, not its rival.
    mass[np.unique(labels[filled])] = 0
    return Region(cleaned, bool(mass.max() > RIVAL_SHARE * probability[own > 0].sum()))


# A linear fit of the Jaccard index with experts' masks on images that the network did not see.
INTERCEPT = -0.27
OVERLAP_WEIGHT = 0.98
CLASSICAL_WEIGHT = 0.28


def refined_confidence(probability: np.ndarray, classical_confidence: float) -> float:
    """Expect the Jaccard index of a refined mask.

    Parameters
    ----------
    probability : ndarray of shape (S, S), float32
        The network's probability; the mask is where it exceeds one half, and not empty.
    classical_confidence : float
        Confidence of the classical mask, 0 to 1.

    Returns
    -------
    float
        0 to 1; a ranking first of all.

    Notes
    -----
    ``0.98 * expected overlap + 0.28 * classical confidence - 0.27``, clipped. Fitted once on the
    unseen images of an earlier network; on the out-of-fold masks of all 1,996 images of ISIC 2017
    it ranks those with a Jaccard index below 0.65 with an AUC of 0.92, and its mean, 0.843, is
    that of the index itself.

    Examples
    --------
    >>> import numpy as np
    >>> refined_confidence(np.array([[1.0, 1.0, 0.0]]), 0.5)
    0.85
    """
    value = (
        INTERCEPT
        + OVERLAP_WEIGHT * expected_overlap(probability)
        + CLASSICAL_WEIGHT * classical_confidence
    )
    return min(1.0, max(0.0, value))


def expected_overlap(probability: np.ndarray) -> float:
    """Jaccard index that the probabilities themselves lead one to expect.

    Parameters
    ----------
    probability : ndarray of shape (S, S), float32
        0 to 1; above one half somewhere.

    Returns
    -------
    float
        0 to 1.

    Notes
    -----
    ``sum of p inside / (area inside + sum of p outside)``: what of the mask is expected to be
    lesion, over the mask and the lesion expected outside.

    Examples
    --------
    >>> import numpy as np
    >>> expected_overlap(np.array([[1.0, 0.75, 0.5, 0.0]], dtype=np.float32))
    0.7
    """
    mask = probability > 0.5
    inside = float(probability[mask].sum(dtype=np.float64))
    outside = float(probability.sum(dtype=np.float64)) - inside
    return inside / (int(np.count_nonzero(mask)) + outside)


# A frame whose grey values spread less than this (standard deviation, of 255) shows nothing; what
# a network says of it means nothing.
_BLANK = 2.0

# Images of one pass. Eight take 5 ms each where one takes 7; sixteen leave the processor's cache,
# and are computed in another order, so that bits differ from those of single images.
_BLOCK = 8


class Refiner:
    """A trained network, ready to correct masks on the CPU.

    Parameters
    ----------
    network : RefinerNetwork
        In evaluation mode; a copy with folded norms is kept.
    size : int
        Side of the square that it works on, in pixels.
    """

    def __init__(self, network: RefinerNetwork, size: int):
        import torch

        from hybridlesion.segmentation.refiner.network import fold_norms

        network = fold_norms(network).requires_grad_(False)
        self.network = network.to(memory_format=torch.channels_last)
        self.size = size

    def refine(self, images: Sequence[np.ndarray], *, flips: bool = False) -> list[Segmentation]:
        """Segment images.

        Parameters
        ----------
        images : sequence of ndarray of shape (H, W, 3), uint8
            RGB images, sizes may differ.
        flips : bool, default=False
            Whether the network also sees the mirrored images.

        Returns
        -------
        list of Segmentation
            As `segment_refined` describes, one an image, in order.
        """
        results = [segment_classical(image) for image in images]
        seen = [
            i
            for i, (image, classical) in enumerate(zip(images, results, strict=True))
            if not _is_blank(image, classical.field_of_view)
        ]
        for start in range(0, len(seen), _BLOCK):
            block = seen[start : start + _BLOCK]
            inputs = [self._encode(images[i], results[i]) for i in block]
            found = self.probability(*map(np.stack, zip(*inputs, strict=True)), flips=flips)
            for i, probability in zip(block, found, strict=True):
                results[i] = _correct(results[i], probability)
        return results

    def probability(self, images: np.ndarray, evidence: np.ndarray, *, flips: bool) -> np.ndarray:
        """Run the network.

        Parameters
        ----------
        images : ndarray of shape (n, S, S, 3), float32
            From `encode_image`.
        evidence : ndarray of shape (n, S, S, 3), float32
            From `encode_evidence`.
        flips : bool
            Whether to average with the mirrored images.

        Returns
        -------
        ndarray of shape (n, S, S), float32
            Probability of "lesion".
        """
        import torch

        with torch.inference_mode(), _one_thread():
            # Channels are last in memory already, which the convolutions like best.
            inputs = [torch.from_numpy(part).permute(0, 3, 1, 2) for part in (images, evidence)]
            found = self.network(*inputs).sigmoid()
            if flips:
                mirrored = [
                    part.flip(3).contiguous(memory_format=torch.channels_last) for part in inputs
                ]
                found = (found + self.network(*mirrored).sigmoid().flip(3)) / 2
            return found[:, 0].numpy()

    def _encode(self, image: np.ndarray, classical: Segmentation) -> tuple[np.ndarray, np.ndarray]:
        likelihood = np.round(255 * squash(classical.likelihood, self.size)).astype(np.uint8)
        evidence = encode_evidence(squash(classical.mask, self.size), likelihood)
        return encode_image(squash(image, self.size)), evidence


def _correct(classical: Segmentation, probability: np.ndarray) -> Segmentation:
    """Turn what the network says of the square into the mask of the image."""
    region = keep_lesion(probability)
    if region is None:
        return _unrefined(classical)
    size = classical.mask.shape[::-1]
    full = cv2.resize(region.probability, size, interpolation=cv2.INTER_LINEAR)
    mask = (full > 0.5) & classical.field_of_view
    if not mask.any():
        return _unrefined(classical)
    return replace(
        classical,
        mask=mask,
        confidence=refined_confidence(region.probability, classical.confidence),
        flags=_flags(mask, classical, region.several),
        likelihood=full,
    )


def _is_blank(image: np.ndarray, field_of_view: np.ndarray) -> bool:
    if not field_of_view.any():
        return True
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    _, deviation = cv2.meanStdDev(grey, mask=field_of_view.astype(np.uint8))
    return float(deviation[0, 0]) < _BLANK


def _unrefined(classical: Segmentation) -> Segmentation:
    """The classical answer, trusted half as much, since the network sees no lesion there."""
    if not classical.mask.any():
        return classical
    flags = (*classical.flags, "unrefined")
    return replace(classical, confidence=classical.confidence / 2, flags=flags)


def _flags(mask: np.ndarray, classical: Segmentation, several: bool) -> tuple[str, ...]:
    # At the scale of the classical flags, so that one pixel means the same.
    scale = min(1.0, COMPETITION_LONG_SIDE / max(mask.shape))
    size = tuple(max(1, round(scale * length)) for length in mask.shape[::-1])
    small = [
        cv2.resize(array.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA) > 127
        for array in (mask, classical.field_of_view)
    ]
    flags = flag_extent(*small) if small[0].any() else []
    if several or "several" in classical.flags:
        flags.append("several")
    return tuple(flags)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Work on one core, so that the number of threads can change neither bits nor neighbours."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def segment_refined(
    image: np.ndarray, *, weights: str | os.PathLike = SHIPPED_WEIGHTS, flips: bool = False
) -> Segmentation:
    """Segment by the classical path, and let the network correct its mask.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image of any size.
    weights : str or path-like, default=SHIPPED_WEIGHTS
        Weight file from `hybridlesion.training.train_refiner`.
    flips : bool, default=False
        Whether the network also sees the mirrored image. It takes the network twice the time; on
        428 unseen images it changed the Jaccard index by 0.001, within chance.

    Returns
    -------
    Segmentation
        The refined mask; its likelihood is the network's probability. Where the network finds
        nothing the classical mask stays, flagged "unrefined"; where neither finds anything the
        mask is empty, flagged "empty".

    Raises
    ------
    ImageError
        If the image is not an RGB uint8 array.
    SourceError
        If there is no weight file.
    ArtifactError
        If it is no refiner's.
    """
    (found,) = segment_batch([image], weights=weights, flips=flips)
    return found


def segment_batch(
    images: Sequence[np.ndarray],
    *,
    weights: str | os.PathLike = SHIPPED_WEIGHTS,
    flips: bool = False,
) -> list[Segmentation]:
    """Segment many images, the network seeing several at once.

    Parameters
    ----------
    images : sequence of ndarray of shape (H, W, 3), uint8
        RGB images, sizes may differ.
    weights : str or path-like, default=SHIPPED_WEIGHTS
        Weight file.
    flips : bool, default=False
        Whether the network also sees the mirrored images.

    Returns
    -------
    list of Segmentation
        One an image, in order.

    Raises
    ------
    ImageError
        If an image is not an RGB uint8 array.
    SourceError
        If there is no weight file.

    Notes
    -----
    The probabilities are those of `segment_refined` to 1e-5, and bit for bit wherever the library
    under torch computes an image alike alone and in a batch, as it did on the one processor where
    that was checked.
    """
    refiner = _load(*_stamped(weights))
    return refiner.refine([check_image(image) for image in images], flips=flips)


def _stamped(weights: str | os.PathLike) -> tuple[Path, int, int]:
    """Path, time and size of a file: one that was written anew is another file."""
    path = Path(weights).expanduser().absolute()
    if not path.is_file():
        raise SourceError(
            f"there is no refiner at {path}. Train one with `hybridlesion train-refiner`, or use "
            'segmenter="classical".'
        )
    status = path.stat()
    return path, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=2)
def _load(path: Path, modified: int, length: int) -> Refiner:
    network, size, _ = load_refiner(path)
    return Refiner(network, size)
