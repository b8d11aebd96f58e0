"""What a backbone is fine-tuned on, and how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion._opencv import cv2
from hybridlesion.augmentation import (
    blot_out,
    blur,
    change_light,
    darken_corners,
    draw_hair,
    random_affine,
)
from hybridlesion.embedding.finetuning.recipe import FinetuneRecipe

__all__ = [
    "Examples",
    "draw_order",
    "draw_view",
    "plain_view",
    "positive_shares",
    "prior_offsets",
    "two_sights",
]


@dataclass(frozen=True)
class Examples:
    """Crops and what is known about them.

    Parameters
    ----------
    crops : ndarray of shape (n, S, S, 3) or (n, v, S, S, 3), uint8
        RGB crops, a little wider than the network's view; or several of each lesion, of which one
        is drawn each time.
    target : ndarray of shape (n,), int
        1 is malignant.
    source : ndarray of shape (n,), int
        Which collection each comes from, 0 to k - 1.
    diagnosis : ndarray of shape (n,), int
        Class of the auxiliary head; -1 where unknown.
    """

    crops: np.ndarray
    target: np.ndarray
    source: np.ndarray
    diagnosis: np.ndarray

    def __len__(self) -> int:
        return len(self.target)

    def subset(self, rows: np.ndarray) -> Examples:
        """Take some rows.

        Parameters
        ----------
        rows : ndarray of int
            Which.

        Returns
        -------
        Examples
            Crops stay where they are until they are drawn, if all rows are taken.
        """
        return Examples(
            self.crops[rows], self.target[rows], self.source[rows], self.diagnosis[rows]
        )


def positive_shares(examples: Examples, recipe: FinetuneRecipe) -> np.ndarray:
    """Share of malignant lesions that is drawn from each source.

    Parameters
    ----------
    examples : Examples
        What is trained on.
    recipe : FinetuneRecipe
        ``positives`` and ``most_repeats``.

    Returns
    -------
    ndarray of shape (k,), float
        ``positives``, but no malignant lesion is drawn more often than ``most_repeats`` times, and
        a source of one class alone keeps it.
    """
    size = np.bincount(examples.source)
    malignant = np.bincount(examples.source, weights=examples.target)
    share = np.minimum(recipe.positives, recipe.most_repeats * malignant / np.maximum(size, 1))
    return np.where(malignant == size, 1.0, share)


def draw_order(examples: Examples, recipe: FinetuneRecipe, rng: np.random.Generator) -> np.ndarray:
    """Draw one epoch: sources by their size, malignant lesions more often than they are.

    Parameters
    ----------
    examples : Examples
        What is trained on.
    recipe : FinetuneRecipe
        Settings.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (n,), int
        Rows in random order. Nobody comes a second time before all others of its source and class
        came once.
    """
    size = np.bincount(examples.source)
    shares = positive_shares(examples, recipe)
    parts = []
    for source in np.flatnonzero(size):
        malignant = round(float(shares[source] * size[source]))
        for target, count in ((1, malignant), (0, size[source] - malignant)):
            rows = np.flatnonzero((examples.source == source) & (examples.target == target))
            if len(rows):
                rounds = [rng.permutation(rows) for _ in range(-(-count // len(rows)))]
                parts.append(np.concatenate(rounds)[:count] if rounds else rows[:0])
    return rng.permutation(np.concatenate(parts))


def prior_offsets(examples: Examples, recipe: FinetuneRecipe) -> np.ndarray:
    """Log odds of malignancy among what is drawn from each example's source.

    Parameters
    ----------
    examples : Examples
        What is trained on.
    recipe : FinetuneRecipe
        Settings.

    Returns
    -------
    ndarray of shape (n,), float32
        Added to the logit in training, so that the network itself need not learn, from the look of
        a source, how common melanoma is there. Sources of one class alone get that of 0.98.

    References
    ----------
    Menon et al. 2021, "Long-tail learning via logit adjustment", ICLR.
    """
    shares = np.clip(positive_shares(examples, recipe), 0.02, 0.98)
    return np.log(shares / (1 - shares)).astype(np.float32)[examples.source]


def draw_view(
    crop: np.ndarray, size: int, recipe: FinetuneRecipe, rng: np.random.Generator
) -> np.ndarray:
    """Draw one random view of a crop.

    Parameters
    ----------
    crop : ndarray of shape (S, S, 3) or (v, S, S, 3), uint8
        RGB crop, or several of which one is drawn.
    size : int
        Side of the view.
    recipe : FinetuneRecipe
        Whether views are disturbed, and how much their light is.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (size, size, 3), uint8
        The view.
    """
    if crop.ndim == 4:
        crop = crop[rng.integers(len(crop))]
    # Stretched as much as squashed copies of photographs may be.
    matrix = random_affine(1.0, len(crop), size, rng, turned=0.85, stretched=0.2)
    view = cv2.warpAffine(
        crop, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    if not recipe.disturbed:
        return view
    if rng.random() < 0.15:
        draw_hair(view, rng)
    if rng.random() < 0.08:
        view = darken_corners(view, rng)
    if rng.random() < 0.15:
        view = blur(view, rng)
    if rng.random() < 0.15:
        blot_out(view, rng)
    return change_light(view, rng, recipe.light).astype(np.uint8)


def plain_view(crop: np.ndarray, size: int) -> np.ndarray:
    """View of a crop as it is when it is scored.

    Parameters
    ----------
    crop : ndarray of shape (S, S, 3), uint8
        RGB crop.
    size : int
        Side of the view.

    Returns
    -------
    ndarray of shape (size, size, 3), uint8
        Scaled, nothing else.
    """
    method = cv2.INTER_AREA if len(crop) > size else cv2.INTER_LINEAR
    return cv2.resize(crop, (size, size), interpolation=method)


def two_sights(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures of one lesion whose log odds are averaged when it is scored.

    Parameters
    ----------
    crops : ndarray of shape (S, S, 3) or (v, S, S, 3), uint8
        One crop, or one or two.

    Returns
    -------
    tuple of two ndarrays of shape (S, S, 3), uint8
        The first crop as it is and the last one mirrored, which may be the same crop.
    """
    crops = crops if crops.ndim == 4 else crops[None]
    return crops[0], crops[-1][:, ::-1]
