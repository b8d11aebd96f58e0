"""Reference cases, compared with a photograph by the embedding of the network that ships."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache, partial

import numpy as np
import pandas as pd

from hybridlesion.batch import read_features
from hybridlesion.cnn import CNNScorer
from hybridlesion.featurizer import BLOCK, Failure, attempt
from hybridlesion.io import read_image, resize_long_side
from hybridlesion.io.discovery import find_records
from hybridlesion.leakage import HASH_BYTES, MAX_HAMMING, perceptual_hash, read_hashes
from hybridlesion.metadata import read_diagnosis

_LONG_SIDE = 512  # pixels, as of measured photographs
_N_CASES = 5
_COLUMNS = ("image_id", "path", "diagnosis", "target", "lesion_id", "patient_id")


@lru_cache(maxsize=1)
def _scorer() -> CNNScorer:
    return CNNScorer(device="cpu", embedding=True).fit()


def _is_embedding(columns: Sequence[str]) -> list[bool]:
    return [str(name).startswith("emb__lesion_") for name in columns]


def embed_images(images: Sequence[np.ndarray]) -> np.ndarray:
    """Embed images by the network that ships.

    Parameters
    ----------
    images : sequence of ndarray of shape (H, W, 3), uint8
        RGB images.

    Returns
    -------
    ndarray of shape (n, width), float32
        Vectors of length 1.
    """
    scorer = _scorer()
    vectors = scorer.transform(images)[:, _is_embedding(scorer.columns_)]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Gallery:
    """Reference cases from a folder or a table.

    Parameters
    ----------
    source : str or path-like
        Images: a folder, an archive, a table of paths, or a feature table, whose embedding by the
        network that ships is used if it has one.
    metadata : sequence of str or path-like, default=()
        Tables with ``image_id`` and, if known, ``diagnosis``, ``patient_id`` and ``lesion_id``. If
        empty, those of a table of paths are used.
    roots : sequence of str or path-like, default=()
        Further folders in which the images of a table may lie.

    Attributes
    ----------
    frame : DataFrame of shape (n, columns)
        Records of the images.
    notes : tuple of str
        Notes for the user.
    n_read : int
        Number of images that were read, or found to be unreadable.

    Raises
    ------
    SourceError
        If there are no images.
    TableError
        If a table cannot be used.
    """

    def __init__(
        self,
        source: str | os.PathLike,
        *,
        metadata: Sequence[str | os.PathLike] = (),
        roots: Sequence[str | os.PathLike] = (),
    ):
        found = find_records(source, metadata=metadata, roots=roots, labels_from_folders=None)
        known = [name for name in _COLUMNS if name in found.frame]
        self.frame, self.notes = found.frame[known].reset_index(drop=True), found.warnings
        self.n_read, self._is_stopped = 0, False
        width = sum(_is_embedding(_scorer().columns_))
        self._vectors = np.full((len(self.frame), width), np.nan, np.float32)
        self._hashes = np.zeros((len(self.frame), HASH_BYTES), np.uint8)
        if str(source).lower().endswith(".parquet"):
            self._take_measured(*read_features(source))

    def _take_measured(self, table: pd.DataFrame, configuration: dict | None) -> None:
        """Use the embedding of a feature table, unless it is that of another network."""
        if "image_id" not in table or (configuration or {}).get("weights") is not None:
            return
        table = table.drop_duplicates("image_id").set_index("image_id")
        table = table.reindex(self.frame["image_id"])
        vectors, hashes = table.loc[:, _is_embedding(table.columns)], read_hashes(table)
        if hashes is None or vectors.shape != self._vectors.shape or vectors.isna().any(axis=None):
            return
        vectors = vectors.to_numpy(np.float32)
        self._vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        self._hashes, self.n_read = hashes, len(hashes)

    def __len__(self) -> int:
        return len(self.frame)

    def read(self) -> None:
        """Embed the images that were not, until `stop` is called; the cases grow meanwhile."""
        while self.n_read < len(self) and not self._is_stopped:
            block = self.frame.iloc[self.n_read : self.n_read + BLOCK]
            for row, image_id, path in block[["image_id", "path"]].itertuples():
                work = partial(read_image, path, long_side=_LONG_SIDE)
                image = attempt((image_id, path), "read", work)
                if not isinstance(image, Failure):
                    image = resize_long_side(image, _LONG_SIDE)
                    self._hashes[row] = perceptual_hash(image)
                    self._vectors[row] = embed_images([image])[0]
                self.n_read += 1

    def stop(self) -> None:
        """End `read` after the present image."""
        self._is_stopped = True

    def find_similar(
        self,
        vector: np.ndarray,
        image_hash: np.ndarray,
        *,
        image_id: str = "",
        patient_id: str | None = None,
    ) -> list[dict[str, object]]:
        """Find the cases that are most similar to a photograph.

        Parameters
        ----------
        vector : ndarray of shape (width,), float32
            Result of `embed_images`.
        image_hash : ndarray of shape (32,), uint8
            Its `hybridlesion.leakage.perceptual_hash`. Near-identical images, and others of their
            lesion and patient, are left out.
        image_id : str, default=""
            Its id, whose lesion and patient are left out.
        patient_id : str or None, default=None
            Its patient, who is left out.

        Returns
        -------
        list of dict
            Up to five cases of different lesions, the most similar first: ``number`` (row of
            `frame`), ``image_id``, ``diagnosis``, ``malignant`` (None if unknown) and
            ``similarity`` (cosine, -1 to 1).
        """
        frame = self.frame
        distance = np.unpackbits(self._hashes ^ image_hash, axis=1).sum(axis=1)
        left_out = (distance <= MAX_HAMMING) | (frame["image_id"] == image_id).to_numpy()
        if patient_id is not None and "patient_id" in frame:
            left_out |= (frame["patient_id"] == patient_id).to_numpy()
        for name in ("lesion_id", "patient_id"):
            if name in frame:
                known = frame.loc[left_out, name].dropna()
                left_out |= frame[name].isin(known).to_numpy()
        similarity = np.where(left_out, np.nan, self._vectors @ vector)
        order = np.argsort(-similarity, kind="stable")[: np.isfinite(similarity).sum()]
        ranked = frame.iloc[order]
        if "lesion_id" in ranked:
            known = ranked["lesion_id"].notna()
            ranked = ranked[~(known & ranked["lesion_id"].duplicated())]
        return [
            self._describe(row) | {"similarity": float(similarity[row])}
            for row in ranked.index[:_N_CASES]
        ]

    def _describe(self, row: int) -> dict[str, object]:
        case = self.frame.loc[row]
        target, diagnosis = case.get("target"), case.get("diagnosis")
        reading = None if pd.isna(diagnosis) else read_diagnosis(str(diagnosis))
        if pd.isna(target) and reading is not None:
            target = reading.malignant
        malignant = None if pd.isna(target) else bool(target == 1)
        name = {True: "malignant", False: "benign", None: ""}[malignant]
        if reading is not None:
            name = reading.name or str(diagnosis)
        named = {"image_id": str(case["image_id"]), "diagnosis": name}
        return {"number": int(row), **named, "malignant": malignant}
