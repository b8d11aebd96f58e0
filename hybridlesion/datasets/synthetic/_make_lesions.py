"""Synthetic data sets on disk: images, masks and an ISIC 2020 table."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from hybridlesion._atomic import atomic_path, check_writable
from hybridlesion._optional_imports import cv2
from hybridlesion._validation import check_number
from hybridlesion.datasets.synthetic._cohort import LesionTraits, isic2020_table, random_cohort
from hybridlesion.datasets.synthetic._drawing import check_size, draw_lesion
from hybridlesion.exceptions import SourceError
from hybridlesion.io import write_mask

_JPEG_QUALITY = 90


def make_lesions(
    folder: str | os.PathLike,
    *,
    n_patients: int = 40,
    lesions_per_patient: tuple[int, int] = (1, 8),
    size: tuple[int, int] = (600, 450),
    malignant_share: float = 0.1,
    hair: float = 0.3,
    artifacts: float = 0.3,
    random_state: int = 0,
    n_jobs: int = 1,
) -> pd.DataFrame:
    """Draw a synthetic dermoscopic data set with known ground truth.

    Writes ``images/IMAGEID.jpg``, ``masks/IMAGEID_segmentation.png`` (0/255) and
    ``metadata.csv`` (the columns of the ISIC 2020 training table). Lesions of the same patient
    share skin, hair, size, pigment and pattern; malignant lesions stand out.

    Parameters
    ----------
    folder : str or path-like
        Output folder, created if it is missing. Files with the same names are replaced.
    n_patients : int, default=40
        Number of patients, at least 1.
    lesions_per_patient : tuple of int, default=(1, 8)
        Minimum and maximum number of lesions per patient, at least 1.
    size : tuple of int, default=(600, 450)
        (width, height) in pixels, each 64 to 8000.
    malignant_share : float, default=0.1
        Share of malignant lesions, 0.01 to 0.5.
    hair : float, default=0.3
        Share of images with hair, 0 to 1.
    artifacts : float, default=0.3
        Share of images with dark corners, a ruler, gel bubbles or ink, 0 to 1.
    random_state : int, default=0
        Random seed. The same call writes identical files, whatever `n_jobs` is.
    n_jobs : int, default=1
        Number of threads; -1 uses all processors.

    Returns
    -------
    DataFrame
        One row per image: `image_id, path, mask_path, patient_id, sex, age` (years), `site,
        diagnosis, target` (0 or 1), `risk` (the true probability of malignancy) and the latent
        `asymmetry, border, color` (0 to 1) that determine it. `auc_ceiling(frame["risk"])` is
        the highest AUC that a model can be expected to reach.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    SourceError
        If a file cannot be written.

    Notes
    -----
    See `malignancy_risk` for the rule. `risk`, `asymmetry`, `border` and `color` reveal the
    target: use them to evaluate a model, never to train one.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     records = make_lesions(folder, n_patients=2, lesions_per_patient=(1, 1), size=(80, 64))
    >>> records["image_id"].tolist()
    ['SYN_0000001', 'SYN_0000002']
    """
    check_size(size)
    check_number("n_patients", n_patients, low=1, integer=True)
    try:
        fewest, most = lesions_per_patient
    except (TypeError, ValueError):
        raise ValueError(
            "lesions_per_patient must be (fewest, most), such as (1, 8), got "
            f"{lesions_per_patient!r}."
        ) from None
    check_number("the fewest lesions_per_patient", fewest, low=1, integer=True)
    check_number("the most lesions_per_patient", most, low=fewest, integer=True)
    check_number("malignant_share", malignant_share, low=0.01, high=0.5)
    check_number("hair", hair, low=0.0, high=1.0)
    check_number("artifacts", artifacts, low=0.0, high=1.0)
    check_number("random_state", random_state, low=0, integer=True)
    folder = Path(folder)
    check_writable(folder / "metadata.csv")
    plan_seed, picture_seed = np.random.SeedSequence(random_state).spawn(2)
    cohort, traits = random_cohort(
        np.random.default_rng(plan_seed),
        n_patients=n_patients,
        lesions_per_patient=lesions_per_patient,
        malignant_share=malignant_share,
        hair=hair,
        artifacts=artifacts,
    )
    cohort.insert(1, "path", [str(folder / "images" / f"{i}.jpg") for i in cohort["image_id"]])
    masks = [str(folder / "masks" / f"{i}_segmentation.png") for i in cohort["image_id"]]
    cohort.insert(2, "mask_path", masks)
    # One seed per image, so that the result does not depend on the thread that draws it.
    seeds = picture_seed.spawn(len(traits))
    jobs = zip(traits, seeds, cohort["path"], cohort["mask_path"], strict=True)
    Parallel(n_jobs=n_jobs, prefer="threads")(delayed(_write_lesion)(*job, size) for job in jobs)
    with atomic_path(folder / "metadata.csv") as temporary:
        isic2020_table(cohort).to_csv(temporary, index=False, lineterminator="\n")
    return cohort


def _write_lesion(
    traits: LesionTraits,
    seed: np.random.SeedSequence,
    path: str,
    mask_path: str,
    size: tuple[int, int],
) -> None:
    image, mask = draw_lesion(traits, size, random_state=seed)
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    )
    if not done:
        raise SourceError(f"OpenCV could not encode {path}.")
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.tobytes())
    write_mask(mask_path, mask)
