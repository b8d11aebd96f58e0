"""The correction itself: classical masks in, refined masks out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.segmentation._classical import COMPETITION_LONG_SIDE, segment_classical
from hybridlesion.segmentation._flags import flag_extent
from hybridlesion.segmentation._result import Segmentation
from hybridlesion.segmentation.refiner.confidence import refined_confidence
from hybridlesion.segmentation.refiner.evidence import encode_evidence, encode_image, squash
from hybridlesion.segmentation.refiner.regions import keep_lesion

if TYPE_CHECKING:
    from hybridlesion.segmentation.refiner.network import RefinerNetwork

__all__ = ["Refiner"]

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
