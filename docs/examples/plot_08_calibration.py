"""
Calibration at a prevalence of 1 %
==================================

A model that was calibrated where 20 % of the lesions are malignant exaggerates every risk where
1 % are. If only the prevalence differs, the scores can be corrected.
"""

import matplotlib.pyplot as plt
import numpy as np

from hybridlesion.datasets import malignancy_risk
from hybridlesion.metrics import (
    calibration_in_the_large,
    reliability_curve,
    roc_auc,
    shift_prevalence,
)

# %%
# 40,000 synthetic lesions at a prevalence of 1 %, and the scores of a model that expects 20 %.

rng = np.random.default_rng(0)
risk = malignancy_risk(rng.beta(2, 4, size=(40_000, 3)), malignant_share=0.01)
y = rng.random(len(risk)) < risk
scores = {"as fitted": shift_prevalence(risk, trained=0.01, wanted=0.20)}
scores["shifted to 1 %"] = shift_prevalence(scores["as fitted"], trained=0.20, wanted=0.01)

# %%
# The ranking is the same, so the AUC does not reveal the difference. Calibration in the large does:
# it is the observed number of malignant lesions divided by the expected one, ideally 1.

for name, score in scores.items():
    print(
        f"{name}: AUC {roc_auc(y, score):.3f}, mean score {score.mean():.3f}, "
        f"calibration in the large {calibration_in_the_large(y, score):.2f}"
    )

# %%
# On a linear scale all points would lie in the corner.

figure, axis = plt.subplots(figsize=(5, 4.5), layout="constrained")
for name, score in scores.items():
    curve = reliability_curve(y, score, n_bins=12).query("observed > 0")
    error = [curve["observed"] - curve["low"], curve["high"] - curve["observed"]]
    axis.errorbar(curve["predicted"], curve["observed"], yerr=error, fmt="o-", label=name)
limits = [1e-4, 1]
axis.plot(limits, limits, color="grey", linestyle=":")
axis.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
axis.set(xlabel="predicted probability", ylabel="observed share")
axis.legend()

# %%
# At another hospital, cameras and patients differ as well. Then evaluate and recalibrate on
# labelled images of that hospital.
