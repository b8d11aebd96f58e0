"""Score one photograph, with everything that a reader needs to judge the score."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.base import BaseEstimator

from hybridlesion._formatting import threshold_words
from hybridlesion._validation import check_image
from hybridlesion.cnn import CLASSES
from hybridlesion.exceptions import ImageError, SourceError, TableError
from hybridlesion.explain import family_shares, reason_words
from hybridlesion.featurizer import Failure, LesionFeaturizer, check_measurable, read_segmented
from hybridlesion.inference._score_table import (
    align_table,
    applicability_columns,
    find_featurizer,
    record_columns,
    score_rows,
    uses_context,
)
from hybridlesion.io import image_size, read_mask, resize_long_side
from hybridlesion.io.discovery import find_images
from hybridlesion.leakage import membership_warning
from hybridlesion.metadata import normalise_image_id, normalise_records
from hybridlesion.metrics import wilson
from hybridlesion.pipeline import split_steps
from hybridlesion.segmentation import Segmentation, flag_words, replace_mask, segment_details

REFERENCE_MODEL = Path(__file__).with_name("reference.joblib")
"""Model file that ships, fitted on public data sets; ``REFERENCE_CARD.md`` describes it."""

_NETWORK = {
    0: "from the whole network, which was not trained on this lesion",
    1: "out of fold: the network was trained on this lesion or patient, so the score is from a "
    "network that was not",
    2: "in sample: the network was trained on this lesion or patient, so the score is optimistic",
}
# How `normalise_records` notes that it did not understand a value.
_MISSING = "; taken as missing"

# Number of diagnoses in words.
_LIKELY = 3

# Most training lesions that a score is compared with, and least, if there are few.
_NEAREST, _FEWEST = 100, 10


@dataclass(frozen=True)
class MeasuredImage:
    """Photograph at the scale of the analysis, with its segmentation and measurements.

    Parameters
    ----------
    image_id : str
        Id of the image.
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    segmentation : Segmentation
        Segmentation, or the given mask.
    table : DataFrame of shape (1, columns), float32
        Measured columns of the feature table.
    """

    image_id: str
    image: np.ndarray
    segmentation: Segmentation
    table: pd.DataFrame


@dataclass(frozen=True)
class SimilarScores:
    """Training lesions whose out-of-fold scores are nearest to a score.

    Parameters
    ----------
    n : int
        Number of lesions.
    n_malignant : int
        Number of malignant ones.
    low, high : float
        Wilson's 95 % interval of their share, 0 to 1.
    """

    n: int
    n_malignant: int
    low: float
    high: float

    @property
    def words(self) -> str:
        """One sentence."""
        interval = f"95 % interval {100 * self.low:.0f} to {100 * self.high:.0f} %"
        lesions = f"Of the {self.n} training lesions with the nearest scores"
        verb = "was" if self.n_malignant == 1 else "were"
        return f"{lesions}, {self.n_malignant} {verb} malignant ({interval})."


@dataclass(frozen=True)
class LesionAnswer:
    """Score of one lesion, and what it rests on.

    Parameters
    ----------
    lesion : MeasuredImage
        The measured photograph.
    score : float
        Calibrated probability of malignancy, 0 to 1.
    threshold : float
        Score from which a lesion is labelled malignant, 0 to 1.
    threshold_rule : str
        Rule that chose the threshold, such as "for 90 % sensitivity".
    similar : SimilarScores or None
        Training lesions with similar scores; None if the model was recalibrated.
    diagnoses : dict of str to float
        Probability of each diagnosis, 0 to 1; empty if the model learned none.
    diagnosis_predicted : str or None
        Predicted diagnosis; None if the model learned none.
    applicability : float or None
        Share of the training images that are at least as unusual, 0 to 1; None if unknown.
    base : float or None
        Score before any column contributes, 0 to 1; None without reasons.
    shares : dict of str to float
        Contribution of each family of columns, which sum to ``score - base``; empty without
        reasons.
    reasons : tuple of str
        The three largest contributions in words; empty if the classifier cannot explain scores.
    network_score : str
        Origin of the CNN score: whole network, out of fold or in sample; empty without one.
    warnings : tuple of str
        What limits the score.
    """

    lesion: MeasuredImage
    score: float
    threshold: float
    threshold_rule: str
    similar: SimilarScores | None
    diagnoses: dict[str, float]
    diagnosis_predicted: str | None
    applicability: float | None
    base: float | None
    shares: dict[str, float]
    reasons: tuple[str, ...]
    network_score: str
    warnings: tuple[str, ...]

    @property
    def label(self) -> int:
        """1 if the score reaches the threshold, otherwise 0."""
        return int(self.score >= self.threshold)

    @property
    def verdict(self) -> str:
        """Side of the threshold, such as "above the threshold for 90 % sensitivity (0.14)"."""
        side = "above" if self.label else "below"
        return f"{side} {threshold_words(self.threshold, self.threshold_rule)}"

    @property
    def details(self) -> tuple[str, ...]:
        """Sentences on similar lesions, diagnoses, applicability and the CNN score."""
        lines = [] if self.similar is None else [self.similar.words]
        if self.diagnoses:
            likely = sorted(self.diagnoses.items(), key=lambda pair: -pair[1])[:_LIKELY]
            shares = ", ".join(f"{name} {100 * share:.0f} %" for name, share in likely)
            lines.append(f"Most likely diagnoses: {shares}.")
        if self.applicability is not None:
            share = f"{100 * self.applicability:.0f} % of the training images"
            lines.append(f"Applicability: {share} are at least as unusual.")
        if self.network_score:
            lines.append(f"CNN score {self.network_score}.")
        return tuple(lines)

    def to_dict(self) -> dict[str, object]:
        """Return everything but the photograph as plain values.

        Returns
        -------
        dict of str to object
            Image id, label and the fields, in a form that JSON can represent; ``network_score`` is
            None without one.
        """
        facts = {name: value for name, value in vars(self).items() if name != "lesion"}
        facts["similar"] = None if self.similar is None else vars(self.similar)
        facts |= {"reasons": list(self.reasons), "warnings": list(self.warnings)}
        facts["network_score"] = self.network_score or None
        return {"image_id": self.lesion.image_id, "label": self.label, **facts}


def measure_image(
    model: BaseEstimator,
    image: str | os.PathLike | np.ndarray,
    *,
    mask: str | os.PathLike | np.ndarray | Segmentation | None = None,
    image_id: str | None = None,
    device: str | None = None,
) -> MeasuredImage:
    """Measure one photograph with the featurizer of a model.

    Parameters
    ----------
    model : Pipeline
        Fitted pipeline of `make_hybrid_pipeline`.
    image : str, path-like or ndarray of shape (H, W, 3), uint8
        Image source with one image, or an RGB image.
    mask : str, path-like, ndarray of shape (H, W), bool, or Segmentation, default=None
        Mask to use instead of the segmentation, with the size of the image or that of the
        analysis; or the segmentation of an RGB image, to save that step.
    image_id : str, default=None
        Id of the image. If None, it is derived from the file name.
    device : {"auto", "cpu", "cuda"} or None, default=None
        Device of the network. If None, it is that of the model.

    Returns
    -------
    MeasuredImage
        Image, segmentation and measurements.

    Raises
    ------
    ImageError
        If the image or the mask cannot be used.
    SourceError
        If the source does not exist, or contains several images.
    TableError
        If the model cannot measure images.
    """
    featurizer = find_featurizer(model)
    if isinstance(image, np.ndarray):
        name, size = image_id or "image", image.shape[:2]
        check_measurable(check_image(image), name)
        pixels = resize_long_side(image, featurizer.long_side)
        if isinstance(mask, Segmentation):
            details = mask
        else:
            details = segment_details(pixels, segmenter=featurizer.segmenter)
    else:
        name, path = _find_one(image)
        name, size = image_id or name, None if mask is None else image_size(path)
        settings = {"long_side": featurizer.long_side, "segmenter": featurizer.segmenter}
        ((_, found),) = read_segmented([(name, path)], **settings)
        if isinstance(found, Failure):
            raise ImageError(f"{image}: {found.reason}")
        pixels, details = found
    if mask is not None and not isinstance(mask, Segmentation):
        own = mask if isinstance(mask, np.ndarray) else read_mask(mask)
        details = replace_mask(details, own, size)
    record = pd.DataFrame({"image_id": [name], "path": [""]})
    table = _ready(featurizer, record, device).measure_segmented(record, [(pixels, details)])
    return MeasuredImage(name, pixels, details, table)


def _find_one(source: str | os.PathLike) -> tuple[str, str]:
    found = find_images(source)
    if len(found) != 1:
        raise SourceError(
            f"{source} contains {len(found):,} images. Give one, or score all of them into a file "
            "(`out`)."
        )
    return normalise_image_id(str(found["image_id"].iloc[0])), found["path"].iloc[0]


def _ready(
    featurizer: LesionFeaturizer, record: pd.DataFrame, device: str | None
) -> LesionFeaturizer:
    # A featurizer from a model file may have been fitted on a table alone.
    chosen = featurizer.device if device is None else device
    if chosen == featurizer.device and getattr(featurizer, "reads_images_", False):
        return featurizer
    return featurizer.fit_copy(record, device=chosen)


def score_image(
    model: BaseEstimator,
    image: str | os.PathLike | np.ndarray | MeasuredImage,
    *,
    mask: str | os.PathLike | np.ndarray | None = None,
    metadata: Mapping[str, object] | None = None,
    others: Sequence[MeasuredImage] = (),
    training: Mapping[str, object] | None = None,
    device: str | None = None,
) -> LesionAnswer:
    """Score one photograph and explain the score.

    Networks are loaded once per process, so that a second call takes only the time of the image.

    Parameters
    ----------
    model : Pipeline
        Fitted pipeline, for example from `load_artifact`.
    image : str, path-like, ndarray of shape (H, W, 3) uint8, or MeasuredImage
        Image source with one image, an RGB image, or the result of `measure_image`, to score the
        same photograph with other metadata.
    mask : str, path-like or ndarray of shape (H, W), bool, default=None
        Mask to use instead of the segmentation; see `measure_image`.
    metadata : mapping of str to object, default=None
        What is known of the lesion, such as ``age``, ``sex``, ``site`` and ``patient_id``, as
        interpreted by `hybridlesion.metadata.normalise_records`.
    others : sequence of MeasuredImage, default=()
        Other lesions of the patient, for a model that compares a patient's lesions.
    training : mapping, default=None
        Description of the training data from the manifest. If None, training images of the model
        are not detected.
    device : {"auto", "cpu", "cuda"} or None, default=None
        Device of the network. If None, it is that of the model.

    Returns
    -------
    LesionAnswer
        Score, threshold, diagnoses, applicability, reasons and warnings.

    Raises
    ------
    ImageError
        If the image or the mask cannot be used.
    SourceError
        If the source does not exist, or contains several images.
    TableError
        If the model cannot measure images, or the metadata are not understood.

    Examples
    --------
    >>> model = load_artifact("model.joblib")  # doctest: +SKIP
    >>> answer = score_image(model, "photo.jpg", metadata={"age": 61})  # doctest: +SKIP
    >>> answer.score, answer.reasons  # doctest: +SKIP
    """
    record, notes = _read_metadata(metadata or {})
    if isinstance(image, MeasuredImage):
        measured = image
    else:
        measured = measure_image(model, image, mask=mask, device=device)
    _, classifier = split_steps(model)
    identified = pd.DataFrame({"image_id": [measured.image_id]}).join(record)
    names = list(classifier.feature_names_in_)
    rows = identified.join(measured.table.reset_index(drop=True))
    if others:
        known = record["patient_id"].dropna().tolist() if "patient_id" in record else []
        rows["patient_id"] = patient = (*known, "patient")[0]
        ids = {"image_id": [one.image_id for one in others], "patient_id": patient}
        measurements = pd.concat([one.table for one in others], ignore_index=True)
        rows = pd.concat([rows, pd.DataFrame(ids).join(measurements)], ignore_index=True)
    table, _ = align_table(rows, names)
    scores = score_rows(classifier, table)
    scored = scores.assign(**applicability_columns(classifier, table)).iloc[0]
    base, shares, reasons = None, {}, ()
    if hasattr(classifier, "contributions"):
        parts = classifier.contributions(table)
        base, shares = float(parts["base"].iloc[0]), family_shares(parts).iloc[0].to_dict()
        reasons = tuple(reason_words(classifier, table, parts)[0])
    diagnoses, predicted = {}, None
    if classifier.diagnosis_ is not None:
        found = classifier.predict_diagnoses(table, scores["score"].to_numpy()).iloc[0]
        diagnoses = {name: float(found[f"p_{code}"]) for name, code in CLASSES.items()}
        predicted = found["diagnosis_predicted"]
    uses_network = any(name.startswith("cnn__") for name in names)
    seen = table["qa__cnn_seen"].iloc[0] if uses_network and "qa__cnn_seen" in table else None
    return LesionAnswer(
        measured,
        float(scored["score"]),
        float(scored["threshold"]),
        scored["threshold_rule"],
        _similar(classifier, float(scored["score"])),
        diagnoses,
        predicted,
        scored.get("applicability"),
        base,
        {family: float(share) for family, share in shares.items()},
        reasons,
        "" if seen is None else _NETWORK[int(seen)],
        (*notes, *_limits(classifier, measured, table, scored, training or {})),
    )


def _read_metadata(metadata: Mapping[str, object]) -> tuple[pd.DataFrame, list[str]]:
    """Normalise what is known of one lesion, and refuse what is not understood."""
    known = {name: [value] for name, value in metadata.items() if pd.notna(value)}
    record, found = normalise_records(pd.DataFrame(known, index=[0]))
    notes = [note.removeprefix("row 0: ") for note in found]
    problems = [note.partition(_MISSING)[0] for note in notes if _MISSING in note]
    if problems:
        raise TableError("the metadata of the lesion were not understood:", problems)
    return record, notes


def _similar(classifier: BaseEstimator, score: float) -> SimilarScores | None:
    """Count the malignant ones among the training lesions with the nearest scores."""
    scores, target = (getattr(classifier, name, None) for name in ("oof_score_", "target_"))
    if scores is None or target is None or classifier.recalibration_ is not None:
        return None
    odds = logit(np.clip([score, *scores], 1e-9, 1 - 1e-9))
    # A tenth of the lesions at most, so that those of a small table are similar.
    n_wanted = min(_NEAREST, max(_FEWEST, len(scores) // 10))
    nearest = np.argsort(np.abs(odds[1:] - odds[0]), kind="stable")[:n_wanted]
    n, n_malignant = len(nearest), int(np.sum(target[nearest]))
    low, high = wilson(n_malignant / n, n, 1.96)
    return SimilarScores(n, n_malignant, float(low), float(high))


def _limits(
    classifier: BaseEstimator,
    measured: MeasuredImage,
    table: pd.DataFrame,
    scored: pd.Series,
    training: Mapping[str, object],
) -> list[str]:
    """Say what limits the score of one image."""
    names, limits = list(classifier.feature_names_in_), []
    unknown = record_columns([name for name in names if pd.isna(table[name].iloc[0])])
    if unknown:
        limits.append(f"the model uses {', '.join(unknown)}; not given, so taken as unknown.")
    if flags := flag_words(measured.segmentation.flags):
        limits.append(flags)
    if reason := scored.get("applicability_reason"):
        limits.append(f"unusual in this image: {reason}.")
    if membership_warning(training, table.head(1)):
        limits.append(
            "the lesion or its patient was in the training data; the score is optimistic."
        )
    if uses_context(classifier) and len(table) == 1:
        limits.append("the model compares a patient's lesions; this one was scored alone.")
    if "score_original" in scored:
        original = scored["score_original"]
        limits.append(f"the score is recalibrated for another site; before, it was {original:.3g}.")
    return limits
