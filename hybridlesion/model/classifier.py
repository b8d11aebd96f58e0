"""HybridLesionClassifier: boosted trees and a linear model over grouped folds, calibrated."""

from __future__ import annotations

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from hybridlesion import metrics
from hybridlesion._validation import as_pandas
from hybridlesion.cnn import CLASSES, name_classes
from hybridlesion.exceptions import TableError
from hybridlesion.model._columns import ColumnEncoder, is_feature_table, leading_score
from hybridlesion.model._ensemble import (
    FoldEnsemble,
    View,
    benign_quantiles,
    spread_probability,
    sum_sources,
)
from hybridlesion.model._fold_model import metadata_columns, score_baselines
from hybridlesion.model._groups import (
    SENSITIVITY,
    check_folds,
    check_parameters,
    make_folds,
    read_groups,
    read_target,
    warn_of_order,
)
from hybridlesion.model._training_summary import summarise_rows
from hybridlesion.model.calibration import ConformalSets, HeldOut, cross_calibrate, member_noise
from hybridlesion.model.diagnosis_classifier import DiagnosisClassifier, match_malignancy
from hybridlesion.model_selection import grouped_folds

SENSITIVITIES = (0.80, 0.90, 0.95)

# Rows from which one more thread of LightGBM pays.
_ROWS_A_THREAD = 10_000

# How scikit-learn checks a plain matrix.
_MATRIX = {"dtype": np.float32, "ensure_all_finite": "allow-nan"}

# Folds of the second draw that a single one is compared with.
_FOLDS_AGAIN = 3


class HybridLesionClassifier(ClassifierMixin, BaseEstimator):
    """Calibrated malignancy scores from a feature table under heavy imbalance.

    Each fold of patients is held out once. On the other folds a LightGBM model and a logistic
    regression are fitted and their logits averaged; an embedding enters both as one cross-fitted
    linear score. Handcrafted and network columns have separate fold models, each including the
    metadata, and so have lesions with and without siblings (other lesions of the patient). The
    held-out scores calibrate the model and determine its threshold. The score of a new row is the
    mean of the calibrated scores of all fold models.

    Parameters
    ----------
    n_splits : int, default=5
        Folds of whole groups; fewer are taken, with a warning, where fewer groups hold a
        positive.
    n_seeds : int, default=1
        Number of draws of the folds; their fold models are averaged.
    imbalance : {"undersample", "none", "class_weight", "resample", "focal"}, default="undersample"
        ``undersample`` uses every positive and some negatives; ``resample`` also draws positives
        three times; ``class_weight`` increases the weight of positives. All three are corrected by
        a prior shift. ``focal`` down-weights rows that are already clear (focal loss).
    negatives_per_positive : float, default=10.0
        Negatives that ``undersample`` and ``resample`` keep for each positive.
    n_bags : int, default=1
        LightGBM models per fold, each with its own draw of negatives.
    linear_weight : float, default=0.25
        Weight of the logistic regression against LightGBM, 0 to 1.
    stopping : {"log_loss", "auc", "average_precision", "pauc"}, default="log_loss"
        Measure on the held-out rows of the other folds that chooses the number of trees.
    min_trees : int, default=20
        Fewest trees of a fold model.
    max_trees : int, default=400
        Most trees of a fold model.
    patience : int, default=60
        Trees without improvement after which training stops.
    learning_rate : float, default=0.02
        Learning rate of LightGBM.
    num_leaves : int, default=7
        Leaves per tree.
    min_child_samples : int, default=20
        Fewest rows per leaf; in small tables a twentieth of the rows.
    monotone : bool, default=True
        Whether the score is constrained to be monotone in the leading score of a network, and in
        ``cnn__`` columns of other origin, where they clearly rank the training rows. It is always
        monotone in the embedding's score.
    leading : {"cnn__melanoma", "cnn__score"}, default="cnn__melanoma"
        Score of a network that tells diagnoses apart (`hybridlesion.cnn.CNNScorer`) that leads:
        ``cnn__melanoma`` if only melanoma is malignant, ``cnn__score`` if other cancers are, too.
        The leading score is monotone and compared with the patient's other lesions; the other
        scores are plain columns. Where there is only one of the two, it leads.
    fallback : bool, default=True
        Whether the calibrated leading score replaces the fold models where an image is unlike the
        training images (see Notes), so that the model does not rank lesions of another site worse
        than the network. At the site of the training rows this costs a part of what the
        handcrafted features add. It needs a leading score and ``abcd__`` columns.
    context : {"auto", "none"}, default="auto"
        Whether scores and measurements are also compared with the patient's other lesions
        (`patient_context`): ``auto`` does so where at least half of the training rows come with
        one. Lesions without siblings are then scored by fold models without context.
    calibration : {"auto", "platt", "beta", "isotonic"}, default="auto"
        Method of `ScoreCalibrator`.
    sensitivity : float, default=0.9
        Sensitivity of `predict` on the training lesions by their out-of-fold scores, above 0 and
        up to 1; used unless `threshold` or `cost_ratio` is given.
    threshold : {"f1", "youden"} or float, default=None
        Probability from which `predict` returns malignant instead: the best by a rule on the
        out-of-fold scores, or a number. ``f1`` misses most melanomas where they are rare.
    cost_ratio : float, default=None
        Cost of one missed malignant lesion, in false positives. If given, `predict` minimises the
        expected cost.
    lightgbm_params : dict, default=None
        Further parameters of LightGBM; they override those above.
    n_jobs : int, default=1
        Threads of LightGBM; -1 uses all cores.
    random_state : int, default=0
        Seed.
    pos_label : int, float, bool or str, default=None
        The malignant label. None takes the greater of two numbers, and of two words the one that
        is known to be malignant, such as "melanoma" of "melanoma" and "nevus".

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Labels; the second is malignant, whatever their alphabetical order.
    oof_score_ : ndarray of shape (n,)
        Out-of-fold probabilities, from calibrators fitted on other groups; see Notes.
    oof_raw_ : ndarray of shape (n,)
        Out-of-fold logits before calibration, averaged over seeds.
    folds_ : ndarray of shape (n,)
        Folds of the first seed, or of the first draw given.
    groups_ : ndarray of shape (n,)
        Group numbers of the training rows.
    threshold_ : float
        Used by `predict`.
    thresholds_ : dict of float to float
        Thresholds that reach 80, 90 and 95 % sensitivity out of fold.
    threshold_intervals_ : dict of float to Interval
        The same with their intervals over patients.
    conformal_ : ConformalSets
        For `predict_set`.
    metrics_ : DataFrame
        `evaluate` of `oof_score_` at `threshold_`. Figures at the threshold are a little
        optimistic, since the same rows chose it.
    feature_names_ : ndarray of str
        `feature_names_in_`, then the computed context.
    feature_importances_ : ndarray of shape (number of feature_names_,)
        Shares of gain and of absolute linear weights, summing to 1; if there is context, those of
        the members that use it.
    leading_ : str or None
        The score of a network that leads; None without one.
    n_features_in_ : int
        Number of columns used.
    feature_names_in_ : ndarray of str
        Columns used; of a feature table, those of its families only.
    ensemble_ : FoldEnsemble
        All members, one per view, fold and seed.
    calibrators_ : dict of bool to ScoreCalibrator
        For lesions with siblings (True) and without (False), or all (False), fitted on their
        out-of-fold logits and then sharpened, since new rows are scored by more fold models.
    bare_calibrators_ : dict of bool to ScoreCalibrator
        The same for rows without any metadata, fitted on all rows with their metadata blanked;
        empty if the table has no metadata, or nothing else.
    metadata_ : ndarray of shape (m,), int
        Encoded columns that are empty in such a row.
    metadata_weight_ : ndarray of shape (m,)
        Their importances, summing to 1: the score of a row with partly missing metadata is the mean
        of both calibrators, weighted by the importance of what is missing.
    target_ : ndarray of shape (n,), bool
        True where a training row is malignant.
    reference_ : dict of str to ndarray of shape (101,)
        Percentiles over the benign training rows of each numeric column except the embedding's.
    diagnosis_ : DiagnosisClassifier or None
        Model of `predict_diagnoses`; None if `fit` got no diagnoses.
    malignant_diagnoses_ : ndarray of shape (k,), bool
        Which of its classes count as malignant: those of which most training rows do.
    oof_baselines_ : DataFrame of shape (n, baselines) or None
        Out-of-fold scores of the baselines that `fit_baselines` fitted.
    recalibration_ : Recalibration or None
        Calibration for another site, see `hybridlesion.model.recalibrate`; None after `fit`.
    training_summary_ : dict of str to Distribution, or None
        Distributions of the out-of-fold score and of some columns, also ``qa__`` columns, over the
        training rows; None for a plain matrix and for models of earlier releases.

    Notes
    -----
    A DataFrame (of pandas or polars) with columns of the families ``abcd__, emb__, cnn__, meta__,
    ctx__`` is a feature table: other columns are ignored, columns may be in any order, and the
    folds are grouped by its ``patient_id`` (``lesion_id``, ``duplicate_cluster``) unless groups are
    passed to `fit`. Other input is treated as by any scikit-learn estimator, with each row its own
    group.

    With `fallback` the logit of a row is ``w * z + (1 - w) * s``, where z is that of the fold
    models, s a logistic regression on the leading score, and w the `applicability` to the image.

    Missing values carry no evidence. Each fold model is trained with values blanked at random,
    equally often in both classes. Rows without metadata are calibrated on rows whose metadata were
    blanked.

    Scores of new rows average the members of all folds and seeds, out-of-fold scores the members of
    one fold. Calibrators are fitted on the latter and then sharpened by how far members of two
    draws of the folds differ on rows that neither was fitted to. With one seed, a second draw of
    three folds is trained for this purpose only, which increases the training time by half.

    With several seeds `oof_raw_` averages logits of different folds. `oof_score_` comes from
    calibrators of two or three parameters, each fitted without a twentieth of the groups; among
    lesions with siblings, and among those without, it is rearranged to increase with `oof_raw_`,
    as scores of new lesions do. On pure noise (24 sets of 400 rows, 40 of them positive, 10
    columns) its AUC was 0.512 +- 0.012 with four seeds and 0.513 +- 0.012 with one (standard
    errors).

    With tools of scikit-learn use labels of 0 and 1. Those that sort labels (the scorers
    ``"roc_auc"`` and ``"neg_log_loss"``) or encode them in sorted order before they fit
    (`cross_val_predict`, `StackingClassifier`, `CalibratedClassifierCV`) take "nevus" of
    "melanoma" and "nevus" as positive, which the model cannot detect.

    Given the same data, seed and version of LightGBM, fits are equal to the last bit. A fit that
    refuses its input keeps the labels and members of the previous one.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(200) % 4 == 0
    >>> table = pd.DataFrame({"patient_id": np.arange(200) // 2, "meta__age": 50 + 20.0 * y})
    >>> table["meta__age"] += rng.normal(0, 5, 200)
    >>> model = HybridLesionClassifier(n_splits=3).fit(table, y)
    >>> bool(model.predict_proba(table.iloc[:1])[0, 1] > 0.8), model.classes_.tolist()
    (True, [False, True])
    """

    def __init__(
        self,
        n_splits=5,
        n_seeds=1,
        *,
        imbalance="undersample",
        negatives_per_positive=10.0,
        n_bags=1,
        linear_weight=0.25,
        stopping="log_loss",
        min_trees=20,
        max_trees=400,
        patience=60,
        learning_rate=0.02,
        num_leaves=7,
        min_child_samples=20,
        monotone=True,
        leading="cnn__melanoma",
        fallback=True,
        context="auto",
        calibration="auto",
        sensitivity=SENSITIVITY,
        threshold=None,
        cost_ratio=None,
        lightgbm_params=None,
        n_jobs=1,
        random_state=0,
        pos_label=None,
    ):
        self.n_splits = n_splits
        self.n_seeds = n_seeds
        self.imbalance = imbalance
        self.negatives_per_positive = negatives_per_positive
        self.n_bags = n_bags
        self.linear_weight = linear_weight
        self.stopping = stopping
        self.min_trees = min_trees
        self.max_trees = max_trees
        self.patience = patience
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_child_samples = min_child_samples
        self.monotone = monotone
        self.leading = leading
        self.fallback = fallback
        self.context = context
        self.calibration = calibration
        self.sensitivity = sensitivity
        self.threshold = threshold
        self.cost_ratio = cost_ratio
        self.lightgbm_params = lightgbm_params
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.pos_label = pos_label

    def fit(self, X, y, groups=None, folds=None, diagnoses=None):
        """Fit members over grouped folds, calibrate them, choose thresholds.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, columns)
            Feature table, or any numeric matrix; NaN is a missing value.
        y : array-like of shape (n,)
            Two labels: numbers, of which the greater is malignant, or words, such as "melanoma"
            and "nevus" or "yes" and "no"; others need `pos_label`.
        groups : array-like of shape (n,), default=None
            Patient of each row; None reads the table's own columns.
        folds : array-like of shape (n,) or (n, r), int, default=None
            Folds to use, 0 to k - 1, in r draws; they replace `n_splits` and `n_seeds`. None
            assigns whole groups.
        diagnoses : array-like of shape (n,), str, default=None
            Diagnosis of each row of a feature table, for `predict_diagnoses`; missing, or other
            than `hybridlesion.cnn.CLASSES` and their kinds, where it is not to be learned from.
            In a pipeline pass ``model__diagnoses``.

        Returns
        -------
        HybridLesionClassifier
            Itself.

        Raises
        ------
        ValueError
            If `y` does not hold two classes, or it is not known which is malignant, a class lies
            in a single group or in too few of the folds given, a parameter is out of range, or
            more than one of `sensitivity`, `threshold` and `cost_ratio` is set; or if `diagnoses`
            are too few, or all on one side.
        TableError
            If a table holds no feature columns, or infinite values.

        Warns
        -----
        UserWarning
            If fewer folds are made than requested, given folds split a group, or the malignant
            label is not last in sorted order, which some scorers of scikit-learn expect.
        """
        check_parameters(self)
        table = X = as_pandas(X)
        X, y = self._read_training(X, y)
        classes, target = read_target(y, self.pos_label)
        groups = read_groups(table, groups, len(target))
        names = self._encoded_names()
        wide = any(name.startswith("emb__") for name in names)
        if folds is None:
            plan = (self.n_splits, self.n_seeds, self.random_state)
            draws = make_folds(target, groups, *plan, has_embedding=wide)
        else:
            draws = check_folds(folds, target, groups, has_embedding=wide)
        warn_of_order(classes)
        # The input is valid from here on: a refused fit keeps the previous classes and groups.
        self.classes_, self.groups_, self.target_ = classes, groups, target
        self.folds_ = draws[:, 0]
        self.ensemble_ = FoldEnsemble(names)
        # On small matrices, several BLAS threads wait for each other longer than they work.
        with threadpool_limits(1, user_api="blas"):
            self.metadata_ = metadata_columns(X, names)
            # On few rows, starting threads takes longer than growing the trees.
            n_jobs = min(effective_n_jobs(self.n_jobs), 1 + len(X) // _ROWS_A_THREAD)
            settings = self.get_params(deep=False) | {"n_jobs": n_jobs}
            trained, rounds = list(draws.T), []
            if len(trained) == 1:
                # The difference between members needs a second draw; its members are not kept.
                trained.append(self._draw_again(draws[:, 0]))
            for number, draw in enumerate(trained):
                ensemble = self.ensemble_ if number < draws.shape[1] else FoldEnsemble(names)
                seed = self.random_state + number
                rounds.append(ensemble.train(X, target, draw, settings, seed, self.metadata_))
            n_folds = [int(draw.max()) + 1 for draw in trained]
            weight = self.ensemble_.importances()[self.metadata_]
            self.metadata_weight_ = weight / max(weight.sum(), np.finfo(float).tiny)
            self._calibrate(X, rounds, draws.shape[1], n_folds)
            self._decide(target)
        self._weigh_features()
        self.reference_ = benign_quantiles(X, target, self._column_names())
        self.diagnosis_ = self.recalibration_ = self.training_summary_ = None
        self.oof_baselines_ = None
        if self.encoder_ is not None:
            self.training_summary_ = summarise_rows(table, self.oof_score_, groups)
        return self if diagnoses is None else self.fit_diagnoses(table, diagnoses)

    def fit_diagnoses(self, X, diagnoses):
        """Learn the diagnoses of the training rows, in the folds of the fitted model.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The feature table that the model was fitted on.
        diagnoses : array-like of shape (n,), str
            As for `fit`.

        Returns
        -------
        HybridLesionClassifier
            Itself.

        Raises
        ------
        ValueError
            If fewer than three diagnoses have enough rows, or all of them count as malignant or
            as benign.
        """
        check_is_fitted(self, "ensemble_")
        named = name_classes(pd.Series(np.asarray(diagnoses, dtype=object)))
        if self.encoder_ is None or len(named) != len(self.target_):
            raise ValueError(
                f"diagnoses need the feature table that the model was fitted on, and one value for "
                f"each of its {len(self.target_)} rows; got {len(named)}."
            )
        n_jobs = min(effective_n_jobs(self.n_jobs), 1 + len(named) // _ROWS_A_THREAD)
        model = DiagnosisClassifier(n_jobs=n_jobs, random_state=self.random_state)
        model.fit(as_pandas(X), named, folds=self.folds_)
        shares = pd.Series(self.target_).groupby(named.to_numpy()).mean()
        malignant = shares[model.classes_].to_numpy() > 0.5
        if malignant.all() or not malignant.any():
            side = "malignant" if malignant.all() else "benign"
            raise ValueError(
                f"probabilities of diagnoses need malignant and benign ones, and all that have "
                f"enough rows count as {side}: {', '.join(model.classes_)}."
            )
        self.diagnosis_, self.malignant_diagnoses_ = model, malignant
        return self

    def fit_baselines(self, X):
        """Score the training rows by simple models, in the folds of the fitted model.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            The feature table that the model was fitted on.

        Returns
        -------
        HybridLesionClassifier
            Itself, with `oof_baselines_`: ``metadata`` (a logistic regression on age, sex and
            site), ``logistic`` (one on all columns) and ``cnn`` (the leading score of a network,
            NaN where it is missing), as far as the table has such columns.

        Raises
        ------
        ValueError
            If `X` is not the feature table that the model was fitted on.
        """
        check_is_fitted(self, "ensemble_")
        if self.encoder_ is None or len(X) != len(self.target_):
            raise ValueError(
                f"baselines need the feature table that the model was fitted on, of "
                f"{len(self.target_)} rows; got {len(X)}."
            )
        rows = (self._read(X), self._encoded_names(), self.target_, self.folds_)
        with threadpool_limits(1, user_api="blas"):
            self.oof_baselines_ = score_baselines(*rows, self.leading_, self.random_state)
        return self

    @property
    def oof_diagnoses_(self):
        """Out-of-fold `predict_diagnoses` of the training rows, a DataFrame of shape (n, 9)."""
        return self._match(self._learned_diagnoses().oof_proba_.astype(float), self.oof_score_)

    def predict_diagnoses(self, X, score=None):
        """Return the probabilities of eight diagnoses, which agree with the score.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Table with the columns of training.
        score : array-like of shape (n,), default=None
            Scores of the rows, if known; None computes them.

        Returns
        -------
        DataFrame of shape (n, 9)
            ``p_mel, p_nv, p_bcc, p_ak, p_scc, p_bkl, p_df, p_vasc``, which sum to 1, and
            ``diagnosis_predicted``. A diagnosis that was not learned has probability 0.

        Raises
        ------
        ValueError
            If the model learned no diagnoses.

        Notes
        -----
        The probabilities of a `DiagnosisClassifier` are scaled, those of malignant diagnoses by one
        factor and the others by another, so that the malignant ones sum to the score of
        `predict_proba`: both agree by construction. A diagnosis is malignant if most of its
        training rows are. The predicted diagnosis is that whose probability before scaling exceeds
        its share of the training most, which suits rare diagnoses; it need not be the most probable
        one, nor agree with the label.

        Scaling costs accuracy of the diagnoses where the score is the weaker of the two.
        """
        learned, X = self._learned_diagnoses(), as_pandas(X)
        score = self.predict_proba(X)[:, 1] if score is None else score
        return self._match(learned.predict_proba(X), score).set_index(X.index)

    def _learned_diagnoses(self):
        check_is_fitted(self, "ensemble_")
        if self.diagnosis_ is None:
            raise ValueError(
                "the model learned no diagnoses. Fit it again on a table with the diagnoses of at "
                f"least three of these, 20 rows of each: {', '.join(CLASSES)}."
            )
        return self.diagnosis_

    def _match(self, probabilities, score):
        matched = match_malignancy(probabilities, self.malignant_diagnoses_, score)
        known = dict(zip(self.diagnosis_.classes_, matched.T, strict=True))
        columns = {f"p_{code}": known.get(name, 0.0) for name, code in CLASSES.items()}
        predicted = self.diagnosis_.decide(probabilities)
        return pd.DataFrame(columns | {"diagnosis_predicted": predicted})

    def predict_proba(self, X):
        """Score rows.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, columns)
            Table or matrix with the columns of training.

        Returns
        -------
        ndarray of shape (n, 2)
            Calibrated probabilities in the order of `classes_`.

        Raises
        ------
        TableError
            If a column of training is missing or holds text where numbers were.
        """
        score = self.original_score(X)
        if self.recalibration_ is not None:
            score = self.recalibration_.predict(score)
        return np.column_stack([1 - score, score])

    def original_score(self, X):
        """Score rows as before any recalibration.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, columns)
            Table or matrix with the columns of training.

        Returns
        -------
        ndarray of shape (n,), float64
            Probabilities of malignancy, calibrated for the site of the training rows.

        Raises
        ------
        TableError
            If a column of training is missing or holds text where numbers were.
        """
        check_is_fitted(self, "ensemble_")
        encoded = self._read(X)
        n_folds = int(self.folds_.max()) + 1
        jobs = effective_n_jobs(self.n_jobs)
        score = np.zeros(len(encoded))
        for rows, weight, company, calibrator in self._split(encoded):
            part = encoded if rows.all() else encoded[rows]
            # As out of fold: a fold's logits are averaged over seeds, then calibrated.
            logits = self.ensemble_.logits(part, company, n_folds, jobs)
            score[rows] += weight * np.mean([calibrator.predict(z) for z in logits], axis=0)
        return score

    def applicability(self, X):
        """Compare images with the training images.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Table with the columns of training.

        Returns
        -------
        ndarray of shape (n,)
            Share of the training rows, 0 to 1, that are at least as unusual in the skin around the
            lesion, in texture, or in the probabilities of the diagnoses. NaN if the model has no
            fallback.
        """
        check_is_fitted(self, "ensemble_")
        fallbacks = self.ensemble_.fallbacks
        if not fallbacks:
            return np.full(len(X), np.nan)
        encoded = self._read(X)
        return np.mean([fallback.applicability(encoded) for fallback in fallbacks], axis=0)

    def least_usual(self, X):
        """Name the group of columns by which each image is least usual.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Table with the columns of training.

        Returns
        -------
        ndarray of shape (n,), str
            ``skin``, ``texture`` or ``diagnoses``: the group on which `applicability` rests.

        Raises
        ------
        ValueError
            If the model has no fallback.
        """
        check_is_fitted(self, "ensemble_")
        fallbacks = self.ensemble_.fallbacks
        if not fallbacks:
            raise ValueError("the model has no fallback, so that images are not compared.")
        encoded = self._read(X)
        shares = np.mean([fallback.group_shares(encoded) for fallback in fallbacks], axis=0)
        return np.array(list(fallbacks[0].groups), dtype=object)[shares.argmin(axis=0)]

    def predict(self, X):
        """Label rows by the stored threshold.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, columns)
            Table or matrix with the columns of training.

        Returns
        -------
        ndarray of shape (n,)
            Labels of `classes_`: the second where the probability reaches `threshold_`.
        """
        score = self.predict_proba(X)[:, 1]
        return self.classes_[(score >= self.threshold_).astype(int)]

    def predict_set(self, X, coverage=0.9):
        """Predict conformal label sets; a set of both labels is an abstention.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, columns)
            Table or matrix with the columns of training.
        coverage : float, default=0.9
            Minimum probability, in each class, that the set contains the true label.

        Returns
        -------
        ndarray of shape (n, 2), bool
            One column for each of `classes_`. See `hybridlesion.model.calibration.ConformalSets`
            for the guarantee and its limits.
        """
        check_is_fitted(self, "conformal_")
        return self.conformal_.predict(self.predict_proba(X)[:, 1], coverage)

    def contributions(self, X):
        """Contributions of the columns to each score, on the probability scale.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, columns)
            Table or matrix with the columns of training. Pass all lesions of a patient together,
            as for `predict_proba`.

        Returns
        -------
        DataFrame of shape (n, 1 + columns)
            ``base``, the score of an unknown lesion, which differs between lesions with and without
            siblings and includes the effect of missing metadata; then the contribution of each
            column, given or of context. The embedding is one column, ``emb__``. A row sums to its
            score within 1e-9.

        Raises
        ------
        TableError
            If a column of training is missing or holds text where numbers were.

        See Also
        --------
        hybridlesion.explain.explain_scores : The same for a pipeline, and in words.
        """
        check_is_fitted(self, "ensemble_")
        X = as_pandas(X)
        encoded, n_folds = self._read(X), int(self.folds_.max()) + 1
        jobs, settings = effective_n_jobs(self.n_jobs), self._split(encoded)
        base, parts = spread_probability(self.ensemble_, settings, encoded, n_folds, jobs)
        # Missing values carry no evidence: their contributions belong to the base.
        missing = np.isnan(encoded[:, self.metadata_])
        base = base + (parts[:, self.metadata_] * missing).sum(axis=1)
        parts[:, self.metadata_] *= ~missing
        if self.recalibration_ is not None:
            base, parts = self.recalibration_.spread(base, parts)
        frame = sum_sources(base, parts, self._column_names())
        return frame.set_index(X.index) if isinstance(X, pd.DataFrame) else frame

    @property
    def leading_(self):
        """Score of a network that leads; None without one."""
        check_is_fitted(self, "ensemble_")
        return leading_score(getattr(self, "feature_names_in_", ()), self.leading)

    def with_context(self, X):
        """Add the context that the model computes.

        Parameters
        ----------
        X : DataFrame of shape (n, columns)
            Feature table with the columns of training.

        Returns
        -------
        DataFrame of shape (n, columns + context)
            The table with the ``ctx__`` columns that the model uses; unchanged without context.

        Raises
        ------
        TableError
            If a column of training is missing.
        """
        check_is_fitted(self, "ensemble_")
        X = as_pandas(X)
        if self.encoder_ is None:
            return X
        names = np.array(self.encoder_.encoded_names_, dtype=object)
        context = [k for k, name in enumerate(names) if name.startswith("ctx__") and name not in X]
        if not context:
            return X
        return X.assign(**dict(zip(names[context], self._read(X)[:, context].T, strict=True)))

    def __setstate__(self, state):
        # A model of an earlier release lacks the parameters and attributes that came later.
        late = ("diagnosis_", "recalibration_", "training_summary_", "oof_baselines_")
        later = dict.fromkeys(late)
        later |= {"metadata_": np.array([], dtype=int)}
        fitted = "ensemble_" in state or "members_" in state
        super().__setstate__({**vars(type(self)()), **(later if fitted else {}), **state})
        if "members_" in state:  # the first releases had one view and one calibrator
            if self.encoder_ is not None:
                vars(self.encoder_).update(given_=self.encoder_.names_, compared_=[])
            names = self._encoded_names()
            wide = np.array([name.startswith("emb__") for name in names], dtype=bool)
            self.ensemble_ = FoldEnsemble(names)
            view = View("all", np.flatnonzero(~wide), np.flatnonzero(wide), False)
            one = {"views": [view], "members": [self.members_], "spread": np.ones(1)}
            vars(self.ensemble_).update(one)
            self.calibrators_ = {False: self.calibrator_}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags

    def _read_training(self, X, y):
        if not is_feature_table(X):
            checked = validate_data(self, X, y, ensure_min_samples=2, **_MATRIX)
            self.encoder_ = None
            return checked
        y = np.asarray(y)
        if y.shape != (len(X),):
            raise ValueError(f"y must have one label a row, got shape {y.shape} for {len(X)} rows.")
        # Raise before anything of a previous fit is overwritten.
        read_target(y, self.pos_label)
        encoder = ColumnEncoder(self.context, self.leading).fit(X)
        encoded = encoder.transform(X)
        self.encoder_, self.n_features_in_ = encoder, len(encoder.given_)
        self.feature_names_in_ = np.array(encoder.given_, dtype=object)
        return encoded, y

    def _read(self, X):
        X = as_pandas(X)
        if self.encoder_ is None:
            return validate_data(self, X, reset=False, **_MATRIX)
        if not isinstance(X, pd.DataFrame):
            raise TableError(
                f"the model was trained on a feature table; score a DataFrame with its columns, "
                f"not {type(X).__name__}."
            )
        return self.encoder_.transform(X)

    def _encoded_names(self):
        return self.encoder_.encoded_names_ if self.encoder_ else [""] * self.n_features_in_

    def _column_names(self):
        """Name the column behind each encoded one."""
        if self.encoder_ is None:
            fitted = getattr(self, "feature_names_in_", range(self.n_features_in_))
            return [str(name) for name in fitted]
        return [self.encoder_.names_[k] for k in self.encoder_.sources_]

    def _draw_again(self, draw):
        # Given folds may split groups; their parts stay separate here.
        pairs = np.column_stack([self.groups_, draw])
        units = np.unique(pairs, axis=0, return_inverse=True)[1].ravel()
        carriers = min(len(np.unique(units[rows])) for rows in (self.target_, ~self.target_))
        n_folds, seed = min(_FOLDS_AGAIN, carriers), self.random_state + 1
        return grouped_folds(self.target_, units, n_splits=n_folds, random_state=seed)

    def _calibrate(self, X, rounds, n_kept, n_folds):
        """Calibrate each setting: lesions with or without siblings, with or without metadata."""
        missing, held_out = self._missing_metadata(X), {}
        for setting, like in self.ensemble_.split(X).items():
            for without in (False, True) if len(self.metadata_) else (False,):
                draws = np.array([self.ensemble_.average(z[without], setting) for z in rounds])
                noise = member_noise(draws, n_folds) / n_kept
                own = np.mean([self.ensemble_.average(z[0], setting) for z in rounds[:n_kept]], 0)
                weight = like * (missing if without else 1 - missing)
                logits = draws[:n_kept].mean(axis=0)
                held_out[setting, without] = HeldOut(logits, noise, like, own, weight)
        calibrators, self.oof_raw_, self.oof_score_ = cross_calibrate(
            self.calibration, self.target_, held_out, self.groups_, self.random_state
        )
        self.calibrators_, self.bare_calibrators_ = (
            {setting: found for (setting, without), found in calibrators.items() if without == bare}
            for bare in (False, True)
        )

    def _missing_metadata(self, encoded):
        """Share of the metadata missing in each row, by importance; 0 in models without it."""
        if not len(self.metadata_):
            return np.zeros(len(encoded))
        missing = np.isnan(encoded[:, self.metadata_])
        return np.where(missing.all(axis=1), 1.0, missing @ self.metadata_weight_)

    def _split(self, encoded):
        """Yield rows, their weights, whether they have siblings, and their calibrator."""
        missing = self._missing_metadata(encoded)
        for setting, like in self.ensemble_.split(encoded).items():
            weighted = [(like * (1 - missing), self.calibrators_[setting])]
            if missing.any():
                weighted.append((like * missing, self.bare_calibrators_[setting]))
            for weight, calibrator in weighted:
                rows = weight > 0
                if rows.any():
                    yield rows, weight[rows], setting, calibrator

    def _decide(self, target):
        score, groups = self.oof_score_, self.groups_
        if self.cost_ratio is not None:
            self.threshold_ = metrics.cost_threshold(self.cost_ratio)
        elif self.threshold is None:
            self.threshold_ = metrics.threshold_at_sensitivity(target, score, self.sensitivity)
        elif isinstance(self.threshold, str):
            self.threshold_ = metrics.choose_threshold(target, score, self.threshold)
        else:
            self.threshold_ = self.threshold
        self.threshold_intervals_ = {
            at: metrics.threshold_interval(target, score, at, groups=groups) for at in SENSITIVITIES
        }
        self.thresholds_ = {at: found.value for at, found in self.threshold_intervals_.items()}
        self.conformal_ = ConformalSets().fit(target, score)
        self.metrics_ = metrics.evaluate(target, score, groups=groups, threshold=self.threshold_)

    def _weigh_features(self):
        """Average the members' shares, and sum those of the categories of a column."""
        names = self.encoder_.names_ if self.encoder_ else self._encoded_names()
        self.feature_names_ = np.array(names, dtype=object)
        share = self.ensemble_.importances()
        share = share / share.sum() if share.sum() > 0 else share
        sources = self.encoder_.sources_ if self.encoder_ else np.arange(len(share))
        self.feature_importances_ = np.bincount(sources, weights=share)
