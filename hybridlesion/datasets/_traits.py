"""What one drawn lesion and its patient look like, as a few numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

__all__ = ["ARTIFACTS", "PATTERNS", "LesionTraits", "random_patient", "vary_traits"]

ARTIFACTS = ("vignette", "ruler", "bubbles", "ink")
PATTERNS = ("reticular", "globular", "homogeneous", "starburst")

# Median skin in Lab (L 0 to 100) and its spread, and how often it occurs: white balance differs
# more between cameras than skin does between people. Set by hand so that, over many images, mean
# and spread come near those measured outside the masks of 200 ISIC 2017 images
# (L 74 +- 8, a 8 +- 7, b 2 +- 12).
_SKINS = (
    (0.25, (75.0, 7.0, 7.0), (5.0, 3.0, 5.0)),  # warm
    (0.18, (73.0, 19.0, 9.0), (4.0, 4.0, 4.0)),  # pink
    (0.24, (73.0, 5.0, -1.5), (5.0, 2.5, 3.0)),  # neutral
    (0.13, (82.0, -1.0, -20.0), (3.0, 3.0, 4.0)),  # bluish
    (0.10, (91.0, 3.0, 1.0), (3.0, 2.5, 4.0)),  # overexposed
    (0.10, (58.0, 12.0, 18.0), (5.0, 3.0, 3.0)),  # brown
)
_DARK_SKIN = (0.5, (42.0, 12.0, 15.0), (6.0, 2.0, 3.0))
_DARK_SHARE = 0.06


@dataclass(frozen=True)
class LesionTraits:
    """Everything that decides how a lesion is drawn, apart from the random detail.

    Parameters
    ----------
    asymmetry : float, default=0.2
        Strength of lobes and of one-sided pigment, 0 to 1.
    border : float, default=0.2
        Raggedness and abruptness of the outline, 0 to 1.
    color : float, default=0.2
        Number and strength of extra colours (black, red, blue-white veil, regression), 0 to 1.
    radius : float, default=0.2
        Radius of the disk with the lesion's area, as a share of the long side.
    aspect : float, default=0.8
        Short over long axis, 0 to 1.
    angle : float, default=0.0
        Direction of the long axis in radians.
    center : tuple of float, default=(0.0, 0.0)
        (x, y) of the lesion relative to the image's middle, as a share of the long side.
    darkness : float, default=0.55
        Pigment density, 0 (skin) to 1 (black-brown).
    hue : tuple of float, default=(0.0, 0.0)
        Shift of the pigment's Lab a and b: reddish, yellowish or greyish brown.
    pattern : str, default="reticular"
        One of `PATTERNS`.
    skin : tuple of float, default=(74.0, 8.0, 8.0)
        Lab colour of the skin, L 0 to 100.
    hair : float, default=0.0
        Amount of hair, 0 to 1.
    hair_lightness : float, default=0.15
        0 black to 1 white.
    artifacts : tuple of str, default=()
        Some of `ARTIFACTS`.

    Examples
    --------
    >>> LesionTraits(pattern="globular").radius
    0.2
    """

    asymmetry: float = 0.2
    border: float = 0.2
    color: float = 0.2
    radius: float = 0.2
    aspect: float = 0.8
    angle: float = 0.0
    center: tuple[float, float] = (0.0, 0.0)
    darkness: float = 0.55
    hue: tuple[float, float] = (0.0, 0.0)
    pattern: str = "reticular"
    skin: tuple[float, float, float] = (74.0, 8.0, 8.0)
    hair: float = 0.0
    hair_lightness: float = 0.15
    artifacts: tuple[str, ...] = ()


def random_patient(rng: np.random.Generator) -> LesionTraits:
    """Draw the typical lesion of a patient; `vary_traits` makes single lesions of it.

    Parameters
    ----------
    rng : Generator
        Source of randomness.

    Returns
    -------
    LesionTraits
        The patient's skin and hair, and the size, pigment and pattern that the lesions share.
        Asymmetry, border and color hold the patient's own baseline, 0 to 0.2.
    """
    return LesionTraits(
        asymmetry=rng.uniform(0, 0.2),
        border=rng.uniform(0, 0.2),
        color=rng.uniform(0, 0.2),
        radius=float(np.clip(np.exp(rng.normal(np.log(0.215), 0.22)), 0.10, 0.32)),
        aspect=float(np.clip(rng.normal(0.82, 0.05), 0.6, 1.0)),
        darkness=float(np.clip(rng.normal(0.57, 0.14), 0.2, 0.9)),
        hue=(float(rng.normal(0, 3.0)), float(rng.normal(0, 3.5))),
        pattern=str(rng.choice(PATTERNS, p=[0.45, 0.2, 0.25, 0.1])),
        skin=_random_skin(rng),
        hair=float(rng.uniform(0.1, 1.0) ** 1.5),
        hair_lightness=float(np.clip(rng.normal(0.14, 0.10), 0.02, 0.6)),
    )


def vary_traits(
    patient: LesionTraits,
    excess: tuple[float, float, float],
    rng: np.random.Generator,
    *,
    hair: float,
    artifacts: float,
) -> LesionTraits:
    """Draw one lesion of a patient.

    Parameters
    ----------
    patient : LesionTraits
        From `random_patient`.
    excess : tuple of float
        The lesion's own asymmetry, border and colour, each 0 to 1, added to the baseline.
    rng : Generator
        Source of randomness.
    hair : float
        Probability of hair in the picture, 0 to 1.
    artifacts : float
        Probability of at least one artefact, 0 to 1.

    Returns
    -------
    LesionTraits
        The lesion.
    """
    asymmetry, border, color = np.clip(
        0.9 * np.array(excess) + (patient.asymmetry, patient.border, patient.color), 0.0, 1.0
    )
    # Suspicious lesions are larger, as in ISIC 2017: 38 % of the image against 25 %.
    growth = np.exp(rng.normal(0, 0.20) + 0.45 * (np.mean(excess) - 0.25))
    radius = float(np.clip(patient.radius * growth, 0.06, 0.36))
    reach = max(0.36 - radius, 0.0)
    skin = np.array(patient.skin) + rng.normal(0, (2.0, 1.2, 1.8))
    return replace(
        patient,
        asymmetry=float(asymmetry),
        border=float(border),
        color=float(color),
        radius=radius,
        aspect=float(np.clip(patient.aspect + rng.normal(0, 0.10), 0.5, 1.0)),
        angle=float(rng.uniform(0, np.pi)),
        center=tuple(np.clip(rng.normal(0, (0.045, 0.035)), -reach, reach).tolist()),
        darkness=float(np.clip(patient.darkness + rng.normal(0, 0.10), 0.15, 1.0)),
        hue=tuple((np.array(patient.hue) + rng.normal(0, 1.5, 2)).tolist()),
        pattern=patient.pattern if rng.random() < 0.75 else str(rng.choice(PATTERNS)),
        skin=tuple(skin.tolist()),
        hair=patient.hair if rng.random() < hair else 0.0,
        artifacts=_random_artifacts(rng, artifacts),
    )


def _random_skin(rng: np.random.Generator) -> tuple[float, float, float]:
    if rng.random() < _DARK_SHARE:
        _, mean, sd = _DARK_SKIN
    else:
        weights = np.array([weight for weight, _, _ in _SKINS])
        _, mean, sd = _SKINS[rng.choice(len(_SKINS), p=weights / weights.sum())]
    return tuple(rng.normal(mean, sd).tolist())


def _random_artifacts(rng: np.random.Generator, share: float) -> tuple[str, ...]:
    if rng.random() >= share:
        return ()
    some = rng.random(len(ARTIFACTS)) < (0.55, 0.35, 0.35, 0.12)
    if not some.any():
        some[0] = True
    return tuple(name for name, chosen in zip(ARTIFACTS, some, strict=True) if chosen)
