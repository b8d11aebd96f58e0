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
from hybridlesion.model._boosting import BOOSTING
from hybridlesion.model._columns import ColumnEncoder, is_feature_table
from hybridlesion.model._fold_model import CHUNK, mean_and_scale, standardise
from hybridlesion.model._groups import read_groups

_USED = ("abcd__", "perceived__", "cnn__", "meta__")
# Probability at which values are clipped.
_LEAST = 1e-5
# Most rows per class to which a fold model is fitted; intercepts restore class frequencies.
_MOST_ROWS = 5_000
_FEWEST_CLASSES = 3
_TREES = 80


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
        Columns used; for a feature table, those of the families ``abcd__, perceived__, cnn__,
        meta__``.

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
        inside = (np.nanmin(encoded, axis=0) >= 0) & (np.nanmax(encoded, axis=0) <= 1)
        self.logits_ = np.flatnonzero(np.isin(names, SCORE_COLUMNS) & inside)
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
        seed = self.random_state
        splitter = StratifiedGroupKFold(max(n_splits, 2), shuffle=True, random_state=seed)
        for fold, (_, held) in enumerate(splitter.split(codes, np.maximum(codes, 0), groups)):
            folds[held] = fold
        return folds

    def _fit_member(self, X, codes, rows, fold):
        """Fit both models to the given rows, sampling frequent classes."""
        rng = np.random.default_rng([self.random_state, fold])
        drawn, share = [], []
        for k in range(len(self.classes_)):
            own = rows[codes[rows] == k]
            n_drawn = min(len(own), _MOST_ROWS)
            drawn.append(rng.choice(own, n_drawn, replace=False) if n_drawn < len(own) else own)
            share.append(len(own) / n_drawn if n_drawn else 1.0)
        chosen = np.sort(np.concatenate(drawn))
        columns, truth = X[chosen], codes[chosen]
        mean, scale = mean_and_scale(columns)
        standard = standardise(columns, mean, scale)
        model = LogisticRegression(C=self.C, max_iter=300).fit(standard, truth)
        weights, constant = model.coef_, model.intercept_
        if len(model.classes_) == 2:
            weights, constant = np.vstack([0 * weights, weights]), np.append(0, constant)
        # A class without rows outside the fold gets the lowest possible probability.
        coef, intercept = np.zeros((len(share), X.shape[1])), np.full(len(share), np.log(_LEAST))
        coef[model.classes_], intercept[model.classes_] = weights, constant
        trees = self._grow(standard, truth, int(rng.integers(2**31 - 1)))
        linear = {"mean": mean, "scale": scale, "coef": coef, "intercept": intercept}
        return linear | {"shift": np.log(share), "trees": trees}

    def _grow(self, standard, truth, seed):
        import lightgbm

        params = {
            **BOOSTING,
            "objective": "multiclass",
            "num_class": len(self.classes_),
            "learning_rate": 0.1,
            "num_leaves": 7,
            "min_data_in_leaf": min(20, max(1, len(truth) // 20)),
            "feature_fraction": 0.2,
            "num_threads": self.n_jobs,
            "seed": seed,
        }
        data = lightgbm.Dataset(standard, truth.astype(np.float32), params=params)
        booster = lightgbm.train(params, data, _TREES)
        # Converted to text and back, to drop the training data.
        return lightgbm.Booster(model_str=booster.model_to_string())

    def _log_proba(self, member, X):
        log_p = np.empty((len(X), len(self.classes_)))
        for start in range(0, len(X), CHUNK):
            rows = slice(start, start + CHUNK)
            standard = standardise(X[rows], member["mean"], member["scale"])
            # Row by row: the last bit of a matrix product depends on the number of rows.
            linear = [(standard * weights).sum(axis=1) for weights in member["coef"]]
            linear = _log_softmax(np.column_stack(linear) + member["intercept"])
            grown = member["trees"].predict(standard, num_threads=self.n_jobs)
            log_p[rows] = (linear + np.log(np.maximum(grown, _LEAST))) / 2 + member["shift"]
        return log_p


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
