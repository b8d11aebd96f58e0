"""Training examples, recipe and augmentation of a fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_number
from hybridlesion.preprocessing.augmentation import (
    blot_out,
    blur,
    change_light,
    darken_corners,
    draw_hair,
    random_affine,
)


@dataclass(frozen=True)
class FinetuneRecipe:
    """Hyperparameters of a fine-tuning.

    Parameters
    ----------
    epochs : int, default=16
        Epochs; each draws as many images as the training set has.
    batch_size : int, default=32
        Images per step.
    accumulate : int, default=1
        Steps whose gradients are summed before an optimizer step.
    image_size : int, default=160
        Side of the input, in pixels.
    first_size : int, default=128
        Side in the first half of the epochs, which is faster at equal quality.
    seed : int, default=0
        Seed of the head, the draws and the augmentation.
    frozen : float, default=0.4
        Share of the backbone's blocks, from the input on, that are frozen.
    warm_up : float, default=0.1
        Share of all steps in which the rates rise; afterwards they fall along a cosine. In the
        same share only the head learns.
    backbone_rate : float, default=4e-4
        Peak learning rate of the backbone's last block; each block before it learns 0.8 times as
        fast as the next.
    head_rate : float, default=2e-3
        Peak learning rate of the head.
    weight_decay : float, default=0.05
        Of AdamW.
    averaging : float, default=0.998
        Decay of the averaged weights per step; smaller in the first steps.
    positives : float, default=0.35
        Share of malignant lesions among the drawn images of each source.
    most_repeats : float, default=4.0
        Maximum number of draws of a malignant lesion per epoch.
    dropout : float, default=0.2
        Dropout rate of the embedding.
    auxiliary : float, default=0.3
        Weight of the auxiliary cross-entropy of the diagnosis; 0 disables it.
    disturbed : bool, default=True
        Whether to augment light, blur, hair, dark corners and blots, in addition to geometry.
    light : float, default=0.4
        How far the light of disturbed views changes, as a share of what masks are taught with: a
        lesion's colours tell what it is more than where it ends.
    patience : int, default=0
        Epochs without a better score on validation images after which training stops and the best
        average is kept; 0 trains on all images to the end.
    """

    epochs: int = 16
    batch_size: int = 32
    accumulate: int = 1
    image_size: int = 160
    first_size: int = 128
    seed: int = 0
    frozen: float = 0.4
    warm_up: float = 0.1
    backbone_rate: float = 4e-4
    head_rate: float = 2e-3
    weight_decay: float = 0.05
    averaging: float = 0.998
    positives: float = 0.35
    most_repeats: float = 4.0
    dropout: float = 0.2
    auxiliary: float = 0.3
    disturbed: bool = True
    light: float = 0.4
    patience: int = 0

    def __post_init__(self):
        for name in ("epochs", "batch_size", "accumulate"):
            check_number(name, getattr(self, name), low=1, integer=True)
        for name in ("seed", "patience"):
            check_number(name, getattr(self, name), low=0, integer=True)
        check_number("light", self.light, low=0)
        for name in ("image_size", "first_size"):
            check_number(name, getattr(self, name), low=32, integer=True)
        for name in ("frozen", "warm_up", "positives", "dropout", "averaging"):
            check_number(name, getattr(self, name), low=0, high=1)

    def size(self, epoch: int) -> int:
        """Side of the views of an epoch, in pixels.

        Parameters
        ----------
        epoch : int
            From 0.

        Returns
        -------
        int
            `first_size` in the first half, `image_size` in the second.

        Examples
        --------
        >>> [FinetuneRecipe(epochs=3).size(epoch) for epoch in range(3)]
        [128, 160, 160]
        """
        return self.first_size if epoch < self.epochs // 2 else self.image_size


@dataclass(frozen=True)
class Examples:
    """Crops with their labels.

    Parameters
    ----------
    crops : ndarray of shape (n, S, S, 3) or (n, v, S, S, 3), uint8
        RGB crops, a little wider than the network's view; or several of each lesion, of which one
        is drawn each time.
    target : ndarray of shape (n,), int
        1 is malignant.
    source : ndarray of shape (n,), int
        Data source of each, 0 to k - 1.
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
        """Select rows.

        Parameters
        ----------
        rows : ndarray of int
            Row numbers.

        Returns
        -------
        Examples
            The selected rows.
        """
        return Examples(
            self.crops[rows], self.target[rows], self.source[rows], self.diagnosis[rows]
        )


def positive_shares(examples: Examples, recipe: FinetuneRecipe) -> np.ndarray:
    """Share of malignant lesions that is drawn from each source.

    Parameters
    ----------
    examples : Examples
        Training images.
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
    """Draw one epoch: sources by their size, with malignant lesions oversampled.

    Parameters
    ----------
    examples : Examples
        Training images.
    recipe : FinetuneRecipe
        Settings.
    rng : Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (n,), int
        Rows in random order. No row is repeated before all others of its source and class were
        drawn.
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
    """Log odds of malignancy among the draws from each example's source.

    Parameters
    ----------
    examples : Examples
        Training images.
    recipe : FinetuneRecipe
        Settings.

    Returns
    -------
    ndarray of shape (n,), float32
        Added to the logit in training, so that the network does not learn to infer the prevalence
        from the source. Prevalences are clipped to 0.02 to 0.98.

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


def two_views(crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
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
