"""The competition of candidates: each gets a quality, the best wins, and all of them vote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion.segmentation._candidates import find_candidates
from hybridlesion.segmentation._evidence import Evidence
from hybridlesion.segmentation._measures import measure_candidates
from hybridlesion.segmentation._quality import expected_jaccard

__all__ = ["Competition", "compete"]

# A candidate's vote shrinks by a factor of e for every 1 / SHARPNESS of expected Jaccard index
# that it stands behind the winner.
SHARPNESS = 20.0


@dataclass(frozen=True)
class Competition:
    """The candidates of one image and how they did.

    Parameters
    ----------
    masks : list of ndarray of shape (h, w), uint8
        Candidates of zeros and ones.
    quality : ndarray of shape (n,), float
        Expected Jaccard index of each.
    likelihood : ndarray of shape (h, w), float32
        0 to 1, share of the votes that claim each pixel.
    """

    masks: list[np.ndarray]
    quality: np.ndarray
    likelihood: np.ndarray

    @property
    def winner(self) -> int:
        """Index of the best candidate."""
        return int(self.quality.argmax())


def compete(evidence: Evidence) -> Competition | None:
    """Let the candidates of an image compete.

    Parameters
    ----------
    evidence : Evidence
        The maps of the image.

    Returns
    -------
    Competition or None
        None if nothing stands out.
    """
    candidates = find_candidates(evidence)
    if not candidates:
        return None
    masks = [candidate.mask for candidate in candidates]
    stack = np.stack(masks).astype(np.float32)
    quality = expected_jaccard(measure_candidates(candidates, stack, evidence))
    votes = np.exp(SHARPNESS * (quality - quality.max())).astype(np.float32)
    likelihood = np.tensordot(votes / votes.sum(), stack, axes=1)
    return Competition(masks, quality, likelihood.clip(0, 1))
