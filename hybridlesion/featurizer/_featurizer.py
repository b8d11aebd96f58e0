"""Transformer from records to a feature table."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from hybridlesion._validation import LEFT_OUT, as_pandas, check_choice, check_number
from hybridlesion.cnn import CNNScorer, TimmEmbedder
from hybridlesion.exceptions import ArtifactError, ImageError, OptionError, TableError
from hybridlesion.featurizer._measuring import (
    COLOR_CONSTANCY,
    IDS,
    RECORD_COLUMNS,
    Failure,
    Row,
    SegmentedImage,
    check_records,
    encode_metadata,
    is_feature,
    lesion_columns,
    measure_lesion,
    metadata_columns,
    read_segmented,
)
from hybridlesion.io import write_mask
from hybridlesion.leakage import blank_in_sample_scores, in_sample_mask
from hybridlesion.segmentation import Segmentation, check_segmenter

# Incremented whenever the same image would be measured differently; shards of older versions are
# then recomputed.
FEATURE_VERSION = 4

# Names of the embedder for networks from `hybridlesion finetune`, regardless of their backbone:
# their scores, or scores and embedding.
FINETUNED = "finetuned"
FINETUNED_EMBEDDING = "finetuned-embedding"
FINETUNED_EMBEDDERS = (FINETUNED, FINETUNED_EMBEDDING)


class LesionFeaturizer(TransformerMixin, BaseEstimator):
    """Compute features of records: ABCD features, embeddings and encoded metadata.

    Each image is decoded once, at the smallest sufficient scale. The transformer learns nothing
    from the data, so nothing can leak between folds. The output is numeric and suitable for any
    classifier; by default, it contains no ids, target or diagnosis.

    Parameters
    ----------
    embedder : str, default="none"
        Name of a timm model whose embedding is used, ``"finetuned"`` for the scores of fine-tuned
        networks (see `hybridlesion.cnn.CNNScorer` for their columns), ``"finetuned-embedding"`` for
        their scores and embedding, or ``"none"``.
    weights : str or None, default=None
        Local weight file for `embedder`. If None, the pretrained weights of timm are used. For
        fine-tuned networks, a folder written by `hybridlesion finetune`; if None, the network that
        ships with the package is used.
    segmenter : str, default="refined"
        Segmentation method; one of `hybridlesion.segmentation.SEGMENTERS`, or the weight file of a
        refiner.
    long_side : int, default=512
        Long side in pixels at which images are analysed, at least 64.
    color_constancy : {"shades_of_gray", "max_rgb", "none"}, default="shades_of_gray"
        Correction of the illuminant before colours are measured.
    crop : {"lesion", "frame"}, default="lesion"
        Input of the network: the lesion with a margin, or the whole frame. Fine-tuned networks
        store their own setting.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Device on which the network runs.
    batch_size : int, default=32
        Number of images per network batch.
    n_jobs : int, default=1
        Number of processes used by `transform`; -1 means all cores.
    on_error : {"warn", "raise"}, default="warn"
        Whether `transform` sets the features of unreadable images to NaN and warns once, or raises
        an error.
    passthrough : "ids" or sequence of str, default=None
        Columns that `transform` returns before the features. ``"ids"`` selects those of
        ``image_id``, ``patient_id``, ``lesion_id`` and ``duplicate_cluster`` that the records have;
        `HybridLesionClassifier` uses them to group its folds and to compare the lesions of a
        patient. A sequence may name columns of the records and ``qa__`` columns. If None, only
        features are returned.

    Attributes
    ----------
    measurements_ : list of str
        Additional measurement columns seen by `fit` (ISIC 2024).
    unknown_ : list of str
        ``meta__`` columns that are omitted because they had no values in `fit`.
    embedder_ : TimmEmbedder, CNNScorer or None
        The fitted embedder.

    See Also
    --------
    hybridlesion.batch.extract_features : The same for data sets that do not fit into memory.
    hybridlesion.make_hybrid_pipeline : This transformer followed by `HybridLesionClassifier`.

    Notes
    -----
    Features are the columns ``meta__*``, ``abcd__*``, ``perceived__*``, ``cnn__*`` and
    ``emb__*``. The ``qa__*``
    columns describe the acquisition or, as perceptual hashes, identify the photograph. They are
    not features; `featurize`, feature tables on disk and `passthrough` provide them. Columns of
    age, sex or site without any value in `fit` are omitted, unless `passthrough` is ``"ids"``.

    Any pandas or polars DataFrame is normalised like a table in `read_records`: names and values
    such as ``age_approx``, ``"M"`` or ``"anterior torso"`` are recognised, and a warning lists all
    that are not (see `hybridlesion.metadata.normalise_records`).

    Examples
    --------
    Use in a pipeline with a scikit-learn classifier, here on metadata only. For records with a
    ``path`` column, image features are added:

    >>> from sklearn.ensemble import HistGradientBoostingClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> records = pd.DataFrame({"image_id": list("abcdef"), "sex": ["F", "M"] * 3})
    >>> records["age"] = [30, 35, 40, 70, 75, 80]
    >>> classifier = HistGradientBoostingClassifier(min_samples_leaf=1, max_iter=20)
    >>> pipe = make_pipeline(LesionFeaturizer(), classifier).fit(records, [0, 0, 0, 1, 1, 1])
    >>> pipe.predict(records).tolist()
    [0, 0, 0, 1, 1, 1]
    >>> pipe[0].get_feature_names_out().tolist()
    ['meta__age', 'meta__sex_male']
    """

    def __init__(
        self,
        embedder: str = "none",
        *,
        weights: str | None = None,
        segmenter: str = "refined",
        long_side: int = 512,
        color_constancy: str = "shades_of_gray",
        crop: str = "lesion",
        device: str = "auto",
        batch_size: int = 32,
        n_jobs: int = 1,
        on_error: str = "warn",
        passthrough: str | Sequence[str] | None = None,
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
        self.passthrough = passthrough

    def __setstate__(self, state: dict) -> None:
        super().__setstate__(state)
        # Objects from releases without `passthrough` precede a classifier that requires ids, and
        # those without a feature version precede its fourth.
        self.__dict__.setdefault("passthrough", "ids")
        if "measurements_" in self.__dict__:
            self.__dict__.setdefault("feature_version_", 3)

    def fit(self, X: pd.DataFrame, y: object = None) -> LesionFeaturizer:
        """Check the parameters and store which columns the records have.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Records with at least an ``image_id``, and a ``path`` if images are to be read; see
            Notes.
        y : object, default=None
            Ignored.

        Returns
        -------
        LesionFeaturizer
            Fitted transformer.

        Raises
        ------
        ValueError
            If a parameter is out of range. If `X` has no records or contains invalid values, the
            exception is a TableError.

        Warns
        -----
        UserWarning
            If values of the records were not understood.
        """
        X = as_pandas(X)
        return self._fit(X, check_records(X))

    def _fit(self, X: pd.DataFrame, records: pd.DataFrame) -> LesionFeaturizer:
        self._check_parameters()
        self.feature_version_ = FEATURE_VERSION
        self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        self.n_features_in_ = X.shape[1]
        self.measurements_ = metadata_columns(records)
        self.carried_ = [column for column in RECORD_COLUMNS if column in records]
        self.reads_images_ = "path" in records
        self.embedder_ = self._make_embedder()
        self._check_passthrough(records)
        encoded = encode_metadata(records, self.measurements_)
        # HybridLesionClassifier accepts columns without values; other classifiers may not.
        drop = self.passthrough != "ids" and len(records) > 0
        self.unknown_ = encoded.columns[encoded.isna().all()].tolist() if drop else []
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        """Compute the features of all records.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Records.

        Returns
        -------
        DataFrame of shape (n, features)
            One row per record, in order: the columns of `passthrough`, then the features as
            float32, with NaN for missing values. Another container can be chosen by `set_output`.

        Raises
        ------
        ImageError
            If an image cannot be read and `on_error` is "raise".
        TableError
            If the records lack a column of `passthrough`, or contain invalid values.

        Warns
        -----
        UserWarning
            If values of the records were not understood, or images could not be read.
        """
        check_is_fitted(self, "measurements_")
        records = check_records(X)
        return self._choose_columns(records, self._compute(records))

    def fit_transform(self, X: pd.DataFrame, y: object = None) -> pd.DataFrame:
        """Compute features for training; a Pipeline calls this in its own `fit`.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Records.
        y : object, default=None
            Ignored.

        Returns
        -------
        DataFrame of shape (n, features)
            The output of `transform`, with NaN in the ``cnn__`` columns of rows on which their
            network was trained (``qa__cnn_seen`` is 2), because a model would give too much weight
            to such in-sample scores.

        Warns
        -----
        UserWarning
            If there are such rows, values that were not understood, or unreadable images.
        """
        X = as_pandas(X)
        records = check_records(X)
        self._fit(X, records)
        table = self._compute(records)
        in_sample = in_sample_mask(table)
        if in_sample.any():
            count = f"{in_sample.sum():,} of {len(table):,} rows"
            cause = "have CNN scores of a network that was trained on them"
            message = f"{count} {cause}; these scores were left out."
            warnings.warn(message, UserWarning, stacklevel=2)
        return self._choose_columns(records, blank_in_sample_scores(table))

    def featurize(
        self,
        records: pd.DataFrame,
        *,
        masks: str | Path | None = None,
        tick: Callable[[], object] | None = None,
    ) -> tuple[pd.DataFrame, list[Failure]]:
        """Compute the complete feature table in the current process, and return failures.

        Parameters
        ----------
        records : DataFrame of shape (n, columns)
            Records.
        masks : str, Path or None, default=None
            Folder in which each mask is saved as ``IMAGEID_segmentation.png``.
        tick : callable, default=None
            Heartbeat, called after each image is read or measured.

        Returns
        -------
        table : DataFrame of shape (n, columns)
            Table as written by `extract_features`: known columns of the records (ids, path, age,
            sex, site, diagnosis, target), then ``meta__``, ``qa__`` and the other families. The
            measured columns of failed rows are NaN.
        failures : list of Failure
            Failures in row order.

        Raises
        ------
        TableError
            If `fit` saw paths and the records lack them.
        ArtifactError
            If images would be measured by another version than that of `fit`.
        """
        self.check_version()
        records = check_records(records)
        if self.reads_images_ and "path" not in records:
            raise TableError(
                "these records have no path column, but the featurizer was fitted on records with "
                "images. Add the paths: hybridlesion.list_images finds them."
            )
        names = self.measured_names()
        measured = np.full((len(records), len(names)), np.nan, dtype=np.float32)
        failures: list[Failure] = []
        for start in range(0, len(records) if names else 0, self.batch_size):
            rows = slice(start, start + self.batch_size)
            batch, options = records.iloc[rows], {"segmenter": self.segmenter, "tick": tick}
            pairs = zip(batch["image_id"], batch["path"], strict=True)
            found = read_segmented(pairs, long_side=self.long_side, **options)
            failures += self._measure_segmented(batch, found, measured[rows], masks, tick)
        return self.join_records(records, measured), failures

    def join_records(self, records: pd.DataFrame, measured: np.ndarray) -> pd.DataFrame:
        """Join measurements with the ids, facts and encoded metadata of their records.

        Parameters
        ----------
        records : DataFrame of shape (n, columns)
            Records.
        measured : ndarray of shape (n, features), float32
            Values of `measured_names` for each record.

        Returns
        -------
        DataFrame of shape (n, columns)
            The feature table that `featurize` returns.
        """
        parts = [
            records.reindex(columns=self.carried_),
            encode_metadata(records, self.measurements_),
            pd.DataFrame(measured, columns=self.measured_names(), index=records.index),
        ]
        return pd.concat(parts, axis=1)

    def measure_segmented(
        self, records: pd.DataFrame, lesions: Sequence[tuple[np.ndarray, Segmentation]]
    ) -> pd.DataFrame:
        """Measure images that are already decoded and segmented.

        Parameters
        ----------
        records : DataFrame of shape (n, columns)
            Records with ``image_id`` and, if known, ``patient_id`` and ``lesion_id``.
        lesions : sequence of (image, Segmentation)
            One RGB image per record, at the scale of the analysis, with its segmentation.

        Returns
        -------
        DataFrame of shape (n, columns), float32
            The columns of `measured_names`.

        Raises
        ------
        ImageError
            If an image cannot be measured.
        ArtifactError
            If images would be measured by another version than that of `fit`.
        """
        self.check_version()
        out = np.full((len(records), len(self.measured_names())), np.nan, np.float32)
        rows = [(str(name), "") for name in records["image_id"]]
        failures = self._measure_segmented(records, zip(rows, lesions, strict=True), out)
        if failures:
            raise ImageError(f"{failures[0].image_id}: {failures[0].reason}")
        return pd.DataFrame(out, columns=self.measured_names(), index=records.index)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of the columns returned by `transform`.

        Parameters
        ----------
        input_features : object, default=None
            Ignored; the names depend only on the parameters and the records seen by `fit`.

        Returns
        -------
        ndarray of str
            Column names, in order.
        """
        check_is_fitted(self, "measurements_")
        asked = self._passed()
        omitted = {*asked, *getattr(self, "unknown_", ())}
        features = filter(is_feature, self._computed_names())
        return np.asarray([*asked, *(n for n in features if n not in omitted)], dtype=object)

    def measured_names(self) -> list[str]:
        """Return the names of the columns that are measured in images.

        Returns
        -------
        list of str
            ``qa__`` and ``abcd__`` columns, then those of the embedder; empty if `fit` saw no path.
        """
        check_is_fitted(self, "measurements_")
        if not self.reads_images_:
            return []
        embedded = [] if self.embedder_ is None else list(self.embedder_.get_feature_names_out())
        return [*lesion_columns(), *embedded]

    def _passed(self) -> list[str]:
        if self.passthrough == "ids":
            return [name for name in self.carried_ if name in IDS]
        return list(dict.fromkeys(self.passthrough or ()))

    def _absent(self, records: pd.DataFrame) -> list[str]:
        """Columns of `passthrough` that are neither in the records nor computed."""
        known = {*records.columns, *self._computed_names()}
        return [name for name in self._passed() if name not in known]

    def _check_passthrough(self, records: pd.DataFrame) -> None:
        if isinstance(self.passthrough, str) and self.passthrough != "ids":
            raise OptionError(
                "passthrough must be 'ids' or a list of columns, for example "
                f"[{self.passthrough!r}], got {self.passthrough!r}."
            )
        if absent := self._absent(records):
            raise OptionError(
                f"passthrough names {', '.join(map(repr, absent))}, which the records lack. Their "
                f"columns, as read, are {', '.join(map(str, records.columns[:20]))}; 'ids' passes "
                f"{', '.join(IDS)} through."
            )

    def _choose_columns(self, records: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
        absent = self._absent(records)
        # Absent ids are ignored; other columns were requested by name.
        if absent and self.passthrough != "ids":
            raise TableError(
                f"these records have no column {', '.join(map(repr, absent))}, which passthrough "
                "names. Add it, or leave it out of passthrough."
            )
        others = [name for name in self._passed() if name not in table]
        whole = pd.concat([table, records[others]], axis=1)
        chosen = whole[list(self.get_feature_names_out())]
        left_out = [name for name in IDS[1:] if name in records and name not in chosen]
        # Tells a classifier that groups by patient which ids are missing.
        chosen.attrs = {LEFT_OUT: left_out} if left_out else {}
        return chosen

    def check_version(self) -> None:
        """Check that images are measured as in `fit`.

        Raises
        ------
        ArtifactError
            If the features of `fit` are those of another version.
        """
        check_is_fitted(self, "measurements_")
        if self.feature_version_ != FEATURE_VERSION and self.measured_names():
            raise ArtifactError(
                f"this model was fitted on features of version {self.feature_version_}, and this "
                f"release measures version {FEATURE_VERSION}, so it cannot score images. Score "
                "feature tables of that version, or extract the features again and fit again."
            )

    def fit_copy(self, records: pd.DataFrame, **parameters: object) -> LesionFeaturizer:
        """Fit a copy to other records, to measure their images.

        Parameters
        ----------
        records : DataFrame of shape (n, columns)
            Records, as for `fit`.
        **parameters : object
            Parameters of the copy that differ.

        Returns
        -------
        LesionFeaturizer
            The copy.

        Raises
        ------
        ArtifactError
            If this featurizer was fitted on features of another version.
        """
        if hasattr(self, "measurements_"):
            self.check_version()
        return clone(self).set_params(**parameters).fit(records)

    def _computed_names(self) -> list[str]:
        encoded = encode_metadata(pd.DataFrame({"image_id": []}), self.measurements_).columns
        return [*encoded, *self.measured_names()]

    def _make_embedder(self) -> TimmEmbedder | CNNScorer | None:
        if self.embedder == "none":
            return None
        options = {"device": self.device, "batch_size": self.batch_size}
        if self.embedder in FINETUNED_EMBEDDERS:
            embedding = self.embedder == FINETUNED_EMBEDDING
            return CNNScorer(self.weights, embedding=embedding, **options).fit()
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

    def _compute(self, records: pd.DataFrame) -> pd.DataFrame:
        """Compute the complete table in `n_jobs` processes; failures warn or raise."""
        from joblib import Parallel, delayed, effective_n_jobs

        # Chunks consist of whole batches, so the network gets the same batches as in one process.
        step = self.batch_size
        chunks = [records.iloc[start : start + step] for start in range(0, len(records), step)]
        n_jobs = min(effective_n_jobs(self.n_jobs), len(chunks))
        if n_jobs > 1 and self.reads_images_:
            parts = Parallel(n_jobs=n_jobs)(delayed(self.featurize)(chunk) for chunk in chunks)
        else:
            parts = [self.featurize(records)]
        failures = [failure for _, failed in parts for failure in failed]
        if failures:
            lines = [f"{len(failures)} of {len(records)} images could not be used:"]
            lines += [f"{failure.image_id}: {failure.reason}" for failure in failures[:10]]
            if len(failures) > 10:
                lines.append(f"... and {len(failures) - 10} more")
            message = "\n  ".join(lines)
            if self.on_error == "raise":
                raise ImageError(message)
            advice = "Their features are NaN, so their scores rest on metadata alone."
            warnings.warn(f"{message}\n{advice}", UserWarning, stacklevel=4)
        return pd.concat([part for part, _ in parts])

    def _measure_segmented(
        self,
        rows: pd.DataFrame,
        found: Iterable[tuple[Row, SegmentedImage | Failure]],
        out: np.ndarray,
        masks: str | Path | None = None,
        tick: Callable[[], object] | None = None,
    ) -> list[Failure]:
        n_fixed = len(lesion_columns())
        failures: list[Failure] = []
        lesions: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        for position, (row, lesion) in enumerate(found):
            measured = measure_lesion(row, lesion, self.color_constancy)
            if tick is not None:
                tick()
            if isinstance(measured, Failure):
                failures.append(measured)
                continue
            image, mask, out[position, :n_fixed] = measured
            lesions[position] = image, mask
            if masks is not None:
                write_mask(Path(masks) / f"{row[0]}_segmentation.png", mask)
        if self.embedder_ is not None and lesions:
            # Fine-tuned networks check whether they were trained on an image, patient or lesion.
            is_finetuned = self.embedder in FINETUNED_EMBEDDERS
            known = {"records": rows.iloc[list(lesions)]} if is_finetuned else {}
            images, areas = map(list, zip(*lesions.values(), strict=True))
            out[list(lesions), n_fixed:] = self.embedder_.transform(images, areas, **known)
        return failures
