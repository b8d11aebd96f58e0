"""Calibrated probabilities of several diagnoses, fitted over grouped folds."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
from threadpoolctl import threadpool_limits

from hybridlesion._validation import as_pandas
from hybridlesion.cnn import SCORE_COLUMNS
from hybridlesion.exceptions import TableError
from hybridlesion.model._columns import ColumnEncoder, is_feature_table
from hybridlesion.model._groups import read_groups

_USED = ("abcd__", "cnn__", "meta__")
# Standard deviations and probabilities at which values are clipped.
_REACH, _LEAST = 5.0, 1e-5
# Most rows per class to which a fold model is fitted; intercepts restore class frequencies.
_MOST_ROWS = 5_000
_FEWEST_CLASSES = 3
_TREES = 80
# Rows scored at once.
_CHUNK = 8192


class DiagnosisClassifier(ClassifierMixin, BaseEstimator):
    """Stacked classifier of diagnoses from measurements, network scores and metadata.

    For each fold, a multinomial logistic regression (with the network scores as logits) and
    LightGBM are fitted to the rows outside the fold, and their log probabilities are averaged. A
    single temperature, chosen on the held-out rows, calibrates them at the class frequencies of the
    training data. The probabilities of a new row are averaged over all folds. Missing values are
    replaced by the mean of the column.

    Parameters
    ----------
    C : float, default=0.1
        Inverse strength of the L2 penalty on standardised columns.
    min_rows : int, default=20
        Minimum number of rows per diagnosis; rarer diagnoses are left out.
    n_splits : int, default=5
        Number of folds of whole groups, unless folds are passed to `fit`.
    n_jobs : int, default=1
        Number of LightGBM threads.
    random_state : int, default=0
        Random seed.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
        Learned diagnoses, sorted.
    prior_ : ndarray of shape (k,)
        Share of each diagnosis in the training rows.
    left_out_ : dict
        Number of rows for each diagnosis that is too rare.
    oof_proba_ : ndarray of shape (n, k), float32
        Out-of-fold probabilities of all rows, including rows without a diagnosis.
    temperature_ : float
        Divisor of the log probabilities.
    n_features_in_ : int
        Number of columns used.
    feature_names_in_ : ndarray of str
        Columns used; for a feature table, those of the families ``abcd__, cnn__, meta__``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.array(["melanoma", "nevus", "benign keratosis"])[np.arange(150) % 3]
    >>> table = pd.DataFrame({"abcd__tds": np.arange(150) % 3 + 0.2 * rng.normal(size=150)})
    >>> model = DiagnosisClassifier().fit(table, y)
    >>> model.predict(table.iloc[:2]).tolist()
    ['melanoma', 'nevus']
    """

    def __init__(self, C=0.1, *, min_rows=20, n_splits=5, n_jobs=1, random_state=0):
        self.C = C
        self.min_rows = min_rows
        self.n_splits = n_splits
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y, groups=None, folds=None):
        """Fit one model per fold and calibrate them.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, columns)
            Feature table, or any numeric matrix; NaN is a missing value.
        y : array-like of shape (n,)
            Diagnoses; rows without a diagnosis are not used for fitting.
        groups : array-like of shape (n,), default=None
            Patient of each row. If None, groups are read from the columns of the table.
        folds : array-like of shape (n,), int, default=None
            Fold of each row, 0 to k - 1. If None, whole groups are assigned to folds.

        Returns
        -------
        DiagnosisClassifier
            Fitted classifier.

        Raises
        ------
        ValueError
            If fewer than three diagnoses (two for a plain matrix) have enough rows.
        TableError
            If the table has no column of the families used.
        """
        table, X = as_pandas(X), self._read_training(as_pandas(X), y)
        y = column_or_1d(y, dtype=object if is_feature_table(table) else None, warn=True)
        codes = self._read_classes(y, least=_FEWEST_CLASSES if is_feature_table(table) else 2)
        if folds is None:
            folds = self._make_folds(codes, read_groups(table, groups, len(y)))
        folds, known = np.asarray(folds), codes >= 0
        self.members_, log_p = [], np.empty((len(y), len(self.classes_)))
        with threadpool_limits(1, user_api="blas"):
            for fold in range(int(folds.max()) + 1):
                rows = np.flatnonzero(known & (folds != fold))
                self.members_.append(self._fit_member(X, codes, rows, fold))
                held = folds == fold
                log_p[held] = self._log_proba(self.members_[-1], X[held])
        self.temperature_ = _find_temperature(log_p[known], codes[known])
        self.oof_proba_ = _softmax(log_p / self.temperature_).astype(np.float32)
        return self

    def predict_proba(self, X):
        """Return the probabilities of the diagnoses at the frequencies of the training data.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, columns)
            Table or matrix with the training columns.

        Returns
        -------
        ndarray of shape (n, k)
            Probabilities in the order of `classes_`; rows sum to 1.

        Raises
        ------
        TableError
            If a training column is missing.
        """
        check_is_fitted(self, "members_")
        X = self._read(as_pandas(X))
        found = np.zeros((len(X), len(self.classes_)))
        for member in self.members_:
            found += _softmax(self._log_proba(member, X) / self.temperature_)
        return found / len(self.members_)

    def predict(self, X):
        """Predict the diagnosis as if all were equally frequent.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, columns)
            Table or matrix with the training columns.

        Returns
        -------
        ndarray of shape (n,)
            The diagnosis with the highest ratio of probability to share of the training rows, the
            rule that maximises balanced accuracy.
        """
        return self.decide(self.predict_proba(X))

    def decide(self, probabilities):
        """Apply the rule of `predict` to given probabilities.

        Parameters
        ----------
        probabilities : array-like of shape (n, k)
            Probabilities in the order of `classes_`.

        Returns
        -------
        ndarray of shape (n,)
            Diagnoses.
        """
        return self.classes_[(np.asarray(probabilities) / self.prior_).argmax(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _read_training(self, X, y):
        self.encoder_ = None
        if not is_feature_table(X):
            X, y = validate_data(
                self, X, y, dtype=np.float32, ensure_all_finite="allow-nan", ensure_min_samples=2
            )
            check_classification_targets(y)
            self.logits_ = np.array([], dtype=int)
            return X
        used = [name for name in X if str(name).startswith(_USED) and X[name].notna().any()]
        if not used:
            raise TableError(
                f"diagnoses need columns that start with {', '.join(_USED)}; the table has none "
                "with values."
            )
        self.encoder_ = ColumnEncoder("none").fit(X[used])
        self.feature_names_in_ = np.array(self.encoder_.given_, dtype=object)
        self.n_features_in_ = len(used)
        encoded = self.encoder_.transform(X)
        names = self.encoder_.encoded_names_
        self.logits_ = np.array(
            [
                k
                for k in np.flatnonzero(np.isin(names, SCORE_COLUMNS))
                if np.nanmin(encoded[:, k]) >= 0 and np.nanmax(encoded[:, k]) <= 1
            ],
            dtype=int,
        )
        return self._as_logits(encoded)

    def _read(self, X):
        if self.encoder_ is not None:
            return self._as_logits(self.encoder_.transform(X))
        return validate_data(self, X, dtype=np.float32, ensure_all_finite="allow-nan", reset=False)

    def _as_logits(self, encoded):
        scores = encoded[:, self.logits_]
        encoded[:, self.logits_] = logit(np.clip(scores, _LEAST, 1 - _LEAST))
        return encoded

    def _read_classes(self, y, least):
        """Return the position of each label in `classes_`; -1 if it is not learned."""
        present = ~pd.isna(y)
        counts = pd.Series(y[present]).value_counts()
        kept = sorted(counts.index[counts >= self.min_rows])
        if len(kept) < least:
            raise ValueError(
                f"probabilities of diagnoses need {least} diagnoses of at least {self.min_rows} "
                f"rows, got {len(kept)} such classes in {len(y)} rows: add rows."
            )
        self.classes_ = np.array(kept, dtype=y.dtype)
        self.left_out_ = {name: int(n) for name, n in counts.items() if name not in kept}
        codes = pd.Index(kept).get_indexer(y)
        self.prior_ = np.bincount(codes[codes >= 0]) / np.count_nonzero(codes >= 0)
        return codes

    def _make_folds(self, codes, groups):
        n_splits = min(self.n_splits, *np.bincount(codes[codes >= 0]), len(np.unique(groups)))
        folds = np.empty(len(codes), dtype=int)
        splitter = StratifiedGroupKFold(
            max(n_splits, 2), shuffle=True, random_state=self.random_state
        )
        for fold, (_, held) in enumerate(splitter.split(codes, np.maximum(codes, 0), groups)):
            folds[held] = fold
        return folds

    def _fit_member(self, X, codes, rows, fold):
        """Fit both models to the given rows, sampling frequent classes."""
        rng = np.random.default_rng([self.random_state, fold])
        of_class = [rows[codes[rows] == k] for k in range(len(self.classes_))]
        drawn = [
            np.sort(rng.choice(own, _MOST_ROWS, replace=False)) if len(own) > _MOST_ROWS else own
            for own in of_class
        ]
        share = [
            max(len(own), 1) / max(len(part), 1) for own, part in zip(of_class, drawn, strict=True)
        ]
        chosen = np.sort(np.concatenate(drawn))
        columns, truth = X[chosen], codes[chosen]
        known = ~np.isnan(columns)
        n = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, columns, 0).sum(axis=0, dtype=float) / n
        square = (np.where(known, columns - mean, 0) ** 2).sum(axis=0) / n
        member = {
            "mean": mean,
            "scale": np.where(square <= 1e-12 * (1 + mean**2), np.inf, np.sqrt(square)),
            "shift": np.log(share),
        }
        standard = _standardise(member, columns)
        model = LogisticRegression(C=self.C, max_iter=300).fit(standard, truth)
        member["coef"] = np.zeros((len(share), X.shape[1]))
        # A class without rows outside the fold gets the lowest possible probability.
        member["intercept"] = np.full(len(share), np.log(_LEAST))
        coef, intercept = model.coef_, model.intercept_
        if len(model.classes_) == 2:
            coef, intercept = np.vstack([0 * coef, coef]), np.append(0, intercept)
        member["coef"][model.classes_], member["intercept"][model.classes_] = coef, intercept
        member["trees"] = self._grow(standard, truth, int(rng.integers(2**31 - 1)))
        return member

    def _grow(self, standard, truth, seed):
        import lightgbm

        params = {
            "objective": "multiclass",
            "num_class": len(self.classes_),
            "learning_rate": 0.1,
            "num_leaves": 7,
            "min_data_in_leaf": min(20, max(1, len(truth) // 20)),
            "lambda_l2": 5.0,
            "feature_fraction": 0.2,
            "bagging_fraction": 0.7,
            "bagging_freq": 1,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.n_jobs,
            "seed": seed,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(standard, truth.astype(np.float32), params=params)
        booster = lightgbm.train(params, data, _TREES)
        # Converted to text and back, to drop the training data.
        return lightgbm.Booster(model_str=booster.model_to_string())

    def _log_proba(self, member, X):
        log_p = np.empty((len(X), len(self.classes_)))
        for start in range(0, len(X), _CHUNK):
            rows = slice(start, start + _CHUNK)
            standard = _standardise(member, X[rows])
            # Row by row: the last bit of a matrix product depends on the number of rows.
            linear = [(standard * weights).sum(axis=1) for weights in member["coef"]]
            linear = _log_softmax(np.column_stack(linear) + member["intercept"])
            grown = member["trees"].predict(standard, num_threads=self.n_jobs)
            log_p[rows] = (linear + np.log(np.maximum(grown, _LEAST))) / 2 + member["shift"]
        return log_p


def _standardise(member: dict, columns: np.ndarray) -> np.ndarray:
    """Standardise and clip the columns, replacing missing values by the mean."""
    standard = (columns - member["mean"]) / member["scale"]
    return np.clip(np.nan_to_num(standard, nan=0.0), -_REACH, _REACH)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    # The last bits of scipy's version depend on the number of rows.
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _softmax(logits: np.ndarray) -> np.ndarray:
    return np.exp(_log_softmax(logits))


def _find_temperature(log_p: np.ndarray, codes: np.ndarray) -> float:
    """Find the divisor with the lowest log loss, between 1/4 and 4."""
    at = np.arange(len(codes)), codes

    def loss(log_temperature: float) -> float:
        return -float(_log_softmax(log_p / np.exp(log_temperature))[at].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-np.log(4), np.log(4)), method="bounded").x))


def match_malignancy(
    probabilities: np.ndarray, malignant: np.ndarray, score: np.ndarray
) -> np.ndarray:
    """Scale diagnosis probabilities so that those of malignant diagnoses sum to a score.

    Parameters
    ----------
    probabilities : ndarray of shape (n, k)
        Rows sum to 1.
    malignant : ndarray of shape (k,), bool
        Whether each diagnosis counts as malignant; both values must occur.
    score : ndarray of shape (n,)
        Probability of malignancy.

    Returns
    -------
    ndarray of shape (n, k)
        Probabilities with unchanged proportions among malignant and among other diagnoses.

    Examples
    --------
    >>> malignant = np.array([True, True, False])
    >>> match_malignancy(np.array([[0.1, 0.3, 0.6]]), malignant, np.array([0.8]))
    array([[0.2, 0.6, 0.2]])
    """
    positive = np.maximum(probabilities, np.finfo(float).tiny)
    share = positive[:, malignant].sum(axis=1, keepdims=True)
    other = positive[:, ~malignant].sum(axis=1, keepdims=True)
    score = np.asarray(score, dtype=float)[:, None]
    return positive * np.where(malignant, score / share, (1 - score) / other)
