"""Training examples, recipe, sampling and views for fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hybridlesion._validation import check_number
from hybridlesion.cnn.diagnosis import CLASSES, malignancy_of
from hybridlesion.cnn.views import LESION_LIMITS, ImageView, InputSpec
from hybridlesion.exceptions import OptionError
from hybridlesion.preprocessing import augmentation

# Views over which the logits of an image are averaged: the frame, with the fraction of its short
# side that is shown, or the lesion, with the margin of skin as a fraction of its longer side.
SCORED_VIEWS = (("frame", 0.95), ("lesion", 0.5))

# Frequencies of `CLASSES` in the target population, a clinic for pigmented lesions.
CLASS_SHARES = (0.15, 0.55, 0.10, 0.03, 0.03, 0.10, 0.02, 0.02)

# Fraction of the steps, and size of the views relative to the final size.
_STAGES = ((0.4, 0.6), (0.35, 0.8), (0.25, 1.0))

# Frequencies of `CLASSES` among malignant and among non-malignant lesions of unknown diagnosis.
_DIVISION = np.array([0.70, 0.80, 0.20, 0.0, 0.10, 0.14, 0.03, 0.03])

# Factor by which melanomas are sampled more often than their number implies.
_MELANOMA_FACTOR = 1.5


@dataclass(frozen=True)
class FinetuneRecipe:
    """Hyperparameters of fine-tuning.

    Parameters
    ----------
    epochs : int, default=8
        Number of epochs. In each epoch, as many images are sampled as there are training images.
    batch_size : int, default=48
        Number of images per step.
    image_size : int, default=160
        Side of the input in the last quarter of the steps, in pixels; a multiple of 32. In earlier
        steps, the side is 0.6 and then 0.8 times this size, which is faster.
    learning_rate : float, default=6e-4
        Peak learning rate of the backbone.
    head_factor : float, default=3.0
        Learning rate of the classifier, as a multiple of that of the backbone.
    weight_decay : float, default=0.03
        Weight decay of AdamW, which is not applied to norms and biases.
    warm_up : float, default=0.06
        Fraction of the steps during which the learning rate rises; afterwards it falls along a
        cosine.
    averaging : float, default=0.997
        Decay of the averaged weights per step, which is smaller in the first steps.
    dropout : float, default=0.2
        Dropout rate of the embedding.
    label_smoothing : float, default=0.05
        Weight of the uniform distribution over the classes in the loss.
    class_power : float, default=0.5
        Exponent of class sampling: a class with n images is sampled with probability proportional
        to n to this power.
    least_share : float, default=0.03
        Constant added to the frequency of each class in a source in the loss, so that a class that
        is missing from the source is learned as absent.
    light : float, default=0.35
        Strength of the lighting augmentation.
    frozen : float, default=0.0
        Fraction of the backbone's blocks that are frozen, counted from the input.
    seed : int, default=0
        Seed for sampling, views and dropout.
    """

    epochs: int = 8
    batch_size: int = 48
    image_size: int = 160
    learning_rate: float = 6e-4
    head_factor: float = 3.0
    weight_decay: float = 0.03
    warm_up: float = 0.06
    averaging: float = 0.997
    dropout: float = 0.2
    label_smoothing: float = 0.05
    class_power: float = 0.5
    least_share: float = 0.03
    light: float = 0.35
    frozen: float = 0.0
    seed: int = 0

    def __post_init__(self):
        for name in ("epochs", "batch_size"):
            check_number(name, getattr(self, name), low=1, integer=True)
        check_number("seed", self.seed, low=0, integer=True)
        check_number("image_size", self.image_size, low=32, integer=True)
        if self.image_size % 32:
            raise OptionError(f"image_size must be a multiple of 32, got {self.image_size}.")
        shares = "learning_rate", "warm_up", "averaging", "dropout", "label_smoothing", "frozen"
        for name in (*shares, "head_factor", "weight_decay", "class_power", "least_share", "light"):
            check_number(name, getattr(self, name), low=0, high=1 if name in shares else None)

    @property
    def scored_size(self) -> int:
        """Side of the views of an image that is scored, 1.2 times that of the last training views.

        Random crops enlarge lesions in training, so a network does better on larger views [1]_.

        References
        ----------
        .. [1] Touvron et al., "Fixing the train-test resolution discrepancy", NeurIPS 2019.
        """
        return 32 * round(1.2 * self.image_size / 32)

    def size(self, done: float) -> int:
        """Return the side of the views in pixels.

        Parameters
        ----------
        done : float
            Fraction of the steps that are done, 0 to 1.

        Returns
        -------
        int
            Side of the views, a multiple of 32.

        Examples
        --------
        >>> [FinetuneRecipe().size(done) for done in (0.0, 0.4, 0.75, 1.0)]
        [96, 128, 160, 160]
        """
        shares, scales = np.array(_STAGES).T
        stage = int(np.searchsorted(np.cumsum(shares[:-1]), done, side="right"))
        return max(32, 32 * round(scales[stage] * self.image_size / 32))


@dataclass(frozen=True)
class Examples:
    """Images with lesion bounding boxes and labels.

    Parameters
    ----------
    pixels : ndarray of shape (bytes,), uint8
        Concatenated pixels of all images, usually memory-mapped from disk.
    places : ndarray of shape (n, 3), int
        First byte, height and width of each image.
    boxes : ndarray of shape (n, 4), int
        Left, top, width and height of each lesion; the width is 0 if no lesion was found.
    allowed : ndarray of shape (n, 8), bool
        Classes that are compatible with each label; see `allowed_classes`.
    source : ndarray of shape (n,), int
        Data source of each image, starting at 0.
    lesion : ndarray of shape (n,), int
        Lesion of each image.
    """

    pixels: np.ndarray
    places: np.ndarray
    boxes: np.ndarray
    allowed: np.ndarray
    source: np.ndarray
    lesion: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def image(self, row: int) -> np.ndarray:
        """Return an image.

        Parameters
        ----------
        row : int
            Row number.

        Returns
        -------
        ndarray of shape (height, width, 3), uint8
            RGB image.
        """
        return read_copy(self.pixels, self.places[row])

    def subset(self, rows: np.ndarray) -> Examples:
        """Select rows.

        Parameters
        ----------
        rows : ndarray of int
            Row numbers.

        Returns
        -------
        Examples
            Selected rows, which share the pixels with the original.
        """
        names = ("places", "boxes", "allowed", "source", "lesion")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def read_copy(pixels: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Read one of many images whose pixels are concatenated.

    Parameters
    ----------
    pixels : ndarray of shape (bytes,), uint8
        Concatenated pixels of all images, usually memory-mapped from disk.
    place : ndarray of shape (3,), int
        First byte, height and width of the image.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8
        RGB image.
    """
    start, height, width = place.tolist()
    data = np.asarray(pixels[start : start + 3 * height * width])
    return data.reshape(height, width, 3)


def divide_label(allowed: np.ndarray) -> np.ndarray:
    """Divide a label among its compatible classes.

    Parameters
    ----------
    allowed : ndarray of shape (8,), bool
        Classes that are compatible with the label.

    Returns
    -------
    ndarray of shape (8,), float
        1 for a known diagnosis; approximate frequencies for "benign" or "malignant".

    Examples
    --------
    >>> divide_label(np.arange(8) == 3)
    array([0., 0., 0., 1., 0., 0., 0., 0.])
    """
    if allowed.sum() == 1:
        return allowed.astype(float)
    division = _DIVISION * allowed
    return division / division.sum()


class Sampler:
    """Sampler that draws a source, a class, a lesion and an image in succession.

    Parameters
    ----------
    examples : Examples
        Training images.
    recipe : FinetuneRecipe
        Training settings, of which ``class_power`` and ``least_share`` are used.

    Attributes
    ----------
    log_shares : ndarray of shape (n_sources, 8), float32
        Logarithms of the class frequencies among the samples from each source.

    Notes
    -----
    A source is drawn with probability proportional to the square root of its size. Labels that are
    compatible with several classes are treated as additional classes.
    """

    def __init__(self, examples: Examples, recipe: FinetuneRecipe):
        labels, label = np.unique(examples.allowed, axis=0, return_inverse=True)
        label = label.reshape(-1)
        factors = np.where(labels[:, 0] & ~labels[:, 1], _MELANOMA_FACTOR, 1)
        sizes = np.bincount(examples.source)
        shares = np.full((len(sizes), len(CLASSES)), recipe.least_share)
        self._cells: list[list[np.ndarray]] = []
        odds = []
        for source in np.flatnonzero(sizes):
            own = np.flatnonzero(examples.source == source)
            kinds, counts = np.unique(label[own], return_counts=True)
            weights = counts**recipe.class_power * factors[kinds]
            weights /= weights.sum()
            for kind, weight in zip(kinds, weights, strict=True):
                self._cells.append(_by_lesion(own[label[own] == kind], examples.lesion))
                shares[source] += weight * divide_label(labels[kind])
            odds.append(np.sqrt(sizes[source]) * weights)
        probability = np.concatenate(odds)
        self._probability = probability / probability.sum()
        shares /= shares.sum(axis=1, keepdims=True)
        self.log_shares = np.log(np.maximum(shares, 1e-6)).astype(np.float32)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Draw random images.

        Parameters
        ----------
        n : int
            Number of images.
        rng : Generator
            Random number generator.

        Returns
        -------
        ndarray of shape (n,), int
            Row numbers, possibly with repetitions.
        """
        rows = []
        for cell in rng.choice(len(self._cells), n, p=self._probability):
            lesions = self._cells[cell]
            images = lesions[rng.integers(len(lesions))]
            rows.append(images[rng.integers(len(images))])
        return np.array(rows)


def _by_lesion(rows: np.ndarray, lesion: np.ndarray) -> list[np.ndarray]:
    rows = rows[np.argsort(lesion[rows], kind="stable")]
    return np.split(rows, np.flatnonzero(np.diff(lesion[rows])) + 1)


def draw_view(
    image: np.ndarray, box: np.ndarray, size: int, recipe: FinetuneRecipe, rng: np.random.Generator
) -> np.ndarray:
    """Generate a random view of an image.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    box : ndarray of shape (4,), int
        Left, top, width and height of the lesion; the width is 0 if no lesion was found.
    size : int
        Side of the view in pixels.
    recipe : FinetuneRecipe
        Training settings, of which ``light`` is used.
    rng : Generator
        Random number generator.

    Returns
    -------
    ndarray of shape (size, size, 3), uint8
        The lesion or the frame, with equal probability, after random translation, rotation,
        reflection, scaling and changes of light. Some views also have hair, dark corners or less
        detail.
    """
    centre, side = _draw_window(image.shape, box, rng)
    view = augmentation.warp_window(image, centre, side, size, rng)
    if rng.random() < 0.12:
        augmentation.draw_hair(view, rng)
    view = augmentation.vary_light(view, rng, recipe.light * rng.uniform(0.3, 1.3))
    if rng.random() < 0.15:
        at_edges = rng.random() < 0.35
        darken = augmentation.darken_edges if at_edges else augmentation.darken_corners
        view = darken(view, rng)
    return augmentation.degrade(view, rng)


def _draw_window(
    shape: tuple[int, ...], box: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Draw the centre (x, y) and side of a random square around the lesion or in the frame."""
    frame = np.array([shape[1], shape[0]])
    short = float(frame.min())
    if rng.random() < 0.5 and box[2] > 0:
        side = max(box[2:]) * (1 + 2 * rng.uniform(0.05, 0.6))
        side = np.clip(side, *(limit * short for limit in LESION_LIMITS))
        last = np.maximum(frame - side / 2, side / 2)
        centre = np.clip(box[:2] + box[2:] / 2, side / 2, last)
        centre = np.where(side >= frame, frame / 2, centre)
        side *= rng.uniform(0.85, 1.15)
        reach = 0.10
    else:
        centre, side = frame / 2, short * np.exp(rng.uniform(np.log(0.55), np.log(1.15)))
        reach = 0.10 + 0.25 * max(0.0, 1 - side / short)
    return centre + rng.uniform(-reach, reach, 2) * side, float(side)


def scored_view(
    image: np.ndarray, box: np.ndarray, view: tuple[str, float], spec: InputSpec
) -> np.ndarray:
    """Return a view of an image as used in scoring.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    box : ndarray of shape (4,), int
        Left, top, width and height of the lesion; the width is 0 if no lesion was found.
    view : tuple of str and float
        One of `SCORED_VIEWS`.
    spec : InputSpec
        Input of the network.

    Returns
    -------
    ndarray of shape (size, size, 3), uint8
        RGB view.
    """
    mask = np.zeros(image.shape[:2], dtype=bool)
    left, top, width, height = box
    mask[top : top + height, left : left + width] = True
    shown = ImageView(*view, limits=LESION_LIMITS)
    return shown.prepare(image, mask, replace(spec, interpolation="bilinear"))


def truths(allowed: np.ndarray) -> dict[str, np.ndarray]:
    """Derive melanoma and malignancy from the classes that are compatible with each label.

    Parameters
    ----------
    allowed : ndarray of shape (n, 8), bool
        Classes that are compatible with each label.

    Returns
    -------
    dict of str to ndarray of shape (n,), float
        ``"any malignancy"`` and ``"melanoma"``: 1, 0, or NaN if the label is ambiguous. Actinic
        keratosis counts as neither malignant nor benign.

    Examples
    --------
    >>> truths(np.eye(8, dtype=bool)[[0, 1, 2, 3]])["any malignancy"]
    array([ 1.,  0.,  1., nan])
    """
    single = allowed.sum(axis=1) == 1
    melanoma = np.where(allowed[:, 0], np.where(single, 1.0, np.nan), 0.0)
    return {"any malignancy": malignancy_of(allowed), "melanoma": melanoma}
