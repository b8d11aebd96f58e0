"""One photograph, one answer: measured, scored and drawn, also with a corrected outline."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from hybridlesion import plotting
from hybridlesion._optional_imports import cv2
from hybridlesion.app._gallery import embed_images
from hybridlesion.app._layers import LAYERS, layer_legend, paint_layer
from hybridlesion.cnn import CLASSES
from hybridlesion.exceptions import ArtifactError, ImageError, OptionError
from hybridlesion.explain import column_label, value_words
from hybridlesion.features.scores import POINTS, load_scales
from hybridlesion.featurizer import (
    FINETUNED,
    FINETUNED_EMBEDDERS,
    Failure,
    LesionFeaturizer,
    read_segmented,
)
from hybridlesion.inference import (
    REFERENCE_MODEL,
    LesionAnswer,
    MeasuredImage,
    measure_image,
    score_image,
    uses_context,
)
from hybridlesion.io import image_id_from_path, image_size
from hybridlesion.model import patient_context
from hybridlesion.persistence import load_artifact, read_manifest
from hybridlesion.pipeline import split_steps
from hybridlesion.segmentation import flag_words, replace_mask, soft_mask, trace_outline

MAX_PIXELS = 100_000_000
"""Most pixels of a photograph, above any camera in use."""

NO_MODEL = (
    "There is no model, so only the network that ships with hybridlesion answers. Its score is "
    "not calibrated for any clinic, has no threshold, and ignores age, sex and site."
)
"""Notice that is shown without a model."""

REFERENCE = (
    "The reference model that ships with hybridlesion answers. Its threshold and probabilities "
    "are those of its training images, {share} of which are malignant; evaluate and "
    "recalibrate it on lesions of your clinic, or give a model of your own."
)
"""Notice that is shown with the reference model."""

_LEAST_AREA = 16  # pixels at the scale of the analysis
_TITLES = {
    "asymmetry": "Asymmetry",
    "border": "Border",
    "color": "Colour",
    "structures": "Structures",
    "tds": "Total score",
}
_TERMS = 3  # features shown as evidence for a criterion


@dataclass(frozen=True)
class Photograph:
    """One photograph with its outline and measurements.

    Parameters
    ----------
    name : str
        Name of the file, as given by the user; never a path.
    path : Path
        Stored file.
    size : tuple of int
        Height and width in pixels.
    measured : MeasuredImage
        Image at the scale of the analysis, segmentation and measurements.
    drawn : list of [x, y], default=None
        Corners of the outline that the user drew, in pixels of the photograph. If None, the outline
        is automatic.

    Attributes
    ----------
    painted : dict of str to bytes
        PNG files of the layers that were asked for.
    """

    name: str
    path: Path
    size: tuple[int, int]
    measured: MeasuredImage
    drawn: list[list[float]] | None = None
    painted: dict[str, bytes] = field(default_factory=dict, init=False)

    @property
    def corrected(self) -> bool:
        """Whether the user drew the outline."""
        return self.drawn is not None

    @cached_property
    def outline(self) -> list[list[list[float]]]:
        """Contours of the mask as lists of points (x, y), in pixels of the photograph."""
        if self.drawn is not None:  # finer than the mask, which has the scale of the analysis
            return [self.drawn]
        details = self.measured.segmentation
        scale = np.divide(self.size, details.mask.shape)[::-1]
        return [(one * scale).round(1).tolist() for one in trace_outline(soft_mask(details))]

    @cached_property
    def values(self) -> pd.Series:
        """Measurements by column name."""
        return self.measured.table.iloc[0].astype(float)

    @cached_property
    def embedding(self) -> np.ndarray:
        """Vector of the network that ships, of length 1."""
        return embed_images([self.measured.image])[0]


def compare_lesions(photographs: Sequence[Photograph]) -> np.ndarray:
    """Measure how unlike the others each lesion of a patient is.

    Parameters
    ----------
    photographs : sequence of Photograph
        One of each lesion.

    Returns
    -------
    ndarray of shape (n,), float32
        One minus the cosine between the embedding of a lesion and the mean direction of the
        others, 0 to 2; see `hybridlesion.model.patient_context`. NaN for a single lesion.
    """
    vectors = np.stack([one.embedding for one in photographs])
    table = pd.DataFrame(vectors).add_prefix("emb__").assign(patient_id="patient")
    return patient_context(table, [])["ctx__embedding_distance"].to_numpy()


class LesionReader:
    """Answers of a model about single photographs.

    Parameters
    ----------
    model : Pipeline or None, default=None
        Fitted pipeline for images. If None, only the network that ships with the package answers.
    name : str, default="no model"
        Name of the model for display.
    training : mapping, default=None
        Description of the training data from the manifest. If None, training images are not
        detected.
    notice : str, default=None
        Text that is shown above the answers. If None, it is `NO_MODEL` without a model.

    Raises
    ------
    OptionError
        If the model was fitted on tables alone.

    Examples
    --------
    >>> LesionReader().facts()["threshold"] is None
    True
    """

    def __init__(
        self,
        model: BaseEstimator | None = None,
        *,
        name: str = "no model",
        training: Mapping[str, object] | None = None,
        notice: str | None = None,
    ):
        self.name, self.training, self.model = name, training or {}, model
        self.notice = NO_MODEL if model is None and notice is None else notice
        if model is None:
            featurizer = LesionFeaturizer(FINETUNED, device="cpu")
            featurizer.fit(pd.DataFrame({"image_id": ["a"], "path": ["a"]}))
            self.model = Pipeline([("features", featurizer), ("model", "passthrough")])
        self.has_model = model is not None
        self.featurizer, self.classifier = split_steps(self.model)
        if self.featurizer is None:
            raise OptionError(
                "this model was fitted on tables alone and cannot measure photographs. Fit one on "
                "features of images."
            )
        self.featurizer.check_version()
        self.uses_context = self.has_model and uses_context(self.classifier)

    @classmethod
    def reference(cls) -> LesionReader:
        """Make a reader of the reference model that ships.

        Returns
        -------
        LesionReader
            Reader of the reference model or, if the installed versions of the libraries cannot
            load it, of the network alone, with the reason in its notice.
        """
        try:
            # The scores of 16 rows are compared if versions differ, so warnings are not needed.
            with warnings.catch_warnings(action="ignore"):
                model = load_artifact(REFERENCE_MODEL)
        except ArtifactError as error:
            return cls(notice=f"{NO_MODEL} The reference model cannot be loaded: {error}")
        training = read_manifest(REFERENCE_MODEL)["training"]
        share = f"{100 * training['n_positive'] / training['n_rows']:.0f} %"
        notice = REFERENCE.format(share=share)
        return cls(model, name="the reference model", training=training, notice=notice)

    def warm_up(self) -> None:
        """Load the networks by reading a drawn lesion, so that the first photograph is quick."""
        y, x = np.mgrid[-48:48, -64:64]
        disc = x**2 + y**2 < 30**2
        image = np.where(disc[..., None], (120, 80, 60), (225, 190, 170)).astype(np.uint8)
        measured = measure_image(self.model, image)
        self.answer(Photograph("drawn", Path(), image.shape[:2], measured))

    def facts(self) -> dict[str, object]:
        """Describe the model.

        Returns
        -------
        dict
            ``name``, ``has_model``, ``notice`` (or None), ``threshold``, ``uses_metadata`` and
            ``uses_context``.
        """
        names = getattr(self.classifier, "feature_names_in_", ())
        return {
            "name": self.name,
            "has_model": self.has_model,
            "notice": self.notice,
            "threshold": float(self.classifier.threshold_) if self.has_model else None,
            "uses_metadata": any(str(name).startswith("meta__") for name in names),
            "uses_context": self.uses_context,
        }

    def read(self, path: Path, name: str) -> Photograph:
        """Decode, segment and measure a photograph.

        Parameters
        ----------
        path : Path
            File to read.
        name : str
            Name given by the user, by which training images are recognised.

        Returns
        -------
        Photograph
            The measured photograph.

        Raises
        ------
        ImageError
            If the file is not an image, is damaged, or has more than `MAX_PIXELS` pixels.
        """
        try:
            height, width = image_size(path)
            if height * width > MAX_PIXELS:
                raise ImageError(
                    f"{width} x {height} is {height * width / 1e6:,.0f} megapixels, above the "
                    f"limit of {MAX_PIXELS / 1e6:,.0f}. Shrink the file."
                )
            featurizer, image_id = self.featurizer, image_id_from_path(name)
            settings = {"long_side": featurizer.long_side, "segmenter": featurizer.segmenter}
            ((_, found),) = read_segmented([(image_id, str(path))], **settings)
            if isinstance(found, Failure):
                raise ImageError(found.reason)
        except ImageError as error:
            # The user knows the name of the file, not that of its copy.
            raise ImageError(str(error).replace(f"{path}: ", "")) from error
        image, details = found
        measured = measure_image(self.model, image, mask=details, image_id=image_id)
        return Photograph(name, path, (height, width), measured)

    def correct(self, photograph: Photograph, points: Sequence[Sequence[float]]) -> Photograph:
        """Replace the outline of a photograph and measure it again.

        Parameters
        ----------
        photograph : Photograph
            The photograph.
        points : sequence of (x, y)
            Corners of the outline, in pixels of the photograph.

        Returns
        -------
        Photograph
            The photograph with the new outline.

        Raises
        ------
        ImageError
            If the outline encloses almost nothing of the photograph.
        """
        image = photograph.measured.image
        shape = image.shape[:2]
        scale = np.divide(shape, photograph.size)[::-1]
        corners = (np.asarray(points, float) * scale - 0.5) * 16  # in sixteenths of a pixel
        mask = np.zeros(shape, np.uint8)
        cv2.fillPoly(mask, [np.clip(corners, -1e6, 1e6).round().astype(np.int32)], 1, shift=4)
        if np.count_nonzero(mask) < _LEAST_AREA:
            raise ImageError("the outline encloses almost nothing. Draw it around the lesion.")
        image_id = photograph.measured.image_id
        details = replace_mask(photograph.measured.segmentation, mask)
        measured = measure_image(self.model, image, mask=details, image_id=image_id)
        drawn = np.clip(np.asarray(points, float), 0, photograph.size[::-1]).tolist()
        return replace(photograph, measured=measured, drawn=drawn)

    def answer(
        self,
        photograph: Photograph,
        *,
        age: float | None = None,
        sex: str | None = None,
        site: str | None = None,
        patient_id: str | None = None,
        others: Sequence[Photograph] = (),
    ) -> dict[str, object]:
        """Score a photograph and say why.

        Parameters
        ----------
        photograph : Photograph
            The photograph.
        age : float or None, default=None
            Age in years.
        sex : str or None, default=None
            One of `hybridlesion.metadata.SEXES`.
        site : str or None, default=None
            One of `hybridlesion.metadata.SITES`.
        patient_id : str or None, default=None
            Patient, by whom training images are recognised.
        others : sequence of Photograph, default=()
            Other lesions of the patient, which some models compare.

        Returns
        -------
        dict
            Fields of `hybridlesion.inference.LesionAnswer`, then ``abcd`` and ``seven_point`` with
            values, ranges and evidence; ready for JSON. Without a model, ``score`` is that of the
            network, and there is no threshold.
        """
        if self.has_model:
            known = {"age": age, "sex": sex, "site": site, "patient_id": patient_id}
            facts = self._score(photograph, known, others).to_dict()
        else:
            facts = _network_answer(photograph)
        has_lesion = photograph.measured.segmentation.mask.any()
        return facts | {
            "abcd": _count_abcd(photograph.values) if has_lesion else [],
            "seven_point": _count_seven_points(photograph.values) if has_lesion else None,
        }

    def layers(self, photograph: Photograph) -> list[dict[str, object]]:
        """List the layers that a photograph has, with their legends.

        Parameters
        ----------
        photograph : Photograph
            The photograph.

        Returns
        -------
        list of dict
            ``name``, ``title`` and ``legend`` of each layer; an entry of a legend has ``color``
            (hexadecimal), ``text`` and ``present``.
        """
        details = photograph.measured.segmentation
        has = {
            "hair": details.hair.any(),
            "colours": details.mask.any(),
            "structures": details.mask.any(),
            "network": self.featurizer.embedder in FINETUNED_EMBEDDERS and find_spec("torch"),
        }
        return [
            {"name": name, "title": title, "legend": layer_legend(name, photograph.values)}
            for name, title in LAYERS.items()
            if has[name]
        ]

    def paint(self, photograph: Photograph, name: str) -> bytes:
        """Paint one layer of a photograph.

        Parameters
        ----------
        photograph : Photograph
            The photograph.
        name : str
            Name from `layers`.

        Returns
        -------
        bytes
            PNG file with transparency, of the proportions of the photograph.
        """
        if name not in photograph.painted:
            painted = paint_layer(name, photograph.measured, self.featurizer)
            pixels = cv2.cvtColor(painted, cv2.COLOR_RGBA2BGRA)
            photograph.painted[name] = cv2.imencode(".png", pixels)[1].tobytes()
        return photograph.painted[name]

    def draw_sheet(
        self,
        photograph: Photograph,
        suffix: str,
        *,
        age: float | None = None,
        sex: str | None = None,
        site: str | None = None,
        patient_id: str | None = None,
        others: Sequence[Photograph] = (),
    ) -> bytes:
        """Draw the ABCD sheet of a photograph, with its score.

        Parameters
        ----------
        photograph : Photograph
            The photograph.
        suffix : {".png", ".pdf"}
            Format of the file.
        age, sex, site, patient_id : float or str, default=None
            As for `answer`.
        others : sequence of Photograph, default=()
            As for `answer`.

        Returns
        -------
        bytes
            The file.
        """
        notes = f"Mask: {'drawn by hand' if photograph.corrected else 'automatic'}."
        if not self.has_model:
            score = photograph.values["cnn__score"]
            notes = f"{notes} Score of the network that ships: {score:.3f}, not calibrated."
        measured, method = photograph.measured, self.featurizer.color_constancy
        words = {"title": photograph.name, "notes": notes}
        figure = plotting.draw_segmented_sheet(
            measured.image, measured.segmentation, method, **words
        )
        if self.has_model:
            known = {"age": age, "sex": sex, "site": site, "patient_id": patient_id}
            plotting.add_score(figure, self._score(photograph, known, others), self.name)
        with TemporaryDirectory(dir=photograph.path.parent) as folder:
            return plotting.save_figure(
                figure, Path(folder) / f"sheet{suffix}", dpi=100
            ).read_bytes()

    def _score(
        self, photograph: Photograph, known: Mapping[str, object], others: Sequence[Photograph]
    ) -> LesionAnswer:
        compared = [one.measured for one in others] if self.uses_context else []
        settings = {"metadata": known, "training": self.training, "others": compared}
        return score_image(self.model, photograph.measured, **settings)


def _network_answer(photograph: Photograph) -> dict[str, object]:
    """Answer of the network alone, in the form of that of a model."""
    values, measured = photograph.values, photograph.measured
    flags = flag_words(measured.segmentation.flags)
    seen = ["the network was trained on this image; its score is out of fold where possible."]
    return {
        "image_id": measured.image_id,
        **dict.fromkeys(("label", "threshold", "threshold_rule", "similar", "applicability")),
        "score": float(values["cnn__score"]),
        "diagnoses": {name: float(values[f"cnn__p_{code}"]) for name, code in CLASSES.items()},
        "reasons": [],
        "warnings": [*([flags] if flags else []), *(seen if values["qa__cnn_seen"] else [])],
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _count_abcd(values: pd.Series) -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "title": title,
            "value": _number(values[f"abcd__{name}"]),
            "low": plotting.SCORE_RANGES[f"abcd__{name}"][0],
            "high": plotting.SCORE_RANGES[f"abcd__{name}"][1],
            "evidence": _unwrap(plotting.score_words(name, values)),
        }
        for name, title in _TITLES.items()
    ]


def _unwrap(lines: list[str]) -> str:
    """Join the lines of a sheet, except where a sentence begins."""
    # The sheet colours the parts of the total.
    return re.sub(r"\n(?=[a-z])", " ", "\n".join(lines)).replace(", as coloured", "")


def _count_seven_points(values: pd.Series) -> dict[str, object]:
    criteria = []
    for name, points in POINTS.items():
        column = f"abcd__seven_point_{name}"
        terms = load_scales("seven_point")[name].terms
        strongest = sorted(terms, key=lambda term: -abs(term.weight))[:_TERMS]
        features = [term.feature for term in strongest]
        evidence = [f"{column_label(one)}: {value_words(one, values[one])}" for one in features]
        label = column_label(column)
        criteria.append(
            {
                "name": name,
                "title": label[0].upper() + label[1:],
                "value": _number(values[column] * points),
                "low": 0,
                "high": points,
                "evidence": "\n".join(evidence),
            }
        )
    return {"total": _number(values["abcd__seven_point"]), "high": 10, "criteria": criteria}
