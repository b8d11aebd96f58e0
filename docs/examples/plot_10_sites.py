"""
A model at another site
=======================

At another hospital the prevalence and the camera differ. The model still ranks lesions well, but
its probabilities are wrong. `recalibrate` corrects them, and the thresholds, with 150 labelled
lesions of that hospital.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from hybridlesion import HybridLesionClassifier
from hybridlesion.datasets import malignancy_risk
from hybridlesion.metrics import calibration_in_the_large, reliability_curve, roc_auc
from hybridlesion.model import recalibrate

rng = np.random.default_rng(1)


def measure_site(n_lesions, malignant_share, *, camera):
    """Simulate the measurements of a site, whose camera shifts the colour."""
    traits = rng.beta(1, 2, size=(n_lesions, 3))
    y = rng.random(n_lesions) < malignancy_risk(traits, malignant_share)
    traits[:, 2] += camera
    names = ["abcd__asymmetry", "abcd__border", "abcd__color"]
    return pd.DataFrame(traits + rng.normal(0, 0.05, traits.shape), columns=names), y


# %%
# The model is fitted where 30 % of the lesions are malignant. At the other site 10 % are, and its
# camera shows colours weaker.

table, y = measure_site(2500, 0.3, camera=0.0)
model = HybridLesionClassifier(n_splits=3, max_trees=60).fit(table, y)
elsewhere, truth = measure_site(6000, 0.1, camera=-0.2)

# %%
# The first 150 lesions are used for recalibration, all others to test it.

first, rest = slice(150), slice(150, None)
local = recalibrate(model, model.predict_proba(elsewhere[first])[:, 1], truth[first])
print(f"Method: {local.recalibration_.method}")

models = {"as fitted": model, "recalibrated": local}
figure, axis = plt.subplots(figsize=(5, 4.5), layout="constrained")
for (name, one), color in zip(models.items(), ("#D55E00", "#0072B2"), strict=True):
    score = one.predict_proba(elsewhere[rest])[:, 1]
    observed = calibration_in_the_large(truth[rest], score)
    print(f"{name}: AUC {roc_auc(truth[rest], score):.3f}, observed over expected {observed:.2f}")
    curve = reliability_curve(truth[rest], score, n_bins=8)
    error = [curve["observed"] - curve["low"], curve["high"] - curve["observed"]]
    axis.errorbar(
        curve["predicted"], curve["observed"], yerr=error, fmt="o-", color=color, label=name
    )
axis.plot([0, 0.7], [0, 0.7], color="grey", linestyle=":")
axis.set(xlabel="predicted probability", ylabel="observed share", aspect="equal")
axis.legend(frameon=False)

# %%
# The ranking stays as it was. :doc:`Several sites </docs/sites>` shows the same with commands, and
# what 100 lesions achieve between real sites.
