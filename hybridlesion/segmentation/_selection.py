"""The competition of candidates: each gets a quality, the best wins, and all of them vote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion.segmentation._candidates import find_candidates
from hybridlesion.segmentation._contrast_maps import Evidence
from hybridlesion.segmentation._measures import MEASURES, measure_candidates

__all__ = ["Competition", "compete", "expected_jaccard"]

# Means and standard deviations by which the measures are brought to one scale.
SCALES = {
    "log_area": (-3.18, 1.6),
    "eccentricity": (0.53, 0.44),
    "compactness": (0.43, 0.23),
    "solidity": (0.75, 0.21),
    "axis_ratio": (0.66, 0.21),
    "rim_contact": (0.21, 0.27),
    "marker_contact": (0.02, 0.1),
    "contrast": (1.18, 0.79),
    "contrast_to_noise": (2.08, 1.3),
    "edge": (1.76, 1.1),
    "darker": (0.88, 0.67),
    "explained": (0.26, 0.27),
    "explained_saturation": (0.3, 0.3),
    "explained_distance": (0.31, 0.32),
    "darkness": (0.74, 0.62),
    "gap": (1.05, 0.8),
    "unrest": (0.58, 0.39),
    "agreement": (0.19, 0.17),
    "close_agreement": (0.52, 0.27),
}

INTERCEPT = 0.2548

# Weight of each product of two scaled measures, or of one measure alone. A sparse regression on the
# candidates of half of ISIC 2017 (998 images) chose them; the other half served for testing.
WEIGHTS = {
    ("eccentricity",): -0.1263,
    ("compactness",): 0.0345,
    ("axis_ratio",): 0.0058,
    ("contrast",): -0.0111,
    ("explained",): 0.0221,
    ("explained_saturation",): 0.0179,
    ("explained_distance",): 0.0334,
    ("gap",): -0.0345,
    ("unrest",): -0.0134,
    ("close_agreement",): 0.1482,
    ("log_area", "compactness"): 0.0028,
    ("log_area", "solidity"): 0.0206,
    ("log_area", "rim_contact"): -0.0254,
    ("log_area", "explained_distance"): 0.0227,
    ("log_area", "darkness"): 0.0087,
    ("eccentricity", "compactness"): -0.0272,
    ("eccentricity", "contrast_to_noise"): -0.0085,
    ("eccentricity", "gap"): 0.0247,
    ("eccentricity", "close_agreement"): -0.0795,
    ("compactness", "rim_contact"): -0.0081,
    ("compactness", "contrast_to_noise"): 0.0139,
    ("compactness", "darker"): 0.0047,
    ("compactness", "close_agreement"): 0.0134,
    ("solidity", "solidity"): 0.0074,
    ("solidity", "axis_ratio"): 0.0025,
    ("solidity", "explained_saturation"): -0.0307,
    ("rim_contact", "rim_contact"): -0.0095,
    ("rim_contact", "darkness"): 0.0158,
    ("contrast", "contrast"): -0.0027,
    ("contrast", "explained_saturation"): -0.0109,
    ("contrast", "explained_distance"): -0.0057,
    ("contrast", "darkness"): 0.0138,
    ("contrast_to_noise", "darker"): 0.0006,
    ("contrast_to_noise", "explained"): 0.0224,
    ("contrast_to_noise", "explained_distance"): -0.0149,
    ("contrast_to_noise", "gap"): -0.0065,
    ("edge", "explained_saturation"): 0.0003,
    ("darker", "explained_saturation"): 0.0135,
    ("darker", "explained_distance"): 0.0106,
    ("explained", "unrest"): -0.0144,
    ("explained_distance", "explained_distance"): -0.0347,
    ("explained_distance", "agreement"): -0.0344,
    ("gap", "gap"): -0.0076,
    ("unrest", "close_agreement"): -0.0111,
    ("close_agreement", "close_agreement"): 0.0289,
}


def expected_jaccard(measures: np.ndarray) -> np.ndarray:
    """Expect the Jaccard index of every candidate with the lesion.

    Parameters
    ----------
    measures : ndarray of shape (n, len(MEASURES)), float
        From `measure_candidates`.

    Returns
    -------
    ndarray of shape (n,), float
        Expected Jaccard index; a ranking first of all, it may leave the range 0 to 1.

    Notes
    -----
    ``INTERCEPT + sum of w * z_i * z_j`` over WEIGHTS, with z the measures minus mean over standard
    deviation, clipped to -4 to 4 so that a freak measure cannot decide alone.
    """
    means, deviations = np.array([SCALES[name] for name in MEASURES]).T
    scaled = np.clip((measures - means) / deviations, -4, 4)
    column = {name: scaled[:, i] for i, name in enumerate(MEASURES)}
    quality = np.full(len(measures), INTERCEPT)
    for names, weight in WEIGHTS.items():
        quality += weight * np.prod([column[name] for name in names], axis=0)
    return quality


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
