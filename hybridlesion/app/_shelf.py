"""Photographs of a run of the app, what is known about their patients, and their answers."""

from __future__ import annotations

import math
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
from fastapi import HTTPException, UploadFile
from pydantic import BaseModel, Field, FiniteFloat

from hybridlesion._formatting import plain_cell
from hybridlesion._optional_imports import cv2
from hybridlesion.io import read_image, resize_long_side
from hybridlesion.metadata import Sex, Site

if TYPE_CHECKING:
    from hybridlesion.app._reader import LesionReader, Photograph

THUMBNAIL = 192  # pixels

PatientId = Annotated[str | None, Field(max_length=64, description="Name or number.")]
Age = Annotated[FiniteFloat | None, Field(ge=0, le=120, description="Age in years.")]


class Person(BaseModel):
    """What is known about the patient of a photograph.

    Parameters
    ----------
    age : float or None, default=None
        Age in years, 0 to 120.
    sex : Sex or None, default=None
        Sex.
    site : Site or None, default=None
        Site of the body.
    patient_id : str or None, default=None
        Name or number of the patient; photographs with the same one are compared.
    """

    age: Age = None
    sex: Sex | None = None
    site: Site | None = None
    patient_id: PatientId = None


@dataclass(frozen=True)
class _Kept:
    """A photograph on the shelf, what is known about its patient, and the answer."""

    photograph: Photograph
    person: Person
    answer: dict[str, Any]


class _Shelf:
    """Photographs of this run, in a private folder, under names that cannot be guessed."""

    def __init__(self, make_reader: Callable[[], LesionReader]):
        self.make_reader, self.kept = make_reader, dict[str, _Kept]()
        self.folder = Path()  # set when the application starts

    @cached_property
    def reader(self) -> LesionReader:
        return self.make_reader()

    def store(self, file: UploadFile) -> Path:
        path = self.folder / secrets.token_urlsafe(16)
        with path.open("wb") as stream:
            shutil.copyfileobj(file.file, stream)
        return path

    def read(self, path: Path, name: str, person: Person) -> _Kept:
        return self._answer(self.reader.read(path, name), person)

    def change(self, people: Mapping[str, Person]) -> None:
        kept = {key: self[key] for key in people}
        for key, person in people.items():
            self._replace(key, replace(kept[key], person=person))
        patients = {one.patient_id for one in people.values()}
        self.settle(people, patients | {one.person.patient_id for one in kept.values()})

    def settle(self, keys: Iterable[str], patients: Iterable[str | None]) -> None:
        """Answer again about photographs and, if the model compares them, those of patients."""
        keys, patients = set(keys), set(patients) - {None}
        if self.reader.uses_context:
            found = self.kept.copy().items()
            keys |= {key for key, kept in found if kept.person.patient_id in patients}
        for key in keys & set(self.kept):
            kept = self.kept[key]
            self._replace(key, self._answer(kept.photograph, kept.person))

    def group(self, person: Person) -> dict[str, Photograph]:
        """Photographs of a patient by id."""
        found, patient = self.kept.copy().items(), person.patient_id
        same = {key: kept.photograph for key, kept in found if kept.person.patient_id == patient}
        return {} if patient is None else same

    def _known(self, photograph: Photograph, person: Person) -> dict[str, Any]:
        """What is known about a photograph: the facts about the patient, and other lesions."""
        group = self.group(person)
        group.pop(photograph.path.name, None)
        return {**person.model_dump(mode="json"), "others": list(group.values())}

    def compare(self, key: str) -> list[dict[str, object]]:
        """Order the lesions of a patient, the one most unlike the others first."""
        from hybridlesion.app._reader import compare_lesions

        group = self.group(self[key].person)
        if len(group) < 2:
            return []
        found = zip(group, compare_lesions(list(group.values())).tolist(), strict=True)
        rows = [{"id": one, "distance": far if math.isfinite(far) else None} for one, far in found]
        return sorted(rows, key=lambda row: -(row["distance"] or 0.0))

    def draw(self, key: str, points: list[list[float]] | None) -> None:
        """Replace the outline; None returns to the automatic one."""
        photograph, person = self[key].photograph, self[key].person
        if points is None:
            new = self.reader.read(photograph.path, photograph.name)
        else:
            new = self.reader.correct(photograph, points)
        self._replace(key, self._answer(new, person))
        self.settle((), [person.patient_id])

    def _answer(self, photograph: Photograph, person: Person) -> _Kept:
        answer = self.reader.answer(photograph, **self._known(photograph, person))
        return _Kept(photograph, person, answer)

    def _replace(self, key: str, kept: _Kept) -> None:
        if key in self.kept:  # not removed in the meantime
            self.kept[key] = kept

    def __getitem__(self, key: str) -> _Kept:
        if key not in self.kept:
            raise HTTPException(404, "there is no such photograph; it may have been removed.")
        return self.kept[key]

    def add(self, kept: _Kept) -> str:
        key = kept.photograph.path.name
        self.kept[key] = kept
        return key

    def remove(self, key: str) -> None:
        path, patient = self[key].photograph.path, self[key].person.patient_id
        del self.kept[key]
        for file in (path, path.with_suffix(".jpg")):
            file.unlink(missing_ok=True)
        self.settle((), [patient])

    def describe(self, key: str) -> dict[str, object]:
        kept = self[key]
        photograph = kept.photograph
        height, width = photograph.size
        return {
            "id": key,
            "name": photograph.name,
            "width": width,
            "height": height,
            "outline": photograph.outline,
            "corrected": photograph.corrected,
            "person": kept.person.model_dump(mode="json"),
            "layers": self.reader.layers(photograph),
            "answer": kept.answer,
        }

    def photograph_file(self, key: str) -> Path:
        """Encode the photograph at full resolution, so that no foreign bytes are served."""
        path = self[key].photograph.path
        file = path.with_suffix(".jpg")
        if not file.exists():
            file.write_bytes(encode_jpeg(read_image(path), 92))
        return file

    def thumbnail(self, key: str) -> bytes:
        return encode_jpeg(resize_long_side(self[key].photograph.measured.image, THUMBNAIL), 85)

    def sheet(self, key: str, suffix: str) -> bytes:
        photograph, person = self[key].photograph, self[key].person
        return self.reader.draw_sheet(photograph, suffix, **self._known(photograph, person))

    def table(self, keys: Iterable[str]) -> str:
        rows = [_table_row(self[key], self.reader.name) for key in keys]
        table = pd.DataFrame(rows).map(plain_cell)
        return table.to_csv(index=False, lineterminator="\r\n")


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """Encode an image as JPEG.

    Parameters
    ----------
    image : ndarray of shape (H, W, 3), uint8
        RGB image.
    quality : int
        Quality, 0 to 100.

    Returns
    -------
    bytes
        The file.
    """
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _table_row(kept: _Kept, model: str) -> dict[str, object]:
    from hybridlesion.cnn import CLASSES

    answer = kept.answer
    named = ("score", "label", "threshold", "threshold_rule", "applicability")
    row = {"image_id": kept.photograph.name, **kept.person.model_dump(mode="json"), "model": model}
    row |= {name: answer[name] for name in named}
    diagnoses = answer["diagnoses"].items()
    row |= {f"p_{CLASSES[name]}": probability for name, probability in diagnoses}
    row |= {f"reason_{k}": words for k, words in enumerate(answer["reasons"], start=1)}
    row |= {one["name"]: one["value"] for one in answer["abcd"]}
    seven = answer["seven_point"] or {"total": None}
    row["seven_point"] = seven["total"]
    row["outline"] = "corrected" if kept.photograph.corrected else "automatic"
    return row | {"warnings": " ".join(answer["warnings"])}
