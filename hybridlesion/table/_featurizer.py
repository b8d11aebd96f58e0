"""LesionFeaturizer: every feature of a lesion from one decode of its image."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from hybridlesion._validation import check_choice, check_number
from hybridlesion.embedding import TimmEmbedder
from hybridlesion.embedding.finetuning import (
    LesionScorer,
    leave_out_optimistic,
    optimistic_rows,
)
from hybridlesion.exceptions import ImageError, OptionError, TableError
from hybridlesion.images import write_mask
from hybridlesion.segmentation import check_segmenter
from hybridlesion.table._encoding import encode_metadata, metadata_columns
from hybridlesion.table._lesion import COLOR_CONSTANCY, lesion_columns, read_lesions
from hybridlesion.table._segmented import Failure

__all__ = ["FINETUNED", "LesionFeaturizer"]

# The embedder's name for networks of `hybridlesion finetune`, whatever their backbone.
FINETUNED = "finetuned"

# Record columns that a feature table carries along; the model never reads them.
_CARRIED = (
    "image_id",
    "path",
    "patient_id",
    "lesion_id",
    "duplicate_cluster",
    "age",
    "sex",
    "site",
    "diagnosis",
    "target",
)


class LesionFeaturizer(TransformerMixin, BaseEstimator):
    """Turn records into a feature table: mask, ABCD features, embedding, encoded metadata.

    Each image is decoded once, at the smallest scale that serves, and everything that needs its
    pixels happens then. Nothing is learned from the data, so nothing can leak between folds.

    Parameters
    ----------
    embedder : str, default="none"
        A timm model name for its embedding, ``"finetuned"`` for the score of fine-tuned networks,
        or ``"none"``.
    weights : str or None, default=None
        Local weight file for `embedder`; None takes timm's own pretrained weights. With
        ``"finetuned"`` a folder of `hybridlesion finetune`; None takes the network that ships.
    segmenter : str, default="classical"
        Which segmentation draws the mask; one of `hybridlesion.segmentation.SEGMENTERS`,
        or the weight file of a refiner.
    long_side : int, default=512
        Long side in pixels at which images are analysed, at least 64.
    color_constancy : {"shades_of_gray", "max_rgb", "none"}, default="shades_of_gray"
        Illuminant correction before colours are measured.
    crop : {"lesion", "frame"}, default="lesion"
        What the network sees: the lesion with a margin, or the whole frame. Fine-tuned networks
        know themselves what they are to see.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where the network runs.
    batch_size : int, default=32
        Images per network batch.
    n_jobs : int, default=1
        Processes used by `transform`; -1 takes every core.
    on_error : {"warn", "raise"}, default="warn"
        What `transform` does with an image that cannot be read: leave its features NaN and warn
        once with all of them, or raise.

    Attributes
    ----------
    measurements_ : list of str
        Extra measurement columns seen by `fit` (ISIC 2024).
    embedder_ : TimmEmbedder, LesionScorer or None
        The fitted embedder.

    See Also
    --------
    hybridlesion.extraction.extract_features : The same for more images than fit into memory.
    """

    def __init__(
        self,
        embedder: str = "none",
        *,
        weights: str | None = None,
        segmenter: str = "classical",
        long_side: int = 512,
        color_constancy: str = "shades_of_gray",
        crop: str = "lesion",
        device: str = "auto",
        batch_size: int = 32,
        n_jobs: int = 1,
        on_error: str = "warn",
    ):
        self.embedder = embedder
        self.weights = weights
        self.segmenter = segmenter
        self.long_side = long_side
        self.color_constancy = color_constancy
        self.crop = crop
        self.device = device
        self.batch_size = batch_size
        self.n_jobs = n_jobs
        self.on_error = on_error

    def fit(self, X: pd.DataFrame, y: object = None) -> LesionFeaturizer:
        """Check the parameters and note which columns the records have.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Records with at least an ``image_id``, and a ``path`` where images are to be read.
        y : object, default=None
            Ignored.

        Returns
        -------
        LesionFeaturizer
            This object.

        Raises
        ------
        ValueError
            If a parameter is out of range; TableError if `X` holds no records.
        """
        self._check_parameters()
        records = _check_records(X)
        self.feature_names_in_ = np.asarray(records.columns, dtype=object)
        self.n_features_in_ = records.shape[1]
        self.measurements_ = metadata_columns(records)
        self.carried_ = [column for column in _CARRIED if column in records]
        self.reads_images_ = "path" in records
        self.embedder_ = self._make_embedder()
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Measure every record.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Records.

        Returns
        -------
        DataFrame of shape (n, features)
            One row per record, in order: the record's own columns, then the families.

        Raises
        ------
        ImageError
            If an image cannot be read and `on_error` is "raise".
        """
        check_is_fitted(self, "measurements_")
        records = _check_records(X)
        table, failures = self._featurize_in_processes(records)
        if failures:
            message = _summarise(failures, len(records))
            if self.on_error == "raise":
                raise ImageError(message)
            advice = "Their features are NaN: a score of such a row rests on its metadata alone."
            warnings.warn(f"{message}\n{advice}", UserWarning, stacklevel=2)
        return table

    def fit_transform(self, X: pd.DataFrame, y: object = None) -> pd.DataFrame:
        """Measure records that a model is to learn from; a Pipeline calls it in its own fit.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Records.
        y : object, default=None
            Ignored.

        Returns
        -------
        DataFrame of shape (n, features)
            What `transform` returns, but NaN instead of a ``cnn__score`` whose network learned from
            the row (``qa__cnn_seen`` of 2): a model would come to trust such scores too much.

        Warns
        -----
        UserWarning
            If there are such rows.
        """
        table = self.fit(X, y).transform(X)
        optimistic = optimistic_rows(table)
        if optimistic.any():
            warnings.warn(
                f"{optimistic.sum():,} of {len(table):,} rows have a cnn__score of a network that "
                "learned from them; it was left out.",
                UserWarning,
                stacklevel=2,
            )
        return leave_out_optimistic(table)

    def featurize(
        self,
        records: pd.DataFrame,
        *,
        masks: str | Path | None = None,
        tick: Callable[[], object] | None = None,
    ) -> tuple[pd.DataFrame, list[Failure]]:
        """Measure every record in this process, and list what failed instead of warning.

        Parameters
        ----------
        records : DataFrame of shape (n, columns)
            Records.
        masks : str, Path or None, default=None
            Folder that receives each mask as ``IMAGEID_segmentation.png``.
        tick : callable, default=None
            Called after every image that was read or measured, as a sign of life.

        Returns
        -------
        table : DataFrame of shape (n, features)
            Rows that failed hold NaN in every image feature.
        failures : list of Failure
            What failed, in row order.

        Raises
        ------
        TableError
            If the records lack the paths that `fit` saw.
        """
        check_is_fitted(self, "measurements_")
        if self.reads_images_ and "path" not in records:
            raise TableError(
                "these records have no path column, but the featurizer was fitted on records with "
                "images. Add the paths: hybridlesion.list_images finds them."
            )
        names = self._measured_names()
        measured = np.full((len(records), len(names)), np.nan, dtype=np.float32)
        failures: list[Failure] = []
        for start in range(0, len(records) if names else 0, self.batch_size):
            rows = slice(start, start + self.batch_size)
            failures += self._measure_batch(records.iloc[rows], measured[rows], masks, tick)
        parts = [
            records.reindex(columns=self.carried_),
            encode_metadata(records, self.measurements_),
            pd.DataFrame(measured, columns=names, index=records.index),
        ]
        return pd.concat(parts, axis=1), failures

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Name the columns of the feature table.

        Parameters
        ----------
        input_features : object, default=None
            Ignored; the names follow from the parameters and the records seen by `fit`.

        Returns
        -------
        ndarray of str
            Column names, in order.
        """
        check_is_fitted(self, "measurements_")
        nothing = pd.DataFrame({"image_id": []})
        encoded = encode_metadata(nothing, self.measurements_).columns
        return np.asarray([*self.carried_, *encoded, *self._measured_names()], dtype=object)

    def _measured_names(self) -> list[str]:
        if not self.reads_images_:
            return []
        embedded = [] if self.embedder_ is None else list(self.embedder_.get_feature_names_out())
        return [*lesion_columns(), *embedded]

    def _make_embedder(self) -> TimmEmbedder | LesionScorer | None:
        if self.embedder == "none":
            return None
        options = {"device": self.device, "batch_size": self.batch_size}
        if self.embedder == FINETUNED:
            return LesionScorer(self.weights, **options).fit()
        return TimmEmbedder(self.embedder, weights=self.weights, crop=self.crop, **options).fit()

    def _check_parameters(self) -> None:
        check_segmenter(self.segmenter)
        check_choice("color_constancy", self.color_constancy, COLOR_CONSTANCY)
        check_choice("crop", self.crop, ("lesion", "frame"))
        check_choice("device", self.device, ("auto", "cpu", "cuda"))
        check_choice("on_error", self.on_error, ("warn", "raise"))
        check_number("long_side", self.long_side, low=64, integer=True)
        check_number("batch_size", self.batch_size, low=1, integer=True)
        if self.embedder == "none" and self.weights is not None:
            raise OptionError(
                f"weights={self.weights!r} needs the network it belongs to: set embedder, for "
                'example embedder="mobilenetv2_100".'
            )

    def _featurize_in_processes(self, records: pd.DataFrame) -> tuple[pd.DataFrame, list[Failure]]:
        from joblib import Parallel, delayed, effective_n_jobs

        step = self.batch_size
        n_jobs = min(effective_n_jobs(self.n_jobs), -(-len(records) // step))
        if n_jobs <= 1 or not self.reads_images_:
            return self.featurize(records)
        # Chunks of whole batches: the network then sees the same batches as in one process.
        chunks = [records.iloc[start : start + step] for start in range(0, len(records), step)]
        parts = Parallel(n_jobs=n_jobs)(delayed(self.featurize)(chunk) for chunk in chunks)
        table = pd.concat([part for part, _ in parts])
        return table, [failure for _, failures in parts for failure in failures]

    def _measure_batch(
        self,
        rows: pd.DataFrame,
        out: np.ndarray,
        masks: str | Path | None,
        tick: Callable[[], object] | None,
    ) -> list[Failure]:
        """Fill the rows of `out` that can be measured, and return the failures of the others."""
        fixed = lesion_columns()
        failures, lesions = [], {}
        pairs = list(zip(rows["image_id"], rows["path"], strict=True))
        found = read_lesions(
            pairs,
            long_side=self.long_side,
            segmenter=self.segmenter,
            color_constancy=self.color_constancy,
            tick=tick,
        )
        for position, ((image_id, _), lesion) in enumerate(zip(pairs, found, strict=True)):
            if tick is not None:
                tick()
            if isinstance(lesion, Failure):
                failures.append(lesion)
                continue
            lesions[position] = lesion
            out[position, : len(fixed)] = [lesion.values[name] for name in fixed]
            if masks is not None:
                write_mask(Path(masks) / f"{image_id}_segmentation.png", lesion.details.mask)
        if self.embedder_ is not None and lesions:
            # A fine-tuned network must know which images, patients and lesions it learned from.
            known = {"records": rows.iloc[list(lesions)]} if self.embedder == FINETUNED else {}
            out[list(lesions), len(fixed) :] = self.embedder_.transform(
                [lesion.image for lesion in lesions.values()],
                [lesion.details.mask for lesion in lesions.values()],
                **known,
            )
        return failures


def _summarise(failures: list[Failure], n_records: int) -> str:
    lines = [f"{failure.image_id}: {failure.reason}" for failure in failures[:10]]
    if len(failures) > len(lines):
        lines.append(f"... and {len(failures) - len(lines)} more")
    head = f"{len(failures)} of {n_records} images could not be used:"
    return "\n  ".join([head, *lines])


def _check_records(X: object) -> pd.DataFrame:
    if not isinstance(X, pd.DataFrame) or "image_id" not in X:
        came = f"columns {list(X.columns)[:8]}" if isinstance(X, pd.DataFrame) else type(X).__name__
        raise TableError(
            "records must be a DataFrame with at least an image_id column (and a path column where "
            f"images are to be read), got {came}. hybridlesion.read_records makes one from any "
            "ISIC table, hybridlesion.list_images from a folder."
        )
    return X
