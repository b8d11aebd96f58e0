"""
Your own scikit-learn pipeline
==============================

`LesionFeaturizer` converts records to numeric features and learns nothing from the data, so it
works in front of any scikit-learn classifier.
"""

from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hybridlesion import LesionFeaturizer, make_lesions
from hybridlesion.metrics import roc_auc
from hybridlesion.plotting import draw_roc

folder = TemporaryDirectory()
records = make_lesions(
    folder.name, n_patients=16, lesions_per_patient=(2, 2), size=(160, 120), malignant_share=0.3
)

# %%
# Measuring does not depend on the folds, so it is done once. Everything that is fitted, including
# the selection of features, belongs in the pipeline.

features = LesionFeaturizer().fit_transform(records)
pipe = make_pipeline(
    SimpleImputer(keep_empty_features=True),
    VarianceThreshold(),
    StandardScaler(),
    SelectKBest(k=10),
    LogisticRegression(C=0.1),
)

# %%
# The folds are grouped by patient: lesions of one person are more alike than those of two.

score = cross_val_predict(
    pipe,
    features,
    records["target"],
    groups=records["patient_id"],
    cv=GroupKFold(4),
    method="predict_proba",
)[:, 1]
print(f"AUC out of fold: {roc_auc(records['target'], score):.2f}")

figure, axis = plt.subplots(figsize=(4, 4), layout="constrained")
draw_roc(axis, records["target"], score, None, {})
folder.cleanup()
