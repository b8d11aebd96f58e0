"""The classifier on tables whose answer is known, and on every awkward one."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn import config_context
from sklearn.base import clone
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate

from hybridlesion.exceptions import TableError
from hybridlesion.metrics import calibration_slope, roc_auc
from hybridlesion.model import HybridLesionClassifier
from hybridlesion.pipeline import threshold_rule


def _table(n=1200, n_patients=200, seed=0, offset=-3.0):
    """Malignancy rises with age and the CNN's score; the site means nothing."""
    rng = np.random.default_rng(seed)
    age, score = rng.normal(0, 1, n), rng.normal(0, 1, n)
    y = (rng.random(n) < expit(offset + age + 1.5 * score)).astype(int)
    table = pd.DataFrame(
        {
            "image_id": [f"ISIC_{k:07d}" for k in range(n)],
            "patient_id": rng.integers(n_patients, size=n).astype(str),
            "meta__age": 50 + 15 * age,
            "meta__site": rng.choice(["torso", "head/neck"], n),
            "cnn__score": score,
            "abcd__A [0, 1]": rng.random(n),
            "qa__hair": y.astype(float),
        }
    )
    return table, y


def _small(**parameters):
    return HybridLesionClassifier(**({"n_splits": 3, "max_trees": 40} | parameters))


@pytest.fixture(scope="module")
def fitted():
    table, y = _table()
    return _small().fit(table, y), table, y


def test_fresh_rows_are_ranked_and_calibrated(fitted):
    model, _, _ = fitted
    table, y = _table(n=6000, seed=1)
    score = model.predict_proba(table)[:, 1]
    assert roc_auc(y, score) > 0.84
    assert score.mean() == pytest.approx(y.mean(), rel=0.15)
    assert calibration_slope(y, score) == pytest.approx(1, abs=0.2)


def test_out_of_fold_figures_foretell_those_of_fresh_rows(fitted):
    model, _, y = fitted
    fresh, truth = _table(n=6000, seed=2)
    expected = roc_auc(truth, model.predict_proba(fresh)[:, 1])
    assert roc_auc(y, model.oof_score_) == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("stopping", ["auc", "average_precision", "pauc", "log_loss"])
def test_noise_scores_like_noise_out_of_fold(stopping):
    rng = np.random.default_rng(0)
    values = []
    for seed in range(4):
        y = rng.random(400) < 0.2
        model = _small(stopping=stopping, random_state=seed).fit(rng.normal(size=(400, 10)), y)
        values.append(roc_auc(y, model.oof_raw_))
    assert np.mean(values) < 0.56


def test_patients_stay_whole_and_are_read_from_the_table(fitted):
    model, table, _ = fitted
    assert (pd.Series(model.folds_).groupby(table["patient_id"].to_numpy()).nunique() == 1).all()
    assert len(np.unique(model.groups_)) == table["patient_id"].nunique()


def test_given_groups_win_over_the_table(fitted):
    _, table, y = fitted
    groups = np.arange(len(y)) // 10
    model = _small(max_trees=10).fit(table, y, groups=groups)
    assert (pd.Series(model.folds_).groupby(groups).nunique() == 1).all()


def test_only_feature_families_are_read(fitted):
    model, table, _ = fitted
    names = ["meta__age", "meta__site", "cnn__score", "abcd__A [0, 1]"]
    assert model.feature_names_in_.tolist() == names
    assert model.n_features_in_ == 4
    assert model.feature_importances_.sum() == pytest.approx(1)
    share = dict(zip(model.feature_names_, model.feature_importances_, strict=True))
    assert share["cnn__score"] > 3 * share["abcd__A [0, 1]"]
    changed = table.assign(qa__hair=0.0, extra=1)[["extra", "qa__hair", *names[::-1], "patient_id"]]
    assert (model.predict_proba(changed) == model.predict_proba(table)).all()


def test_missing_columns_are_named(fitted):
    model, table, _ = fitted
    with pytest.raises(TableError, match=r"1 of the 4 columns.*missing: cnn__score"):
        model.predict_proba(table.drop(columns="cnn__score"))


def test_unseen_categories_missing_values_and_constants_pass():
    table, y = _table()
    table["meta__constant"], table["abcd__absent"] = 1.0, np.nan
    table.loc[::3, ["meta__age", "meta__site"]] = np.nan
    model = _small().fit(table, y)
    fresh = table.iloc[:5].assign(meta__site="palms/soles", meta__age=np.nan)
    with pytest.warns(UserWarning, match="'meta__site' has 5 values that were not in training"):
        assert np.isfinite(model.predict_proba(fresh)).all()
    share = dict(zip(model.feature_names_, model.feature_importances_, strict=True))
    assert share["meta__constant"] == share["abcd__absent"] == 0


def test_text_in_a_column_of_numbers_is_refused_by_name(fitted):
    model, table, _ = fitted
    with pytest.raises(TableError, match="'meta__age' had numbers in training"):
        model.predict(table.assign(meta__age="old"))


def test_infinite_values_are_refused_by_name(fitted):
    _, table, y = fitted
    with pytest.raises(TableError, match="1 columns hold infinite values: meta__age"):
        _small().fit(table.assign(meta__age=np.inf), y)


def test_a_table_without_features_says_what_features_are(fitted):
    _, table, y = fitted
    with pytest.raises(TableError, match="abcd__, perceived__, emb__, cnn__, meta__, ctx__"):
        _small().fit(table[["image_id", "patient_id", "qa__hair"]], y)


def test_repeated_columns_are_refused_by_name(fitted):
    _, table, y = fitted
    with pytest.raises(TableError, match="repeated: meta__age"):
        _small().fit(pd.concat([table, table[["meta__age"]]], axis=1), y)


def test_the_score_never_falls_along_the_cnn_score(fitted):
    model, table, _ = fitted
    line = pd.concat([table.iloc[[0]]] * 50, ignore_index=True)
    line["cnn__score"] = np.linspace(-3, 3, 50)
    assert (np.diff(model.predict_proba(line)[:, 1]) >= 0).all()


@pytest.mark.parametrize("imbalance", ["none", "class_weight", "undersample", "resample"])
def test_every_strategy_keeps_the_prevalence_before_calibration(imbalance):
    table, y = _table(n=4000, offset=-5.0)
    model = _small(imbalance=imbalance, linear_weight=0.0, max_trees=150, context="none")
    model.fit(table.filter(regex="^(cnn|meta)__"), y, groups=table["patient_id"])
    assert expit(model.oof_raw_).mean() == pytest.approx(y.mean(), rel=0.35)
    assert model.oof_score_.mean() == pytest.approx(y.mean(), rel=0.05)


def test_embedding_enters_as_one_cross_fitted_score():
    rng = np.random.default_rng(0)
    y = np.arange(600) % 5 == 0
    embedding = rng.normal(size=(600, 80))
    embedding[:, :4] += y[:, None]
    table = pd.DataFrame(embedding, columns=[f"emb__{k:04d}" for k in range(80)])
    table["meta__age"] = rng.normal(size=600)
    model = _small().fit(table, y)
    assert roc_auc(y, model.oof_score_) > 0.87
    assert model.ensemble_.members[0][0].boosters[0].num_feature() == 2
    assert model.feature_importances_.shape == (81,)
    assert model.feature_importances_[:4].mean() > 3 * model.feature_importances_[4:].mean()
    noise = _small().fit(table.assign(**dict.fromkeys(table.columns[:4], 0.0)), y)
    assert roc_auc(y, noise.oof_raw_) < 0.6


def test_thresholds_reach_their_sensitivities(fitted):
    model, _, y = fitted
    for sensitivity, threshold in model.thresholds_.items():
        assert (model.oof_score_[y == 1] >= threshold).mean() >= sensitivity
    assert model.metrics_.set_index("metric").loc["threshold", "value"] == model.threshold_


def _reaches(sensitivity):
    """Whether a threshold is the highest that reaches a sensitivity."""
    return lambda y, score, t: (
        (score[y == 1] >= t).mean() >= sensitivity > (score[y == 1] > t).mean()
    )


def _maximises(measure):
    return lambda y, score, t: all(
        measure(y, score >= t) >= measure(y, score >= other) - 1e-12 for other in score
    )


@pytest.mark.parametrize(
    ("parameters", "rule", "holds"),
    [
        ({}, "for 90 % sensitivity", _reaches(0.9)),
        ({"sensitivity": 0.95}, "for 95 % sensitivity", _reaches(0.95)),
        ({"sensitivity": 0.975}, "for 97.5 % sensitivity", _reaches(0.975)),
        ({"threshold": "f1"}, "for the highest F1", _maximises(f1_score)),
        (
            {"threshold": "youden"},
            "for the highest Youden index",
            _maximises(balanced_accuracy_score),
        ),
        ({"threshold": 0.25}, "set by the user", lambda y, score, t: t == 0.25),
        ({"cost_ratio": 19}, "for a cost ratio of 19", lambda y, score, t: t == 0.05),
    ],
)
def test_the_threshold_follows_its_rule_and_says_so(fitted, parameters, rule, holds):
    first, _, y = fitted
    model = clone(first).set_params(**parameters)
    model.oof_score_, model.groups_ = first.oof_score_, first.groups_
    model._decide(y == 1)
    assert holds(y, model.oof_score_, model.threshold_)
    assert threshold_rule(model) == rule
    assert model.metrics_.set_index("metric").loc["threshold", "value"] == model.threshold_


@pytest.mark.parametrize(
    "parameters",
    [
        {"threshold": "f1", "cost_ratio": 20},
        {"sensitivity": 0.95, "threshold": 0.1},
        {"sensitivity": 0.95, "cost_ratio": 20},
    ],
)
def test_two_rules_for_the_threshold_exclude_each_other(parameters):
    table, y = _table()
    words = " and ".join(f"{name}={value!r}" for name, value in parameters.items())
    with pytest.raises(ValueError, match=f"{words} exclude each other"):
        _small(**parameters).fit(table, y)


def test_predict_uses_the_stored_threshold_and_the_labels():
    table, y = _table()
    labels = np.where(y == 1, "malignant", "benign")
    model = _small(threshold=0.25).fit(table, labels)
    score = model.predict_proba(table)[:, 1]
    assert model.classes_.tolist() == ["benign", "malignant"]
    assert (model.predict(table) == np.where(score >= 0.25, "malignant", "benign")).all()


def test_equal_fits_are_equal_to_the_last_bit(fitted):
    model, table, y = fitted
    again = clone(model).fit(table, y)
    assert (again.oof_score_ == model.oof_score_).all()
    assert (again.predict_proba(table) == model.predict_proba(table)).all()


def test_pickle_loads_in_a_new_process_with_equal_scores(fitted, tmp_path):
    model, table, _ = fitted
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(model))
    table.to_pickle(tmp_path / "table.pickle")
    np.save(tmp_path / "score.npy", model.predict_proba(table))
    code = (
        "import pickle, numpy, pandas; model = pickle.load(open('model.pickle', 'rb')); "
        "table = pandas.read_pickle('table.pickle'); "
        "print((model.predict_proba(table) == numpy.load('score.npy')).all())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True"
    assert done.stderr == ""


def test_fitting_prints_nothing(capfd):
    rng = np.random.default_rng(0)
    _small().fit(rng.normal(size=(20, 3)), np.arange(20) % 2)
    assert capfd.readouterr() == ("", "")


def test_several_seeds_average_more_members(fitted):
    _, table, y = fitted
    model = _small(n_seeds=2, max_trees=20).fit(table, y)
    assert len(model.ensemble_.members[0]) == 6
    assert roc_auc(y, model.oof_score_) > 0.8


def test_linear_part_alone_and_trees_alone(fitted):
    _, table, y = fitted
    linear = _small(linear_weight=1.0).fit(table, y)
    assert not any(member.boosters for member in linear.ensemble_.members[0])
    trees = _small(linear_weight=0.0).fit(table, y)
    assert all(member.linear is None for member in trees.ensemble_.members[0])
    assert min(roc_auc(y, model.oof_score_) for model in (linear, trees)) > 0.8


def test_lightgbm_parameters_reach_the_trees(fitted):
    _, table, y = fitted
    model = _small(lightgbm_params={"num_leaves": 2}).fit(table, y)
    trees = model.ensemble_.members[0][0].boosters[0].dump_model()["tree_info"]
    assert {tree["num_leaves"] for tree in trees} <= {1, 2}


def test_fewer_positive_patients_than_folds_warns_and_goes_on(rng):
    X, y = rng.normal(size=(60, 3)), np.arange(60) < 3
    with pytest.warns(UserWarning, match="only 3 groups contain.*3 folds.*n_splits=5"):
        model = HybridLesionClassifier(max_trees=20).fit(X, y)
    assert len(np.unique(model.folds_)) == 3
    assert np.isfinite(model.oof_score_).all()


def test_one_patient_with_all_positives_is_refused(rng):
    X, y, groups = rng.normal(size=(60, 3)), np.arange(60) < 3, np.arange(60) // 10
    with pytest.raises(ValueError, match=r"at least 2 groups \(patients\), got 1"):
        _small().fit(X, y, groups=groups)


def test_two_positive_patients_are_too_few_for_an_embedding(rng):
    table = pd.DataFrame(rng.normal(size=(40, 3)), columns=["emb__0", "emb__1", "emb__2"])
    with pytest.raises(ValueError, match=r"at least 3 groups.*emb__"):
        _small().fit(table, np.arange(40) < 2)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(30), "one class"),
        (np.arange(30) % 3, "Only binary classification.*3 classes"),
        (np.where(np.arange(30) == 4, np.nan, np.arange(30) % 2), "1 missing labels"),
        (np.array([0, "1"] * 15, dtype=object), "labels of the types int, str. Use one type"),
    ],
)
def test_unusable_targets_are_refused(y, message, rng):
    table = pd.DataFrame({"meta__age": rng.normal(size=30)})
    with pytest.raises(ValueError, match=message):
        _small().fit(table, y)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("imbalance", "smote"),
        ("stopping", "f1"),
        ("calibration", "sigmoid"),
        ("threshold", "best"),
        ("sensitivity", 0),
        ("sensitivity", 90),
        ("sensitivity", np.nan),
        ("threshold", np.nan),
        ("threshold", 2.0),
        ("n_splits", 1),
        ("linear_weight", 1.5),
        ("learning_rate", 0),
    ],
)
def test_parameters_are_checked_by_name(parameter, value, rng):
    with pytest.raises(ValueError, match=parameter):
        HybridLesionClassifier(**{parameter: value}).fit(
            rng.normal(size=(20, 2)), np.arange(20) % 2
        )


def test_groups_are_routed_through_cross_validation_and_grid_search(fitted):
    _, table, y = fitted
    groups = table["patient_id"].to_numpy()
    X = table[["meta__age", "cnn__score"]]
    with config_context(enable_metadata_routing=True):
        model = _small(max_trees=10).set_fit_request(groups=True)
        done = cross_validate(
            model,
            X,
            y,
            cv=GroupKFold(3),
            scoring="roc_auc",
            params={"groups": groups},
            return_estimator=True,
            return_indices=True,
        )
        grid = GridSearchCV(model, {"num_leaves": [3, 7]}, cv=GroupKFold(2), scoring="roc_auc")
        grid.fit(X, y, groups=groups)
    for fold, train in zip(done["estimator"], done["indices"]["train"], strict=True):
        assert len(np.unique(fold.groups_)) == len(np.unique(groups[train])) < len(train)
    assert min(done["test_score"]) > 0.75
    assert len(np.unique(grid.best_estimator_.groups_)) == len(np.unique(groups))


@pytest.mark.real
def test_real_cnn_scores_keep_their_rank_and_become_probabilities(real_data):
    table = pd.read_csv(real_data / "isic2020" / "train.csv")
    scores = pd.read_csv(real_data / "tables" / "isic2019_2020_cnn_oof.csv")
    joined = table.merge(scores.drop(columns="target"), on="image_name")
    joined["meta__age"] = joined["age_approx"]
    joined["meta__site"] = joined["anatom_site_general_challenge"]
    joined["cnn__score"] = joined.filter(like="oof_snapshot").mean(axis=1)
    model = HybridLesionClassifier(max_trees=100).fit(joined, joined["target"])
    value = model.metrics_.set_index("metric")["value"]
    assert value["auc"] > 0.89
    assert value["calibration_error"] < 0.005
    assert 0.9 < value["calibration_slope"] < 1.1


@pytest.mark.parametrize("as_table", [True, False])
def test_a_refused_fit_leaves_the_former_model(rng, as_table):
    X = pd.DataFrame({"meta__age": rng.normal(size=60), "meta__sex_male": rng.normal(size=60)})
    other = X.rename(columns={"meta__age": "meta__other"})
    y = np.where(np.arange(60) % 3 == 0, "malignant", "benign")
    X, other = (X, other) if as_table else (X.to_numpy(), other.to_numpy())
    model = _small().fit(X, y)
    before = model.predict(X)
    with pytest.raises(ValueError, match="one class"):
        model.fit(other, np.full(60, "benign"))
    assert model.predict(X).tolist() == before.tolist()
    assert "malignant" in before


def test_every_core_gives_the_same_scores():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(200, 4)), np.arange(200) % 5 == 0
    one = HybridLesionClassifier(n_splits=3, max_trees=30).fit(X, y).predict_proba(X)
    every = HybridLesionClassifier(n_splits=3, max_trees=30, n_jobs=-1).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(one, every)


def test_focal_loss_ranks_and_is_calibrated_afterwards():
    table, y = _table(n=4000, offset=-5.0)
    model = _small(imbalance="focal", linear_weight=0.0, max_trees=150, context="none")
    model.fit(table.filter(regex="^(cnn|meta)__"), y, groups=table["patient_id"])
    other = _small(linear_weight=0.0, max_trees=150, context="none")
    other.fit(table.filter(regex="^(cnn|meta)__"), y, groups=table["patient_id"])
    # Rows that lost values are never clear, so that this loss looks at them too much.
    assert roc_auc(y, model.oof_score_) > roc_auc(y, other.oof_score_) - 0.03
    assert model.oof_score_.mean() == pytest.approx(y.mean(), rel=0.05)


def labelled(bad, good, kind=np.asarray):
    malignant = np.arange(120) % 5 == 0
    age = 50 + 20.0 * malignant + np.random.default_rng(0).normal(0, 5, 120)
    table = pd.DataFrame({"patient_id": np.arange(120) // 2, "meta__age": age})
    return table, kind(np.where(malignant, bad, good)), malignant


@pytest.mark.filterwarnings("ignore:the label .* is malignant:UserWarning")
@pytest.mark.parametrize(
    ("bad", "good"),
    [
        *(("melanoma", "nevus"), ("MEL", "NV"), ("Malignant", "Naevus"), ("malignant", "benign")),
        *(("yes", "no"), ("Ja", "nein"), ("y", "n"), ("pos", "neg"), ("true", "false"), ("1", "0")),
        *(("cancer", "healthy"), ("melanoma", "non-melanoma"), ("basal cell carcinoma", "mole")),
        *((1, 0), (1, -1), (True, False), (2, 1)),
    ],
)
def test_malignant_label_comes_second(bad, good):
    table, y, malignant = labelled(bad, good)
    model = HybridLesionClassifier(n_splits=3, max_trees=20).fit(table, y)
    assert model.classes_.tolist() == [good, bad]
    score = model.predict_proba(table)[:, 1]
    assert roc_auc(malignant, score) > 0.9
    np.testing.assert_array_equal(model.predict(table) == bad, score >= model.threshold_)
    assert model.score(table, y) == np.mean(model.predict(table) == y)


@pytest.mark.filterwarnings("ignore:the label .* is malignant:UserWarning")
@pytest.mark.parametrize(
    "kind", [pd.Categorical, lambda y: pd.Series(y, dtype="string"), lambda y: y.astype(object)]
)
def test_containers_of_labels(kind):
    table, y, _ = labelled("MEL", "NV", kind)
    assert HybridLesionClassifier(n_splits=3, max_trees=20).fit(table, y).classes_[1] == "MEL"
    plain = HybridLesionClassifier(n_splits=3, max_trees=20).fit(table[["meta__age"]].to_numpy(), y)
    assert plain.classes_[1] == "MEL"


@pytest.mark.parametrize("kind", [bool, int, float])
def test_numbers_in_an_object_column_are_labels(kind):
    table, _, malignant = labelled("", "")
    y = pd.Series(malignant.astype(kind), dtype=object)
    for X in (table, table[["meta__age"]].to_numpy()):
        model = HybridLesionClassifier(n_splits=3, max_trees=20).fit(X, y)
        assert model.classes_.tolist() == [0, 1]


def test_labels_that_are_not_known_need_pos_label():
    table, y, malignant = labelled("A", "B")
    with pytest.raises(ValueError, match="Give the malignant one as pos_label"):
        HybridLesionClassifier(n_splits=3, max_trees=20).fit(table, y)
    known = {("melanoma", "other"): "melanoma", ("x", "nevus"): "x"}
    for pair, example in known.items():
        with pytest.raises(ValueError, match=f"for example pos_label='{example}'"):
            _small().fit(table, labelled(*pair)[1])
    with pytest.raises(ValueError, match="pos_label='C' is not among the labels"):
        HybridLesionClassifier(n_splits=3, max_trees=20, pos_label="C").fit(table, y)
    with pytest.warns(UserWarning, match="the label 'A' is malignant"):
        model = HybridLesionClassifier(n_splits=3, max_trees=20, pos_label="A").fit(table, y)
    assert roc_auc(malignant, model.predict_proba(table)[:, 1]) > 0.9
