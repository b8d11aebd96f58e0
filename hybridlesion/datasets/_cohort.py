"""Synthetic patients, lesion traits and malignancy risks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.random import Generator
from scipy.special import ndtr

from hybridlesion._validation import check_number

# Weights of asymmetry, border and colour in the score. Asymmetry has the largest weight, as in the
# ABCD rule and in Pellacani's measurements.
_RULE_WEIGHTS = (0.4, 0.25, 0.35)
# Slope, chosen so that the true risk reaches an AUC of about 0.95, like the best published models
# on ISIC 2020. The rest is chance, which no model can learn.
_RULE_SLOPE = 12.0


def malignancy_risk(excess: np.ndarray, malignant_share: float) -> np.ndarray:
    """Compute the probability of malignancy from latent asymmetry, border and colour.

    Parameters
    ----------
    excess : ndarray of shape (n, 3)
        Asymmetry, border and colour, each 0 to 1, in excess of the patient's baseline.
    malignant_share : float
        Mean of the probabilities, above 0 and below 1.

    Returns
    -------
    ndarray of shape (n,)
        Probabilities.

    Notes
    -----
    risk = 1 / (1 + exp(-(b + 12 s))), with s = 0.4 A + 0.25 B + 0.35 C, and b such that the mean
    is `malignant_share`.

    Examples
    --------
    >>> risk = malignancy_risk(np.array([[0.1, 0.1, 0.1], [0.9, 0.8, 0.9]]), 0.3)
    >>> round(float(risk.mean()), 3), bool(risk[1] > 10 * risk[0])
    (0.3, True)
    """
    score = _RULE_SLOPE * np.asarray(excess, float) @ np.array(_RULE_WEIGHTS)
    low, high = -score.max() - 40.0, -score.min() + 40.0
    for _ in range(80):
        offset = (low + high) / 2
        if np.mean(_sigmoid(score + offset)) < malignant_share:
            low = offset
        else:
            high = offset
    return _sigmoid(score + offset)


def auc_ceiling(risk: np.ndarray) -> float:
    """Compute the highest expected AUC of any score if targets are drawn from `risk`.

    Parameters
    ----------
    risk : ndarray of shape (n,)
        True probabilities of malignancy.

    Returns
    -------
    float
        Expected AUC of `risk` itself, 0.5 to 1.

    Raises
    ------
    ValueError
        If a value lies outside 0 to 1, or all are 0 or all are 1.

    Notes
    -----
    This is the share of pairs of a malignant and a benign lesion, weighted by the probability of
    the pair, in which the malignant lesion has the higher risk; ties count half:
    sum_ij p_i (1 - p_j) [p_i > p_j] / sum_ij p_i (1 - p_j).

    Examples
    --------
    >>> auc_ceiling(np.array([0.5, 0.5])), auc_ceiling(np.array([0.0, 1.0]))
    (0.5, 1.0)
    """
    risk = np.sort(np.asarray(risk, float))
    for value in (risk[0], risk[-1]):
        check_number("risk", value, low=0.0, high=1.0)
    total = risk.sum() * (1 - risk).sum()
    if total == 0:
        raise ValueError("risk must allow both malignant and benign lesions, got only one kind.")
    values, inverse = np.unique(risk, return_inverse=True)
    malignant = np.bincount(inverse, weights=risk, minlength=len(values))
    benign = np.bincount(inverse, weights=1 - risk, minlength=len(values))
    below = np.cumsum(benign) - benign
    # The sums include the pairs of each lesion with itself, which are 1/n of all pairs.
    return float((malignant * (below + benign / 2)).sum() / total)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


ARTIFACTS = ("vignette", "ruler", "bubbles", "ink")
PATTERNS = ("reticular", "globular", "homogeneous", "starburst")

# Frequency, median in Lab (L 0 to 100) and spread of skin colours: white balance differs more
# between cameras than skin does between people. Set by hand so that, over many images, mean and
# spread approximate those measured outside the masks of 200 ISIC 2017 images
# (L 74 +- 8, a 8 +- 7, b 2 +- 12).
_SKINS = (
    (0.25, (75.0, 7.0, 7.0), (5.0, 3.0, 5.0)),  # warm
    (0.18, (73.0, 19.0, 9.0), (4.0, 4.0, 4.0)),  # pink
    (0.24, (73.0, 5.0, -1.5), (5.0, 2.5, 3.0)),  # neutral
    (0.13, (82.0, -1.0, -20.0), (3.0, 3.0, 4.0)),  # bluish
    (0.10, (91.0, 3.0, 1.0), (3.0, 2.5, 4.0)),  # overexposed
    (0.10, (58.0, 12.0, 18.0), (5.0, 3.0, 3.0)),  # brown
)
_DARK_SKIN = ((42.0, 12.0, 15.0), (6.0, 2.0, 3.0))
_DARK_SHARE = 0.06


@dataclass(frozen=True)
class LesionTraits:
    """Traits that determine how a lesion is drawn, apart from random detail.

    Parameters
    ----------
    asymmetry : float, default=0.2
        Strength of lobes and of one-sided pigment, 0 to 1.
    border : float, default=0.2
        Raggedness and abruptness of the outline, 0 to 1.
    color : float, default=0.2
        Number and strength of extra colours (black, red, blue-white veil, regression), 0 to 1.
    radius : float, default=0.2
        Radius of a disk with the area of the lesion, as a share of the long side.
    aspect : float, default=0.8
        Ratio of the short to the long axis, 0 to 1.
    angle : float, default=0.0
        Direction of the long axis in radians.
    center : tuple of float, default=(0.0, 0.0)
        (x, y) of the lesion relative to the image centre, as a share of the long side.
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
        Lightness of hair, 0 (black) to 1 (white).
    artifacts : tuple of str, default=()
        Any of `ARTIFACTS`.

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


def random_patient(rng: Generator) -> LesionTraits:
    """Draw the typical lesion of a patient, from which `vary_traits` derives single lesions.

    Parameters
    ----------
    rng : Generator
        Source of randomness.

    Returns
    -------
    LesionTraits
        The patient's skin and hair, and the size, pigment and pattern that the lesions share.
        Asymmetry, border and color are the patient's baseline, 0 to 0.2.
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
    rng: Generator,
    *,
    hair: float,
    artifacts: float,
) -> LesionTraits:
    """Draw one lesion of a patient.

    Parameters
    ----------
    patient : LesionTraits
        Result of `random_patient`.
    excess : tuple of float
        Asymmetry, border and colour of the lesion, each 0 to 1, added to the baseline.
    rng : Generator
        Source of randomness.
    hair : float
        Probability of hair in the image, 0 to 1.
    artifacts : float
        Probability of at least one artefact, 0 to 1.

    Returns
    -------
    LesionTraits
        Traits of the lesion.
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


def _random_skin(rng: Generator) -> tuple[float, float, float]:
    mean, sd = _DARK_SKIN
    if rng.random() >= _DARK_SHARE:
        weights = np.array([weight for weight, _, _ in _SKINS])
        _, mean, sd = _SKINS[rng.choice(len(_SKINS), p=weights / weights.sum())]
    return tuple(rng.normal(mean, sd).tolist())


def _random_artifacts(rng: Generator, share: float) -> tuple[str, ...]:
    if rng.random() >= share:
        return ()
    some = rng.random(len(ARTIFACTS)) < (0.55, 0.35, 0.35, 0.12)
    some[0] |= not some.any()
    return tuple(name for name, chosen in zip(ARTIFACTS, some, strict=True) if chosen)


ISIC2020_COLUMNS = (
    *("image_name", "patient_id", "sex", "age_approx", "anatom_site_general_challenge"),
    *("diagnosis", "benign_malignant", "target"),
)
# Shares in the ISIC 2020 training table.
_SITES = {
    "torso": 0.519,
    "lower extremity": 0.256,
    "upper extremity": 0.153,
    "head/neck": 0.058,
    "palms/soles": 0.010,
    "oral/genital": 0.004,
}
_BENIGN = {"unknown": 0.825, "nevus": 0.168, "seborrheic keratosis": 0.005, "lentigo NOS": 0.002}
_MISSING = {"sex": 0.01, "age": 0.015, "site": 0.017}


def random_cohort(
    rng: Generator,
    *,
    n_patients: int,
    lesions_per_patient: tuple[int, int],
    malignant_share: float,
    hair: float,
    artifacts: float,
) -> tuple[pd.DataFrame, list[LesionTraits]]:
    """Draw patients and the traits, risk and ground truth of their lesions.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    n_patients : int
        Number of patients.
    lesions_per_patient : tuple of int
        Minimum and maximum number of lesions per patient.
    malignant_share : float
        Expected share of malignant lesions, above 0 and below 1.
    hair, artifacts : float
        Shares of images with hair and with artefacts, 0 to 1.

    Returns
    -------
    cohort : DataFrame
        One row per lesion: `image_id, patient_id, sex, age, site, diagnosis, target, risk`, and the
        latent `asymmetry, border, color`, each 0 to 1 in excess of the patient's baseline.
    traits : list of LesionTraits
        Traits of the lesions, in the same order.

    Notes
    -----
    Malignant lesions are drawn by systematic sampling: each lesion is malignant with a probability
    equal to its risk, and their number differs from its expectation by less than one.
    """
    low, high = lesions_per_patient
    counts = rng.integers(low, high, n_patients, endpoint=True)
    owner = np.repeat(np.arange(n_patients), counts)
    excess = _latent_excess(rng, len(owner))
    risk = malignancy_risk(excess, malignant_share)
    target = _systematic_sample(rng, risk)
    patients = [random_patient(rng) for _ in range(n_patients)]
    traits = [
        vary_traits(patients[one], tuple(row), rng, hair=hair, artifacts=artifacts)
        for one, row in zip(owner, excess.tolist(), strict=True)
    ]
    # Older patients have riskier lesions; a single age per patient keeps the association weak.
    mean_risk = np.bincount(owner, weights=risk) / counts
    age = 48 + 40 * (mean_risk - malignant_share) + rng.normal(0, 14, n_patients)
    age = np.clip(np.round(age / 5) * 5, 15, 85)
    sex = rng.choice(["male", "female"], n_patients)
    benign = rng.choice(list(_BENIGN), len(owner), p=list(_BENIGN.values()))
    cohort = pd.DataFrame(
        {
            "image_id": [f"SYN_{number:07d}" for number in range(1, len(owner) + 1)],
            "patient_id": [f"SP_{one + 1:07d}" for one in owner],
            "sex": sex[owner],
            "age": age[owner],
            "site": rng.choice(list(_SITES), len(owner), p=list(_SITES.values())),
            "diagnosis": np.where(target == 1, "melanoma", benign),
            "target": target,
            "risk": risk,
        }
    )
    cohort[["asymmetry", "border", "color"]] = excess
    # A few entries are empty, as in ISIC 2020.
    for column, share in _MISSING.items():
        cohort[column] = cohort[column].mask(rng.random(len(cohort)) < share)
    return cohort, traits


def isic2020_table(cohort: pd.DataFrame) -> pd.DataFrame:
    """Arrange a cohort as the ISIC 2020 training table.

    Parameters
    ----------
    cohort : DataFrame
        Result of `random_cohort`.

    Returns
    -------
    DataFrame
        Table with exactly the columns `ISIC2020_COLUMNS`.
    """
    table = cohort.rename(columns={"image_id": "image_name", "age": "age_approx"})
    table = table.rename(columns={"site": "anatom_site_general_challenge"})
    table["benign_malignant"] = np.where(table["target"] == 1, "malignant", "benign")
    return table[list(ISIC2020_COLUMNS)]


def _latent_excess(rng: Generator, n: int) -> np.ndarray:
    """Draw correlated asymmetry, border and colour, mostly low with a long upper tail."""
    shared = rng.standard_normal((n, 1))
    own = rng.standard_normal((n, 3))
    return ndtr(np.sqrt(0.5) * shared + np.sqrt(0.5) * own) ** 1.8


def _systematic_sample(rng: Generator, risk: np.ndarray) -> np.ndarray:
    """Draw 0 or 1 with given probabilities, so that the sum is within 1 of its mean."""
    order = rng.permutation(len(risk))
    edges = np.concatenate([[0.0], np.cumsum(risk[order])]) + rng.random()
    target = np.empty(len(risk), int)
    target[order] = np.floor(edges[1:]).astype(int) - np.floor(edges[:-1]).astype(int)
    return target
