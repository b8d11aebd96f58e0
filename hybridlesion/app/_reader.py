"""One photograph, one answer: measured, scored and drawn, also with a corrected outline."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from hybridlesion._optional_imports import cv2
from hybridlesion.app._layers import LAYERS, paint_layer
from hybridlesion.cnn import CLASSES
from hybridlesion.exceptions import ImageError, OptionError
from hybridlesion.explain import column_label, value_words
from hybridlesion.features.scores import POINTS, load_scales
from hybridlesion.featurizer import (
    COLOR_CONSTANCY,
    FINETUNED,
    Failure,
    LesionFeaturizer,
    check_records,
    encode_metadata,
    read_segmented,
)
from hybridlesion.inference import note_caveats, score_table
from hybridlesion.io import image_id_from_path, image_size
from hybridlesion.leakage import membership_warning
from hybridlesion.pipeline import split_steps
from hybridlesion.segmentation import Segmentation, enlarge_mask, segment_details

MAX_PIXELS = 100_000_000
"""Most pixels of a photograph, above any camera in use."""

NO_MODEL = (
    "No model was given, so only the network that ships with hybridlesion answers. Its score is "
    "not calibrated for any clinic, has no threshold, and ignores age, sex and site."
)
"""Notice that is shown when no model was given."""

_LONG_SIDE = 2048  # pixels at which outlines are traced
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
    image : ndarray of shape (H, W, 3), uint8
        Image at the scale of the analysis.
    details : Segmentation
        Segmentation of `image`.
    measured : DataFrame of shape (1, columns)
        Features of the image.
    corrected : bool, default=False
        Whether the user drew the outline.
    painted : dict of str to bytes
        PNG files of the layers that were asked for.
    """

    name: str
    path: Path
    size: tuple[int, int]
    image: np.ndarray
    details: Segmentation
    measured: pd.DataFrame
    corrected: bool = False
    painted: dict[str, bytes] = field(default_factory=dict)

    @cached_property
    def outline(self) -> list[list[list[float]]]:
        """Contours of the mask as lists of points (x, y), in pixels of the photograph."""
        height, width = self.size
        scale = min(1.0, _LONG_SIDE / max(self.size))
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        mask = enlarge_mask(self.details.mask, size).astype(np.uint8)
        found, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        step = np.array([width / size[1], height / size[0]])
        smooth = [cv2.approxPolyDP(one, 0.6, True)[:, 0] for one in found]
        smooth = sorted((one for one in smooth if len(one) > 2), key=cv2.contourArea, reverse=True)
        return [((one + 0.5) * step).round(1).tolist() for one in smooth]


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
    ):
        self.model, self.name, self.training = model, name, training or {}
        if model is None:
            records = pd.DataFrame({"image_id": ["a"], "path": ["a"]})
            self.featurizer, self.classifier = LesionFeaturizer(FINETUNED, device="cpu"), None
            self.featurizer.fit(records)
            return
        self.featurizer, self.classifier = split_steps(model)
        if self.featurizer is None or not self.featurizer.reads_images_:
            raise OptionError(
                "this model was fitted on tables alone and cannot measure photographs. Fit one on "
                "features of images."
            )
        self.featurizer.check_version()

    def warm_up(self) -> None:
        """Load the networks by reading a drawn lesion, so that the first photograph is quick."""
        y, x = np.mgrid[-48:48, -64:64]
        disc = x**2 + y**2 < 30**2
        image = np.where(disc[..., None], (120, 80, 60), (225, 190, 170)).astype(np.uint8)
        details = segment_details(image, segmenter=self.featurizer.segmenter)
        self.answer(self._measure("drawn", Path(), image.shape[:2], image, details))

    def facts(self) -> dict[str, object]:
        """Describe the model.

        Returns
        -------
        dict
            ``name``, ``notice`` (about a missing model, or None), ``threshold`` and
            ``uses_metadata``.
        """
        names = getattr(self.classifier, "feature_names_in_", ())
        return {
            "name": self.name,
            "notice": NO_MODEL if self.model is None else None,
            "threshold": None if self.model is None else float(self.classifier.threshold_),
            "uses_metadata": any(str(name).startswith("meta__") for name in names),
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
        featurizer = self.featurizer
        try:
            height, width = image_size(path)
        except ImageError as error:
            raise ImageError(_without_path(str(error), path)) from error
        if height * width > MAX_PIXELS:
            raise ImageError(
                f"{width} x {height} is {height * width / 1e6:,.0f} megapixels, above the limit of "
                f"{MAX_PIXELS / 1e6:,.0f}. Shrink the file."
            )
        settings = {"long_side": featurizer.long_side, "segmenter": featurizer.segmenter}
        ((_, found),) = read_segmented([(name, str(path))], **settings)
        if isinstance(found, Failure):
            raise ImageError(_without_path(found.reason, path))
        return self._measure(name, path, (height, width), *found)

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
        shape = photograph.image.shape[:2]
        scale = np.divide(shape, photograph.size)[::-1]
        corners = (np.asarray(points, float) * scale - 0.5) * 16  # in sixteenths of a pixel
        filled = np.zeros(shape, np.uint8)
        cv2.fillPoly(filled, [np.clip(corners, -1e6, 1e6).round().astype(np.int32)], 1, shift=4)
        mask = filled.astype(bool)
        if np.count_nonzero(mask) < _LEAST_AREA:
            raise ImageError("the outline encloses almost nothing. Draw it around the lesion.")
        details = replace(photograph.details, mask=mask, confidence=1.0, flags=())
        known = (photograph.name, photograph.path, photograph.size, photograph.image)
        return self._measure(*known, details, corrected=True)

    def _measure(
        self,
        name: str,
        path: Path,
        size: tuple[int, int],
        image: np.ndarray,
        details: Segmentation,
        *,
        corrected: bool = False,
    ) -> Photograph:
        records = pd.DataFrame({"image_id": [image_id_from_path(name)], "path": [str(path)]})
        table, failures = self.featurizer.featurize(records, segmented=[(image, details)])
        if failures:
            raise ImageError(_without_path(failures[0].reason, path))
        measured = table[self.featurizer.measured_names()]
        return Photograph(name, path, size, image, details, measured, corrected)

    def answer(
        self,
        photograph: Photograph,
        *,
        age: float | None = None,
        sex: str | None = None,
        site: str | None = None,
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

        Returns
        -------
        dict
            ``score`` (0 to 1), ``label``, ``threshold`` and ``threshold_rule`` (None without a
            model), ``applicability`` (0 to 1 or None), ``diagnoses``, ``reasons``, ``abcd``,
            ``seven_point`` and ``warnings``; ready for JSON.
        """
        values = photograph.measured.iloc[0].astype(float)
        empty = not photograph.details.mask.any()
        scored = self._scored(photograph, {"age": age, "sex": sex, "site": site}, values)
        notes = [_NO_LESION] if empty else _flags(photograph.details.flags)
        return scored | {
            "abcd": [] if empty else _count_abcd(values),
            "seven_point": None if empty else _count_seven_points(values),
            "warnings": [*notes, *scored["warnings"]],
        }

    def _scored(
        self, photograph: Photograph, known: dict[str, object], values: pd.Series
    ) -> dict[str, object]:
        image_id = image_id_from_path(photograph.name)
        records = pd.DataFrame([{"image_id": image_id, **known}]).astype(object)
        if self.model is None:
            return {
                "score": float(values["cnn__score"]),
                **dict.fromkeys(("label", "threshold", "threshold_rule", "applicability")),
                "diagnoses": _list_diagnoses(values.filter(like="cnn__p_"), "cnn__p_"),
                "reasons": [],
                "warnings": list(note_caveats(["cnn__score"], photograph.measured)),
            }
        encoded = encode_metadata(check_records(records), self.featurizer.measurements_)
        table = pd.concat([records, encoded, photograph.measured], axis=1)
        diagnoses = getattr(self.classifier, "diagnosis_", None) is not None
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            row = score_table(self.model, table, explain=True, diagnoses=diagnoses).iloc[0]
        notes = [str(one.message) for one in caught if one.category is UserWarning]
        notes += membership_warning(self.training, records)
        reasons = [row[name] for name in row.index if name.startswith("reason_")]
        return {
            "score": float(row["score"]),
            "label": int(row["label"]),
            "threshold": float(row["threshold"]),
            "threshold_rule": row["threshold_rule"],
            "applicability": _number(row.get("applicability")),
            "diagnoses": _list_diagnoses(row.filter(like="p_"), "p_") if diagnoses else [],
            "reasons": [reason for reason in reasons if isinstance(reason, str)],
            "warnings": [_METADATA if "pass `metadata`" in note else note for note in notes],
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
        has = {
            "hair": photograph.details.hair.any(),
            "colours": photograph.details.mask.any(),
            "structures": photograph.details.mask.any(),
            "network": self.featurizer.embedder == FINETUNED,
        }
        values = photograph.measured.iloc[0].astype(float)
        return [
            {"name": name, "title": layer.title, "legend": layer.legend(values)}
            for name, layer in LAYERS.items()
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
            painted = paint_layer(name, photograph.image, photograph.details, self.featurizer)
            pixels = cv2.cvtColor(painted, cv2.COLOR_RGBA2BGRA)
            photograph.painted[name] = cv2.imencode(".png", pixels)[1].tobytes()
        return photograph.painted[name]

    def draw_sheet(self, photograph: Photograph, suffix: str, notes: str = "") -> bytes:
        """Draw the ABCD sheet of a photograph.

        Parameters
        ----------
        photograph : Photograph
            The photograph.
        suffix : {".png", ".pdf"}
            Format of the file.
        notes : str, default=""
            Text of the line below the title, before that on the mask.

        Returns
        -------
        bytes
            The file.
        """
        from hybridlesion.plotting import draw_abcd_sheet, save_figure

        details, image = photograph.details, photograph.image
        correct = COLOR_CONSTANCY[self.featurizer.color_constancy]
        shown = image if correct is None else correct(image, mask=details.field_of_view)
        mask = "corrected by hand" if photograph.corrected else Path(self.featurizer.segmenter).name
        figure = draw_abcd_sheet(
            *(shown, details.mask),
            field_of_view=details.field_of_view,
            hair=details.hair,
            raw=image,
            structures=details.structures,
            title=photograph.name,
            notes=f"{notes} Mask: {mask}.".lstrip(),
        )
        with TemporaryDirectory(dir=photograph.path.parent) as folder:
            return save_figure(figure, Path(folder) / f"sheet{suffix}", dpi=100).read_bytes()


_NO_LESION = "No lesion was found. Draw its outline; until then the score rests on the whole frame."
_METADATA = "Age, sex and site are unknown; the score is more specific with them."


def _without_path(reason: str, path: Path) -> str:
    return reason.replace(f"{path}: ", "").replace(str(path), "the file")


def _number(value: object) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _flags(flags: Sequence[str]) -> list[str]:
    from hybridlesion.plotting import flag_words

    return [flag_words([flag]) for flag in flags]


def _list_diagnoses(probabilities: pd.Series, prefix: str) -> list[dict[str, object]]:
    """List the diagnoses by decreasing probability."""
    found = [
        {"name": name, "probability": float(probabilities[f"{prefix}{code}"])}
        for name, code in CLASSES.items()
        if f"{prefix}{code}" in probabilities
    ]
    return sorted(found, key=lambda one: -one["probability"])


def _count_abcd(values: pd.Series) -> list[dict[str, object]]:
    from hybridlesion.plotting import SCORE_RANGES, score_words

    return [
        {
            "name": name,
            "title": title,
            "value": _number(values[f"abcd__{name}"]),
            "low": SCORE_RANGES[f"abcd__{name}"][0],
            "high": SCORE_RANGES[f"abcd__{name}"][1],
            "evidence": _unwrap(score_words(name, values)),
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
        evidence = [
            f"{column_label(term.feature)}: {value_words(term.feature, values[term.feature])}"
            for term in strongest
        ]
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
