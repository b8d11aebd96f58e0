"""Patients, their lesions and who is malignant: everything but the pixels."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtr

from hybridlesion.datasets._rule import malignancy_risk
from hybridlesion.datasets._traits import LesionTraits, random_patient, vary_traits

__all__ = ["ISIC2020_COLUMNS", "isic2020_table", "random_cohort"]

ISIC2020_COLUMNS = (
    "image_name",
    "patient_id",
    "sex",
    "age_approx",
    "anatom_site_general_challenge",
    "diagnosis",
    "benign_malignant",
    "target",
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
    rng: np.random.Generator,
    *,
    n_patients: int,
    lesions_per_patient: tuple[int, int],
    malignant_share: float,
    hair: float,
    artifacts: float,
) -> tuple[pd.DataFrame, list[LesionTraits]]:
    """Draw patients and the traits, risk and truth of their lesions.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    n_patients : int
        Number of patients.
    lesions_per_patient : tuple of int
        Fewest and most lesions of a patient.
    malignant_share : float
        Expected share of malignant lesions, above 0 and below 1.
    hair, artifacts : float
        Shares of pictures with hair and with artefacts, 0 to 1.

    Returns
    -------
    cohort : DataFrame
        One row a lesion: `image_id, patient_id, sex, age, site, diagnosis, target, risk`, and the
        latent `asymmetry, border, color`, each 0 to 1 beyond the patient's baseline.
    traits : list of LesionTraits
        How to draw them, in the same order.

    Notes
    -----
    The malignant ones are a systematic sample of the risks: each lesion is malignant with
    exactly its risk, and their number differs from its expectation by less than one.
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
    # Older patients have riskier lesions; one age a patient keeps the tie mild.
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
    return _blank_some(cohort, rng), traits


def isic2020_table(cohort: pd.DataFrame) -> pd.DataFrame:
    """Arrange a cohort as the ISIC 2020 training table.

    Parameters
    ----------
    cohort : DataFrame
        From `random_cohort`.

    Returns
    -------
    DataFrame
        With exactly `ISIC2020_COLUMNS`.
    """
    names = {
        "image_id": "image_name",
        "age": "age_approx",
        "site": "anatom_site_general_challenge",
    }
    table = cohort.rename(columns=names)
    table["benign_malignant"] = np.where(table["target"] == 1, "malignant", "benign")
    return table[list(ISIC2020_COLUMNS)]


def _latent_excess(rng: np.random.Generator, n: int) -> np.ndarray:
    """Correlated latent asymmetry, border and colour, mostly low with a long upper tail."""
    shared = rng.standard_normal((n, 1))
    own = rng.standard_normal((n, 3))
    return ndtr(np.sqrt(0.5) * shared + np.sqrt(0.5) * own) ** 1.8


def _systematic_sample(rng: np.random.Generator, risk: np.ndarray) -> np.ndarray:
    """0/1 of shape (n,), each 1 with its own probability, their sum as even as can be."""
    order = rng.permutation(len(risk))
    edges = np.concatenate([[0.0], np.cumsum(risk[order])]) + rng.random()
    target = np.empty(len(risk), int)
    target[order] = np.floor(edges[1:]).astype(int) - np.floor(edges[:-1]).astype(int)
    return target


def _blank_some(cohort: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Leave a few entries empty, as ISIC 2020 does."""
    for column, share in _MISSING.items():
        cohort[column] = cohort[column].mask(rng.random(len(cohort)) < share)
    return cohort
