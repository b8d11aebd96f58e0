"""
Strategies for class imbalance
==============================

At a prevalence of 2 %, how much does the strategy matter? The table holds simulated measurements
of the latent asymmetry, border irregularity and colour variety of synthetic lesions, so that no
image needs to be drawn.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from hybridlesion import HybridLesionClassifier
from hybridlesion.datasets import auc_ceiling, malignancy_risk

rng = np.random.default_rng(0)
traits = rng.beta(2, 4, size=(4000, 3))
risk = malignancy_risk(traits, malignant_share=0.02)
y = rng.random(len(risk)) < risk
table = pd.DataFrame(
    traits + rng.normal(0, 0.1, traits.shape),
    columns=["abcd__asymmetry", "abcd__border", "abcd__color"],
)
print(f"{y.sum()} of {len(y)} lesions are malignant; highest expected AUC {auc_ceiling(risk):.3f}")

# %%
# Each model computes out-of-fold metrics with 95 % intervals.

rows = {}
for strategy in ("none", "class_weight", "undersample", "resample", "focal"):
    model = HybridLesionClassifier(n_splits=3, imbalance=strategy, max_trees=60).fit(table, y)
    rows[strategy] = model.metrics_.set_index("metric").loc[
        ["auc", "average_precision", "calibration_slope"]
    ]
results = pd.concat(rows, names=["strategy"])
print(results.unstack()["value"].round(3))

# %%
# The intervals overlap widely. Each model is calibrated on its held-out folds, so the slopes are
# near 1 whatever share of positives it was trained on.

figure, axes = plt.subplots(1, 3, figsize=(10, 3), sharey=True, layout="constrained")
for axis, metric in zip(axes, results.index.unique("metric"), strict=True):
    rows = results.xs(metric, level="metric")
    error = [rows["value"] - rows["low"], rows["high"] - rows["value"]]
    axis.errorbar(rows["value"], rows.index, xerr=np.abs(error), fmt="o")
    axis.set_xlabel(metric.replace("_", " "))
